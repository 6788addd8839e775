"""Writes the timeline, one event a line, in the transaction of what happened. It must not know a job's verbs."""

from datetime import datetime
from typing import Any

from sqlalchemy import update

from portal.database import db
from portal.jobs.core.job_tables import Attempt, AttemptEnd, Event, EventKind


def record(job_id: int, kind: EventKind, now: datetime, actor: str | None = None, **facts: Any) -> None:
    """Add one event. `actor` is a person's email address, or None for the portal. Facts that are None are left out."""
    shown = {name: value for name, value in facts.items() if value is not None}
    db.session.add(Event(job_id=job_id, at=now, kind=kind, actor=actor, facts=shown))


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


def note_fault(job_id: int, attempt: int, traceback: str) -> None:
    """Save the traceback of an error in the program for admins. Only the first of an attempt is kept: it names the
    cause."""
    first = (Attempt.job_id == job_id, Attempt.attempt == attempt, Attempt.traceback.is_(None))
    db.session.execute(update(Attempt).where(*first).values(traceback=traceback))
