"""The sweep: one bounded pass that puts right what is late, lost or due.

Each step first looks (at what `overdue` finds, which the commands' dry run uses alone) and then moves one job at a
time by a guarded UPDATE, committed by itself: right also when two sweeps run at once, when one is killed between any
two statements, or when none ran for a day. A fault in one step never keeps the others from running.
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
from portal.database import db
from portal.documents.models import Document, Reading
from portal.jobs.admin import operation_runner, phone_search
from portal.jobs.core.tables import SweepState
from portal.jobs.dispatch import (
    connection,
    document_message,
    in_queue,
    job_message,
    push_document,
    push_job,
    push_operation,
)
from portal.jobs.erasure import erase_files
from portal.jobs.health.processes import forget_gone
from portal.jobs.models import ScrapingJob, backoff
from portal.jobs.sweep import metrics_backfill
from portal.jobs.sweep.daily_summary import sum_up
from portal.jobs.sweep.expiry import expire_jobs, expire_unstarted
from portal.jobs.sweep.outage_watch import watch
from portal.jobs.sweep.overdue import BATCH, due_jobs, lost_jobs, silent_jobs, unpushed_jobs
from portal.notices.delivery import send_due
from portal.sources import catalogue, stats
from portal.sources.answer_cache import forget_old

log = structlog.get_logger(__name__)

DOCUMENT_SECONDS = 60  # a document that was pushed so long ago and is not in Redis is pushed again


@dataclass(frozen=True)
class SweepReport:
    """How many things each step put right."""

    lost: int = 0
    timed_out: int = 0
    retried: int = 0
    pushed: int = 0
    documents: int = 0
    operations: int = 0
    summed: int = 0
    watched: int = 0
    expired: int = 0
    unstarted: int = 0
    erased: int = 0
    counted: int = 0
    told: int = 0
    forgotten: int = 0  # kept answers that are past their days
    faults: int = 0  # steps that the database kept from coming to their end


Report = Callable[[str, object], None]


def take_back_lost(now: datetime, *, actor: str | None = None) -> Iterator[ScrapingJob]:
    """Lost → back to the queue, or failed for good when it died too often with nothing new."""
    for job_id, attempt in [(job.id, job.attempt) for job in lost_jobs(now)]:
        yield from _moved(ScrapingJob.lose(job_id, attempt, now, backoff(), actor=actor))


def time_out_silent(
    now: datetime, timeout_minutes: int | None = None, *, actor: str | None = None
) -> Iterator[ScrapingJob]:
    """No progress → timeout, unless a row has come in since we looked."""
    seen = [(job.id, job.attempt, job.last_progress_at) for job in silent_jobs(now, timeout_minutes)]
    for job_id, attempt, progress_at in seen:
        yield from _moved(ScrapingJob.time_out(job_id, attempt, progress_at, now, backoff(), actor=actor))


def retry_due(now: datetime, *, at_once: bool = False, actor: str | None = None) -> Iterator[ScrapingJob]:
    """Failed or timed out, due and with retries left → retrying."""
    for job_id in [job.id for job in due_jobs(now, at_once=at_once)]:
        yield from _moved(ScrapingJob.retry_when_due(job_id, now, at_once=at_once, actor=actor))


def push_waiting(now: datetime) -> Iterator[ScrapingJob]:
    """Waiting and not in Redis → pushed again under a new generation. Raises RedisError when Redis is away."""
    connection().ping()  # one question instead of five hundred pushes that fail
    for job in unpushed_jobs(now):
        job_id, generation = job.id, job.generation
        if job.enqueued_at and in_queue("scrape", job_message(job_id, job.attempt, generation)):
            job.enqueued_at = now  # only a backlog: let the others have their turn in the next pass
            db.session.commit()
        elif push_job(job_id, now, generation):
            yield job


def push_unread(now: datetime) -> Iterator[Document]:
    """Documents that wait to be read and are not in Redis → pushed again. Raises RedisError when Redis is away."""
    connection().ping()
    old = now - timedelta(seconds=DOCUMENT_SECONDS)
    waiting = (
        select(Document)
        .where(Document.state == Reading.READING, Document.deleted_at.is_(None))
        .where(or_(Document.enqueued_at.is_(None), Document.enqueued_at < old))
        .order_by(Document.created_at)
        .limit(BATCH)
    )
    for document in list(db.session.scalars(waiting)):
        pushed_at = document.enqueued_at
        if pushed_at and in_queue("intake", document_message(document.id, pushed_at)):
            continue
        if push_document(document.id, now):
            yield document


def push_operations(now: datetime) -> Iterator[int]:
    """Bulk operations that no worker has and none may be on its way to → pushed again. Raises RedisError."""
    idle = operation_runner.unpushed(now)
    if idle:
        connection().ping()
    for operation_id in idle:
        if push_operation(operation_id, now):
            yield operation_id


def forget_kept(now: datetime) -> Iterator[int]:
    """Kept answers past their days → removed, the counted minutes that no page asks for, and the numbers that admins
    have looked for; one thing an answer."""
    stats.forget(now)
    phone_search.forget(now)
    yield from range(forget_old(now))


def _moved(job: ScrapingJob | None) -> Iterator[ScrapingJob]:
    db.session.commit()
    if job is not None:
        yield job


def sweep(now: datetime, *, see: Report = lambda step, thing: None, actor: str | None = None) -> SweepReport:
    """One pass over all steps, and a note of when it ended. `see` is given each thing that was put right, under its
    step's name in Swept; `actor` stands on the timelines when it was not the portal itself that began the pass."""
    catalogue.refresh()
    _note(began_at=now)
    began = monotonic()
    steps: dict[str, Callable[[], Iterator[object]]] = {
        "lost": lambda: take_back_lost(now, actor=actor),
        "timed_out": lambda: time_out_silent(now, actor=actor),
        "retried": lambda: retry_due(now, actor=actor),
        "pushed": lambda: push_waiting(now),
        "documents": lambda: push_unread(now),
        "operations": lambda: push_operations(now),
        "summed": lambda: sum_up(now),
        "watched": lambda: watch(now),
        # As late as it is by now: a mail that is taken for a while is not free before that while has begun.
        "told": lambda: send_due(now + timedelta(seconds=int(monotonic() - began))),
        "forgotten": lambda: forget_kept(now),
        "expired": lambda: expire_jobs(now, current_app.extensions["storage"]),
        "unstarted": lambda: expire_unstarted(now),
        "erased": lambda: erase_files(now, current_app.extensions["storage"]),
        "counted": lambda: metrics_backfill.catch_up(now),
    }
    counted: Counter[str] = Counter()
    for name, step in steps.items():
        try:
            for thing in step():
                counted[name] += 1
                see(name, thing)
        except (RedisError, OSError) as error:  # the steps that need no Redis go on without it
            log.warning("redis is away", error=str(error))
        except Exception:  # a fault in one step must not keep the others from running
            counted["faults"] += 1
            log.exception("a step of the sweep failed")
        finally:
            db.session.rollback()
    _forget_workers(now)
    swept = SweepReport(**counted)
    _note(ended_at=utcnow())
    if swept != SweepReport():
        log.info("swept", **swept.__dict__)
    return swept


def _forget_workers(now: datetime) -> None:
    # Housekeeping, not something that was put right: it is no step, and nobody is told of it.
    try:
        forget_gone(now)
    except SQLAlchemyError:
        db.session.rollback()
        log.exception("rows of gone workers were not removed")


def _note(**moments: datetime) -> None:
    state = db.session.get(SweepState, 1) or SweepState(id=1)
    for name, moment in moments.items():
        setattr(state, name, moment)
    db.session.add(state)
    db.session.commit()
