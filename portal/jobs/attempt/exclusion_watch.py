"""Keeps an attempt from asking about excluded numbers, also about those that are put on a list while it has them.

A share is judged when it is taken; within a second of a new list, its other numbers are judged again, one call after
the other. Its methods are called from many threads.
"""

import time
from collections.abc import Collection, Mapping
from datetime import datetime

from portal.jobs.attempt.database_wait import until_back
from portal.sources import exclusions
from portal.sources.base import Answer

LOOKED_EVERY_SECONDS = 1.0


def _nothing() -> None:
    """A look of its own leaves nothing to roll back."""


class ExclusionWatch:
    """The lists of excluded numbers, as one attempt at a source sees them."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._lists = exclusions.Matcher()
        self._newest: int | None = None  # the list that was added last when the first share was judged
        self._looked_at = time.monotonic()
        self._has_changed = False

    def taken(self, numbers: Collection[str], now: datetime) -> dict[str, Answer]:
        """Return the answers of the numbers of a new share that are excluded."""
        answers = self._lists.answers_for(numbers, self._source, now)
        if self._newest is None:
            self._newest = self._lists.newest_seen
        return answers

    def asked(self, numbers: Collection[str], now: datetime) -> Mapping[str, Answer]:
        """The same just before numbers are sent: only where a list is new since the attempt began."""
        if not self._has_changed and time.monotonic() - self._looked_at >= LOOKED_EVERY_SECONDS:
            self._looked_at = time.monotonic()
            # While the database is away nothing is sent: nobody knows what has been excluded since.
            newest = until_back(lambda _: self._lists.newest(), reset=_nothing)
            self._has_changed = newest != self._newest
        return self._lists.answers_for(numbers, self._source, now) if self._has_changed else {}
