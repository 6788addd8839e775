"""Judges whether answers that are of no use are the numbers' fault or the recipe's, in one session.

A 400, a bare 404 and an answer that cannot be read may each be about one number. Too many of them, or nothing else, say
that the recipe is wrong or that the source has changed, and end the attempt before all its numbers are spent.
"""

import threading

from portal.causes import CauseCode
from portal.sources.base import Answer, Outcome, SourceStopped

BROKEN_AFTER = 20  # numbers refused with 400 in a row; one more means that the recipe is wrong
NOTHING_THERE_AFTER = 20  # numbers that got a bare 404, and no other answer came; one more means a wrong address
CHANGED_ROWS, CHANGED_SHARE = 20, 0.05


class RecipeDoubts:
    """What speaks against the recipe. Its methods may be called from many threads at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.has_answered = False  # whether any answer could be used
        self._rows = self._unreadable_rows = 0
        self._bad_requests: set[str] = set()  # numbers refused with 400 since the last answer of another kind
        self._refused_before: set[str] = set()  # numbers that were refused with 400 at any time
        self._doubts_not_found, self._has_found_before = False, False
        self._bare: set[str] = set()  # numbers that got a bare 404 before any other answer had come

    def doubt_not_found(self, has_found_before: bool) -> None:
        """Doubt bare 404s from now on. `has_found_before`: the source has found something in an earlier file."""
        self._doubts_not_found, self._has_found_before = True, has_found_before

    def not_bad_request(self) -> None:
        """Note an answer that is no 400."""
        with self._lock:
            self._bad_requests.clear()

    def readable(self) -> None:
        """Note an answer that could be used."""
        self._count(1, readable=True)

    def unreadable(self, rows: int, *, stops: bool) -> Answer:
        """The answer for so many numbers whose response cannot be used. Raises SourceStopped when there are too many:
        the page has changed, or the recipe never fitted; `stops`: for the first one, if no answer could be used."""
        if (stops and not self.has_answered) or self._count(rows, readable=False):
            raise SourceStopped(CauseCode.PAGE_CHANGED if self.has_answered else CauseCode.ANSWERS_UNUSABLE)
        return Answer(Outcome.FAILED, reason=CauseCode.SOURCE_ERROR)

    def _count(self, rows: int, *, readable: bool) -> bool:
        """Count answers, and return whether too many cannot be used."""
        with self._lock:
            self._rows += rows
            self._unreadable_rows += 0 if readable else rows
            self.has_answered |= readable
            return self._rows >= CHANGED_ROWS and self._unreadable_rows > CHANGED_SHARE * self._rows

    @property
    def doubts_not_found(self) -> bool:
        """Whether a bare 404 may come from a wrong address as well."""
        return self._doubts_not_found and not self.has_answered

    def bare_not_found(self, number: str) -> Answer:
        """The answer for a 404 that is doubted: looked up once more after the others. Raises SourceStopped when the
        source says nothing else."""
        with self._lock:
            again = number not in self._bare
            self._bare.add(number)
            if len(self._bare) > NOTHING_THERE_AFTER or not (again or self._has_found_before):
                raise SourceStopped(CauseCode.NOTHING_THERE)
        return Answer(Outcome.FAILED, reason=CauseCode.UNSURE) if again else Answer(Outcome.NOT_FOUND)

    def bad_request(self, number: str) -> Answer:
        """The answer after a 400. Where the source has answered other numbers, this number is rejected; else the recipe
        may be wrong, and the number is looked up once more. Raises SourceStopped after too many in a row."""
        with self._lock:
            self._bad_requests.add(number)
            if len(self._bad_requests) > BROKEN_AFTER:
                raise SourceStopped(CauseCode.RECIPE_BROKEN)
            again = not self.has_answered and number not in self._refused_before
            self._refused_before.add(number)
        if again:
            return Answer(Outcome.FAILED, reason=CauseCode.UNSURE)
        return Answer(Outcome.REJECTED, reason=CauseCode.REJECTED)
