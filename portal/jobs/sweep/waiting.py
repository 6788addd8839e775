"""Files that wait for a source that is down or refuses us: one of them tries it, the others wait without being tried.

A thousand files at a source that is down would otherwise each be tried every ten minutes, and a fresh file of another
source would wait behind them. A wait that brings no answer for `SCRAPING_WAIT_HOURS` ends in a failure. Each step
commits, and is correct when two run at once.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import structlog
from flask import current_app
from sqlalchemy import ColumnElement, case, exists, func, literal, select, update

from portal import sources
from portal.causes import REFUSALS, SHARED, CauseCode
from portal.database import UtcDateTime, among, changed_rows, db, reading
from portal.jobs.attempt.outage import was_refused
from portal.jobs.core.job_tables import Attempt
from portal.jobs.core.status import WAITING, Status
from portal.jobs.dispatch import connection
from portal.jobs.models import ScrapingJob
from portal.jobs.sweep.overdue import overlong_waits
from portal.sources import catalogue, stats
from portal.sources.limits.circuit_breaker import CircuitBreaker
from portal.sources.pause import paused_source_names

log = structlog.get_logger(__name__)

AGAIN = timedelta(minutes=1)
PROBE_SECONDS = 60  # how long the others wait for the file that tries
ENDED_EARLY = (CauseCode.SOURCE_DOWN, CauseCode.SECRET_MISSING, *REFUSALS)  # see `release_restored`
# A worker elsewhere may have what is missing here, so no breaker knows of these.
BY_CAUSE = (CauseCode.SOURCE_UNKNOWN, CauseCode.SECRET_MISSING)


def end_overlong(now: datetime) -> Iterator[ScrapingJob]:
    """Fail the jobs that have waited for too long, with the cause that they waited for."""
    before = now - timedelta(hours=current_app.config["SCRAPING_WAIT_HOURS"])
    for job_id in [job.id for job in overlong_waits(before)]:
        job = ScrapingJob.stop_waiting(job_id, before, now)
        db.session.commit()
        if job is not None:
            yield job


def release(now: datetime) -> int:
    """Make the jobs due whose source has answered a question that was asked after they began this wait; returns how
    many."""
    waiting = (
        among(ScrapingJob.status, WAITING), ScrapingJob.wait_cause.in_(SHARED), ScrapingJob.not_before > now
    )  # fmt: skip
    names = db.session.scalars(select(ScrapingJob.source).where(*waiting).distinct()).all()
    released = 0
    for source, answered_at in stats.last_answers(names).items():
        surely = answered_at - sources.longest_answer(source)
        # One that was refused again, although others are answered, is not tried every few seconds.
        again = exists().where(
            Attempt.job_id == ScrapingJob.id, Attempt.attempt == ScrapingJob.attempt, Attempt.times > 1
        )
        later = literal(min(surely, answered_at - AGAIN), UtcDateTime)
        began = case((again.correlate(ScrapingJob), later), else_=literal(surely, UtcDateTime))
        since = (*waiting, ScrapingJob.source == source, ScrapingJob.updated_at < began)
        released += changed_rows(update(ScrapingJob).where(*since).values(**freed(now)))
    db.session.commit()
    return released


def release_restored(now: datetime) -> int:
    """Make the jobs due that need not wait until their time: their source's breaker has closed, or the source refused
    us, and answers others or its secrets are others now; returns how many. Cheap when none waits; called every
    second."""
    waiting = (
        among(ScrapingJob.status, WAITING), ScrapingJob.wait_cause.in_(ENDED_EARLY),
        ScrapingJob.not_before > now, ScrapingJob.source.not_in(paused_source_names()),
    )  # fmt: skip
    with reading() as session:
        waits = session.execute(select(ScrapingJob.source, ScrapingJob.wait_cause).where(*waiting).distinct()).all()
    released = release(now) if waits else 0
    for source, cause in waits:
        breaker = CircuitBreaker(connection(), source)
        if cause == CauseCode.SOURCE_DOWN:
            state = breaker.state()
            restored = state.known and not state.is_open
        elif restored := bool(mark := catalogue.mark_of(source)) and breaker.note_secret(mark):
            if cause in REFUSALS:
                breaker.close()
            log.info("the source has new secrets, and is asked again", source=source)
        if cause in REFUSALS and breaker.take_proof():
            # Those whose own numbers were refused wait for an answer that shows whose fault it was: see `release`.
            released += changed_rows(
                update(ScrapingJob)
                .where(*waiting, ScrapingJob.source == source, ScrapingJob.wait_cause.in_(REFUSALS), ~was_refused())
                .values(**freed(now))
            )
        if restored:
            those = (*waiting, ScrapingJob.source == source, ScrapingJob.wait_cause == cause)
            released += changed_rows(update(ScrapingJob).where(*those).values(**freed(now)))
    if released:
        db.session.commit()
    return released


def freed(now: datetime) -> dict[str, Any]:
    """The values of a job whose wait is over."""
    return {"not_before": None, "wait_cause": None, "waits_since": None, "enqueued_at": None, "updated_at": now}


def hold_back(now: datetime) -> int:
    """Let the due jobs of a source that is known to be down wait, all but one that tries; returns how many wait.

    Raises RedisError when Redis is away: then nobody knows which source is down, and nothing can be pushed either.
    """
    due = select(ScrapingJob.source, ScrapingJob.wait_cause).where(*ScrapingJob.claimable(now)).distinct()
    causes: dict[str, set[str | None]] = {}
    for source, cause in db.session.execute(due):
        causes.setdefault(source, set()).add(cause)
    held = 0
    for source, waits in causes.items():
        state = CircuitBreaker(connection(), source).state()
        if state.is_open and state.until is not None:
            held += _hold(source, state.reason, now, state.until)
        for cause in waits.intersection(BY_CAUSE):
            tried_until = select(func.max(ScrapingJob.not_before)).where(
                among(ScrapingJob.status, WAITING), ScrapingJob.source == source, ScrapingJob.wait_cause == cause
            )
            until = db.session.scalar(tried_until) or now
            held += _hold(source, str(cause), now, until, ScrapingJob.wait_cause == cause)
    db.session.commit()
    return held


def _hold(source: str, cause: str, now: datetime, until: datetime, *which: ColumnElement[bool]) -> int:
    """Let the source's due jobs wait until that moment. Once it has passed, one of them stays due, or is on its way."""
    due = (ScrapingJob.source == source, *ScrapingJob.claimable(now), *which)
    if until <= now:
        until = now + timedelta(seconds=PROBE_SECONDS)
        probe = None if _is_tried(source) else _next_probe(due)
        due = (*due, ScrapingJob.id != probe) if probe is not None else due
    since = func.coalesce(ScrapingJob.waits_since, literal(now, UtcDateTime))
    waits: dict[str, Any] = {"not_before": until, "wait_cause": cause, "waits_since": since, "enqueued_at": None}
    return changed_rows(update(ScrapingJob).where(*due).values(updated_at=now, **waits))


def _is_tried(source: str) -> bool:
    """Whether a worker has one of the source's jobs."""
    held = (ScrapingJob.status == Status.PROCESSING, ScrapingJob.source == source)
    return db.session.scalar(select(ScrapingJob.id).where(*held).limit(1)) is not None


def _next_probe(due: tuple[ColumnElement[bool], ...]) -> int | None:
    """Choose the job that tries: one that is pushed already, else the one whose last try is the longest ago, so that a
    file whose numbers are refused is not always the one."""
    in_turn = select(ScrapingJob.id).where(*due)
    return db.session.scalar(
        in_turn.order_by(
            ScrapingJob.enqueued_at.is_(None), func.coalesce(ScrapingJob.started_at, ScrapingJob.created_at),
            ScrapingJob.id,
        ).limit(1)
    )  # fmt: skip
