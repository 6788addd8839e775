"""Bulk operations, as the pages use them: start, stop, find, list. `operation_runner` does the work.

The jobs are selected at the start, each with its round and attempt: a job that changes later is skipped with the
reason, and one that arrives later is not affected. The first CHOSEN_AT_ONCE are selected here; the worker selects the
rest before it begins.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, insert, literal, select, update
from sqlalchemy.exc import IntegrityError

from portal import audit
from portal.accounts import User
from portal.database import among, changed_rows, db
from portal.jobs.admin.bulk import BulkOrder
from portal.jobs.admin.filters import Filters, conditions
from portal.jobs.core.bulk_tables import UNDER_WAY, ChosenJob, Operation, OperationState
from portal.jobs.dispatch import push_operation
from portal.jobs.models import ScrapingJob

CHOSEN_AT_ONCE = 10_000
SKIPPED_SHOWN = 200
PER_PAGE = 25


@dataclass(frozen=True)
class SkippedJob:
    """A job that an operation skipped. `name` is None when the job was deleted since."""

    job_id: int
    name: str | None
    why: str


def begin(
    order: BulkOrder,
    key: str,
    now: datetime,
    *,
    wanted: Filters | None = None,
    address: dict[str, str] | None = None,
    job_ids: Sequence[int] = (),
) -> Operation:
    """Start an operation on all jobs under `wanted`, or on `job_ids`. The form's `key` makes it start once: sending the
    form again returns the same operation. Commits."""
    if (begun := _of_key(key)) is not None:
        return begun
    newest = db.session.scalar(select(func.max(ScrapingJob.id))) or 0
    selection = None if wanted is None else {**wanted.as_json(), "address": address or {}}
    limits = None
    if order.limits is not None:
        limits = {"max_retries": order.limits[0], "timeout_minutes": order.limits[1]}
    operation = Operation(
        key=key, verb=order.verb, by=order.by, reason=order.reason, limits=limits, selection=selection,
        up_to_job=newest, created_at=now, choose_after=None if wanted is None else 0,
    )  # fmt: skip
    db.session.add(operation)
    try:
        db.session.flush()
    except IntegrityError:  # the form was sent twice at the same moment
        db.session.rollback()
        found = _of_key(key)
        if found is None:
            raise
        return found
    choose(operation, job_ids)
    facts = {"jobs": operation.chosen, "all": True if wanted is not None else None, "what": order.verb.value}
    audit.note(order.by, "operation_begun", "operation", operation.id, order.reason, now, **facts)
    db.session.commit()
    push_operation(operation.id, now)
    return operation


def _of_key(key: str) -> Operation | None:
    return db.session.scalar(select(Operation).where(Operation.key == key))


def choose(operation: Operation, job_ids: Sequence[int] = ()) -> None:
    """Select at most CHOSEN_AT_ONCE jobs in the order of their ids, and store where to continue. In the session's
    transaction."""
    job = ScrapingJob
    if operation.choose_after is None:
        for first in range(0, len(job_ids), 500):
            operation.chosen += _chosen(operation, job.id.in_(job_ids[first : first + 500]), job.deleted_at.is_(None))
        return
    wanted = Filters.from_json(operation.selection or {})
    within = (job.id > operation.choose_after, job.id <= operation.up_to_job, job.created_at <= operation.created_at)
    count = _chosen(operation, *conditions(wanted), *within)
    operation.chosen += count
    last = select(func.max(ChosenJob.job_id)).where(ChosenJob.operation_id == operation.id)
    operation.choose_after = db.session.scalar(last) if count == CHOSEN_AT_ONCE else None


def _chosen(operation: Operation, *where: Any) -> int:
    job = ScrapingJob
    seen = select(literal(operation.id), job.id, job.round, job.attempt).where(*where).order_by(job.id)
    columns = ["operation_id", "job_id", "seen_round", "seen_attempt"]
    return changed_rows(insert(ChosenJob).from_select(columns, seen.limit(CHOSEN_AT_ONCE)))


def stop(operation_id: int, actor: str, now: datetime) -> bool:
    """Ask an operation to stop: it changes no further job. One that no worker has begun ends at once. Commits."""
    open_ = (Operation.id == operation_id, Operation.stop_asked_at.is_(None), Operation.state.in_(UNDER_WAY))
    asked = changed_rows(update(Operation).where(*open_).values(stop_asked_at=now)) == 1
    if asked:
        unbegun = (Operation.id == operation_id, Operation.state == OperationState.WAITING)
        ended = {"state": OperationState.STOPPED, "ended_at": now}
        if changed_rows(update(Operation).where(*unbegun).values(**ended)):
            forget(operation_id, 0)
        audit.note(actor, "operation_stopped", "operation", operation_id, None, now)
    db.session.commit()
    return asked


def forget(operation_id: int, after_job: int) -> None:
    """Delete the selected jobs that will not be processed, and the telephone number that was searched."""
    left = (ChosenJob.operation_id == operation_id, ChosenJob.job_id > after_job)
    changed_rows(delete(ChosenJob).where(*left))
    operation = db.session.get_one(Operation, operation_id, populate_existing=True)
    if operation.selection and "e164" in operation.selection:
        operation.selection = {name: value for name, value in operation.selection.items() if name != "e164"}


def find(admin: User, operation_id: int) -> Operation | None:
    """Return the operation in its present state; None if the user is not an administrator."""
    if not admin.is_admin:
        return None
    return db.session.get(Operation, operation_id, populate_existing=True)


def recent(before: int | None = None) -> tuple[list[Operation], int | None]:
    """Return the newest operations, or those before an id, and the id to continue from."""
    found = select(Operation).order_by(Operation.id.desc()).limit(PER_PAGE + 1)
    if before is not None:
        found = found.where(Operation.id < before)
    rows = list(db.session.scalars(found))
    return rows[:PER_PAGE], rows[PER_PAGE - 1].id if len(rows) > PER_PAGE else None


def under_way() -> int:
    """Count the operations that have not ended."""
    return db.session.scalar(select(func.count()).where(among(Operation.state, UNDER_WAY))) or 0


def skipped_jobs(operation: Operation) -> list[SkippedJob]:
    """Return the first skipped jobs. The operation itself has the exact counts of the reasons."""
    rows = db.session.execute(
        select(ChosenJob.job_id, ScrapingJob.file_name, ChosenJob.skipped_why)
        .outerjoin(ScrapingJob, (ScrapingJob.id == ChosenJob.job_id) & ScrapingJob.deleted_at.is_(None))
        .where(ChosenJob.operation_id == operation.id, ChosenJob.skipped_why.is_not(None))
        .order_by(ChosenJob.job_id)
        .limit(SKIPPED_SHOWN)
    )
    return [SkippedJob(job_id, name, why or "") for job_id, name, why in rows]


def version(operation: Operation) -> str:
    """Return a short text that changes with everything that the operation's page shows."""
    shown = (operation.state, operation.done, operation.skipped, operation.chosen, operation.stop_asked_at is not None)
    return "-".join(map(str, shown))
