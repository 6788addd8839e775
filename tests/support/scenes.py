"""Brings a job into each status by the real functions: a worker claims it, answers arrive, it ends."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from portal.database import db
from portal.jobs import queries, turns
from portal.jobs.attempt.save import LookedUp, save
from portal.jobs.core import ledger
from portal.jobs.core.retry_backoff import Backoff
from portal.jobs.core.status import Status
from portal.jobs.models import ScrapingJob
from portal.sources.base import Answer, Outcome
from tests.support.cast import NOW, hold

BACKOFF = Backoff(base_seconds=120, spread=0)
LEASE = 60


def claim(job: ScrapingJob, now: datetime = NOW, worker: str = "worker-1") -> ScrapingJob:
    """A worker claims the job."""
    claimed = ScrapingJob.claim(job.id, job.attempt, now, worker=worker, lease_seconds=LEASE)
    db.session.commit()
    assert claimed is not None
    return claimed


def answer(
    job: ScrapingJob,
    outcomes: Sequence[Outcome],
    now: datetime = NOW,
    reason: str | None = None,
    fields: dict[str, str] | None = None,
) -> None:
    """Give these outcomes to as many waiting numbers, in the file's order."""
    waiting = list(ledger.waiting(job.id).values())
    looked = [
        LookedUp(number, Answer(outcome, fields or {}, reason))
        for number, outcome in zip(waiting, outcomes, strict=False)
    ]
    save(hold(job, now), looked, now, LEASE)


def completed(job: ScrapingJob, now: datetime = NOW) -> ScrapingJob:
    """Every number is found."""
    claim(job, now)
    answer(job, [Outcome.FOUND] * job.total_numbers, now)
    ScrapingJob.complete(job.id, job.attempt, now)
    db.session.commit()
    return job


def failed(
    job: ScrapingJob,
    now: datetime = NOW,
    *,
    found: int = 1,
    reasons: Sequence[str] = ("temporary",),
    cause: str = "numbers_unanswered",
    final: bool = False,
) -> ScrapingJob:
    """Some numbers are found, one fails for each of the reasons, the rest still wait. `final`: no retry is left."""
    if final:
        job.max_retries = job.retry_count
        db.session.commit()
    claim(job, now)
    answer(job, [Outcome.FOUND] * found, now)
    for reason in reasons:
        answer(job, [Outcome.FAILED], now, reason)
    ScrapingJob.fail(job.id, job.attempt, cause, now, BACKOFF)
    db.session.commit()
    return job


def timed_out(job: ScrapingJob, now: datetime = NOW) -> ScrapingJob:
    """A worker has claimed it, no answer arrives, and no retry is left."""
    job.max_retries = 0
    db.session.commit()
    claim(job, now)
    ScrapingJob.time_out(job.id, job.attempt, None, now + timedelta(minutes=31), BACKOFF)
    db.session.commit()
    return job


def busy(job: ScrapingJob, now: datetime = NOW) -> ScrapingJob:
    """The source asks us to wait."""
    claim(job, now)
    ScrapingJob.hand_back(job.id, job.attempt, "rate_limited", now, now + timedelta(minutes=5))
    db.session.commit()
    return job


def cancelled(job: ScrapingJob, now: datetime = NOW) -> ScrapingJob:
    """Its owner cancelled it."""
    ScrapingJob.cancel(job.id, "alice@example.com", now)
    db.session.commit()
    return job


def in_status(job: ScrapingJob, status: Status, now: datetime = NOW) -> ScrapingJob:
    """The job, brought to that status."""
    play = {
        Status.PENDING: lambda: job,
        Status.PROCESSING: lambda: claim(job, now),
        Status.COMPLETED: lambda: completed(job, now),
        Status.FAILED: lambda: failed(job, now, final=True),
        Status.TIMEOUT: lambda: timed_out(job, now),
        Status.RETRYING: lambda: busy(job, now),
        Status.CANCELLED: lambda: cancelled(job, now),
    }
    play[status]()
    db.session.refresh(job)
    assert job.status == status
    return job


def page_version(job: ScrapingJob, now: datetime) -> str:
    """The version of the job's page, as a poll computes it."""
    return queries.page_version(job, now, turns.jobs_ahead(job, now))
