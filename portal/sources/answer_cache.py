"""Caches answers for some days, so that a number is not looked up, or paid for, again in another file.

Answers are cached in the same transaction as the ledger: one that was saved is available to every later file, one that
was rolled back is not. The source's recipe says for how many days; with `cache_days` 0 nothing is cached. Must not know
any job.

Where its promise ends: when two files look up one number in the same minute, the source is asked twice.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Self

from sqlalchemy import delete, func, select

from portal import sources
from portal.causes import CauseCode
from portal.database import changed_rows, db, upsert
from portal.sources.base import FINAL, Answer, Outcome
from portal.sources.models import CachedAnswer

REPLACED = ("version", "outcome", "reason", "fields", "answered_at")  # by a newer answer
NOT_ASKED = (CauseCode.NOT_COVERED, CauseCode.EXCLUDED)  # answers that no source gave
CHUNK = 500  # numbers in one query; the limit of both databases is far above


def known(source: str, version: str, e164s: Iterable[str], now: datetime, days: float) -> dict[str, Answer]:
    """The cached answers for these numbers, by number, each with `asked_at`: those that the same version of the recipe
    read, not older than `days`."""
    if days <= 0:
        return {}
    found: dict[str, Answer] = {}
    numbers = iter(e164s)
    while chunk := list(islice(numbers, CHUNK)):
        row = CachedAnswer
        rows = db.session.execute(
            select(row.e164, row.outcome, row.reason, row.fields, row.answered_at).where(
                CachedAnswer.source == source,
                CachedAnswer.e164.in_(chunk),
                CachedAnswer.version == version,
                CachedAnswer.answered_at > now - timedelta(days=days),
            )
        )
        found.update((e164, Answer(outcome, fields or {}, reason, at)) for e164, outcome, reason, fields, at in rows)
    return found


def ages_of(
    source: str, version: str, e164s: Iterable[str], now: datetime, days: float, *, only_found: bool = False
) -> list[datetime]:
    """When the answers were given that `known` would return, in no order. `only_found`: without "not found"."""
    moments: list[datetime] = []
    numbers = iter(e164s)
    row = CachedAnswer
    while chunk := list(islice(numbers, CHUNK)):
        fits = [row.source == source, row.e164.in_(chunk), row.version == version]
        if only_found:
            fits.append(row.outcome != Outcome.NOT_FOUND)
        moments.extend(
            db.session.scalars(select(row.answered_at).where(*fits, row.answered_at > now - timedelta(days=days)))
        )
    return moments


def remember(source: str, version: str, answers: Mapping[str, Answer], now: datetime) -> int:
    """Cache the final ones of these answers, in the session's transaction, and return how many. Does not commit.

    An answer that came from `known` is skipped, as it would become younger than it is.
    """
    # Sorted: two workers that cache the same numbers in different orders would block each other.
    kept: list[dict[str, Any]] = [
        {
            "source": source,
            "e164": e164,
            "version": version,
            "outcome": answer.outcome,
            "reason": answer.reason,
            "fields": dict(answer.fields) or None,
            "answered_at": now,
        }
        for e164, answer in sorted(answers.items())
        if answer.outcome in FINAL and answer.asked_at is None and answer.reason not in NOT_ASKED
    ]
    if kept:
        db.session.execute(upsert(CachedAnswer.__table__, ("source", "e164"), replace=REPLACED), kept)
    return len(kept)


def forget(source: str, before: datetime, limit: int = 5000) -> int:
    """Delete some answers of one source from before a moment, the oldest first, and return how many. The next pass of
    the sweep continues."""
    old = select(CachedAnswer.e164).where(CachedAnswer.source == source, CachedAnswer.answered_at < before)
    # An answer that a worker renews at this moment is skipped, so that neither blocks the other.
    free = old.order_by(CachedAnswer.answered_at).limit(limit).with_for_update(skip_locked=True)
    chosen = list(db.session.scalars(free))
    gone = 0
    for n in range(0, len(chosen), CHUNK):
        these = (CachedAnswer.source == source, CachedAnswer.e164.in_(chosen[n : n + CHUNK]))
        gone += changed_rows(delete(CachedAnswer).where(*these, CachedAnswer.answered_at < before))
    return gone


def cached_sources() -> list[str]:
    """The sources that have cached answers. Queried name by name along the index, as there are few names and there may
    be millions of answers."""
    names: list[str] = []
    while True:
        after = select(func.min(CachedAnswer.source)).where(CachedAnswer.source > (names[-1] if names else ""))
        name = db.session.scalar(after)
        if name is None:
            return names
        names.append(name)


UNKNOWN_DAYS = 90.0  # for a source without a recipe: the recipe may come back, and its answers were paid for


@dataclass(frozen=True)
class CachePolicy:
    """The cached answers of one source. With `days` 0, nothing is read or written."""

    source: str
    version: str
    days: float

    @classmethod
    def of(cls, source: str) -> Self:
        """The policy of a source, from its facts. Raises UnknownSource."""
        facts = sources.facts_of(source)
        return cls(source, facts.data_version, facts.cache_days)

    def known(self, e164s: Iterable[str], now: datetime, days: float | None = None) -> dict[str, Answer]:
        """Answers of earlier files that are still valid, by number. `days`: none that is older than this either."""
        return known(self.source, self.version, e164s, now, self.days if days is None else min(days, self.days))

    def remember(self, answers: Mapping[str, Answer], now: datetime) -> None:
        """Cache new answers, in the session's transaction."""
        if self.days > 0:
            remember(self.source, self.version, answers, now)


def forget_old(now: datetime, limit: int = 5000) -> int:
    """Delete answers that no file may use any more, at most `limit`, and return how many. Commits."""
    left = limit
    for source in cached_sources():
        if left > 0:
            left -= forget(source, now - timedelta(days=_days(source)), left)
    db.session.commit()
    return limit - left


def _days(source: str) -> float:
    try:
        return sources.facts_of(source).cache_days
    except sources.UnknownSource:
        return UNKNOWN_DAYS
