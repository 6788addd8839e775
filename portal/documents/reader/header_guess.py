"""Guess the header row, the columns with numbers and their country from a sheet's first rows. Pure.

The guess is only the check page's first proposal: the person sees it and can change it. Words go first: a heading that
names telephone numbers outranks a column without one that happens to have more of them, such as order numbers. When in
doubt it finds no header: a title taken for data is shown as a bad row, but data taken for a header would be lost.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from statistics import median

from portal.documents.reader.country_guess import (
    CountryFrom,
    CountryGuess,
    NamedCountries,
    countries_in,
    country_of_prefixes,
    guess_country,
)
from portal.documents.reader.heading_words import (
    LANGUAGE_OF,
    NUMBERS,
    Heading,
    countries_of,
    heading_of,
    is_later,
    languages_of,
    normalised,
    says_none,
)
from portal.documents.reader.number_column import NumberColumn, has_digits, is_filled, without_copies
from portal.documents.reader.sheet_file import Cell, rows, text_of
from portal.phone.country_names import country_of

ROWS_READ = 220
HEADER_WITHIN = 60
MOST_TICKED = 10
_SURE = 0.5  # share of numbers
_CLIPPED = 100  # characters of a cell

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
    ticked: tuple[int, ...] = ()  # of those, the ones that are surely meant, when there are several; in their order
    numbers: int = 0  # how many of the rows read have one in the likeliest column
    rows_read: int = 0  # below the header, empty ones included
    country: CountryGuess = CountryGuess("ES")  # of numbers without a prefix
    country_column: int | None = None  # that names another country in some rows


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


def guess_country_of(sheet_path: Path, header_row: int, columns: Collection[int], country: str) -> CountryGuess:
    """Guess the country of the numbers without a prefix in these columns, below this header (0 = none). `country` is
    the portal's own."""
    table = Table([cells for _, cells in islice(_clipped(sheet_path), ROWS_READ)], country)
    return table.country_of(header_row, columns)


def _clipped(sheet_path: Path) -> Iterator[tuple[int, list[Cell]]]:
    for row_no, cells in rows(sheet_path):
        yield row_no, [cell[:_CLIPPED] if isinstance(cell, str) else cell for cell in cells]


class Table:
    """The first rows of a sheet, and what can be guessed from them."""

    def __init__(self, first_rows: list[list[Cell]], country: str) -> None:
        self.rows = first_rows
        self.country = country
        self.width = max(map(len, first_rows), default=0)
        self._filled = [sum(1 for cell in cells if is_filled(cell)) for cells in first_rows]
        self._digits = [[has_digits(cell) for cell in cells] for cells in first_rows]

    def guess(self) -> SheetGuess:
        if not self.width:
            return SheetGuess(country=CountryGuess(self.country))
        header = self._header_row()
        texts = self.headings(header)
        languages = languages_of(texts, LANGUAGE_OF.get(self.country, ""))
        spoken = countries_of(languages)
        assumed = self.country if self.country in spoken or "en" in languages or not spoken else spoken[0]
        ranked = self._ranked(header, texts, assumed)
        named, column = self._named_countries(header, texts)
        country = self._country(ranked, languages, named)
        if country.country != assumed:
            ranked = self._ranked(header, texts, country.country)
        listed = without_copies([column for column in ranked if column.looks_like_numbers])
        best = listed[0] if listed else ranked[0]
        return SheetGuess(
            header_row=header,
            column=best.position,
            columns=tuple(column.position for column in listed),
            ticked=_surely_meant(best, listed),
            numbers=best.numbers,
            rows_read=len(self.rows) - header,
            country=country,
            country_column=column,
        )

    def _ranked(self, header: int, texts: Sequence[str], country: str) -> list[NumberColumn]:
        """Return the columns, the likeliest one with telephone numbers first."""
        below = sum(1 for filled in self._filled[header:] if filled)
        columns = self.columns(header, texts, country)
        named = [column for column in columns if column.heading in NUMBERS and column.looks_like_numbers]
        if named:  # digits below another heading are something else, and need not be read
            maybe = (Heading.UNKNOWN, Heading.PERHAPS)
            written = [column for column in columns if column.heading in maybe and column.is_written_out]
            columns = named + [column for column in written if column.looks_like_numbers]
        else:
            for column in columns:
                if column.heading is Heading.UNKNOWN and len(column.with_digits) > 2 and column.share < 0.6:
                    column.look_abroad()
        return sorted(columns, key=lambda column: (-column.rank(below), column.position))

    def _country(
        self, ranked: Sequence[NumberColumn], languages: Sequence[str], named: NamedCountries | None
    ) -> CountryGuess:
        """Guess the country from the numbers of the likeliest columns."""
        listed = [column for column in ranked if column.looks_like_numbers]
        best = [column for column in listed if column.heading in NUMBERS] or listed[:1] or list(ranked[:1])
        return self._country_of(best, languages, named)

    def country_of(self, header: int, wanted: Collection[int]) -> CountryGuess:
        """Guess the country from the numbers of these columns."""
        texts = self.headings(header)
        columns = [one for one in self.columns(header, texts, self.country) if one.position in wanted]
        languages = languages_of(texts, LANGUAGE_OF.get(self.country, ""))
        return self._country_of(columns, languages, self._named_countries(header, texts)[0])

    def _country_of(
        self, best: Sequence[NumberColumn], languages: Sequence[str], named: NamedCountries | None
    ) -> CountryGuess:
        texts = [text_of(cell).strip() for column in best for _, cell in column.with_digits]
        numbers = [text for text in texts if not text.startswith(("+", "00"))]
        if named is None and not numbers:
            return country_of_prefixes(texts, self.country)
        if named is None:
            return guess_country(numbers, languages, self.country)
        country = named.countries[0] if len(named.countries) == 1 else self.country
        rivals = guess_country(numbers, languages, self.country)
        fits = {rivals.country, *rivals.rivals, self.country} - {country}
        return CountryGuess(country, tuple(fits) if numbers and country != self.country else (), CountryFrom.COLUMN)

    def _named_countries(self, header: int, texts: Sequence[str]) -> tuple[NamedCountries | None, int | None]:
        """Return what the column with countries says, and its position when it names several."""
        for wanted in (Heading.PREFIX, Heading.COUNTRY, Heading.UNKNOWN):
            for place, text in enumerate(texts):
                if heading_of(text) is not wanted:
                    continue
                cells = [self._text(index, place) for index in range(header, len(self.rows))]
                if wanted is Heading.UNKNOWN and not _all_name_countries(cells):
                    continue
                if (named := countries_in(cells)) is not None:
                    return named, place if len(named.countries) > 1 else None
        return None, None

    def columns(self, header: int, texts: Sequence[str], country: str) -> list[NumberColumn]:
        """Gather the columns below a header (0 = none) with these headings."""
        columns = [NumberColumn(place, heading_of(text), is_later(text), country=country)
                   for place, text in enumerate(texts)]  # fmt: skip
        for index in range(header, len(self.rows)):
            digits = self._digits[index]
            for place, cell in enumerate(self.rows[index]):
                if digits[place]:
                    columns[place].filled += 1
                    columns[place].with_digits.append((index, cell))
                elif is_filled(cell):
                    columns[place].filled += 1
                    columns[place].none += isinstance(cell, str) and says_none(cell)
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
                data_above += self._filled[index] > usual / 2 and not self._is_prose(index)
                if data_above:
                    break
                continue
            score = self._heading_score(index, cells, usual) if index < last else 0.0
            below_group = best == index and score >= 2.0 and self._filled[index] > self._filled[index - 1]
            if score >= max(best_score, 1.0) or below_group:
                best, best_score = index + 1, score
        return best

    def _is_prose(self, index: int) -> bool:
        """Whether a row is one text with a few digits, such as a letterhead with a telephone number."""
        texts = [cell for cell in self.rows[index] if is_filled(cell)]
        text = texts[0] if len(texts) == 1 else None
        return isinstance(text, str) and sum(map(str.isdigit, text)) < 0.35 * len(text)

    def _usual_width(self) -> float:
        """Return how many cells of a row are filled: of those with a number, else of all."""
        with_numbers = [filled for filled, digits in zip(self._filled, self._digits, strict=True) if any(digits)]
        every = [filled for filled in self._filled if filled]
        return median(with_numbers[:50] or every[:50] or [0])

    def _heading_score(self, index: int, cells: Sequence[Cell], usual: float) -> float:
        """Score how much a row looks like headings: named columns, and words above digits."""
        score, named = 0.0, self._names_numbers(cells)
        for place, cell in enumerate(cells):
            if not isinstance(cell, str) or not (text := cell.strip()):
                score -= _is_counted(cell)  # a year or a date says nothing: both are headings and data
                continue
            plain = normalised(text)
            if says_none(text) or "@" in text:
                if self._typed[place]:
                    return 0.0
                continue
            kind = heading_of(text)
            if not named and plain in self._below(place, index):  # headings may be repeated on each page
                score -= 2.0
            elif kind in NUMBERS or (kind is not Heading.UNKNOWN and not any(map(str.isdigit, text))):
                score += _HEADING_SCORES[kind]
            elif self._typed[place] and len(plain.split()) <= 3 and not any(map(str.isdigit, text)):
                score += 0.7
        wide = self._filled[index] > usual / 2 or named
        return score + 0.5 if wide else score * 0.3

    def _names_numbers(self, cells: Sequence[Cell]) -> bool:
        """Whether a row has a short heading for telephone numbers above digits, so that it is no title."""
        return any(
            self._typed[place]
            and isinstance(cell, str)
            and len(cell.split()) <= 4
            and heading_of(cell.strip()) in NUMBERS
            for place, cell in enumerate(cells)
        )

    @cached_property
    def _typed(self) -> list[bool]:
        """For each column, whether most of it is numbers or dates rather than words."""
        typed, filled = [0] * self.width, [0] * self.width
        for cells, digits in zip(self.rows, self._digits, strict=True):
            for place, cell in enumerate(cells):
                if digits[place] or (cell is not None and not isinstance(cell, str)):
                    typed[place] += 1
                    filled[place] += 1
                elif is_filled(cell):
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


def _surely_meant(best: NumberColumn, listed: Sequence[NumberColumn]) -> tuple[int, ...]:
    """Return the columns that are looked up unless the person says otherwise, if there are several: their headings name
    telephones, and half of what is in them are numbers. Nobody pays for a fax number unasked."""
    sure = [column for column in listed if column.heading in NUMBERS - {Heading.FAX} and column.share >= _SURE]
    if best not in sure or len(sure) < 2:
        return ()
    return tuple(sorted(column.position for column in sure[:MOST_TICKED]))


def _is_counted(cell: Cell) -> bool:
    """Whether a cell is a number and no year, as a heading may be."""
    return isinstance(cell, (int, float)) and not isinstance(cell, bool) and not 1900 <= cell <= 2100


def _all_name_countries(texts: Sequence[str]) -> bool:
    """Whether the first texts of a column without a known heading all name countries, or their codes with a +."""
    first = list(islice(filter(None, texts), 8))
    written = all(text[0] in "+0" or text[0].isalpha() for text in first)
    return len(first) > 3 and written and all(map(country_of, first))
