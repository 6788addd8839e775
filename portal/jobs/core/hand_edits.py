"""A job's row that was changed by hand in the shell: what else has to change so that the sweep takes it from there.

The verbs of `lifecycle` leave every column right by themselves; somebody who types `job.status = "failed"` thinks of
that one column. It knows no session and no clock.
"""

from datetime import datetime

from sqlalchemy import inspect

from portal.jobs.core.columns import JobColumns
from portal.jobs.core.status import RETRYABLE, WAITING, Status


def settle(job: JobColumns, now: datetime) -> None:
    """Make a hand-set row whole. Raises ValueError when its status is not one of ours."""
    restated = _changed(job, "status")
    if restated:
        job.status = Status(job.status)
        _forget_what_was(job)
    if job.status == Status.PROCESSING and (restated or _changed(job, "started_at")):
        job.last_progress_at = None  # rows of an earlier attempt say nothing of the one that begins at started_at
    if job.status in RETRYABLE:
        plan_retry(job, now)


def _changed(job: JobColumns, name: str) -> bool:
    return inspect(job).attrs[name].history.has_changes()


def _forget_what_was(job: JobColumns) -> None:
    """What the status before waited for."""
    job.paused_at = job.not_before = None
    if job.status != Status.PROCESSING:
        job.lease_until = None
    if job.status in WAITING:
        job.enqueued_at = None  # the sweep pushes it
    if job.status not in RETRYABLE:
        job.next_retry_at = None
    if job.status != Status.COMPLETED:
        job.completed_at = None


def plan_retry(job: JobColumns, now: datetime) -> None:
    """With retries left, the next sweep starts one; without, the job is final. A budget that was granted by hand
    begins a new round, as the button's does: should it be spent too, the owner is told again."""
    if job.retry_count >= job.max_retries:
        job.next_retry_at = None
    elif job.next_retry_at is None:
        job.next_retry_at = now
        job.round += 1
