"""The rows of a list with their keys, compared as people see them. Pure."""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

from portal.documents.reader.sheet_file import Cell, rows, text_of

BETWEEN = " / "
LONGEST_SHOWN = 100  # characters of the telephones of a row, as they are written
_WHOLE = re.compile(r"(-?\d+)[.,]0+")
_TEXT_FORMULA = re.compile(r'="([^"]*)"')


class NumberAt(NamedTuple):
    """A number of a list, or a cell that should have one: its row, its column, E.164, and the cell as it is written."""

    row_no: int
    column: int
    e164: str | None
    text: str


class ListRow(NamedTuple):
    """A row of a list: its cells, the numbers in each of its columns with numbers, and how these are written."""

    row_no: int
    cells: Sequence[Cell]
    phones: dict[int, str]
    shown: str

    @property
    def numbers(self) -> str:
        """All numbers of the row, each once; the same text for the same numbers."""
        texts = [text for text in self.phones.values() if text]
        return BETWEEN.join(sorted({one for text in texts for one in text.split(BETWEEN)})) if texts else ""

    def key(self, column: int) -> str:
        """The key of the row in one of its columns; empty without one. Of a column with telephones it is the number,
        however it is written."""
        return self.phones.get(column) or key_of(self.cells[column] if column < len(self.cells) else None)


def key_of(cell: Cell) -> str:
    """Return a cell as two keys are compared: without spaces around it, in lower case, and 123.0 as 123."""
    text = text_of(cell)
    if not text:
        return ""
    if text.isascii() and text.isalnum():  # nearly always
        return text.lower()
    if formula := _TEXT_FORMULA.fullmatch(text):
        text = formula[1]
    plain = "".join(one for one in unicodedata.normalize("NFKC", text) if unicodedata.category(one) != "Cf")
    key = " ".join(plain.casefold().split()).removeprefix("'")
    whole = _WHOLE.fullmatch(key)
    return whole[1] if whole else key


def loose_of(key: str) -> str:
    """Return the key without what is lost on the way through Excel or added by hand: leading zeros, dots and hyphens.
    It decides only where no other row has the same."""
    plain = key if key.isalnum() else "".join(filter(str.isalnum, key))
    return (plain.lstrip("0") or "0") if plain.isdecimal() else plain


def list_rows(sheet_path: Path, numbers: Iterable[NumberAt]) -> Iterator[ListRow]:
    """Yield the rows that these numbers are in, which come in the order of the rows. One row is in memory at a time."""
    found = groupby(numbers, key=itemgetter(0))
    wanted, of_row = next(found, (0, iter(())))
    for row_no, cells in rows(sheet_path) if wanted else ():
        if row_no < wanted:
            continue
        while wanted and wanted < row_no:
            wanted, of_row = next(found, (0, iter(())))
        if not wanted:
            return
        if wanted == row_no:
            phones: dict[int, str] = {}
            shown: list[str] = []
            for _, column, e164, text in of_row:
                if e164:
                    phones[column] = f"{phones[column]}{BETWEEN}{e164}" if phones.get(column) else e164
                if text.strip() and text not in shown:
                    shown.append(text)
            yield ListRow(row_no, cells, phones, BETWEEN.join(shown)[:LONGEST_SHOWN])
            wanted, of_row = next(found, (0, iter(())))
            if not wanted:
                return
