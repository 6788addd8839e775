"""What a choice of sheet, header row, column and country looks like: what else could be chosen, the first rows, and
what looking it up would come to.

It reads a document that was read and changes nothing: a page that wrote while it is only looked at would take
SQLite's write lock from everybody else. It knows neither sources nor pages.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from portal.documents.check import CheckFacts, check_facts
from portal.documents.choices import Picked, pick
from portal.documents.intake import choice_key, first_choice
from portal.documents.models import Document
from portal.documents.reader.parent import SheetFacts
from portal.documents.reader.sheet_file import column_letter, header_of, sample
from portal.documents.storage import LocalStorage

HEADER_CHOICES = 20  # rows that can be named as the header
SAMPLE_ROWS = 10


class NothingToShow(Exception):
    """The document has no sheet that can be used, or its rows are no longer there."""


@dataclass(frozen=True)
class Look:
    """One choice and what it comes to. `sheets`, `heads` and `columns` are what the selects offer."""

    picked: Picked
    sheets: list[SheetFacts]
    heads: list[tuple[int, str]]  # row number, what stands in it
    columns: list[tuple[int, str]]  # position, letter and head
    letters: list[str]
    rows: list[tuple[int, list[str]]]  # the first rows below the header, with their numbers
    figures: CheckFacts


def look_at(document: Document, storage: LocalStorage, asked: Mapping[str, str], country: str) -> Look:
    """What a ready document comes to under what was asked; `country` is the one when none was. Raises NothingToShow."""
    sheets = [SheetFacts.from_dict(facts) for facts in document.sheets]
    first = first_choice(sheets)
    if first is None:
        raise NothingToShow

    def path_of(facts: SheetFacts) -> Path:
        return storage.sheet_path(document.storage_key, facts.index)

    def head_of(facts: SheetFacts, row_no: int) -> list[str]:
        return facts.header if row_no == facts.header_row else header_of(path_of(facts), row_no, facts.columns)

    try:
        picked = pick(sheets, first, asked, country, head_of)
        facts, path = picked.sheet, path_of(picked.sheet)
        kept = document.checks.get(choice_key(facts.index, picked.header_row, picked.column, picked.country))
        return Look(
            picked=picked,
            sheets=sheets,
            heads=_heads(path, facts, picked.header_row),
            columns=_columns(facts, picked.header),
            letters=[column_letter(column) for column in range(facts.columns)],
            rows=_first_rows(path, facts, picked.header_row),
            figures=CheckFacts.from_dict(kept)
            if kept
            else _figures(path, picked.header_row, picked.column, picked.country),
        )
    except FileNotFoundError as error:
        raise NothingToShow from error


@lru_cache(maxsize=64)
def _figures(path: Path, header_row: int, column: int, country: str) -> CheckFacts:
    # A sheet file is never written again under its name, so what was counted once stays true.
    return check_facts(path, header_row, column, country)


def _heads(path: Path, facts: SheetFacts, chosen: int) -> list[tuple[int, str]]:
    """The sheet's first rows, as what may be its header; the chosen one also when it stands further down."""
    top = sample(path, 0, HEADER_CHOICES)[: max(facts.rows - 1, 1)]
    heads = [(row_no, _summary(cells)) for row_no, cells in enumerate(top, start=1)]
    if chosen > len(heads):
        heads.append((chosen, _summary(header_of(path, chosen))))
    return heads


def _summary(cells: Sequence[str]) -> str:
    """What stands in a row, as much as a select can show."""
    text = " · ".join(cell.strip() for cell in cells if cell.strip())
    return text if len(text) <= 60 else f"{text[:59]}…"


def _columns(facts: SheetFacts, header: Sequence[str]) -> list[tuple[int, str]]:
    """Each column as `B · Teléfono`."""
    named = []
    for column in range(facts.columns):
        head = header[column].strip() if column < len(header) else ""
        named.append((column, f"{column_letter(column)} · {_summary([head])}" if head else column_letter(column)))
    return named


def _first_rows(path: Path, facts: SheetFacts, header_row: int) -> list[tuple[int, list[str]]]:
    guessed = header_row == facts.header_row
    cells = facts.sample if guessed else sample(path, header_row, SAMPLE_ROWS, facts.columns)
    return list(enumerate(cells, start=header_row + 1))
