"""Split the lines of a text file in which not every quote closes where a cell ends: a stray one spoils its line. Pure.

A cell is quoted when its closing quote stands before a delimiter or the line's end; any other quote is a character.
A record of several lines is taken only where the lines together are one, have the usual width, and none of them is a
row by itself: two stray quotes far apart are no cell.
"""

import csv
import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Protocol

MOST_LINES = 30  # of one record
_MOST_CHARACTERS = 64 * 1024
_SEEN = 200  # records after which the usual width is known well enough


class Split(Protocol):
    """Splits lines into records; with `strict`, raises csv.Error where a quote is stray."""

    def __call__(self, lines: Iterable[str], *, strict: bool = False) -> Iterator[list[str]]:
        """Give the records."""


@cache
def _cell_pattern(delimiter: str, is_escaped: bool) -> re.Pattern[str]:
    d = re.escape(delimiter)
    if is_escaped:
        quoted, plain = r'(?:[^"\\]|\\.|"")*', rf"(?:[^{d}\\]|\\.|\\$)*"
    else:
        quoted, plain = r'(?:[^"]|"")*', f"[^{d}]*"
    return re.compile(rf'[ ]*"(?P<quoted>{quoted})"[ ]*(?={d}|$)|(?P<plain>{plain})', re.DOTALL)


_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


def cells_of_line(line: str, delimiter: str, *, is_escaped: bool = False) -> list[str]:
    """Split one line; quotes that do not close where a cell ends are characters."""
    text = line.rstrip("\r\n")
    pattern, cells, at = _cell_pattern(delimiter, is_escaped), [], 0
    while True:
        found = pattern.match(text, at)
        if found is None:  # not possible: the second half of the pattern matches everywhere
            break
        quoted = found["quoted"]
        cell = found["plain"] if quoted is None else quoted.replace('""', '"')
        cells.append(_ESCAPE.sub(r"\1", cell) if is_escaped else cell)
        at = found.end() + 1
        if at > len(text):
            break
    return cells


def has_quoted_cell(line: str, delimiter: str) -> bool:
    """Return whether a cell of this line is quoted as it should be."""
    d = re.escape(delimiter)
    return re.search(rf'(?:^|{d}) *"(?:[^"]|"")+" *(?:{d}|[\r\n]*$)', line) is not None


class RecordsWithStrays(Iterator[list[str]]):
    """The records of such a file. `ahead` lines were looked at that belong to later ones."""

    def __init__(self, lines: Iterable[str], delimiter: str, split: Split, *, is_escaped: bool) -> None:
        self._lines, self._delimiter, self._split, self._is_escaped = iter(lines), delimiter, split, is_escaped
        self._held: deque[str] = deque()
        self._widths: Counter[int] = Counter()

    @property
    def ahead(self) -> int:
        """How many lines were taken that belong to the records after the last one."""
        return len(self._held)

    def __next__(self) -> list[str]:
        line = self._peek(0)
        if line is None:
            raise StopIteration
        self._held.popleft()
        if '"' not in line and not self._is_escaped:
            text = line.rstrip("\r\n")
            cells = text.split(self._delimiter) if text else []
        else:
            cells = self._record(line)
        if cells and sum(self._widths.values()) < _SEEN:
            self._widths[len(cells)] += 1
        return cells

    def _record(self, line: str) -> list[str]:
        if (cells := self._whole([line])) is not None:
            return cells
        usual = self._widths.most_common(1)
        taken, size = [line], len(line)
        while usual and len(taken) <= MOST_LINES and size < _MOST_CHARACTERS:
            more = self._peek(len(taken) - 1)
            if more is None:
                break
            if len(self._alone(more)) == usual[0][0] and '"' not in more:
                break  # a row by itself
            taken.append(more)
            size += len(more)
            cells = self._whole(taken) if '"' in more else None
            if cells is not None:
                if len(cells) != usual[0][0]:
                    break
                for _ in taken[1:]:
                    self._held.popleft()
                return cells
        return self._alone(line)

    def _peek(self, place: int) -> str | None:
        while len(self._held) <= place:
            line = next(self._lines, None)
            if line is None:
                return None
            self._held.append(line)
        return self._held[place]

    def _alone(self, line: str) -> list[str]:
        return cells_of_line(line, self._delimiter, is_escaped=self._is_escaped) if line.strip("\r\n") else []

    def _whole(self, lines: list[str]) -> list[str] | None:
        """The one record that these lines are; None when a quote among them is stray."""
        try:
            records = list(self._split(lines, strict=True))
        except csv.Error:
            return None
        return records[0] if len(records) == 1 else None
