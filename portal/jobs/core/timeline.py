"""Writes the timeline, one event a line, in the transaction of what happened. It must not know a job's verbs.

A file that waits for its source for a day is tried again and again: those tries are one line, not three hundred.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import delete, select, update

from portal.database import changed_rows, db
from portal.jobs.core import changes
from portal.jobs.core.job_tables import AnswerSample, Attempt, AttemptEnd, Event, EventKind


def record(job_id: int, kind: EventKind, now: datetime, actor: str | None = None, **facts: Any) -> None:
    """Add one event. `actor` is a person's email address, or None for the portal. Facts that are None are left out."""
    shown = {name: value for name, value in facts.items() if value is not None}
    db.session.add(Event(job_id=job_id, at=now, kind=kind, actor=actor, facts=shown))
    changes.note(job_id)


def open_attempt(job_id: int, attempt: int, worker: str, processed: int, now: datetime) -> None:
    """Record that a worker took the job."""
    db.session.add(Attempt(job_id=job_id, attempt=attempt, worker=worker, started_at=now, processed_before=processed))


def close_attempt(
    job_id: int, attempt: int, end: AttemptEnd, processed: int, now: datetime, cause: str | None = None
) -> None:
    """Record how an attempt ended. A closed attempt stays unchanged."""
    db.session.execute(
        update(Attempt)
        .where(Attempt.job_id == job_id, Attempt.attempt == attempt, Attempt.ended_at.is_(None))
        .values(ended_at=now, end=end, cause=cause, processed_after=processed)
    )


def fold_attempts(job_id: int, attempt: int) -> dict[str, Any]:
    """Make one row of this attempt and the one before it, when both were handed back for the same cause and nothing
    else happened between them; the same for their events. Call it after `close_attempt` and before the event of the
    end is recorded. Returns facts for that event: how many times in a row, and since when."""
    rows = select(Attempt).where(Attempt.job_id == job_id, Attempt.attempt <= attempt)
    found = list(db.session.scalars(rows.order_by(Attempt.attempt.desc()).limit(2)))
    events = select(Event).where(Event.job_id == job_id, Event.kind != EventKind.DOWNLOADED)
    last = list(db.session.scalars(events.order_by(Event.id.desc()).limit(2)))
    if [event.kind for event in last] != [EventKind.STARTED, EventKind.HANDED_BACK] or len(found) != 2:
        return {}
    this, before = found
    same = (this.end, this.cause) == (before.end, before.cause) and this.end == AttemptEnd.HANDED_BACK
    if not same or this.attempt != attempt or last[1].facts.get("attempt") != before.attempt or before.ended_at is None:
        return {}
    this.times += before.times
    this.idle_seconds += before.idle_seconds + max(0.0, (this.started_at - before.ended_at).total_seconds())
    this.started_at, this.processed_before = before.started_at, before.processed_before
    this.traceback = this.traceback or before.traceback
    gone = (AnswerSample.job_id == job_id, AnswerSample.attempt == before.attempt)
    changed_rows(delete(AnswerSample).where(*gone))
    db.session.delete(before)
    for event in last:
        db.session.delete(event)
    return {"times": this.times, "since": this.started_at.isoformat()}


def note_fault(job_id: int, attempt: int, traceback: str) -> None:
    """Save the traceback of an error in the program for admins. Only the first of an attempt is kept: it names the
    cause."""
    first = (Attempt.job_id == job_id, Attempt.attempt == attempt, Attempt.traceback.is_(None))
    db.session.execute(update(Attempt).where(*first).values(traceback=traceback))
