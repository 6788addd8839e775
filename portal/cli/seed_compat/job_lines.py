"""A job as the commands print it: a copy of its row, so that no transaction is open while the terminal shows it.

On SQLite an open transaction holds the write lock: `check-scraping-jobs | less` must not block the portal.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from portal.clock import utcnow
from portal.database import db
from portal.jobs.core.status import WAITING, Status
from portal.jobs.dispatch import push_job
from portal.jobs.models import ScrapingJob


@dataclass(frozen=True)
class JobLine:
    """The printed facts of one job. `elapsed` and `silent` are in minutes."""

    id: int
    file_name: str
    email: str
    status: Status
    retry_count: int
    max_retries: int
    timeout_minutes: int
    elapsed: float  # since the attempt started
    silent: float | None  # since the last row of this attempt; None before the first one
    retries_left: bool
    saved_something: bool  # in this attempt
    paused: bool

    @classmethod
    def of(cls, job: ScrapingJob, now: datetime) -> Self:
        started, progress = job.started_at, job.last_progress_at
        began = started or progress or now
        return cls(
            id=job.id,
            file_name=job.file_name,
            email=job.user.email,
            status=Status(job.status),
            retry_count=job.retry_count,
            max_retries=job.max_retries,
            timeout_minutes=job.timeout_minutes,
            elapsed=_minutes(began, now),
            silent=_minutes(progress, now) if progress and progress > began else None,
            retries_left=job.retry_count < job.max_retries,
            saved_something=job.processed_numbers > job.processed_at_claim,
            paused=job.paused_at is not None,
        )


def copied(jobs: Iterable[ScrapingJob], now: datetime) -> list[JobLine]:
    """Copy the jobs that one of the sweep's queries found, and end the transaction."""
    lines = [JobLine.of(job, now) for job in jobs]
    db.session.rollback()
    return lines


def moved(jobs: Iterable[ScrapingJob], now: datetime) -> Iterator[JobLine]:
    """Copy the jobs that one of the sweep's steps moves, each as soon as it is committed."""
    for job in jobs:
        line = JobLine.of(job, now)
        db.session.rollback()
        yield line


def is_sent(job_id: int) -> bool:
    """Return whether a worker or Redis has the job, whoever sent it; if not, the next sweep sends it."""
    job = db.session.get_one(ScrapingJob, job_id, populate_existing=True)
    sent = job.status not in WAITING or job.enqueued_at is not None
    db.session.rollback()
    return sent


class RedisQueue:
    """Pushes moved jobs to Redis. After one failure it leaves the rest to the sweep, to avoid a timeout for each."""

    def __init__(self) -> None:
        self.redis_is_away = False

    def send(self, job_id: int) -> bool:
        """Push a job; return whether it is queued."""
        if not self.redis_is_away and push_job(job_id, utcnow()):
            return True
        sent = is_sent(job_id)
        self.redis_is_away = self.redis_is_away or not sent
        return sent


def _minutes(since: datetime, now: datetime) -> float:
    return (now - since).total_seconds() / 60
