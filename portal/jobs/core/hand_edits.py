"""Completes a job's row that somebody changed in the shell, so that the sweep can handle the job from there.

The verbs of `lifecycle` set every column that belongs to a move; somebody who types `job.status = "failed"` thinks of
that one column. It must not know a session or a clock.
"""

from datetime import datetime

from sqlalchemy import inspect

from portal.jobs.core.job_columns import JobColumns
from portal.jobs.core.status import RETRYABLE, WAITING, Status


def reconcile(job: JobColumns, now: datetime) -> None:
    """Make a hand-edited row consistent. Raises ValueError for an unknown status."""
    status_changed = _changed(job, "status")
    if status_changed:
        job.status = Status(job.status)
        _clear_waits(job)
    if job.status == Status.PROCESSING and (status_changed or _changed(job, "started_at")):
        job.last_progress_at = None  # an earlier attempt's rows are not progress of the one that began at started_at
    if job.status in RETRYABLE:
        plan_retry(job, now)


def _changed(job: JobColumns, name: str) -> bool:
    return inspect(job).attrs[name].history.has_changes()


def _clear_waits(job: JobColumns) -> None:
    """Clear what the previous status waited for."""
    job.paused_at = job.not_before = job.waits_since = None
    if job.status != Status.PROCESSING:
        job.lease_until = None
    if job.status in WAITING:
        job.enqueued_at = None  # the sweep pushes it
    if job.status not in RETRYABLE:
        job.next_retry_at = None
    if job.status != Status.COMPLETED:
        job.completed_at = None


def plan_retry(job: JobColumns, now: datetime) -> None:
    """Let the next sweep retry the job if it has retries left; otherwise make it final. A budget granted by hand begins
    a new round, as the button does, so that the owner is notified again when it is used up."""
    if job.retry_count >= job.max_retries:
        job.next_retry_at = None
    elif job.next_retry_at is None:
        job.next_retry_at = now
        job.round += 1
