"""The check page's choice of sheet, header row, column and country, and a preview of what it would look up.

It only reads: a page that wrote while somebody looks at it would take SQLite's write lock from everybody else. What was
not chosen is guessed; what cannot be used is reported by a code and guessed as well, so that the rest of the choice is
kept. It knows neither sources, jobs nor pages, and has no words for its codes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from portal.documents.check import CheckFacts, check_facts
from portal.documents.intake import choice_key, first_choice
from portal.documents.models import Document
from portal.documents.reader.header_guess import plain
from portal.documents.reader.parent import SheetFacts
from portal.documents.reader.sheet_file import column_letter, header_of, sample
from portal.documents.storage import LocalStorage
from portal.phone import countries

SHEET_UNKNOWN = "sheet_unknown"
HEADER_UNKNOWN = "header_unknown"
COLUMN_UNKNOWN = "column_unknown"
COUNTRY_UNKNOWN = "country_unknown"

HeaderOf = Callable[[SheetFacts, int], list[str]]


@dataclass(frozen=True)
class PickedColumns:
    """A choice that the document has. `guessed` names the fields that stand where the reading put them."""

    sheet: SheetFacts
    header_row: int  # as Excel counts, 0 = none
    column: int  # from 0
    country: str
    header: list[str]
    guessed: frozenset[str] = frozenset()
    problems: tuple[str, ...] = field(default=())  # codes of what was asked for in vain
    sheet_changed: bool = False  # another sheet than the one whose rows and columns were on the page


def pick(
    sheets: Sequence[SheetFacts], first: SheetFacts, asked: Mapping[str, str], country: str, header_of: HeaderOf
) -> PickedColumns:
    """The choice. `asked` may hold `sheet`, `header_row`, `column` and `country` as the form sends them; `first` is
    the sheet, and `country` the country, when none was asked for.

    `sheet` and `column` are positions from 0 or the name of a sheet or a head. `shown_sheet` says whose header rows
    and columns the person saw: positions that were meant for another sheet are guessed anew.
    """
    problems: list[str] = []
    facts = first
    if wanted := asked.get("sheet", "").strip():
        found = _sheet(sheets, wanted)
        if found is None:
            problems.append(SHEET_UNKNOWN)
        facts = found or first
    shown = asked.get("shown_sheet", "").strip()
    changed = shown.isdecimal() and int(shown) != facts.index

    header_row = facts.header_row
    wanted = "" if changed else asked.get("header_row", "").strip()
    if wanted:
        if wanted.isdecimal() and len(wanted) < 9 and int(wanted) < facts.rows:
            header_row = int(wanted)
        else:
            problems.append(HEADER_UNKNOWN)
    header = header_of(facts, header_row)

    column = facts.number_column
    named = asked.get("column", "").strip()
    if named and not (changed and named.isdecimal()):
        position = _column(facts, header, named)
        if position is None:
            problems.append(COLUMN_UNKNOWN)
        else:
            column = position

    chosen_country = country
    if wanted := asked.get("country", "").strip().upper():
        if wanted in countries():
            chosen_country = wanted
        else:
            problems.append(COUNTRY_UNKNOWN)
    guesses = {"sheet": facts is first, "header_row": header_row == facts.header_row,
               "column": column == facts.number_column}  # fmt: skip
    guessed = frozenset(name for name, stands in guesses.items() if stands)
    told_column = bool(named) and not named.isdecimal() and COLUMN_UNKNOWN not in problems
    return PickedColumns(
        facts, header_row, column, chosen_country, header, guessed, tuple(problems), changed and not told_column
    )


def _sheet(sheets: Sequence[SheetFacts], wanted: str) -> SheetFacts | None:
    """The usable sheet at that position or, failing that, of that name."""
    usable = [facts for facts in sheets if facts.usable]
    if wanted.isdecimal():
        for facts in usable:
            if str(facts.index) == wanted:
                return facts
    exact = [facts for facts in usable if facts.name == wanted]
    alike = [facts for facts in usable if plain(facts.name) == plain(wanted) != ""]
    return next(iter(exact + alike), None)


def _column(facts: SheetFacts, header: list[str], wanted: str) -> int | None:
    """The column at that position or, failing that, under that head."""
    if wanted.isdecimal() and len(wanted) < 6 and int(wanted) < facts.columns:
        return int(wanted)
    for same in (lambda head: head.strip() == wanted, lambda head: plain(head) == plain(wanted) != ""):
        for position, head in enumerate(header):
            if same(head):
                return position
    return None


HEADER_CHOICES = 20  # rows that can be named as the header
SAMPLE_ROWS = 10


class NothingToPreview(Exception):
    """The document has no sheet that can be used, or its rows are no longer there."""


@dataclass(frozen=True)
class Preview:
    """One choice and what it comes to. `sheets`, `heads` and `columns` are what the selects offer."""

    picked: PickedColumns
    sheets: list[SheetFacts]
    heads: list[tuple[int, str]]  # row number, what stands in it
    columns: list[tuple[int, str]]  # position, letter and head
    letters: list[str]
    rows: list[tuple[int, list[str]]]  # the first rows below the header, with their numbers
    figures: CheckFacts


def look_at(document: Document, storage: LocalStorage, asked: Mapping[str, str], country: str) -> Preview:
    """What a ready document comes to under what was asked; `country` is the one when none was. Raises NothingToShow."""
    sheets = [SheetFacts.from_dict(facts) for facts in document.sheets]
    first = first_choice(sheets)
    if first is None:
        raise NothingToPreview

    def path_of(facts: SheetFacts) -> Path:
        return storage.sheet_path(document.storage_key, facts.index)

    def head_of(facts: SheetFacts, row_no: int) -> list[str]:
        return facts.header if row_no == facts.header_row else header_of(path_of(facts), row_no, facts.columns)

    try:
        picked = pick(sheets, first, asked, country, head_of)
        facts, path = picked.sheet, path_of(picked.sheet)
        kept = document.checks.get(choice_key(facts.index, picked.header_row, picked.column, picked.country))
        return Preview(
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
        raise NothingToPreview from error


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
