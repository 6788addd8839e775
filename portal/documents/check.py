"""Check a choice of header row, columns and country: each cell gives its numbers, or the reason why it has none. Pure.

It knows neither the database nor how the file was read. A check reads the sheet file once, row by row.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import Any, NamedTuple

from portal.documents.choice import SheetChoice
from portal.documents.reader.sheet_file import DISPLAY_CHARACTERS, Cell, rows, rows_to_check, text_of
from portal.phone import Phone, Reason, parse
from portal.phone.country_names import country_of

__all__ = ["CheckFacts", "CheckedCell", "Corrections", "accepted_offer", "cells_of", "check", "check_facts", "rows",
           "summarise"]  # fmt: skip

BAD_ROWS_SHOWN = 200
OFFERS_SHOWN = 3  # of each reason
SHOWN_ANYWAY = 10  # of each reason, also when another one has more than all rows that are shown
BETWEEN = " / "  # the numbers of one corrected cell
NO_CORRECTIONS: "Corrections" = {}
_TEXT_FORMULA = re.compile(r'="[^"]*"')


Corrections = Mapping[tuple[int, int], str]
"""By row (as Excel counts) and column (from 0): the numbers that a person wrote beside the cell, in E.164."""


class CheckedCell(NamedTuple):
    """One number of a cell, or a cell without any. Either `phone_e164` or `reason` is None.

    `duplicate_of` is the row of the first cell with that number, which may be the same row.
    """

    row_no: int
    column: int  # position in the row, from 0
    place: int  # of the number in its cell, from 1
    text: str  # the cell as a person sees it, cut to 200 characters
    phone_e164: str | None
    reason: Reason | None
    duplicate_of: int | None
    offered: tuple[str, ...] = ()  # numbers in E.164 that the cell may mean; none of them is looked up
    corrected: str | None = None  # what its person wrote beside the cell; the numbers are read there


@dataclass
class CheckFacts:
    """The counts of a check, in cells: `total` = `to_look_up` + `duplicates` + `invalid` + `blank`. A cell counts once
    for each of its numbers."""

    total: int = 0
    to_look_up: int = 0  # distinct valid numbers
    duplicates: int = 0  # numbers that stand in an earlier cell already
    invalid: int = 0  # cells with text that is not a telephone number
    blank: int = 0  # rows in which all the cells are blank
    reasons: dict[str, int] = field(default_factory=dict)  # reason code → cells; blank ones are not counted here
    # the first 200: row, text, code, the numbers that it may mean, and the column
    bad_rows: list[tuple[int, str, str, tuple[str, ...], int]] = field(default_factory=list)
    rows: int = 0  # below the header
    # reason code → cells with one clear offer, and the first three of them: text and numbers
    offers: dict[str, int] = field(default_factory=dict)
    offered_first: dict[str, list[tuple[str, str]]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the counts as a dictionary for a JSON column."""
        return asdict(self)

    @classmethod
    def from_dict(cls, facts: dict[str, Any]) -> "CheckFacts":
        """Rebuild the counts from what `to_dict` returned, after a round trip through JSON."""
        bad_rows = [
            (int(row_no), str(text), str(code), tuple(offered), int(column))
            for row_no, text, code, offered, column in facts["bad_rows"]
        ]
        first = {code: [(str(text), str(numbers)) for text, numbers in pairs]
                 for code, pairs in facts.get("offered_first", {}).items()}  # fmt: skip
        return cls(**{**facts, "bad_rows": bad_rows, "offered_first": first})


def check(sheet_path: Path, choice: SheetChoice, corrections: Corrections = NO_CORRECTIONS) -> Iterator[CheckedCell]:
    """Check the cells of the chosen columns in every row below the header that is not left out, blank rows included, in
    the file's order. `sheet_path` is the file of the chosen sheet's rows.

    A blank cell is left out when another one of its row has something in it: many people have only one of two numbers.
    A cell of the country column names the country of its row's numbers; where it names none that is known, a number
    without a prefix is only offered. A cell with a correction has the numbers of that.
    """
    first_rows: dict[int, int] = {}
    for one in cells_of(sheet_path, choice, corrections):
        if one.phone_e164 is None:
            yield one
            continue
        digits = int(one.phone_e164)  # a million of these take half the memory of as many texts
        if (first := first_rows.get(digits)) is None:
            first_rows[digits] = one.row_no
            yield one
        else:
            yield one._replace(duplicate_of=first)


def cells_of(
    sheet_path: Path, choice: SheetChoice, corrections: Corrections = NO_CORRECTIONS, after_row: int = 0
) -> Iterator[CheckedCell]:
    """The same cells, without looking for numbers that are in several of them: nothing of a row is kept in memory.
    `after_row`: those of the rows below this one."""
    country, begins_after = choice.country, max(choice.header_row, after_row)
    for row_no, cells in rows_to_check(sheet_path, choice.left):
        if row_no <= begins_after:
            continue
        blank = None
        is_blank = True
        of_row = country if choice.country_column is None else _country_of_row(cells, country, choice.country_column)
        for column in choice.columns:
            cell: Cell = cells[column] if column < len(cells) else None
            corrected = corrections.get((row_no, column)) if corrections else None
            phone = None
            if corrected is None and of_row is not None and type(cell) is str:  # nearly all cells have one number
                phone = parse(cell, of_row)
                if phone.e164 is not None:
                    is_blank = False
                    yield CheckedCell(row_no, column, 1, cell[:DISPLAY_CHARACTERS], phone.e164, None, None)
                    continue
            surely = of_row is not None
            for one in _numbers_of(row_no, column, cell, of_row or country, corrected, phone, surely=surely):
                if one.reason is Reason.BLANK:
                    blank = blank or one
                    continue
                is_blank = False
                yield one
        if is_blank and blank is not None:
            yield blank


def countries_of_rows(sheet_path: Path, choice: SheetChoice, row_nos: Collection[int]) -> dict[int, str | None]:
    """Return the country of the numbers without a prefix in each of these rows; None where the row names one that is
    not known."""
    if choice.country_column is None or not row_nos:
        return dict.fromkeys(row_nos, choice.country)
    last = max(row_nos)
    below = takewhile(lambda row: row[0] <= last, rows(sheet_path))
    return {row_no: _country_of_row(cells, choice.country, choice.country_column)
            for row_no, cells in below if row_no in row_nos}  # fmt: skip


def _country_of_row(cells: Sequence[Cell], country: str, country_column: int) -> str | None:
    """The country of a row's numbers without a prefix; None when the row names one that is not known."""
    if country_column >= len(cells):
        return country
    named = text_of(cells[country_column]).strip()
    return country_of(named) if named else country


def accepted_offer(reason: Reason, offered: Sequence[str]) -> tuple[str, ...]:
    """Return the numbers that a cell gets when its offer is accepted with others of its reason; none when a person has
    to choose one of them."""
    return tuple(offered) if len(offered) == 1 or reason is Reason.SEVERAL_NUMBERS else ()


def _numbers_of(
    row_no: int,
    column: int,
    cell: Cell,
    country: str,
    corrected: str | None,
    phone: Phone | None,
    *,
    surely: bool,
) -> Iterator[CheckedCell]:
    """The numbers of one cell, or why it has none; `phone` when it was parsed already. Not `surely`: the
    country may be another one."""
    text = text_of(cell)
    shown = text[:DISPLAY_CHARACTERS]
    if corrected is not None:
        for place, e164 in enumerate(corrected.split(BETWEEN), start=1):
            yield CheckedCell(row_no, column, place, shown, e164, None, None, corrected=corrected)
        return
    if isinstance(cell, dict) and "f" in cell and not _TEXT_FORMULA.fullmatch(text):
        yield CheckedCell(row_no, column, 1, shown, None, Reason.NO_RESULT, None)
        return
    if isinstance(cell, bool) or (isinstance(cell, dict) and "d" in cell):
        # A date has enough digits to be a valid number in some countries.
        reason = Reason.DATE if isinstance(cell, dict) else Reason.NOT_A_NUMBER
        yield CheckedCell(row_no, column, 1, shown, None, reason, None)
        return
    phone = phone or parse(text, country)
    numbers = phone.numbers or ((phone.e164,) if phone.e164 else ())
    if numbers and not surely and not text.lstrip().startswith(("+", "00")):
        yield CheckedCell(row_no, column, 1, shown, None, Reason.OTHER_COUNTRY, None, numbers)
    elif phone.e164 is not None:
        yield CheckedCell(row_no, column, 1, shown, phone.e164, None, None)
    elif phone.numbers:
        for place, e164 in enumerate(phone.numbers, start=1):
            yield CheckedCell(row_no, column, place, shown, e164, None, None)
    else:
        yield CheckedCell(row_no, column, 1, shown, None, phone.reason, None, phone.offered)


def summarise(checked: Iterable[CheckedCell]) -> CheckFacts:
    """Count checked cells, given in the order of their rows."""
    facts = CheckFacts()
    last_row = 0
    for cell in checked:
        facts.total += 1
        if cell.row_no != last_row:
            facts.rows += 1
            last_row = cell.row_no
        if cell.reason is None:
            if cell.duplicate_of is None:
                facts.to_look_up += 1
            else:
                facts.duplicates += 1
        elif cell.reason is Reason.BLANK:
            facts.blank += 1
        else:
            facts.invalid += 1
            facts.reasons[cell.reason.value] = facts.reasons.get(cell.reason.value, 0) + 1
            if numbers := accepted_offer(cell.reason, cell.offered):
                facts.offers[cell.reason.value] = facts.offers.get(cell.reason.value, 0) + 1
                first = facts.offered_first.setdefault(cell.reason.value, [])
                if len(first) < OFFERS_SHOWN:
                    first.append((cell.text, BETWEEN.join(numbers)))
            if len(facts.bad_rows) < BAD_ROWS_SHOWN or facts.reasons[cell.reason.value] <= SHOWN_ANYWAY:
                facts.bad_rows.append((cell.row_no, cell.text, cell.reason.value, cell.offered, cell.column))
    return facts


def check_facts(sheet_path: Path, choice: SheetChoice, corrections: Corrections = NO_CORRECTIONS) -> CheckFacts:
    """Check the cells and count them: `check`, then `summarise`."""
    return summarise(check(sheet_path, choice, corrections))
