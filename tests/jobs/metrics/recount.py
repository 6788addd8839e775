"""Recounts the metrics slowly from every job, attempt and event. It uses no code of `jobs.metrics`.

A job has ended when no worker has it or waits for it and no retry is planned; its end is the last event that says so.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select

from portal.accounts import User
from portal.database import db
from portal.jobs.core.job_tables import Attempt, Event
from portal.jobs.models import ScrapingJob


@dataclass
class Ended:
    """One job that has ended."""

    at: datetime
    owner: str
    source: str
    outcome: str
    numbers: Counter[str]
    worked_seconds: float
    elapsed_seconds: float
    retries: int


@dataclass
class Tally:
    """The counts of a set of ended jobs."""

    jobs: Counter[str] = field(default_factory=Counter)
    numbers: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)  # of work, of completed jobs
    retries: Counter[int] = field(default_factory=Counter)


def all_ended() -> list[Ended]:
    """Every job that has ended, deleted or not."""
    emails = {user.id: user.email for user in db.session.scalars(select(User))}
    found = []
    for job in db.session.scalars(select(ScrapingJob)):
        if job.status in ("pending", "processing", "retrying") or job.next_retry_at is not None:
            continue
        attempts = list(db.session.scalars(select(Attempt).where(Attempt.job_id == job.id)))
        events = db.session.scalars(select(Event).where(Event.job_id == job.id, Event.kind == job.status.value))
        answered = Counter(
            found=job.found_count, not_found=job.not_found_count, invalid=job.invalid_count,
            rejected=job.rejected_count, failed=job.failed_count,
        )  # fmt: skip
        answered["waiting"] = job.total_numbers - sum(answered.values())
        at = max(event.at for event in events)
        found.append(
            Ended(
                at, emails[job.user_id], job.source, job.status.value, answered,
                sum((one.ended_at - one.started_at).total_seconds() for one in attempts if one.ended_at),
                (at - job.created_at).total_seconds(),
                sum(one.end is not None and one.end.value in ("failed", "timeout", "lost") for one in attempts),
            )
        )  # fmt: skip
    return found


def tally(ended: list[Ended], by: object = None) -> dict[object, Tally]:
    """Count the jobs in groups: `by` returns each one's group, or None to leave it out."""
    groups: dict[object, Tally] = defaultdict(Tally)
    for one in ended:
        name = by(one) if callable(by) else "all"
        if name is None:
            continue
        group = groups[name]
        group.jobs[one.outcome] += 1
        group.numbers.update(one.numbers)
        if one.outcome == "completed":
            group.seconds.append(one.worked_seconds)
            group.retries[one.retries] += 1
    return dict(groups)
