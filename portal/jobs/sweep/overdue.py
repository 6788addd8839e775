"""Finds the jobs that the sweep repairs: late, lost or due. The commands' dry run uses it alone.

Each query returns BATCH jobs at most. It changes nothing.
"""

from datetime import datetime, timedelta
from typing import Any

from flask import current_app
from sqlalchemy import Select, select

from portal.database import among, db, reading
from portal.jobs.core.status import RETRYABLE, WAITING, Status
from portal.jobs.models import ScrapingJob
from portal.sources.pause import paused_source_names

BATCH = 500  # jobs that a step handles in one pass; the next pass continues


def lost_jobs(now: datetime) -> list[ScrapingJob]:
    """Find jobs whose worker has stopped beating."""
    held = select(ScrapingJob).where(ScrapingJob.status == Status.PROCESSING, ScrapingJob.lease_until < now)
    return _all(held.order_by(ScrapingJob.lease_until))


def silent_jobs(now: datetime, timeout_minutes: int | None = None) -> list[ScrapingJob]:
    """Find jobs whose worker beats while no row comes in. `timeout_minutes` replaces each job's own.

    It checks every job that a worker has: there are at most as many as workers.
    """
    held = select(ScrapingJob).where(ScrapingJob.status == Status.PROCESSING).order_by(ScrapingJob.lease_until)
    return [job for job in db.session.scalars(held) if job.is_timed_out(now, timeout_minutes)]


def due_jobs(now: datetime, *, at_once: bool = False) -> list[ScrapingJob]:
    """Find failed and timed-out jobs whose automatic retry is due. `at_once`: also those due later."""
    query = select(ScrapingJob).where(
        among(ScrapingJob.status, RETRYABLE), ScrapingJob.next_retry_at.is_not(None), ScrapingJob.paused_at.is_(None)
    )
    if not at_once:
        query = query.where(ScrapingJob.next_retry_at <= now)
    return _all(query.order_by(ScrapingJob.next_retry_at))


def unpushed_jobs(now: datetime) -> list[ScrapingJob]:
    """Find jobs that wait for a worker and were never pushed, or so long ago that Redis may have lost them."""
    waiting = select(ScrapingJob).where(*ScrapingJob.claimable(now))
    old = now - timedelta(seconds=current_app.config["SCRAPING_LEASE_SECONDS"] / 2)
    never = waiting.where(ScrapingJob.enqueued_at.is_(None)).order_by(ScrapingJob.enqueued_at)
    long_ago = waiting.where(ScrapingJob.enqueued_at < old).order_by(ScrapingJob.enqueued_at)
    return _all(never) + _all(long_ago)


def overlong_waits(before: datetime) -> list[ScrapingJob]:
    """Find jobs that have waited for their source since before that moment without a new answer."""
    waiting = select(ScrapingJob).where(
        among(ScrapingJob.status, WAITING), ScrapingJob.waits_since <= before, ScrapingJob.paused_at.is_(None),
        ScrapingJob.deleted_at.is_(None), ScrapingJob.source.not_in(paused_source_names()),
    )  # fmt: skip
    return _all(waiting.order_by(ScrapingJob.waits_since))


def anything_due(now: datetime) -> bool:
    """Whether a job's time has come: its wait is over, or its automatic retry is due. It takes no lock, so that it can
    be asked every second."""
    wait_over = select(ScrapingJob.id).where(
        *ScrapingJob.claimable(now), ScrapingJob.not_before <= now, ScrapingJob.enqueued_at.is_(None)
    )
    retry_due = select(ScrapingJob.id).where(
        among(ScrapingJob.status, RETRYABLE), ScrapingJob.next_retry_at <= now, ScrapingJob.paused_at.is_(None),
        ScrapingJob.deleted_at.is_(None),
    )  # fmt: skip
    with reading() as session:
        return any(session.scalar(query.limit(1)) is not None for query in (wait_over, retry_due))


def _all(query: Select[Any]) -> list[ScrapingJob]:
    return list(db.session.scalars(query.limit(BATCH)))
