"""Which column tells the rows of two lists apart: its values are unique, many of them are in both lists, and where they
are, the telephone is mostly the same. Pure.

Of a long list it looks at some values of each column, the same in both lists, wherever they stand: those whose checksum
says so. So memory is flat, and a list in another order is no other list.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from zlib import crc32

from portal.documents.comparison.row_keys import ListRow, loose_of
from portal.documents.reader.heading_words import normalised

SAMPLED = 2000  # values of a column, about
MOST_COLUMNS = 60
UNIQUE = 0.9  # so many of a column's values must stand alone for it to be proposed
PHONE_AS_KEY = 0.6  # a telephone as the key tells nothing of telephones that changed: others go before it
COUNTED_AS_KEY = 0.8  # rows that are only counted, 1, 2, 3…, have other numbers once one of them is gone
ONE_IN_FIVE = 0.2  # values in common, below which a column is no key


class KeyOption(NamedTuple):
    """A column that can be the key, and the column of the earlier list that goes with it. Shares are from 0 to 1."""

    column: int
    before: int
    unique: float
    overlap: float
    score: float


@dataclass
class _Sampled:
    """A value of a column that is looked at: how often it is there, and the numbers of its row."""

    times: int
    numbers: str


class ColumnSamples:
    """Some of the values of each column of a list."""

    def __init__(self, rows_at_most: int) -> None:
        """`rows_at_most`: of the longer list, so that the same values are looked at in both."""
        self._every = max(1, rows_at_most // SAMPLED)
        self.columns: dict[int, dict[str, _Sampled]] = {}
        self.filled: dict[int, int] = {}
        self._last: dict[int, str] = {}
        self._steps: dict[int, int] = {}  # from a number to the next one
        self.phones: set[int] = set()

    def add_all(self, rows: Iterable[ListRow]) -> "ColumnSamples":
        """Look at all rows."""
        every, columns = self._every, self.columns
        for row in rows:
            numbers = row.numbers
            self.phones.update(row.phones)
            for column in range(min(len(row.cells), MOST_COLUMNS)):
                key = row.key(column)
                if not key:
                    continue
                self.filled[column] = self.filled.get(column, 0) + 1
                if len(key) < 10 and key.isdecimal():
                    if self._last.get(column) == str(int(key) - 1):
                        self._steps[column] = self._steps.get(column, 0) + 1
                    self._last[column] = key
                loose = loose_of(key) or key
                if every > 1 and crc32(loose.encode()) % every:
                    continue
                known = columns.setdefault(column, {})
                if (seen := known.get(loose)) is None:
                    known[loose] = _Sampled(1, numbers)
                else:
                    seen.times += 1
        return self

    def is_counted(self, column: int) -> bool:
        """Whether a column only counts the rows."""
        return self._steps.get(column, 0) >= self.filled.get(column, 0) * UNIQUE > 1

    def unique(self, column: int) -> float:
        """Return how many of a column's values stand alone."""
        known = self.columns.get(column, {})
        times = sum(one.times for one in known.values())
        return sum(one.times == 1 for one in known.values()) / times if times else 0.0


def options(
    new: ColumnSamples, before: ColumnSamples, heads: Sequence[str], heads_before: Sequence[str]
) -> list[KeyOption]:
    """Return the columns of the new list that can be the key, the likeliest first, each with its partner: the column of
    the earlier list with which it has most values in common, and of those the one with the same heading or place."""
    found = []
    for column, known in new.columns.items():
        partner = max(
            before.columns,
            key=lambda other: (
                len(known.keys() & before.columns[other].keys()),
                _same(heads, column, heads_before, other),
                other == column,
            ),
            default=None,
        )
        if partner is None:
            continue
        theirs = before.columns[partner]
        common = known.keys() & theirs.keys()
        overlap = len(common) / (min(len(known), len(theirs)) or 1)
        unique = min(new.unique(column), before.unique(partner))
        is_phone = column in new.phones and partner in before.phones
        alike = sum(known[key].numbers == theirs[key].numbers for key in common) / (len(common) or 1)
        score = unique * overlap * (PHONE_AS_KEY if is_phone else alike)
        if new.is_counted(column):
            score *= COUNTED_AS_KEY
        if not is_phone and (unique < UNIQUE or overlap < ONE_IN_FIVE):
            score *= 0.1
        found.append(KeyOption(column, partner, unique, overlap, score))
    return sorted(found, key=lambda one: (-round(one.score, 2), one.column))


def _same(heads: Sequence[str], column: int, heads_before: Sequence[str], other: int) -> bool:
    texts = [normalised(some[at]) if at < len(some) else "" for some, at in ((heads, column), (heads_before, other))]
    return texts[0] == texts[1] != ""
