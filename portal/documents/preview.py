"""The check page's choice of sheet, header row, columns and country, and a preview of what it would look up.

It only reads: a page that wrote while it is shown would hold SQLite's write lock and block everyone else. Fields that
were not chosen are guessed; unusable values are reported by a code and guessed too, so that the rest of the choice is
kept. It must not know sources, jobs or pages; the sentences for its codes are elsewhere.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from portal.database import db
from portal.documents.check import CheckFacts, check_facts
from portal.documents.choice import SheetChoice, left_out
from portal.documents.corrections import CorrectedCell, made_in
from portal.documents.intake import default_sheet
from portal.documents.models import Document
from portal.documents.reader.country_guess import CountryFrom, CountryGuess
from portal.documents.reader.header_guess import guess_country_of
from portal.documents.reader.heading_words import normalised
from portal.documents.reader.parent import SheetFacts
from portal.documents.reader.sheet_file import Cell, column_letter, first_rows, header_of, sample
from portal.documents.remembered import Recalled, recall
from portal.documents.storage import Storage, sheet_part
from portal.phone import countries

SHEET_UNKNOWN = "sheet_unknown"
HEADER_UNKNOWN = "header_unknown"
COLUMN_UNKNOWN = "column_unknown"
COUNTRY_UNKNOWN = "country_unknown"
NO_COLUMN = "no_column"
TOO_MANY_COLUMNS = "too_many_columns"
MOST_COLUMNS = 10  # of one job: the limit of rows is for its lookups, and must not be got round

Corrected = tuple[tuple[tuple[int, int], str], ...]  # row and column with the numbers: as a dictionary, but hashable
ReadHeader = Callable[[SheetFacts, int], list[str]]
GuessCountry = Callable[[SheetFacts, int, tuple[int, ...]], CountryGuess]


@dataclass(frozen=True)
class PickedColumns:
    """A choice that exists in the document. `guessed` names the fields that still have the guessed value."""

    sheet: SheetFacts
    choice: SheetChoice
    header: list[str]
    guessed: frozenset[str] = frozenset()
    problems: tuple[str, ...] = field(default=())  # codes of the requested values that do not exist
    country: CountryGuess = CountryGuess("ES")  # guessed for these columns
    sheet_changed: bool = False  # the sheet is not the one whose rows and columns the page showed


def pick(
    sheets: Sequence[SheetFacts],
    first: SheetFacts,
    requested: Mapping[str, str],
    columns: Sequence[str],
    country: str,
    header_of: ReadHeader,
    guess_country: GuessCountry,
) -> PickedColumns:
    """Resolve the form's values to a choice. `first` is used when no sheet is requested, and `country` when no country
    is requested or guessed.

    A requested country that is `guessed_country`, what the page guessed, is guessed again: its columns may be others.

    `requested` may hold `sheet`, `header_row`, `country` and `country_column` as the form sends them, and `columns` are
    its columns with numbers; `hidden_rows` and `total_rows` are `take` or `leave`. A sheet or column is a position from
    0, or the name of a sheet or heading. Whoever requests a country means it for all rows, unless they request its
    column too. `shown_sheet` is the sheet whose header rows and columns the page showed: positions that were meant for
    another sheet are guessed again, and so are columns when none is requested; after a page that showed them, that is a
    problem.
    """
    problems: list[str] = []
    facts = first
    if wanted := requested.get("sheet", "").strip():
        found = _sheet(sheets, wanted)
        if found is None:
            problems.append(SHEET_UNKNOWN)
        facts = found or first
    shown = requested.get("shown_sheet", "").strip()
    changed = shown.isdecimal() and len(shown) < 9 and int(shown) != facts.index

    header_row = facts.header_row
    wanted = "" if changed else requested.get("header_row", "").strip()
    if wanted:
        if wanted.isdecimal() and len(wanted) < 9 and facts.has_header_row(int(wanted)):
            header_row = int(wanted)
        else:
            problems.append(HEADER_UNKNOWN)
    header = header_of(facts, header_row)

    named = [name for column in columns if (name := column.strip()) and not (changed and name.isdecimal())]
    positions = [_column(facts, header, name) for name in named]
    known = tuple(sorted({position for position in positions if position is not None}))
    if None in positions:
        problems.append(COLUMN_UNKNOWN)
    elif len(known) > MOST_COLUMNS:
        problems.append(TOO_MANY_COLUMNS)
    elif shown and not changed and not known:
        problems.append(NO_COLUMN)
    picked = known or facts.proposed_columns

    at_first = CountryGuess(
        facts.country or country, tuple(facts.rival_countries), CountryFrom(facts.country_from or CountryFrom.USUAL)
    )
    same = (picked, header_row) == (facts.proposed_columns, facts.header_row)
    guess = at_first if same or facts.country_from == CountryFrom.COLUMN else guess_country(facts, header_row, picked)
    chosen_country = guess.country
    wanted = requested.get("country", "").strip().upper()
    if wanted and wanted != requested.get("guessed_country", "").strip().upper():
        if wanted in countries():
            chosen_country = wanted
        else:
            problems.append(COUNTRY_UNKNOWN)
    country_column = None if "country" in requested else facts.country_column
    by_row = requested.get("country_column", "").strip()
    if by_row.isdecimal() and len(by_row) < 6 and not changed and facts.has_column(int(by_row)):
        country_column = int(by_row)
    guesses = {"sheet": facts is first, "header_row": header_row == facts.header_row,
               "column": picked == facts.proposed_columns}  # fmt: skip
    guessed = frozenset(name for name, unchanged in guesses.items() if unchanged)
    by_name = bool(known) and not any(name.isdecimal() for name in named)
    left = left_out(facts, requested)
    choice = SheetChoice(facts.index, header_row, picked, chosen_country, country_column, left)
    return PickedColumns(facts, choice, header, guessed, tuple(problems), guess, changed and not by_name)


def choice_problem(sheets: Sequence[SheetFacts], choice: SheetChoice) -> str | None:
    """Return the code of the first part of a choice that does not exist; None when all of it does."""
    facts = next((facts for facts in sheets if facts.index == choice.sheet and facts.problem is None), None)
    if facts is None:
        return SHEET_UNKNOWN
    if not choice.columns or not all(map(facts.has_column, choice.columns)):
        return COLUMN_UNKNOWN if choice.columns else NO_COLUMN
    if len(choice.columns) > MOST_COLUMNS:
        return TOO_MANY_COLUMNS
    if not facts.has_header_row(choice.header_row):
        return HEADER_UNKNOWN
    return None if choice.country in countries() else COUNTRY_UNKNOWN


def _sheet(sheets: Sequence[SheetFacts], wanted: str) -> SheetFacts | None:
    """Find the usable sheet at this position or, failing that, with this name."""
    usable = [facts for facts in sheets if facts.usable]
    if wanted.isdecimal():
        for facts in usable:
            if str(facts.index) == wanted:
                return facts
    exact = [facts for facts in usable if facts.name == wanted]
    alike = [facts for facts in usable if normalised(facts.name) == normalised(wanted) != ""]
    return next(iter(exact + alike), None)


def _column(facts: SheetFacts, header: list[str], wanted: str) -> int | None:
    """Find the column at this position or, failing that, with this heading."""
    if wanted.isdecimal() and len(wanted) < 6 and facts.has_column(int(wanted)):
        return int(wanted)
    for same in (lambda head: head.strip() == wanted, lambda head: normalised(head) == normalised(wanted) != ""):
        for position, head in enumerate(header):
            if same(head):
                return position
    return None


HEADER_CHOICES = 20  # rows that can be chosen as the header
SAMPLE_ROWS = 6


class NothingToPreview(Exception):
    """The document has no usable sheet, or its rows have been deleted."""


class StillCounting(Exception):
    """Other choices of the same person are being counted; this one was not. It can be asked for again."""


@dataclass(frozen=True)
class Preview:
    """One choice with its sample rows and counts. `sheets`, `heads` and `columns` are the options of the selects."""

    picked: PickedColumns
    sheets: list[SheetFacts]
    heads: list[tuple[int, str]]  # row number, its text
    columns: list[tuple[int, str]]  # position, letter and heading
    letters: list[str]
    rows: list[tuple[int, list[Cell]]]  # the first rows below the header, with their numbers
    path: Path  # of the sheet's rows
    figures: CheckFacts
    corrections: list[CorrectedCell]  # of the picked columns


def preview_of(
    document: Document,
    storage: Storage,
    requested: Mapping[str, str],
    columns: Sequence[str],
    country: str,
    person_id: int,
) -> Preview:
    """Preview a ready document under the form's values; `country` is used when none is requested or guessed.

    `person_id` is the person who looks: each process counts one choice of a person at a time. Raises NothingToPreview,
    StillCounting and StorageAway.
    """
    sheets = [SheetFacts.from_dict(facts) for facts in document.sheets]
    first = default_sheet(sheets)
    if first is None:
        raise NothingToPreview

    def path_of(facts: SheetFacts) -> Path:
        return storage.fetch(document.storage_key, sheet_part(facts.index))

    def head_of(facts: SheetFacts, row_no: int) -> list[str]:
        return facts.header if row_no == facts.header_row else header_of(path_of(facts), row_no, facts.columns)

    def country_of(facts: SheetFacts, header_row: int, columns: tuple[int, ...]) -> CountryGuess:
        return _country_of(path_of(facts), header_row, columns, country)

    try:
        picked = pick(sheets, first, requested, columns, country, head_of, country_of)
        facts, choice, path = picked.sheet, picked.choice, path_of(picked.sheet)
        corrections = [one for one in made_in(document.id, facts.index) if one.column in choice.columns]
        corrected = tuple(((one.row_no, one.column), one.corrected) for one in corrections)
        kept = None if corrected else document.checks.get(choice.key)
        return Preview(
            picked=picked,
            sheets=sheets,
            heads=_heads(path, facts, choice.header_row),
            columns=_columns(facts, picked.header),
            letters=[column_letter(column) for column in range(facts.columns)],
            rows=list(enumerate(first_rows(path, choice.header_row, SAMPLE_ROWS), start=choice.header_row + 1)),
            path=path,
            figures=CheckFacts.from_dict(kept)
            if kept and "offers" in kept  # else it was counted by an earlier version
            else _figures_in_turn(person_id, path, choice, corrected),
            corrections=corrections,
        )
    except FileNotFoundError as error:
        raise NothingToPreview from error


def recalled(document: Document, storage: Storage, requested: Mapping[str, str], person_id: int) -> Recalled | None:
    """Return what the person chose for the last file of this shape; None when there was none, or when `requested` has a
    choice already."""
    if any(requested.get(name) for name in ("sheet", "header_row", "column", "country")):
        return None
    sheets = [SheetFacts.from_dict(facts) for facts in document.sheets]
    first = default_sheet(sheets)
    usable = [facts for facts in sheets if facts.usable and (facts is first or not facts.hidden)]
    for facts in sorted(usable, key=lambda facts: facts is not first)[:5]:
        key, part = document.storage_key, sheet_part(facts.index)

        def head_of(row_no: int, facts: SheetFacts = facts, key: str = key, part: str = part) -> list[str]:
            if row_no == facts.header_row:
                return facts.header
            return header_of(storage.fetch(key, part), row_no, facts.columns)

        with suppress(FileNotFoundError):
            kept = recall(person_id, facts, head_of)
            if kept is not None:
                return kept
    return None


class _Turn:
    """One person's place at the counting: the one who counts, and those who wait for the lock."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.requests = 0


_REQUESTS_AT_ONCE = 2  # the choice being counted and the next one: more would hold all threads of the pages
_LONGEST_WAIT_SECONDS = 5.0
_turns: dict[int, _Turn] = {}
_turns_lock = threading.Lock()


@contextmanager
def _turn_of(person_id: int) -> Iterator[None]:
    """Hold the person's place. Raises StillCounting when others of theirs are before us."""
    with _turns_lock:
        turn = _turns.setdefault(person_id, _Turn())
        if turn.requests >= _REQUESTS_AT_ONCE:
            raise StillCounting
        turn.requests += 1
    try:
        if not turn.lock.acquire(timeout=_LONGEST_WAIT_SECONDS):
            raise StillCounting
        try:
            yield
        finally:
            turn.lock.release()
    finally:
        with _turns_lock:
            turn.requests -= 1
            if not turn.requests:
                del _turns[person_id]


def _figures_in_turn(person_id: int, path: Path, choice: SheetChoice, corrected: Corrected) -> CheckFacts:
    db.session.rollback()  # nothing was written yet; else a form would hold SQLite's lock while we wait and count
    with _turn_of(person_id):
        return _figures(path, choice, corrected)


@lru_cache(maxsize=64)
def _figures(path: Path, choice: SheetChoice, corrected: Corrected) -> CheckFacts:
    # A sheet file is never rewritten under the same name, so these counts stay true.
    return check_facts(path, choice, dict(corrected))


@lru_cache(maxsize=64)
def _country_of(path: Path, header_row: int, columns: tuple[int, ...], country: str) -> CountryGuess:
    return guess_country_of(path, header_row, columns, country)


def _heads(path: Path, facts: SheetFacts, chosen: int) -> list[tuple[int, str]]:
    """Return the rows that can be chosen as the header: the first ones, and the chosen one if it is further down."""
    top = sample(path, 0, HEADER_CHOICES)[: max(facts.rows - 1, 1)]
    heads = [(row_no, _summary(cells)) for row_no, cells in enumerate(top, start=1)]
    if chosen > len(heads):
        heads.append((chosen, _summary(header_of(path, chosen))))
    return heads


def _summary(cells: Sequence[str]) -> str:
    """Join a row's texts, cut to the 60 characters that a select can show."""
    text = " · ".join(cell.strip() for cell in cells if cell.strip())
    return text if len(text) <= 60 else f"{text[:59]}…"


def _columns(facts: SheetFacts, header: Sequence[str]) -> list[tuple[int, str]]:
    """Return each column's position and label, such as `B · Teléfono`."""
    named = []
    for column in range(facts.columns):
        head = header[column].strip() if column < len(header) else ""
        named.append((column, f"{column_letter(column)} · {_summary([head])}" if head else column_letter(column)))
    return named
