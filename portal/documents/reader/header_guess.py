"""Guess the header row, the columns with numbers and their country from a sheet's first rows. Pure.

The guess is only the check page's first proposal: the person sees it and can change it. Words go first: a heading that
names telephone numbers outranks a column without one that happens to have more of them, such as order numbers. When in
doubt it finds no header: a title taken for data is shown as a bad row, but data taken for a header would be lost.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from pathlib import Path
from statistics import median

from portal.documents.reader.heading_words import NUMBERS, Heading, heading_of, is_later, normalised
from portal.documents.reader.sheet_file import Cell, rows, text_of
from portal.phone import Reason, parse

ROWS_READ = 220
HEADER_WITHIN = 60
PARSED = 40  # cells of a column, spread over its rows: enough for a share, and cheap
_CLIPPED = 100  # characters of a cell
_LONGEST = 60  # characters of a cell that may be a number with words around it
_PHONE_LIKE = 0.3  # of a text with as many digits as a number that is not valid in the given country
_OFFERED = 0.8  # of a cell that a person reads a number in, or two

# What people write where a number is missing.
_NO_NUMBER = re.compile(
    r"(?:no|sin|sense|sans|kein|keine|nessun|nao|without|ohne)(?: .*)?|n a|na|nd|n d|ns nc|s n|nc|null|none|nan|nil|"
    r"ninguno|ninguna|vacio|falta|faltan|pendiente|pending|desconocido|unknown|inconnu|unbekannt|x+|baja|erroneo|"
    r"erronea|equivocado|incorrecto|invalido|invalid|mal|privado|oculto|pregunta.*|preguntar.*|llamar.*|ver.*|"
    r"fehlt|manca|error|ausente|-*"
)
_WEIGHTS = {
    Heading.MOBILE: 2.3, Heading.PHONE: 2.0, Heading.LANDLINE: 1.9, Heading.FAX: 1.4, Heading.PERHAPS: 0.5,
    Heading.UNKNOWN: 0.0, Heading.RIVAL: -1.2, Heading.COUNTRY: -1.0, Heading.PREFIX: -2.0, Heading.OTHER: -0.4,
}  # fmt: skip
# What a cell of a row says for the row being the headings.
_HEADING_SCORES = {
    Heading.MOBILE: 3.0, Heading.PHONE: 3.0, Heading.LANDLINE: 2.5, Heading.FAX: 2.5, Heading.PERHAPS: 1.5,
    Heading.PREFIX: 1.5, Heading.COUNTRY: 1.5, Heading.RIVAL: 1.5, Heading.OTHER: 1.5, Heading.UNKNOWN: 0.0,
}  # fmt: skip


@dataclass(frozen=True)
class SheetGuess:
    """A guess about one sheet. Rows are counted as in Excel (header 0 = none), columns from 0."""

    header_row: int = 0
    column: int = 0  # the likeliest column, even when none has numbers
    columns: tuple[int, ...] = ()  # all columns that look like numbers, the likeliest first
    numbers: int = 0  # how many of the rows read have one in the likeliest column
    rows_read: int = 0  # below the header, empty ones included


def guess(sheet_path: Path, country: str) -> tuple[int, int]:
    """Return the header's row number (0 = no header) and the likeliest number column (from 0)."""
    found = guess_sheet(sheet_path, country)
    return found.header_row, found.column


def number_columns(sheet_path: Path, country: str) -> list[int]:
    """Return all columns (from 0) that look like telephone numbers, the likeliest first; empty when none does.

    `country` (two letters) is assumed for numbers without a prefix. Columns that repeat another one's numbers, as the
    portal's own downloads have, are left out.
    """
    return list(guess_sheet(sheet_path, country).columns)


def guess_sheet(sheet_path: Path, country: str) -> SheetGuess:
    """Guess everything about one sheet from its first rows."""
    return Table([cells for _, cells in islice(_clipped(sheet_path), ROWS_READ)], country).guess()


def _clipped(sheet_path: Path) -> Iterator[tuple[int, list[Cell]]]:
    for row_no, cells in rows(sheet_path):
        yield row_no, [cell[:_CLIPPED] if isinstance(cell, str) else cell for cell in cells]


def number_score(cell: Cell, country: str) -> float:
    """Score how much a cell looks like a telephone number, from 0 to 1; 1 when it is a valid one."""
    return _read(cell, country)[0] if _has_digits(cell) else 0.0


def _has_digits(cell: Cell) -> bool:
    """Return whether a cell has as many digits as a telephone number, or several."""
    if isinstance(cell, str):
        return len(cell) <= _LONGEST and 7 <= sum(map(str.isdigit, cell)) <= 40
    return isinstance(cell, int) and not isinstance(cell, bool) and 10**6 <= cell < 10**17


_NO_TELEPHONE = frozenset({Reason.DATE, Reason.IDENTIFIER, Reason.NOT_A_NUMBER, Reason.LONG_TEXT})


def _read(cell: Cell, country: str) -> tuple[float, str | None]:
    """Read a cell that has digits: its score, and its number in E.164 if it has one."""
    text = text_of(cell).strip()
    phone = parse(text, country)
    if phone.reason is None:
        return 1.0, phone.e164
    if phone.offered:
        return _OFFERED, phone.offered[0]
    if phone.reason in _NO_TELEPHONE:
        return 0.0, None
    return (_PHONE_LIKE if sum(map(str.isdigit, text)) >= 0.7 * len(text) else 0.0), None


@dataclass
class _Column:
    """One column of the rows read, below the header."""

    position: int
    heading: Heading
    later: bool = False  # its heading names a second number
    filled: int = 0
    with_digits: list[tuple[int, Cell]] = field(default_factory=list)  # index of the row, cell
    country: str = "ES"

    @cached_property
    def read(self) -> dict[int, tuple[float, str | None]]:
        """Scores and numbers of some cells, spread over the column, by the row's index."""
        chosen, step = self.with_digits, 1
        while len(chosen) > PARSED:  # of two columns the same rows, so that they can be compared
            step *= 2
            chosen = [pair for pair in self.with_digits if pair[0] % step == 0] or self.with_digits[:PARSED]
        return {row: _read(cell, self.country) for row, cell in chosen}

    @cached_property
    def share(self) -> float:
        """How much of what is filled looks like telephone numbers, from 0 to 1."""
        if not self.with_digits:
            return 0.0
        mean = sum(score for score, _ in self.read.values()) / len(self.read)
        return mean * len(self.with_digits) / max(self.filled, 1)

    @property
    def numbers(self) -> int:
        """About how many cells are numbers."""
        return round(self.share * self.filled)

    @cached_property
    def is_series(self) -> bool:
        """Whether the digits rise from row to row, as numbers that somebody counted do."""
        plain = [cell for _, cell in self.with_digits
                 if isinstance(cell, int) or (isinstance(cell, str) and cell.isascii() and cell.isdigit())]  # fmt: skip
        values = [int(cell) for cell in plain]
        if len(values) < 5 or len(values) < 0.8 * len(self.with_digits):
            return False
        up = sum(one < two for one, two in zip(values, values[1:], strict=False))
        return up >= 0.95 * (len(values) - 1)

    def rank(self, rows_below: int) -> float:
        """Score the column among the others: its heading, as far as there are numbers below it, then the numbers."""
        share = self.share
        weight = _WEIGHTS[self.heading]
        score = share + weight * (min(1.0, share / 0.2) if weight > 0 else 1.0)
        if self.is_series and self.heading not in NUMBERS:
            score -= 0.6
        if self.later:
            score -= 0.15
        return score + 0.5 * self.numbers / max(rows_below, 1)

    @property
    def looks_like_numbers(self) -> bool:
        """Whether the column is offered as one with telephone numbers."""
        if self.heading in NUMBERS:
            return self.share >= 0.1
        if self.heading in (Heading.PREFIX, Heading.COUNTRY) or self.is_series:
            return False
        return self.share >= {Heading.RIVAL: 2.0, Heading.OTHER: 0.9, Heading.PERHAPS: 0.4}.get(self.heading, 0.6)


class Table:
    """The first rows of a sheet, and what can be guessed from them."""

    def __init__(self, first_rows: list[list[Cell]], country: str) -> None:
        self.rows = first_rows
        self.country = country
        self.width = max(map(len, first_rows), default=0)
        self._filled = [sum(1 for cell in cells if _is_filled(cell)) for cells in first_rows]
        self._digits = [[_has_digits(cell) for cell in cells] for cells in first_rows]

    def guess(self) -> SheetGuess:
        if not self.width:
            return SheetGuess()
        header = self._header_row()
        columns = self.columns(header)
        below = sum(1 for filled in self._filled[header:] if filled)
        ranked = sorted(columns, key=lambda column: (-column.rank(below), column.position))
        listed = _without_copies([column for column in ranked if column.looks_like_numbers])
        best = listed[0] if listed else ranked[0]
        return SheetGuess(
            header_row=header,
            column=best.position,
            columns=tuple(column.position for column in listed),
            numbers=best.numbers,
            rows_read=len(self.rows) - header,
        )

    def columns(self, header: int) -> list[_Column]:
        """Gather the columns below a header (0 = none)."""
        texts = self.headings(header)
        columns = [_Column(place, heading_of(text), is_later(text), country=self.country)
                   for place, text in enumerate(texts)]  # fmt: skip
        for index in range(header, len(self.rows)):
            digits = self._digits[index]
            for place, cell in enumerate(self.rows[index]):
                if digits[place]:
                    columns[place].filled += 1
                    columns[place].with_digits.append((index, cell))
                elif _is_filled(cell):
                    columns[place].filled += 1
        return columns

    def headings(self, header: int) -> list[str]:
        """Return one text for each column: its heading, or that of the group above it when its own says nothing."""
        own = [self._text(header - 1, place) for place in range(self.width)] if header else [""] * self.width
        if header < 2 or not 1 < self._filled[header - 2] <= self._filled[header - 1]:
            return own
        group, texts = "", []
        for place, text in enumerate(own):
            group = self._text(header - 2, place) or group
            known = heading_of(text) is not Heading.UNKNOWN or heading_of(group) not in NUMBERS
            texts.append(text if known or not text else f"{group} {text}")
        return texts

    def _text(self, index: int, place: int) -> str:
        cells = self.rows[index]
        return text_of(cells[place]).strip() if place < len(cells) else ""

    def _header_row(self) -> int:
        """Return the row that looks most like the headings, as Excel counts; 0 when none does."""
        last = max((n for n, filled in enumerate(self._filled) if filled), default=0)
        if sum(1 for filled in self._filled if filled) == 1 and not any(self._digits[last]):
            return last + 1  # a single row of words
        usual = self._usual_width()
        best, best_score, data_above = 0, 0.0, 0
        for index, cells in enumerate(self.rows[:HEADER_WITHIN]):
            if not self._filled[index]:
                continue
            if any(self._digits[index]):  # a letterhead may have a telephone number of its own
                data_above += self._filled[index] > usual / 2 or usual < 2
                if data_above:
                    break
                continue
            score = self._heading_score(index, cells, usual) if index < last else 0.0
            if score >= max(best_score, 1.0):
                best, best_score = index + 1, score
        return best

    def _usual_width(self) -> float:
        """Return how many cells of a row are filled: of those with a number, else of all."""
        with_numbers = [filled for filled, digits in zip(self._filled, self._digits, strict=True) if any(digits)]
        every = [filled for filled in self._filled if filled]
        return median(with_numbers[:50] or every[:50] or [0])

    def _heading_score(self, index: int, cells: Sequence[Cell], usual: float) -> float:
        """Score how much a row looks like headings: named columns, and words above digits."""
        score = 0.0
        for place, cell in enumerate(cells):
            if not isinstance(cell, str) or not (text := cell.strip()):
                continue  # a year or a date says nothing: both are headings and data
            plain = normalised(text)
            if _NO_NUMBER.fullmatch(plain) or "@" in text:
                if self._typed[place]:
                    return 0.0
                continue
            kind = heading_of(text)
            if plain in self._below(place, index):
                score -= 2.0
            elif kind is not Heading.UNKNOWN:
                score += _HEADING_SCORES[kind]
            elif self._typed[place] and len(plain.split()) <= 3 and not any(map(str.isdigit, text)):
                score += 0.7
        wide = self._filled[index] > usual / 2
        return score + 0.5 if wide else score * 0.3

    @cached_property
    def _typed(self) -> list[bool]:
        """For each column, whether most of it is numbers or dates rather than words."""
        typed, filled = [0] * self.width, [0] * self.width
        for cells, digits in zip(self.rows, self._digits, strict=True):
            for place, cell in enumerate(cells):
                if digits[place] or (cell is not None and not isinstance(cell, str)):
                    typed[place] += 1
                    filled[place] += 1
                elif _is_filled(cell):
                    filled[place] += 1
                    typed[place] += isinstance(cell, str) and sum(map(str.isdigit, cell)) > len(cell) / 2
        return [count > 0 and count >= 0.4 * of for count, of in zip(typed, filled, strict=True)]

    def _below(self, place: int, index: int) -> frozenset[str]:
        """The words that a column has in the rows below."""
        known = self._words.get(place)
        if known is None:
            known = self._words[place] = [
                normalised(cell) if isinstance(cell, str) else ""
                for cell in (cells[place] if place < len(cells) else None for cells in self.rows)
            ]
        return frozenset(known[index + 1 :])

    @cached_property
    def _words(self) -> dict[int, list[str]]:
        return {}


def _is_filled(cell: Cell) -> bool:
    return cell is not None and (not isinstance(cell, str) or bool(cell.strip()))


def _without_copies(ranked: list[_Column]) -> list[_Column]:
    """Leave out columns that repeat the numbers of one to their left, row by row."""
    left_out = set()
    for one in ranked:
        for other in ranked:
            if other.position <= one.position or other.position in left_out:
                continue
            both = [row for row in one.read.keys() & other.read.keys() if one.read[row][1] and other.read[row][1]]
            same = sum(one.read[row][1] == other.read[row][1] for row in both)
            if len(both) >= 3 and same >= 0.9 * len(both) and one.position not in left_out:
                left_out.add(other.position)
    return [column for column in ranked if column.position not in left_out]
