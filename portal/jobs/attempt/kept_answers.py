"""The answers that numbers have before anybody is asked: those of an earlier list that the file is merged with, then
those of any earlier file at the same source."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from portal.database import db
from portal.jobs.attempt.entry import Entered
from portal.jobs.core.merge_tables import Asks
from portal.jobs.merge.carried import Carried
from portal.sources.answer_cache import CachePolicy
from portal.sources.base import Answer, Outcome


@dataclass(frozen=True)
class KeptAnswers:
    """Where a job's numbers find an answer that they have already."""

    carried: Carried | None
    cache: CachePolicy | None
    known_days: float | None

    @classmethod
    def of(cls, entered: Entered, cache: CachePolicy) -> Self | None:
        """Those that the job of this attempt may use; None: it asks about every number. Commits."""
        carried = None
        if entered.merge_id is not None:
            carried = Carried.of(entered.merge_id, entered.source)
            db.session.commit()  # no transaction is open during lookups
        cached = cache if cache.days and not entered.asks_anew else None
        return cls(carried, cached, entered.known_days) if carried or cached else None

    def of_numbers(self, e164s: Sequence[str], now: datetime) -> dict[str, Answer]:
        """The answers for these numbers, by number, each with `asked_at`. Commits: no transaction is open during
        lookups."""
        found = self.carried.answers(e164s) if self.carried else {}
        if self.cache:
            known = self.cache.known([e164 for e164 in e164s if e164 not in found], now, self.known_days)
            again = self.carried is not None and self.carried.asks == Asks.NOT_FOUND
            found |= {e164: one for e164, one in known.items() if not (again and one.outcome == Outcome.NOT_FOUND)}
        db.session.commit()
        return found
