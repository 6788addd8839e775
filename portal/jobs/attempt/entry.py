"""How a worker gets its part of a job's attempt: it claims the job, or joins the attempt beside others.

Each commits, and may be repeated when the connection broke: whether it had been committed then is looked up.
"""

from dataclasses import dataclass
from typing import Self

from portal.database import db
from portal.jobs import shares
from portal.jobs.attempt.outcome import Conditions
from portal.jobs.core.job_tables import Opening
from portal.jobs.models import ScrapingJob
from portal.jobs.shares import Holding
from portal.sources import most_workers


@dataclass(frozen=True)
class Entered:
    """A worker's hold on an attempt, and what it has to know of the job."""

    holding: Holding
    source: str
    timeout_seconds: float  # without an answer
    # answers of earlier files do not count: a file is repeated to see what has changed, or its person chose so
    asks_anew: bool
    is_open: bool  # whether its ledger is whole
    user_id: int  # of its owner
    known_days: int | None  # how old the answers of earlier files may be; None: as the recipe says
    merge_id: int | None  # the comparison with an earlier list, whose answers it takes over
    versions: str  # those of the source's data with which it was looked up so far
    skipped_step: int | None = None  # the last of its sources of which numbers have to be moved on

    @classmethod
    def of(cls, holding: Holding, job: ScrapingJob) -> Self:
        """Read it from the job's row, in the transaction in which the worker entered."""
        is_open = db.session.get(Opening, job.id, populate_existing=True) is None
        anew, seconds = job.repeat_at is not None or job.known_days == 0, job.timeout_minutes * 60
        # Of several, the one that this very attempt asks: the row may be older than the attempt that was joined.
        source = holding.chain.source if holding.chain else job.source
        known = (job.known_days, job.merge_id)
        return cls(holding, source, seconds, anew, is_open, job.user_id, *known, job.source_versions, job.skipped_step)


def claim(job_id: int, attempt: int, conditions: Conditions, repeated: bool) -> Entered | None:
    """Claim the job. None: there is nothing to claim.

    `repeated`: this very worker may have claimed it already, in a transaction that was committed before the connection
    broke.
    """
    now, worker, lease = conditions.clock(), conditions.worker, conditions.lease_seconds
    job = ScrapingJob.claim(job_id, attempt, now, worker=worker, lease_seconds=lease)
    claimed = Entered.of(shares.hold(job, worker, now, lease), job) if job else None
    db.session.commit()
    return claimed or (_held_already(job_id, attempt + 1, worker) if repeated else None)


def join(job_id: int, attempt: int, conditions: Conditions, repeated: bool) -> Entered | None:
    """Join the attempt after number `attempt`. None: nobody may join it any more."""
    now, worker, current = conditions.clock(), conditions.worker, attempt + 1
    job = db.session.get(ScrapingJob, job_id, populate_existing=True)
    if job is None or (repeated and (held := _held_already(job_id, current, worker))):
        db.session.commit()
        return held if job else None
    most = most_workers(job.source)
    holding = shares.join(job_id, current, now, worker=worker, lease_seconds=conditions.lease_seconds, most=most)
    joined = Entered.of(holding, job) if holding else None
    db.session.commit()
    return joined


def _held_already(job_id: int, attempt: int, worker: str) -> Entered | None:
    """Return this very worker's hold on an attempt, if it has one."""
    holding = shares.held_by_worker(job_id, attempt, worker)
    job = db.session.get(ScrapingJob, job_id) if holding else None
    held = Entered.of(holding, job) if holding and job else None
    db.session.commit()
    return held
