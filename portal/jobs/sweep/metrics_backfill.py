"""Adds jobs to the metrics whose end was not counted when they ended, a batch at a time, as a step of the sweep.

These are jobs from before the metrics existed, and jobs whose status was changed by hand in the database.
"""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import bindparam, func, insert, select, update

from portal.database import among, db
from portal.jobs.core.job_tables import Attempt, Event, EventKind
from portal.jobs.core.status import ENDED, WAITING, Status
from portal.jobs.core.step_tables import JobStep
from portal.jobs.metrics.models import JobEnd
from portal.jobs.metrics.record import AttemptTimes, CountedEnd, update_metrics, write
from portal.jobs.models import ScrapingJob
from portal.jobs.status_counts import UNCOUNTED

BATCH = 1000
BATCHES = 10  # in one pass of the sweep: a few seconds at most

_COLUMNS = [
    getattr(ScrapingJob, name)
    for name in (
        "id", "user_id", "source", "chain", "status", "created_at", "updated_at", "completed_at", "deleted_at",
        "found_count", "not_found_count", "invalid_count", "rejected_count", "failed_count",
        "total_numbers", "processed_numbers",
    )
]  # fmt: skip


def catch_up(now: datetime) -> Iterator[int]:
    """Run one pass, and yield how many jobs were corrected, batch by batch."""
    if reopened := subtract_reopened(now):
        yield reopened
    for _ in range(BATCHES):
        counted = count_ended()
        if counted:
            yield counted
        if counted < BATCH:
            return


def count_ended() -> int:
    """Count one batch of ended jobs, commit, and return how many. Jobs that are locked elsewhere are left for later."""
    query = select(*_COLUMNS).where(*UNCOUNTED).order_by(ScrapingJob.id).limit(BATCH)
    jobs = db.session.execute(query.with_for_update(skip_locked=True)).all()
    if jobs:
        ids = [job.id for job in jobs]
        attempts, ended, steps = _attempts(ids), _end_moments(ids), _steps(ids)
        ends = [
            CountedEnd.of(
                job, attempts[job.id], job.completed_at or ended.get(job.id) or job.updated_at, steps.get(job.id, ())
            )
            for job in jobs
        ]
        gone = {job.id for job in jobs if job.deleted_at is not None}
        write([(end, 1) for end in ends], [end for end in ends if end.job_id in gone])
        db.session.execute(insert(JobEnd), [end.as_row() for end in ends])
        _set_ended_at(ends)
    db.session.commit()
    return len(jobs)


def subtract_reopened(now: datetime) -> int:
    """Subtract jobs that were counted as ended and are active again, commit, and return how many."""
    reopened = (among(ScrapingJob.status, (*WAITING, Status.PROCESSING)), ScrapingJob.ended_at.is_not(None))
    query = select(ScrapingJob).where(*reopened, ScrapingJob.deleted_at.is_(None)).order_by(ScrapingJob.id)
    jobs = list(db.session.scalars(query.limit(BATCH).with_for_update(skip_locked=True, of=ScrapingJob)))
    for job in jobs:
        update_metrics(job, now)
    db.session.commit()
    return len(jobs)


def _attempts(ids: list[int]) -> dict[int, list[AttemptTimes]]:
    found: dict[int, list[AttemptTimes]] = defaultdict(list)
    query = select(Attempt.job_id, Attempt.started_at, Attempt.ended_at, Attempt.end, Attempt.idle_seconds)
    for job_id, started_at, ended_at, end, idle_seconds in db.session.execute(query.where(Attempt.job_id.in_(ids))):
        found[job_id].append(AttemptTimes(started_at, ended_at, end, idle_seconds))
    return found


def _steps(ids: list[int]) -> dict[int, list[JobStep]]:
    found: dict[int, list[JobStep]] = defaultdict(list)
    for step in db.session.scalars(select(JobStep).where(JobStep.job_id.in_(ids)).order_by(JobStep.step)):
        found[step.job_id].append(step)
    return found


def _end_moments(ids: list[int]) -> dict[int, datetime]:
    """Return when each job last ended, from its timeline. The event of an end has the name of its status."""
    ends = (Event.job_id.in_(ids), Event.kind.in_([EventKind(status) for status in ENDED]))
    latest = select(Event.job_id, func.max(Event.at)).where(*ends).group_by(Event.job_id)
    return {row[0]: row[1] for row in db.session.execute(latest)}


def _set_ended_at(ends: list[CountedEnd]) -> None:
    noted = (
        update(ScrapingJob.__table__)  # type: ignore[arg-type]
        .where(ScrapingJob.__table__.c.id == bindparam("of_job"))
        .values(ended_at=bindparam("moment"), updated_at=ScrapingJob.__table__.c.updated_at)
    )
    db.session.execute(noted, [{"of_job": end.job_id, "moment": end.ended_at} for end in ends])
