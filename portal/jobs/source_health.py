"""How each source is: paused or not, breaker and pace, the jobs that wait for it, and what it answered lately.

It reads and never writes. The pages of admins ask it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import func, select

from portal import sources
from portal.database import db
from portal.jobs.dispatch import connection
from portal.jobs.models import ScrapingJob
from portal.jobs.records import Number
from portal.jobs.status import WAITING, Status
from portal.sources import pausing
from portal.sources.base import Outcome
from portal.sources.breaker import Breaker, BreakerState
from portal.sources.pacer import Pace, Pacer
from portal.sources.records import SourcePause

LATELY = timedelta(hours=1)
JOBS_LOOKED_AT = 50  # a page must not read a million rows: the outcomes are those of the jobs that moved last
OFFLINE = "offline"  # asks nobody: it has neither pace nor breaker


@dataclass(frozen=True)
class Health:
    """One source as it is now. `pace` and `breaker` are None for one that asks nobody."""

    name: str
    pause: SourcePause | None = None
    breaker: BreakerState | None = None
    pace: Pace | None = None
    waiting: int = 0  # jobs
    working: int = 0
    outcomes: dict[Outcome, int] = field(default_factory=dict)  # rows that came in lately

    @property
    def state(self) -> str:
        """paused, open, limited, unknown or well: a word for a template to choose by."""
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


def all_healths(now: datetime) -> list[Health]:
    """Every source that people may choose, in their order."""
    names = sources.names()
    pauses, waiting, working = pausing.pauses(), _jobs(names, *WAITING), _jobs(names, Status.PROCESSING)
    return [_health(name, now, pauses.get(name), waiting.get(name, 0), working.get(name, 0)) for name in names]


def health(name: str, now: datetime) -> Health:
    """One source. Raises UnknownSource."""
    sources.facts_of(name)
    waiting, working = _jobs([name], *WAITING), _jobs([name], Status.PROCESSING)
    return _health(name, now, pausing.pauses().get(name), waiting.get(name, 0), working.get(name, 0))


def _health(name: str, now: datetime, pause: SourcePause | None, waiting: int, working: int) -> Health:
    breaker, pace = None, None
    if name != OFFLINE:
        redis = connection()
        breaker = Breaker(redis, name).state()
        pace = Pacer(redis if breaker.known else None, name, sources.facts_of(name).per_second).state()
    return Health(name, pause, breaker, pace, waiting, working, _outcomes(name, now - LATELY))


def _jobs(names: Iterable[str], *statuses: Status) -> dict[str, int]:
    """How many jobs of each source have one of these statuses."""
    counted = (
        select(ScrapingJob.source, func.count())
        .where(ScrapingJob.source.in_(list(names)), ScrapingJob.status.in_(statuses), ScrapingJob.deleted_at.is_(None))
        .group_by(ScrapingJob.source)
    )
    return {row[0]: row[1] for row in db.session.execute(counted)}


def _outcomes(name: str, since: datetime) -> dict[Outcome, int]:
    moved = (
        select(ScrapingJob.id)
        .where(ScrapingJob.source == name, ScrapingJob.updated_at >= since)
        .order_by(ScrapingJob.updated_at.desc())
        .limit(JOBS_LOOKED_AT)
    )
    counted = (
        select(Number.outcome, func.count())
        .where(Number.job_id.in_(list(db.session.scalars(moved))), Number.checked_at >= since)
        .where(Number.attempt.is_not(None))  # what no worker wrote was judged when the file was read
        .group_by(Number.outcome)
    )
    return {row[0]: row[1] for row in db.session.execute(counted)}
