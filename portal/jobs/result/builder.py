"""Makes the index of a result: every cell with its answer beside the rest of its row."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from flask_babel import force_locale
from sqlalchemy import select

from portal.config import LOCALES
from portal.database import db
from portal.documents.comparison.two_lists import RowKind
from portal.documents.reader.parent import SheetFacts
from portal.documents.reader.sheet_file import DISPLAY_CHARACTERS, Cell, header_of, rows, text_of
from portal.documents.shown_cells import searched_texts
from portal.documents.storage import Storage, result_part, sheet_part
from portal.jobs import corrections, queries
from portal.jobs.core.corrected_cells import NOT_TO_FIX, TO_FIX
from portal.jobs.core.job_tables import CellAnswer
from portal.jobs.core.status import CellStatus
from portal.jobs.export import fields_of_job, groups_of
from portal.jobs.merge.changed_rows import RowChanges, has_kind
from portal.jobs.models import ScrapingJob
from portal.jobs.result.index_file import STATUS, Column, NewIndex, Place
from portal.jobs.result.texts import fold, number_key, order_key
from portal.sources.base import Outcome
from portal.sources.words import value_words

NUMBER = "number"
ROW_CHANGE = "row_change"  # what its row is beside an earlier list; only of a job that is merged with one
MOST_OWN = 4  # columns of the person that are shown
OWN = "own."  # before the position of one, in the name of a column
READ_AT_ONCE = 2000
MOST_REMEMBERED = 10_000  # different answers
LOOKED_AT = 200  # rows, for a column without a heading that is filled


def version_of(job: ScrapingJob) -> str:
    """Return a text that changes with the answers of an ended job."""
    counted = (job.total_numbers, job.found_count, job.not_found_count, job.invalid_count, job.rejected_count)
    return "-".join(map(str, (job.attempt, job.round, job.failed_count, *counted)))


def build(job: ScrapingJob, storage: Storage) -> Path:
    """Write the index of an ended job on this machine, and return its path. Raises OSError."""
    path = storage.path(job.document.storage_key, result_part(job.id))
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    _index_of(job, storage).write(path)
    return path


def own_columns(job: ScrapingJob, sheet: Path | None) -> list[int]:
    """Return the positions of the person's own columns that are shown beside the answers: the first that have a heading
    or a value near the top, without those of the numbers."""
    if sheet is None:
        return []
    heads = header_of(sheet, job.header_row)
    filled = {column for column, head in enumerate(heads) if head}
    for row_no, cells in rows(sheet):
        if row_no > job.header_row + LOOKED_AT:
            break
        if row_no > job.header_row:
            filled |= {column for column, cell in enumerate(cells) if cell not in (None, "")}
    return sorted(filled - set(job.columns))[:MOST_OWN]


def sheet_of(job: ScrapingJob, storage: Storage) -> Path | None:
    """Return the file with the rows of the job's sheet; None when it is gone: the answers are here all the same."""
    try:
        return storage.fetch(job.document.storage_key, sheet_part(job.sheet))
    except OSError:
        return None


def _index_of(job: ScrapingJob, storage: Storage) -> NewIndex:
    sheet = sheet_of(job, storage)
    own = own_columns(job, sheet)
    fields = [field for field in fields_of_job(job) if field not in (NUMBER, STATUS)]
    changes = RowChanges(job.merge_id) if job.merge_id is not None else None
    names = [STATUS, NUMBER, *([ROW_CHANGE] if changes else []), *(f"{OWN}{column}" for column in own), *fields]
    facts = {
        "version": version_of(job), "duplicates": queries.duplicates(job),
        "groups": [asdict(group) for group in groups_of(job)],
    }  # fmt: skip
    index = NewIndex(facts, {name: Column() for name in names})
    status, number = index.columns[STATUS], index.columns[NUMBER]
    beside, said = _Beside(sheet, _formats(job)), _Said(fields)
    own_values = [(column, index.columns[f"{OWN}{column}"]) for column in own]
    answers = [(field, index.columns[field]) for field in fields]
    bad: Counter[str] = Counter()
    bad_places: list[Place] = []
    last = (0, 0)
    for row_no, column, place, text, e164, outcome, answer, reason in _cells(job):
        if outcome in TO_FIX and reason not in NOT_TO_FIX and last != (row_no, column):
            last = row_no, column
            bad[reason or ""] += 1
            if len(bad_places) < corrections.MOST_READ:
                bad_places.append((row_no, column, place))
        cells, own_text = beside.row(row_no)
        shown = CellStatus.of(outcome, reason)
        status.add(shown.value, str)
        if changes:
            index.columns[ROW_CHANGE].add(_kind_of(changes.of_row(row_no).kind, shown), str)
        number.add(e164 or text, str)
        for one, values in own_values:
            cell = cells[one] if one < len(cells) else None
            if isinstance(cell, int | float) and not isinstance(cell, bool):
                values.add(text_of(cell), partial(_size_key, cell))
            else:
                values.add(text_of(cell)[:DISPLAY_CHARACTERS], order_key)
        values_of = (answer or {}).get
        is_found = outcome == Outcome.FOUND
        for field, values in answers:
            values.add(values_of(field, "") if is_found else None, order_key)
        searched = fold(f"{own_text}\x1f{text}\x1f{e164 or ''}")
        index.add((row_no, column, place), f"{searched}\x1f{said.of(answer)}" if answer else searched)
    facts["to_fix"] = corrections.to_keep(job, bad, bad_places)
    return index


def _kind_of(kind: RowKind, status: CellStatus) -> str | None:
    return kind.value if has_kind(kind, is_blank=status == CellStatus.BLANK, of_row=kind) else None


def _size_key(number: float, _text: str) -> str:
    return number_key(number)


class _Said:
    """The words by which answers are searched. There are few different ones, so each is made once."""

    def __init__(self, fields: Sequence[str]) -> None:
        self._fields = fields
        self._known: dict[tuple[str, ...], str] = {}

    def of(self, answer: dict[str, str]) -> str:
        """Return the values of an answer as readers of every language see them."""
        values = tuple(answer.get(field, "") for field in self._fields)
        if values not in self._known:
            if len(self._known) > MOST_REMEMBERED:
                self._known.clear()
            pairs = zip(self._fields, values, strict=True)
            self._known[values] = fold("\x1f".join(_words(field, value) for field, value in pairs if value))
        return self._known[values]


def _words(field: str, value: str) -> str:
    """What a value is searched by: itself, and how readers of each language see it."""
    seen = dict.fromkeys([value])
    for locale in LOCALES:
        with force_locale(locale):
            seen[value_words(field, value)] = None
    return "\x1f".join(seen)


def _cells(job: ScrapingJob) -> Iterator[Any]:
    read = select(
        CellAnswer.row_no, CellAnswer.column, CellAnswer.place, CellAnswer.text, CellAnswer.e164, CellAnswer.outcome,
        CellAnswer.answer, CellAnswer.reason,
    ).where(CellAnswer.job_id == job.id)  # fmt: skip
    in_order = read.order_by(CellAnswer.row_no, CellAnswer.column, CellAnswer.place)
    yield from db.session.execute(in_order.execution_options(yield_per=READ_AT_ONCE))


class _Beside:
    """The rows of the sheet, read along with the cells of the job."""

    def __init__(self, sheet: Path | None, formats: Mapping[int, str]) -> None:
        """`formats`: the number format of each column, where it is known."""
        self._formats = formats
        self._rows: Iterator[tuple[int, list[Cell]]] = rows(sheet) if sheet else iter(())
        self._at, self._text = 0, ""
        self._cells: list[Cell] = []

    def row(self, row_no: int) -> tuple[list[Cell], str]:
        """Return a row's cells, and their texts in one; none for a row that the sheet does not have."""
        while self._at < row_no:
            found = next(self._rows, None)
            if found is None:
                return [], ""
            self._at, self._cells = found
            self._text = ""
        if self._at != row_no:
            return [], ""
        if not self._text:
            self._text = "\x1f".join(self._texts())
        return self._cells, self._text

    def _texts(self) -> Iterator[str]:
        """What a row is searched by: what is in its cells, and how a spreadsheet shows it."""
        for column, cell in enumerate(self._cells):
            if cell is not None:
                yield text_of(cell)[:DISPLAY_CHARACTERS]
                if type(cell) is not str:
                    yield from searched_texts(cell, self._formats.get(column, ""), LOCALES)


def _formats(job: ScrapingJob) -> dict[int, str]:
    """The number format of each column of the job's sheet, where all first rows have the same."""
    facts = next((SheetFacts.from_dict(one) for one in job.document.sheets if one["index"] == job.sheet), None)
    if facts is None:
        return {}
    codes = {column: facts.format_of(column, job.header_row) for column in range(facts.columns)}
    return {column: code for column, code in codes.items() if code}
