"""Guess whether other columns beside the guessed one have telephone numbers too: *Fijo* and *Móvil*. Pure.

A column is proposed only when its heading names a telephone and at least half of its cells are numbers. So a customer
number that may be a telephone is not looked up, and a file without headings keeps one column. It must not decide which
column is the first: `header_guess` does.
"""

from itertools import islice
from pathlib import Path

from portal.documents.reader.header_guess import name_score, normalised
from portal.documents.reader.sheet_file import Cell, header_of, rows, text_of
from portal.phone import parse

ROWS_READ = 200  # below the heading
FEWEST_NUMBERS = 0.5  # of the cells with something in them
MOST = 10
_LINES = frozenset({"fijo", "fijos", "fixo", "fixe", "fisso", "festnetz", "landline", "centralita"})
_NO_PHONES = frozenset({"fax", "faxes", "ext", "extension"})


def number_columns(sheet_path: Path, header_row: int, column: int, country: str) -> list[int]:
    """Return the positions of all columns with numbers in the sheet's order; none when there is only `column`.

    `header_row` is counted as in Excel, and 0 when there is none; `country` is two letters.
    """
    header = header_of(sheet_path, header_row)
    named = [place for place, head in enumerate(header) if place != column and _names_a_phone(head)]
    if not named or column >= len(header) or not _names_a_phone(header[column]):
        return []
    below = [cells for _, cells in islice(rows(sheet_path), header_row, header_row + ROWS_READ)]
    others = [place for place in named if _share(below, place, country) >= FEWEST_NUMBERS]
    return sorted([column, *others[: MOST - 1]]) if others else []


def _names_a_phone(heading: str) -> bool:
    words = set(normalised(heading).split())
    return not words & _NO_PHONES and (name_score(heading) > 0 or bool(words & _LINES))


def _share(below: list[list[Cell]], column: int, country: str) -> float:
    """The share of numbers among the column's cells that are not blank."""
    filled = [cells[column] for cells in below if column < len(cells) and text_of(cells[column]).strip()]
    return sum(_has_number(cell, country) for cell in filled) / max(len(filled), 1)


def _has_number(cell: Cell, country: str) -> bool:
    if isinstance(cell, (bool, dict)):
        return False
    phone = parse(text_of(cell)[:200], country)
    return phone.e164 is not None or bool(phone.numbers)
