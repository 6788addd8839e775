"""Runs a bulk operation: one slice at a time, in small batches, each committed alone.

A batch's changes, its counts and the place to continue from are written in one transaction behind the operation's
fence: interrupted at any line, it continues where it stopped, and no job is processed twice. A slice is short, because
the sweep waits for the same worker. If two workers have one operation, the late one loses, as with jobs.
"""

import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from sqlalchemy import delete, or_, select, update
from sqlalchemy.exc import OperationalError

from portal.accounts import User
from portal.clock import utcnow
from portal.database import among, changed_rows, db
from portal.jobs.admin import bulk, operations
from portal.jobs.admin.bulk import BulkOrder
from portal.jobs.core.bulk_tables import UNDER_WAY, ChosenJob, Operation, OperationState
from portal.jobs.dispatch import push_job
from portal.jobs.metrics.record import counted_at_the_end
from portal.jobs.models import ScrapingJob

log = structlog.get_logger(__name__)

BATCH = 25  # jobs per transaction: on SQLite all other writers wait for it
SLICE_SECONDS = 5.0
LEASE_SECONDS = 60.0
PUSHED_AGAIN_SECONDS = 30.0  # an operation that no worker has taken for so long is pushed again
SKIPPED_KEPT = 1000  # skipped jobs that are stored by id; the rest are only counted


def _never() -> bool:
    return False


def work(
    operation_id: int, *, clock: Callable[[], datetime] = utcnow, stopped: Callable[[], bool] = _never,
    seconds: float = SLICE_SECONDS,
) -> bool:  # fmt: skip
    """Work on an operation for `seconds`; returns whether there is more to do. Does nothing while another worker holds
    it."""
    attempt = _claim(operation_id, clock())
    if attempt is None:
        return False
    until = time.monotonic() + seconds
    try:
        while not stopped():
            if not _batch(operation_id, attempt, clock()):
                return False
            if time.monotonic() >= until:
                break
    except Exception:
        db.session.rollback()
        log.exception("operation interrupted", operation=operation_id)
        return False  # its lease expires, and the sweep pushes it again
    _release(operation_id, attempt)
    return True


def unpushed(now: datetime) -> list[int]:
    """Return the operations that no worker holds, and that probably have no message in Redis."""
    old = now - timedelta(seconds=PUSHED_AGAIN_SECONDS)
    idle = select(Operation.id).where(
        among(Operation.state, UNDER_WAY),
        or_(Operation.lease_until.is_(None), Operation.lease_until < now),
        or_(Operation.enqueued_at.is_(None), Operation.enqueued_at < old),
    )
    return list(db.session.scalars(idle.order_by(Operation.enqueued_at)))


def _claim(operation_id: int, now: datetime) -> int | None:
    free = or_(Operation.lease_until.is_(None), Operation.lease_until < now)
    taken = (
        update(Operation)
        .where(Operation.id == operation_id, Operation.state.in_(UNDER_WAY), free)
        .values(attempt=Operation.attempt + 1, lease_until=now + timedelta(seconds=LEASE_SECONDS))
        .values(state=OperationState.RUNNING)
        .returning(Operation.attempt)
    )
    attempt = db.session.scalar(taken, execution_options={"synchronize_session": False})
    if attempt is not None:
        begun = (Operation.id == operation_id, Operation.started_at.is_(None))
        changed_rows(update(Operation).where(*begun).values(started_at=now))
    db.session.commit()
    return attempt


def _release(operation_id: int, attempt: int) -> None:
    held = (Operation.id == operation_id, Operation.attempt == attempt)
    changed_rows(update(Operation).where(*held).values(lease_until=None, enqueued_at=None))
    db.session.commit()


def _held(operation_id: int, attempt: int, now: datetime) -> Operation | None:
    """Return the operation, locked and with a new lease; None when this worker no longer holds it."""
    held = (Operation.id == operation_id, Operation.attempt == attempt, Operation.state == OperationState.RUNNING)
    beat = update(Operation).where(*held).values(lease_until=now + timedelta(seconds=LEASE_SECONDS))
    if changed_rows(beat) == 0:
        db.session.rollback()
        return None
    return db.session.get_one(Operation, operation_id, populate_existing=True)


def _batch(operation_id: int, attempt: int, now: datetime) -> bool:
    """Do one batch: select jobs, or process them. Returns False when this worker has nothing more to do."""
    operation = _held(operation_id, attempt, now)
    if operation is None:
        return False
    if operation.stop_asked_at is None and _may_no_longer(operation.by):
        operation.stop_asked_at = now
    if operation.stop_asked_at is not None:
        return _end(operation, OperationState.STOPPED, now)
    if operation.choose_after is not None:
        operations.choose(operation)
        db.session.commit()
        return True
    rows = list(
        db.session.scalars(
            select(ChosenJob)
            .where(ChosenJob.operation_id == operation_id, ChosenJob.job_id > operation.done_up_to)
            .order_by(ChosenJob.job_id)
            .limit(BATCH)
        )
    )
    if not rows:
        return _end(operation, OperationState.DONE, now)
    moved = _process(operation, rows, now)
    db.session.commit()
    for job_id in moved:
        push_job(job_id, now)
    return True


def _may_no_longer(address: str) -> bool:
    """Return whether this administrator was deactivated, or is none any more: what they began must not go on."""
    user = db.session.execute(select(User.is_active, User.is_admin).where(User.email == address)).one_or_none()
    return user is not None and not (user.is_active and user.is_admin)


def _process(operation: Operation, rows: list[ChosenJob], now: datetime) -> list[int]:
    """Apply the verb to these jobs, store the results, and return the jobs for which workers must be notified."""
    _lock(rows)
    limits = operation.limits
    order = BulkOrder(
        operation.verb, operation.by, operation.reason,
        (limits["max_retries"], limits["timeout_minutes"]) if limits else None,
    )  # fmt: skip
    done: list[int] = []
    skipped: dict[int, str] = {}
    with counted_at_the_end():
        for row in rows:
            why = _act(order, row, now)
            if why is None:
                done.append(row.job_id)
            else:
                skipped[row.job_id] = why
    kept = list(skipped)[: max(0, SKIPPED_KEPT - operation.skipped)]
    for row in rows:
        if row.job_id in kept:
            row.skipped_why = skipped[row.job_id]
    others = [row.job_id for row in rows if row.job_id not in kept]
    of_these = (ChosenJob.operation_id == operation.id, ChosenJob.job_id.in_(others))
    db.session.flush()
    changed_rows(delete(ChosenJob).where(*of_these))
    operation.done += len(done)
    operation.skipped += len(skipped)
    operation.skipped_why = dict(Counter(operation.skipped_why) + Counter(skipped.values()))
    operation.done_up_to = rows[-1].job_id
    return done if operation.verb in bulk.NEEDS_PUSH else []


def _lock(rows: list[ChosenJob]) -> None:
    """Lock all jobs of a batch before the first change. A worker that ends one of them holds its row and wants the
    metrics next: if we held the metrics and wanted that row, we would deadlock."""
    these = select(ScrapingJob.id).where(ScrapingJob.id.in_([row.job_id for row in rows])).order_by(ScrapingJob.id)
    db.session.execute(these.with_for_update(key_share=True)).all()


def _act(order: BulkOrder, row: ChosenJob, now: datetime) -> str | None:
    try:
        with db.session.begin_nested():  # on PostgreSQL, one refused statement breaks the rest of the transaction
            return bulk.act(order, row.job_id, row.seen_round, row.seen_attempt, now)
    except OperationalError:
        raise  # the database is away or busy: the whole batch is repeated
    except Exception:  # one job that cannot be changed must not block the others for ever
        log.exception("operation could not move a job", operation=row.operation_id, job=row.job_id)
        return bulk.FAULT


def _end(operation: Operation, state: OperationState, now: datetime) -> bool:
    operation.state, operation.ended_at, operation.lease_until = state, now, None
    db.session.flush()
    operations.forget(operation.id, operation.done_up_to)
    db.session.commit()
    return False
