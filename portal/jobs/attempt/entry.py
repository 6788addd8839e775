"""How a worker gets its part of a job's attempt: it claims the job, or joins the attempt beside others.

Each commits, and may be repeated when the connection broke: whether it had been committed then is looked up.
"""

from portal.database import db
from portal.jobs import shares
from portal.jobs.attempt.outcome import Conditions
from portal.jobs.models import ScrapingJob
from portal.jobs.shares import Holding
from portal.sources import most_workers


def claim(job_id: int, attempt: int, conditions: Conditions, repeated: bool) -> tuple[Holding, str] | None:
    """Claim the job, and return the worker's hold on it and the source. None: there is nothing to claim.

    `repeated`: this very worker may have claimed it already, in a transaction that was committed before the connection
    broke.
    """
    now, worker, lease = conditions.clock(), conditions.worker, conditions.lease_seconds
    job = ScrapingJob.claim(job_id, attempt, now, worker=worker, lease_seconds=lease)
    claimed = (shares.hold(job, worker, now, lease), job.source) if job else None
    db.session.commit()
    return claimed or (_held_already(job_id, attempt + 1, worker) if repeated else None)


def join(job_id: int, attempt: int, conditions: Conditions, repeated: bool) -> tuple[Holding, str] | None:
    """Join the attempt after number `attempt`, and return the same. None: nobody may join it any more."""
    now, worker, current = conditions.clock(), conditions.worker, attempt + 1
    job = db.session.get(ScrapingJob, job_id, populate_existing=True)
    source = job.source if job else None
    if source is None or (repeated and (held := _held_already(job_id, current, worker))):
        db.session.commit()
        return held if source else None
    most = most_workers(source)
    holding = shares.join(job_id, current, now, worker=worker, lease_seconds=conditions.lease_seconds, most=most)
    db.session.commit()
    return (holding, source) if holding else None


def _held_already(job_id: int, attempt: int, worker: str) -> tuple[Holding, str] | None:
    """Return this very worker's hold on an attempt, if it has one."""
    holding = shares.held_by_worker(job_id, attempt, worker)
    job = db.session.get(ScrapingJob, job_id) if holding else None
    db.session.commit()
    return (holding, job.source) if holding and job else None
