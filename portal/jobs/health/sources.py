"""The health of each source: paused or not, breaker and pace, its waiting jobs, and its outcomes in the last hour.

It only reads, for the administrators' pages.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import func, select

from portal import sources
from portal.database import db
from portal.jobs.core.status import WAITING, Status
from portal.jobs.dispatch import connection
from portal.jobs.models import ScrapingJob
from portal.sources import pause as pausing
from portal.sources import stats
from portal.sources.base import Outcome
from portal.sources.limits.circuit_breaker import CircuitBreaker, CircuitState
from portal.sources.limits.rate_limiter import LimiterState, RateLimiter
from portal.sources.models import SourcePause

LATELY = timedelta(hours=1)
OFFLINE = "offline"  # sends no requests, so it has neither pace nor breaker


@dataclass(frozen=True)
class SourceHealth:
    """One source as it is now. `pace` and `breaker` are None for the offline source."""

    name: str
    pause: SourcePause | None = None
    breaker: CircuitState | None = None
    pace: LimiterState | None = None
    waiting: int = 0  # jobs
    working: int = 0
    outcomes: dict[Outcome, int] = field(default_factory=dict)  # of the numbers looked up in the last hour

    @property
    def state(self) -> str:
        """One of paused, open, limited, unknown or well, for templates."""
        if self.pause is not None:
            return "paused"
        if self.breaker is not None and self.breaker.is_open:
            return "open"
        if self.pace is not None and self.pace.paused_seconds > 0:
            return "limited"
        if self.pace is not None and not self.pace.known:
            return "unknown"
        return "well"

    @property
    def failures(self) -> int:
        return self.outcomes.get(Outcome.FAILED, 0)


def all_healths(now: datetime) -> list[SourceHealth]:
    """Return the health of every source that users may choose, in their order."""
    names = sources.names()
    pauses, waiting, working = pausing.pauses(), _jobs(names, *WAITING), _jobs(names, Status.PROCESSING)
    lately = stats.since(names, now - LATELY)
    return [
        _health(name, pauses.get(name), waiting.get(name, 0), working.get(name, 0), lately.get(name, {}))
        for name in names
    ]


def health(name: str, now: datetime) -> SourceHealth:
    """Return the health of one source. Raises UnknownSource."""
    sources.facts_of(name)
    waiting, working = _jobs([name], *WAITING), _jobs([name], Status.PROCESSING)
    lately = stats.since([name], now - LATELY).get(name, {})
    return _health(name, pausing.pauses().get(name), waiting.get(name, 0), working.get(name, 0), lately)


def _health(
    name: str, pause: SourcePause | None, waiting: int, working: int, outcomes: dict[Outcome, int]
) -> SourceHealth:
    breaker, pace = None, None
    if name != OFFLINE:
        redis = connection()
        breaker = CircuitBreaker(redis, name).state()
        pace = RateLimiter(redis if breaker.known else None, name, sources.facts_of(name).per_second).state()
    return SourceHealth(name, pause, breaker, pace, waiting, working, outcomes)


def _jobs(names: Iterable[str], *statuses: Status) -> dict[str, int]:
    """Count the jobs of each source with one of these statuses."""
    counted = (
        select(ScrapingJob.source, func.count())
        .where(ScrapingJob.source.in_(list(names)), ScrapingJob.status.in_(statuses), ScrapingJob.deleted_at.is_(None))
        .group_by(ScrapingJob.source)
    )
    return {row[0]: row[1] for row in db.session.execute(counted)}
