"""Runs the sweep: one bounded pass that repairs whatever is late, lost or due.

Each step first looks (with `overdue`, which the commands' dry run uses alone) and then moves one job at a time by a
guarded UPDATE that it commits on its own. This is correct when two sweeps run at once, when one is killed between any
two statements, and when none ran for a day. An error in one step does not stop the others.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic

import structlog
from flask import current_app
from redis.exceptions import RedisError
from sqlalchemy import or_, select
from sqlalchemy.exc import SQLAlchemyError

from portal.clock import utcnow
from portal.database import db, upsert
from portal.documents.models import Document, Reading
from portal.jobs import lost_shares
from portal.jobs.admin import operation_runner, phone_search
from portal.jobs.core.job_tables import SweepState
from portal.jobs.dispatch import (
    connection,
    document_message,
    in_queue,
    job_message,
    push_document,
    push_erasure,
    push_job,
    push_operation,
    queue_is_empty,
    ring_to_join,
)
from portal.jobs.erasure import erase_files, erase_orphans
from portal.jobs.files.trash import purge_due
from portal.jobs.health import hosts
from portal.jobs.health.processes import WorkerKind, delete_old, is_kind_alive
from portal.jobs.models import ScrapingJob, backoff
from portal.jobs.number_erasure import runner as erasure_runner
from portal.jobs.opening import remove_left_behind
from portal.jobs.repeats import run_due
from portal.jobs.spending.balances import warn
from portal.jobs.spending.reservations import close_lost
from portal.jobs.sweep import metrics_backfill, waiting
from portal.jobs.sweep.capped import lift_caps
from portal.jobs.sweep.daily_summary import write_summaries
from portal.jobs.sweep.expiry import expire_jobs, expire_unstarted
from portal.jobs.sweep.history import delete_history
from portal.jobs.sweep.outage_watch import watch
from portal.jobs.sweep.overdue import BATCH, anything_due, due_jobs, lost_jobs, silent_jobs, unpushed_jobs
from portal.jobs.trials import draft_samples, source_trial
from portal.jobs.turns import next_to_join
from portal.notices.delivery import send_due
from portal.notices.models import Notice
from portal.sources import catalogue, stats
from portal.sources.answer_cache import forget_old

log = structlog.get_logger(__name__)

DOCUMENT_SECONDS = 60  # a document that was pushed longer ago and is not in Redis is pushed again


@dataclass(frozen=True)
class SweepReport:
    """How many things each step repaired."""

    lost: int = 0
    settled: int = 0  # reservations of workers that were lost with their machine
    uncapped: int = 0  # files whose spending cap has room again
    left: int = 0  # workers that were lost while others went on with their files
    timed_out: int = 0
    retried: int = 0
    repeated: int = 0  # files whose time to be looked up again had come
    stopped: int = 0  # jobs that waited for their source for too long
    pushed: int = 0
    documents: int = 0
    operations: int = 0
    erasures: int = 0  # orders to erase a number that were pushed again
    summaries: int = 0
    alerts: int = 0
    warned: int = 0  # of credit or a cap that is running out
    expired: int = 0
    left_behind: int = 0  # jobs that a killed process had not finished to open
    unstarted: int = 0
    purged: int = 0  # files that were in the trash for their days
    erased: int = 0
    counted: int = 0
    notified: int = 0
    forgotten: int = 0  # expired answers deleted from the cache
    orphans: int = 0  # stored files that no document names
    history: int = 0  # rows and files past HISTORY_DAYS, in portions
    faults: int = 0  # steps that ended with an error


Report = Callable[[str, object], None]


def take_back_lost(now: datetime, *, actor: str | None = None) -> Iterator[ScrapingJob]:
    """Put lost jobs back into the queue, or fail them for good after too many lost attempts without a new row."""
    for job_id, attempt in [(job.id, job.attempt) for job in lost_jobs(now)]:
        yield from _commit(ScrapingJob.lose(job_id, attempt, now, backoff(), actor=actor))


def time_out_silent(
    now: datetime, timeout_minutes: int | None = None, *, actor: str | None = None
) -> Iterator[ScrapingJob]:
    """Time out jobs without progress, unless a row has come in since they were read."""
    silent = [(job.id, job.attempt, job.last_progress_at) for job in silent_jobs(now, timeout_minutes)]
    for job_id, attempt, progress_at in silent:
        yield from _commit(ScrapingJob.time_out(job_id, attempt, progress_at, now, backoff(), actor=actor))


def retry_due(now: datetime, *, at_once: bool = False, actor: str | None = None) -> Iterator[ScrapingJob]:
    """Retry failed and timed-out jobs that are due and have retries left."""
    for job_id in [job.id for job in due_jobs(now, at_once=at_once)]:
        yield from _commit(ScrapingJob.retry_when_due(job_id, now, at_once=at_once, actor=actor))


def push_waiting(now: datetime) -> Iterator[ScrapingJob]:
    """Push waiting jobs that are not in Redis again, under a new generation; of a source that is down only one. When
    none waits, ring for a job that a free worker may join. Raises RedisError when Redis is away."""
    connection().ping()  # one failed ping instead of five hundred failed pushes
    waiting.release(now)
    waiting.hold_back(now)
    for job in unpushed_jobs(now):
        job_id, generation = job.id, job.generation
        if job.enqueued_at and in_queue("scrape", job_message(job_id, job.attempt, generation)):
            job.enqueued_at = now  # it is only queued: let the next pass check the others
            db.session.commit()
        elif push_job(job_id, now, generation):
            yield job
    if (more := next_to_join(now)) is not None and queue_is_empty("scrape"):  # the ring of its first worker may be lost
        ring_to_join(more.job_id, more.attempt, now)


def start_due(now: datetime) -> None:
    """Retry and push the jobs whose time has come since the last sweep. Cheap when there are none; the scheduler calls
    it every second, and the sweep does the same once a minute. Raises RedisError when Redis is away."""
    if not waiting.release_restored(now) and not anything_due(now):
        return
    try:
        for _ in (*retry_due(now), *push_waiting(now)):
            pass
    finally:
        db.session.rollback()  # on SQLite even a look holds the write lock until its end


def push_unread(now: datetime) -> Iterator[Document]:
    """Push documents again that wait to be read and are not in Redis. Raises RedisError when Redis is away."""
    connection().ping()
    old = now - timedelta(seconds=DOCUMENT_SECONDS)
    unread = (
        select(Document)
        .where(Document.state == Reading.READING, Document.deleted_at.is_(None))
        .where(or_(Document.enqueued_at.is_(None), Document.enqueued_at < old))
        .where(or_(Document.read_lease_until.is_(None), Document.read_lease_until < now))  # nobody reads it
        .order_by(Document.created_at)
        .limit(BATCH)
    )
    for document in list(db.session.scalars(unread)):
        pushed_at = document.enqueued_at
        if pushed_at and in_queue("intake", document_message(document.id, pushed_at)):
            continue
        if push_document(document.id, now):
            yield document


def push_operations(now: datetime) -> Iterator[int]:
    """Push bulk operations again that no worker has and whose message may be lost. Raises RedisError when Redis is
    away."""
    idle = operation_runner.unpushed(now)
    if idle:
        connection().ping()
    for operation_id in idle:
        if push_operation(operation_id, now):
            yield operation_id


def push_erasures(now: datetime) -> Iterator[int]:
    """Push orders to erase a number that no worker has: their message may be lost, or they waited for a file. Raises
    RedisError when Redis is away."""
    waiting = erasure_runner.idle(now)
    db.session.commit()
    if waiting:
        connection().ping()
    for order_id in waiting:
        if push_erasure(order_id, now):
            yield order_id


def send_notices(now: datetime) -> Iterator[Notice]:
    """Send the due notices, unless the scheduler's process is alive: it sends them, and can wait for longer."""
    if not is_kind_alive(WorkerKind.SCHEDULER, now):
        yield from send_due(now)


def delete_expired(now: datetime) -> Iterator[int]:
    """Delete expired answers from the cache, yielding once for each; also old minute counts, and admins' phone
    searches and trials."""
    stats.forget(now)
    phone_search.forget(now)
    source_trial.forget(now)
    draft_samples.forget(now)
    yield from range(forget_old(now))


def _commit(job: ScrapingJob | None) -> Iterator[ScrapingJob]:
    db.session.commit()
    if job is not None:
        yield job


def sweep(now: datetime, *, report: Report = lambda step, thing: None, actor: str | None = None) -> SweepReport:
    """Run all steps once, and save when the pass began and ended.

    `report` is called with each thing that was repaired and its step's name, a field of SweepReport. `actor` appears on
    the timelines when a person began the pass.
    """
    catalogue.refresh()
    _save_state(began_at=now)
    began = monotonic()
    steps: dict[str, Callable[[], Iterator[object]]] = {
        "lost": lambda: take_back_lost(now, actor=actor),
        "left": lambda: lost_shares.take_back_lost(now),
        "settled": lambda: close_lost(now),
        "uncapped": lambda: lift_caps(now),
        "timed_out": lambda: time_out_silent(now, actor=actor),
        "retried": lambda: retry_due(now, actor=actor),
        "repeated": lambda: run_due(now),
        "stopped": lambda: waiting.end_overlong(now),
        "pushed": lambda: push_waiting(now),
        "documents": lambda: push_unread(now),
        "operations": lambda: push_operations(now),
        "erasures": lambda: push_erasures(now),
        "summaries": lambda: write_summaries(now),
        "alerts": lambda: watch(now),
        "warned": lambda: warn(now),
        # With the time by now: otherwise the lease of a notice taken for sending would begin in the past.
        "notified": lambda: send_notices(now + timedelta(seconds=int(monotonic() - began))),
        "forgotten": lambda: delete_expired(now),
        "expired": lambda: expire_jobs(now, current_app.extensions["storage"]),
        "left_behind": lambda: remove_left_behind(now),
        "unstarted": lambda: expire_unstarted(now),
        "purged": lambda: purge_due(now, current_app.extensions["storage"]),
        "erased": lambda: erase_files(now, current_app.extensions["storage"]),
        "orphans": lambda: erase_orphans(now, current_app.extensions["storage"]),
        "history": lambda: delete_history(now),
        "counted": lambda: metrics_backfill.catch_up(now),
    }
    counted: Counter[str] = Counter()
    for name, step in steps.items():
        try:
            for thing in step():
                counted[name] += 1
                report(name, thing)
        except (RedisError, OSError) as error:  # steps that need no Redis continue
            log.warning("redis is away", error=str(error))
        except Exception:  # an error in one step must not stop the others
            counted["faults"] += 1
            log.exception("a step of the sweep failed")
        finally:
            db.session.rollback()
    _delete_gone_workers(now)
    _delete_old_shares()
    swept = SweepReport(**counted)
    _save_state(ended_at=utcnow())
    if swept != SweepReport():
        log.info("swept", **swept.__dict__)
    return swept


def _delete_gone_workers(now: datetime) -> None:
    # Housekeeping, not a repair: it is no step, and the report does not count it.
    try:
        delete_old(now)
        hosts.delete_old(now)
    except SQLAlchemyError:
        db.session.rollback()
        log.exception("rows of gone workers were not removed")


def _delete_old_shares() -> None:
    # Housekeeping too: nobody reads them.
    try:
        lost_shares.delete_old()
    except SQLAlchemyError:
        db.session.rollback()
        log.exception("shares of attempts that are over were not removed")


def _save_state(**moments: datetime) -> None:
    # Two machines may both begin their first sweep.
    db.session.execute(upsert(SweepState, ("id",), replace=tuple(moments)), {"id": 1, **moments})
    db.session.commit()
