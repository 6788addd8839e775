"""An admin pauses a source and resumes it: what that does to its jobs. `sources` stores the pause itself.

Busy workers notice it by the source's breaker within a second and hand their jobs back; no worker takes a job of that
source, and no retry is used. With Redis away, busy workers finish their attempts first.
"""

from datetime import datetime

import structlog
from sqlalchemy import func, select, update

from portal import audit
from portal.causes import SHARED, CauseCode
from portal.database import among, changed_rows, db
from portal.jobs.core.status import WAITING
from portal.jobs.dispatch import connection
from portal.jobs.models import ScrapingJob
from portal.sources import pause
from portal.sources.limits.circuit_breaker import CircuitBreaker

log = structlog.get_logger(__name__)


def is_in_trouble(name: str, now: datetime) -> bool:
    """Whether a file that starts now would wait for this source: it is paused, or other files wait for it."""
    if name in pause.pauses():
        return True
    waits = select(ScrapingJob.id).where(
        among(ScrapingJob.status, WAITING), ScrapingJob.source == name, ScrapingJob.wait_cause.in_(SHARED),
        ScrapingJob.not_before > now, ScrapingJob.deleted_at.is_(None),
    )  # fmt: skip
    return db.session.scalar(waits.limit(1)) is not None


def pause_source(name: str, actor: str, why: str | None, now: datetime) -> bool:
    """Stop all requests to this source until it is resumed. False: it was already paused. Commits."""
    paused = pause.pause(name, actor, why, now)
    if paused:
        audit.note(actor, "source_paused", "source", name, why, now)
    db.session.commit()
    if paused:
        CircuitBreaker(connection(), name).trip(CauseCode.SOURCE_PAUSED)
        log.warning("source paused", source=name, actor=actor, why=why)
    return paused


def resume_source(name: str, actor: str, now: datetime) -> bool:
    """Let the source be asked again, and its jobs continue at once. That includes jobs that waited for it for another
    reason, because the breaker is closed. False: it was not paused. Commits."""
    breaker = CircuitBreaker(connection(), name)
    stopped = breaker.state().is_open
    resumed = pause.resume(name)
    if resumed or stopped:
        audit.note(actor, "source_resumed", "source", name, None, now)
    _release_jobs(name, now)
    db.session.commit()
    breaker.close()
    log.warning("source resumed", source=name, actor=actor)
    return resumed


def _release_jobs(name: str, now: datetime) -> None:
    """Make the source's waiting jobs due; the scheduler pushes them within a second."""
    waiting = (
        ScrapingJob.source == name, ScrapingJob.status.in_(WAITING), ScrapingJob.deleted_at.is_(None),
        func.coalesce(ScrapingJob.wait_cause, "") != CauseCode.STARTS_LATER,
    )  # fmt: skip
    freed = {"not_before": now, "wait_cause": None, "waits_since": None, "enqueued_at": None, "updated_at": now}
    changed_rows(update(ScrapingJob).where(*waiting).values(**freed))
