"""One column of a sheet's first rows: how much it looks like telephone numbers. Pure."""

import re
from dataclasses import dataclass, field
from functools import cached_property

from portal.documents.reader.country_guess import CountryFrom, guess_country
from portal.documents.reader.heading_words import NUMBERS, Heading
from portal.documents.reader.sheet_file import Cell, text_of
from portal.phone import Reason, parse

_DATE = re.compile(r"(?<!\d)(?:\d{4}[-/.](?:0?\d|1[0-2])[-/.][0-3]?\d|[0-3]?\d[-/.](?:0?\d|1[0-2])[-/.]\d{4})(?!\d)")
PARSED = 24  # cells of a column, spread over its rows: enough for a share, and cheap
_LONGEST = 60  # characters of a cell that may be a number with words around it
_PHONE_LIKE = 0.3  # of a text with as many digits as a number that is not valid in the given country
_OFFERED = 0.8  # of a cell that a person reads a number in, or two
_WEIGHTS = {
    Heading.MOBILE: 2.3, Heading.PHONE: 2.0, Heading.LANDLINE: 1.9, Heading.FAX: 1.4, Heading.PERHAPS: 0.5,
    Heading.UNKNOWN: 0.0, Heading.RIVAL: -1.2, Heading.COUNTRY: -1.0, Heading.PREFIX: -2.0, Heading.OTHER: -0.4,
}  # fmt: skip


def number_score(cell: Cell, country: str) -> float:
    """Score how much a cell looks like a telephone number, from 0 to 1; 1 when it is a valid one."""
    return _read(cell, country)[0] if has_digits(cell) else 0.0


def has_digits(cell: Cell) -> bool:
    """Return whether a cell has as many digits as a telephone number, or several."""
    if isinstance(cell, str):
        if len(cell) > _LONGEST or not 7 <= sum(map(str.isdigit, cell)) <= 40:
            return False
        return "/20" not in cell and "-20" not in cell or sum(map(str.isdigit, _DATE.sub("", cell))) >= 7
    return isinstance(cell, int) and not isinstance(cell, bool) and 10**6 <= cell < 10**17


_NO_TELEPHONE = frozenset({Reason.DATE, Reason.IDENTIFIER, Reason.NOT_A_NUMBER, Reason.LONG_TEXT})


def _read(cell: Cell, country: str) -> tuple[float, str | None]:
    """Read a cell that has digits: its score, and its number in E.164 if it has one."""
    text = text_of(cell).strip()
    phone = parse(text, country)
    if phone.reason is None:
        return 1.0, phone.e164
    if phone.numbers:
        return 1.0, phone.numbers[0]
    if phone.offered:
        return _OFFERED, phone.offered[0]
    if phone.reason in _NO_TELEPHONE:
        return 0.0, None
    return (_PHONE_LIKE if sum(map(str.isdigit, text)) >= 0.7 * len(text) else 0.0), None


@dataclass
class NumberColumn:
    """One column of the rows read, below the header."""

    position: int
    heading: Heading
    later: bool = False  # its heading names a second number
    filled: int = 0
    none: int = 0  # cells such as `sin teléfono`
    with_digits: list[tuple[int, Cell]] = field(default_factory=list)  # index of the row, cell
    country: str = "ES"
    abroad: bool = False  # it is not the one that was given

    @cached_property
    def read(self) -> dict[int, tuple[float, str | None]]:
        """Scores and numbers of some cells, spread over the column, by the row's index."""
        chosen, step = self.with_digits, 1
        while len(chosen) > PARSED:  # of two columns the same rows, so that they can be compared
            step *= 2
            chosen = [pair for pair in self.with_digits if pair[0] % step == 0] or self.with_digits[:PARSED]
        return {row: _read(cell, self.country) for row, cell in chosen}

    def look_abroad(self) -> None:
        """Take a country in which the numbers are valid, if there is one."""
        texts = [text_of(cell).strip() for _, cell in self.with_digits]
        found = guess_country([text for text in texts if not text.startswith("+")], (), self.country)
        if found.taken_from is CountryFrom.NUMBERS:
            self.country, self.abroad = found.country, True
            del self.read, self.share

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

    @property
    def is_written_out(self) -> bool:
        """Whether most numbers have a +, a 0 first or separators, which ids seldom have."""
        texts = [
            cell for _, cell in self.with_digits if isinstance(cell, str) and (cell[0] in "+0" or not cell.isdigit())
        ]
        return len(texts) > 0.5 * len(self.with_digits)

    def rank(self, rows_below: int) -> float:
        """Score the column among the others: its heading, as far as there are numbers below it, then the numbers."""
        share = self.share
        weight = _WEIGHTS[self.heading]
        score = share + weight * (min(1.0, share / 0.2) if weight > 0 else 1.0)
        if self.is_series and self.heading not in NUMBERS:
            score -= 0.6
        if self.later:
            score -= 0.15
        if self.is_written_out:
            score += 0.2
        if self.abroad:
            score -= 0.2
        if self.heading is Heading.UNKNOWN:  # ids have no gaps, telephone numbers do
            return score + 0.2 * bool(self.none)
        return score + 0.35 * self.numbers / max(rows_below, 1)

    @property
    def looks_like_numbers(self) -> bool:
        """Whether the column is offered as one with telephone numbers."""
        if self.heading in NUMBERS:
            return self.share >= 0.1
        if self.heading in (Heading.PREFIX, Heading.COUNTRY) or self.is_series:
            return False
        return self.share >= {Heading.RIVAL: 2.0, Heading.OTHER: 0.9, Heading.PERHAPS: 0.4}.get(self.heading, 0.6)


def is_filled(cell: Cell) -> bool:
    return cell is not None and (not isinstance(cell, str) or bool(cell.strip()))


def without_copies(ranked: list[NumberColumn]) -> list[NumberColumn]:
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
