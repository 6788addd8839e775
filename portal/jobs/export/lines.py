"""The lines of an exported file: the rows of the sheet with their answers, in the order of the file.

Knows no file formats. The ledger is read in chunks by row number, each in a short transaction.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from math import inf
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

from flask_babel import get_timezone
from sqlalchemy import String, null, select, type_coerce

from portal import sources
from portal.database import chunks, db
from portal.documents.check import rows
from portal.documents.reader.sheet_file import Cell, header_of
from portal.documents.storage import Storage, sheet_part
from portal.jobs.core import ledger
from portal.jobs.core.corrected_cells import NOT_TO_FIX
from portal.jobs.core.job_tables import CellAnswer, Number
from portal.jobs.download_mark import written_mark
from portal.jobs.export.added import AddedRow, Tone
from portal.jobs.export.answer_cells import TO_FIX, AnswerCells, NumberResult
from portal.jobs.export.column_templates import empty_beside, empty_columns
from portal.jobs.export.columns import (
    CHANGE,
    CHECKED_AT,
    CORRECTED,
    DEFAULT,
    OF_ROW,
    ROW,
    TODO,
    Column,
    ColumnChoice,
    columns_of,
    each_once,
    name_beside,
    own_names,
    titles_of,
)
from portal.jobs.export.download_groups import RowChoice, in_group
from portal.jobs.merge.changed_rows import RowChanges
from portal.jobs.models import ScrapingJob
from portal.sources.base import Outcome
from portal.sources.words import source_title, version_words

MOST_LOOKED_AT = 200  # answers, of a job one of whose several sources is gone
CHUNK = 1000  # cells of the ledger at a time; a row has fewer


class RowFilter(StrEnum):
    """Which rows the file contains."""

    ALL = "all"
    FAILED = "failed"  # rows to fix or retry: no answer, invalid or rejected


class Line(NamedTuple):
    """One line of the file. `added` is empty above the heading row."""

    cells: list[Cell]
    added: list[str | int | None]
    is_data: bool


@dataclass(frozen=True)
class ExportPlan:
    """Everything about the job that writing the file needs, read beforehand: writing does not touch the job."""

    job_id: int
    sheet_path: Path
    sheet_name: str
    width: int  # the sheet's widest row: the added columns follow it
    header_row: int
    column: int
    fields: tuple[str, ...]
    rows: RowFilter
    group: str | None
    time_zone: str
    about: str  # where the answers come from, for the file's properties
    country: str = ""  # of numbers without a prefix
    source: str = ""  # its recipe has the column headings
    choice: RowChoice = RowChoice()
    columns: tuple[Column, ...] = ()  # those to add, in order
    names: tuple[str, ...] = ()  # of these columns, in the reader's language
    own_headings: tuple[str, ...] = ()  # the person's, which no added one repeats
    more_columns: tuple[int, ...] = ()  # with numbers, besides `column`
    left_out: frozenset[tuple[int, str]] = frozenset()  # beside which of them which added column is not wanted
    merge_id: int | None = None  # the comparison with an earlier list, of which CHANGE tells
    mark: str = ""  # by which the file is recognised when it comes back

    @property
    def selects(self) -> bool:
        """Whether rows are left out, so that each line must give its row number."""
        return self.rows != RowFilter.ALL or self.group is not None or bool(self.choice)

    @property
    def number_columns(self) -> tuple[int, ...]:
        """All columns with numbers, in the sheet's order."""
        return (self.column, *self.more_columns)

    def added(self) -> list[tuple[int, Column, str]]:
        """The added columns in order: the column of the numbers that each is about, what it has, and its name.

        With several columns of numbers, each of them has its own; what is said of the row comes first and once.
        """
        named = list(zip(self.columns, self.names, strict=True))
        if not self.more_columns:
            return [(self.column, one, name) for one, name in named]
        own = own_names(self.number_columns, self.own_headings)
        rest = [(one, name) for one, name in named if one.id not in OF_ROW]
        return [
            *((self.column, one, name) for one, name in named if one.id in OF_ROW),
            *(
                (column, one, name_beside(own[column], name))
                for column in self.number_columns
                for one, name in rest
                if (column, one.id) not in self.left_out
            ),
        ]

    def cells(self, *, typed: bool) -> AnswerCells:
        """What makes the added cells of each row; `typed`: with dates as dates, else as text."""
        added = [(column, one) for column, one, _ in self.added()]
        return AnswerCells(added, self.number_columns, self.time_zone, self.country, typed=typed)

    def labels(self) -> list[str]:
        """The headings of the added columns, in the reader's language."""
        return each_once((name for _, _, name in self.added()), self.own_headings)


def plan_for(
    job: ScrapingJob,
    storage: Storage,
    wanted: RowFilter,
    group: str | None,
    choice: RowChoice | None = None,
    columns: ColumnChoice = DEFAULT,
    empty: frozenset[str] | None = None,
) -> ExportPlan:
    """Gather what is needed to write the file of this job. Without a choice of columns: the portal's default. `empty`
    are the columns without a value, where they are known."""
    document = job.document
    sheet = next((facts for facts in document.sheets if facts["index"] == job.sheet), {})
    fields, version = _fields(job)
    selects = wanted != RowFilter.ALL or group is not None or bool(choice)
    has_room = {ROW: selects, TODO: wanted == RowFilter.FAILED, CORRECTED: ledger.has_corrections(job.id)}
    has_room[CHANGE] = job.merge_id is not None
    added, names = _added_columns(job, fields, columns, has_room, empty)
    with suppress(FileNotFoundError):  # whoever opens a download sees that it is not there
        storage.fetch(document.storage_key, sheet_part(job.sheet))
    sheet_path = storage.path(document.storage_key, sheet_part(job.sheet))
    return ExportPlan(
        job_id=job.id,
        sheet_path=sheet_path,
        sheet_name=sheet.get("name", ""),
        width=max(sheet.get("columns", 0), *(column + 1 for column in job.columns)),
        header_row=job.header_row,
        column=job.column,
        more_columns=job.columns[1:],
        left_out=empty_beside(job, added) if job.more_columns and not columns.keeps_empty else frozenset(),
        country=job.country,
        source=job.all_sources,
        fields=fields,
        rows=wanted,
        group=group,
        choice=choice or RowChoice(),
        columns=added,
        names=names,
        time_zone=str(get_timezone()),
        about=f"{source_title(job.all_sources)} {version}".strip(),
        merge_id=job.merge_id if any(one.id == CHANGE for one in added) or (choice and choice.change) else None,
        own_headings=tuple(header_of(sheet_path, job.header_row)) if sheet_path.is_file() else (),
        mark=written_mark(job.id, next((name for one, name in zip(added, names, strict=True) if one.id == ROW), "")),
    )


def _added_columns(
    job: ScrapingJob,
    fields: tuple[str, ...],
    choice: ColumnChoice,
    has_room: dict[str, bool],
    empty: frozenset[str] | None,
) -> tuple[tuple[Column, ...], tuple[str, ...]]:
    """The columns to add, with their names. `has_room` says for columns of selections whether they belong here."""
    known = {column.id: column for column in columns_of(fields)}
    if job.merge_id is not None:  # some answers are older than others
        known[CHECKED_AT] = known[CHECKED_AT]._replace(is_useful=True)
    titles = titles_of(tuple(known.values()), job.all_sources)
    shown = [pick for pick in choice.picks_of(tuple(known.values())) if pick.is_shown and has_room.get(pick.id, True)]
    if not choice.keeps_empty:
        if empty is None:
            empty = empty_columns(job, tuple(known[pick.id] for pick in shown))
        shown = [pick for pick in shown if pick.id not in empty] or shown  # a person who asks for nothing else gets it
    return tuple(known[pick.id] for pick in shown), tuple(pick.name or titles[pick.id] for pick in shown)


def fields_of_job(job: ScrapingJob) -> tuple[str, ...]:
    """The fields of its answers."""
    return _fields(job)[0]


def _fields(job: ScrapingJob) -> tuple[tuple[str, ...], str]:
    """The source's fields and data version; for a source that no longer exists, the fields of its answers."""
    try:
        version = job.source_versions or sources.data_version(job.source)
        return sources.fields_of(job.all_sources), "" if job.chain else version_words(version)
    except sources.UnknownSource:
        any_answer = select(Number.answer).where(Number.job_id == job.id, Number.outcome == Outcome.FOUND)
        found = db.session.scalars(any_answer.limit(MOST_LOOKED_AT if job.chain else 1))
        return tuple(dict.fromkeys(field for answer in found for field in answer or ())), job.source_versions


def lines(plan: ExportPlan) -> Iterator[Line]:
    """Every line of the file, in order."""
    answered = _rows_of(plan)
    next_row, results = next(answered, _END)
    cells = plan.cells(typed=False)
    for row_no, own in rows(plan.sheet_path):
        if row_no < plan.header_row:
            yield Line(own, [], False)
            continue
        if row_no == plan.header_row:
            yield Line(own, [*plan.labels()], False)
            continue
        while next_row < row_no:
            next_row, results = next(answered, _END)
        if next_row == row_no:
            if _is_included(plan, results):
                yield Line(own, cells.of(results), True)
        elif not plan.selects:  # a row without a ledger entry is still a row of the person's file
            yield Line(own, [], True)


def added_rows(plan: ExportPlan) -> Iterator[AddedRow]:
    """What is added to the rows of the person's own file that are asked for: the headings, then the answers."""
    cells = plan.cells(typed=True)
    if plan.header_row:
        yield AddedRow(plan.header_row, plan.labels(), Tone.HEADING)
    for row_no, results in _rows_of(plan):
        if row_no > plan.header_row and _is_included(plan, results):
            yield cells.row_of(row_no, results)


def _rows_of(plan: ExportPlan) -> Iterator[tuple[int, list[NumberResult]]]:
    """The rows of the ledger, each with the results of its cells."""
    has_moment = any(column.id == CHECKED_AT for column in plan.columns)
    found = groupby(_results(plan.job_id, has_moment=has_moment), key=itemgetter(0))
    if plan.merge_id is None:
        yield from ((row_no, list(results)) for row_no, results in found)
        return
    changes = RowChanges(plan.merge_id)
    for row_no, results in found:
        change = changes.of_row(row_no)
        yield row_no, [result._replace(change=change) for result in results]


def _is_included(plan: ExportPlan, results: Sequence[NumberResult]) -> bool:
    """Whether one of the row's numbers is among those that are asked for."""
    return not plan.selects or any(_is_wanted(plan, result) for result in results)


def _is_wanted(plan: ExportPlan, result: NumberResult) -> bool:
    if plan.rows == RowFilter.FAILED and (result.outcome not in TO_FIX or result.reason in NOT_TO_FIX):
        return False
    if not plan.choice.includes(result):
        return False
    return plan.group is None or in_group(plan.group, result)


def _results(job_id: int, *, has_moment: bool) -> Iterator[NumberResult]:
    """The ledger by row, column and place; `has_moment`: with when each number was looked up."""
    # Words and moments are converted in Python, which takes as long as all the rest of a row.
    outcome = type_coerce(CellAnswer.outcome, String).label("outcome")
    checked_at = CellAnswer.checked_at if has_moment else null()
    columns = (
        CellAnswer.row_no, CellAnswer.column, CellAnswer.e164, CellAnswer.duplicate_of, outcome, CellAnswer.reason,
        CellAnswer.answer, checked_at, CellAnswer.text, CellAnswer.corrected,
    )  # fmt: skip
    of_job = select(*columns).where(CellAnswer.job_id == job_id)
    for chunk in chunks(of_job, CellAnswer.row_no, CellAnswer.column, CellAnswer.place, size=CHUNK):
        for row_no, column, e164, duplicate_of, word, *rest in chunk:
            yield NumberResult(row_no, column, e164, duplicate_of, _OUTCOMES[word], *rest)


_OUTCOMES = {outcome.value: outcome for outcome in Outcome}
_END: tuple[float, list[NumberResult]] = (inf, [])
