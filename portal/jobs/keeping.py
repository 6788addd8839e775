"""Which answers of a source are kept for later files, and for how long: as its recipe says. It knows no job."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from portal import sources
from portal.sources import cache
from portal.sources.base import Answer


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
