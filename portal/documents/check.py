"""Check a choice of header row, column and country: each row gives a number, or the reason why it has none. Pure.

It knows neither the database nor how the file was read. A check reads the sheet file once, row by row.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from portal.documents.reader.sheet_file import DISPLAY_CHARACTERS, Cell, LeftOut, rows, rows_to_check, text_of
from portal.phone import Reason, parse

__all__ = ["CheckFacts", "CheckedRow", "check", "check_facts", "rows", "summarise"]

BAD_ROWS_SHOWN = 200
NOTHING = LeftOut()
_TEXT_FORMULA = re.compile(r'="[^"]*"')


class CheckedRow(NamedTuple):
    """One data row. Either `phone_e164` or `reason` is None; `duplicate_of` is the first row with that number."""

    row_no: int
    text: str  # the cell as a person sees it, cut to 200 characters
    phone_e164: str | None
    reason: Reason | None
    duplicate_of: int | None
    offered: tuple[str, ...] = ()  # numbers in E.164 that the cell may mean; none of them is looked up


@dataclass
class CheckFacts:
    """The counts of a check, in rows: `total` = `to_look_up` + `duplicates` + `invalid` + `blank`."""

    total: int = 0
    to_look_up: int = 0  # distinct valid numbers
    duplicates: int = 0  # rows whose number is already in a row above
    invalid: int = 0  # rows with text that is not a telephone number
    blank: int = 0
    reasons: dict[str, int] = field(default_factory=dict)  # reason code → rows; blank rows are not counted here
    # the first 200: row, text, code, and the numbers that it may mean
    bad_rows: list[tuple[int, str, str, tuple[str, ...]]] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return the counts as a dictionary for a JSON column."""
        return asdict(self)

    @classmethod
    def from_dict(cls, facts: dict[str, Any]) -> "CheckFacts":
        """Rebuild the counts from what `to_dict` returned, after a round trip through JSON."""
        bad_rows = [
            (int(row_no), str(text), str(code), tuple(offered)) for row_no, text, code, offered in facts["bad_rows"]
        ]
        return cls(**{**facts, "bad_rows": bad_rows})


def check(
    sheet_path: Path, header_row: int, column: int, country: str, left: LeftOut = NOTHING
) -> Iterator[CheckedRow]:
    """Check every row below the header that is not left out, blank ones included, in the file's order.

    `header_row` is counted as in Excel (0 = no header), `column` from 0; `country` is two letters, such as ES.
    """
    first_rows: dict[str, int] = {}
    for row_no, cells in rows_to_check(sheet_path, left):
        if row_no <= header_row:
            continue
        cell: Cell = cells[column] if column < len(cells) else None
        if isinstance(cell, dict) and "f" in cell and not _TEXT_FORMULA.fullmatch(text_of(cell)):
            yield CheckedRow(row_no, text_of(cell)[:DISPLAY_CHARACTERS], None, Reason.NO_RESULT, None)
            continue
        if isinstance(cell, bool) or (isinstance(cell, dict) and "d" in cell):
            # A date has enough digits to be a valid number in some countries.
            reason = Reason.DATE if isinstance(cell, dict) else Reason.NOT_A_NUMBER
            yield CheckedRow(row_no, text_of(cell), None, reason, None)
            continue
        text = text_of(cell)
        phone = parse(text, country)
        if phone.e164 is None:
            yield CheckedRow(row_no, text[:DISPLAY_CHARACTERS], None, phone.reason, None, phone.offered)
            continue
        first = first_rows.setdefault(phone.e164, row_no)
        yield CheckedRow(row_no, text[:DISPLAY_CHARACTERS], phone.e164, None, None if first == row_no else first)


def summarise(checked: Iterable[CheckedRow]) -> CheckFacts:
    """Count checked rows."""
    facts = CheckFacts()
    for row in checked:
        facts.total += 1
        if row.reason is None:
            if row.duplicate_of is None:
                facts.to_look_up += 1
            else:
                facts.duplicates += 1
        elif row.reason is Reason.BLANK:
            facts.blank += 1
        else:
            facts.invalid += 1
            facts.reasons[row.reason.value] = facts.reasons.get(row.reason.value, 0) + 1
            if len(facts.bad_rows) < BAD_ROWS_SHOWN:
                facts.bad_rows.append((row.row_no, row.text, row.reason.value, row.offered))
    return facts


def check_facts(sheet_path: Path, header_row: int, column: int, country: str, left: LeftOut = NOTHING) -> CheckFacts:
    """Check the rows and count them: `check`, then `summarise`."""
    return summarise(check(sheet_path, header_row, column, country, left))
