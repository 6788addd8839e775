"""Which answers of a source are kept for later files, for how long, and when they are forgotten: as its recipe says.

It knows no job.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from portal import sources
from portal.database import db
from portal.sources import cache
from portal.sources.base import Answer

UNKNOWN_DAYS = 90.0  # of a source whose recipe is gone: it may come back, and its answers were paid for


@dataclass(frozen=True)
class Keep:
    """The kept answers of one source. `days` 0: it keeps none, and nothing is read or written."""

    source: str
    version: str
    days: float

    @classmethod
    def of(cls, source: str) -> Self:
        """As the source says. Raises UnknownSource."""
        facts = sources.facts_of(source)
        return cls(source, facts.data_version, facts.cache_days)

    def known(self, e164s: Iterable[str], now: datetime) -> dict[str, Answer]:
        """What is still good of earlier files' answers."""
        return cache.known(self.source, self.version, e164s, now, self.days)

    def remember(self, answers: Mapping[str, Answer], now: datetime) -> None:
        """Keep what was just answered, in the session's transaction."""
        if self.days > 0:
            cache.remember(self.source, self.version, answers, now)


def forget_old(now: datetime, limit: int = 5000) -> int:
    """Remove answers that no file may use any more, `limit` at most, and say how many. It commits."""
    left = limit
    for source in cache.keepers():
        if left > 0:
            left -= cache.forget(source, now - timedelta(days=_days(source)), left)
    db.session.commit()
    return limit - left


def _days(source: str) -> float:
    try:
        return sources.facts_of(source).cache_days
    except sources.UnknownSource:
        return UNKNOWN_DAYS
