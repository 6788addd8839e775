"""The lines of an exported file: the rows of the sheet with their answers, in the order of the file.

Knows no file formats. The ledger is read in chunks by row number, each in a short transaction.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from flask_babel import get_timezone
from sqlalchemy import select

from portal import sources
from portal.database import READ_ONLY, db
from portal.documents.check import rows
from portal.documents.reader.sheet_file import Cell, header_of
from portal.documents.storage import Storage, sheet_part
from portal.jobs.core.job_tables import CellAnswer, Number
from portal.jobs.export.added import AddedRow, Tone
from portal.jobs.export.column_templates import empty_columns
from portal.jobs.export.columns import (
    CHECKED_AT,
    DEFAULT,
    DUPLICATE_OF,
    E164,
    REASON,
    ROW,
    STATUS,
    TODO,
    Column,
    ColumnChoice,
    columns_of,
    each_once,
    titles_of,
)
from portal.jobs.export.download_groups import RowChoice, in_group
from portal.jobs.models import ScrapingJob
from portal.jobs.words.statuses import explain, outcome_words, reason_words, row_reason_words
from portal.sources.base import Outcome
from portal.sources.registry import is_yes_no
from portal.sources.words import CODED, source_title, value_words

CHUNK = 1000  # rows of the ledger at a time
TO_FIX = (Outcome.FAILED, Outcome.INVALID, Outcome.REJECTED)
TONES = {
    Outcome.FOUND: Tone.FOUND, Outcome.NOT_FOUND: Tone.NOT_FOUND, Outcome.WAITING: Tone.WAITING,
    **dict.fromkeys(TO_FIX, Tone.TO_FIX),
}  # fmt: skip


class RowFilter(StrEnum):
    """Which rows the file contains."""

    ALL = "all"
    FAILED = "failed"  # rows to fix or retry: no answer, invalid or rejected


class NumberResult(NamedTuple):
    """The columns of a ledger row that a file shows."""

    row_no: int
    e164: str | None
    duplicate_of: int | None
    outcome: Outcome
    reason: str | None
    answer: dict[str, str] | None
    checked_at: datetime | None
    text: str = ""  # the cell's


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

    @property
    def selects(self) -> bool:
        """Whether rows are left out, so that each line must give its row number."""
        return self.rows != RowFilter.ALL or self.group is not None or bool(self.choice)

    def labels(self) -> list[str]:
        """The headings of the added columns, in the reader's language."""
        return each_once(self.names, self.own_headings)


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
    has_room = {ROW: selects, TODO: wanted == RowFilter.FAILED}
    added, names = _added_columns(job, fields, columns, has_room, empty)
    with suppress(FileNotFoundError):  # whoever opens a download sees that it is not there
        storage.fetch(document.storage_key, sheet_part(job.sheet))
    sheet_path = storage.path(document.storage_key, sheet_part(job.sheet))
    return ExportPlan(
        job_id=job.id,
        sheet_path=sheet_path,
        sheet_name=sheet.get("name", ""),
        width=max(sheet.get("columns", 0), job.column + 1),
        header_row=job.header_row,
        column=job.column,
        country=job.country,
        source=job.source,
        fields=fields,
        rows=wanted,
        group=group,
        choice=choice or RowChoice(),
        columns=added,
        names=names,
        time_zone=str(get_timezone()),
        about=f"{source_title(job.source)} {version}".strip(),
        own_headings=tuple(header_of(sheet_path, job.header_row)) if sheet_path.is_file() else (),
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
    titles = titles_of(tuple(known.values()), job.source)
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
        return sources.fields_of(job.source), sources.data_version(job.source)
    except sources.UnknownSource:
        any_answer = select(Number.answer).where(Number.job_id == job.id, Number.outcome == Outcome.FOUND).limit(1)
        return tuple(db.session.scalar(any_answer) or ()), ""


def lines(plan: ExportPlan) -> Iterator[Line]:
    """Every line of the file, in order."""
    results = _results(plan.job_id)
    result = next(results, None)
    cells = _AnswerCells(plan, typed=False)
    for row_no, own in rows(plan.sheet_path):
        if row_no < plan.header_row:
            yield Line(own, [], False)
            continue
        if row_no == plan.header_row:
            yield Line(own, [*plan.labels()], False)
            continue
        while result is not None and result.row_no < row_no:
            result = next(results, None)
        if result is not None and result.row_no == row_no:
            if _is_included(plan, result):
                yield Line(own, cells.of(result), True)
        elif not plan.selects:  # a row without a ledger entry is still a row of the person's file
            yield Line(own, [], True)


def added_rows(plan: ExportPlan) -> Iterator[AddedRow]:
    """What is added to the rows of the person's own file that are asked for: the headings, then the answers."""
    cells = _AnswerCells(plan, typed=True)
    if plan.header_row:
        yield AddedRow(plan.header_row, plan.labels(), Tone.HEADING)
    tones = TONES if cells.status_at is not None else {}
    for result in _results(plan.job_id):
        if result.row_no > plan.header_row and _is_included(plan, result):
            tone = tones.get(result.outcome, Tone.PLAIN)
            yield AddedRow(result.row_no, cells.of(result), tone, cells.status_at or 0)


def _is_included(plan: ExportPlan, result: NumberResult) -> bool:
    if plan.rows == RowFilter.FAILED and result.outcome not in TO_FIX:
        return False
    if not plan.choice.includes(result):
        return False
    return plan.group is None or in_group(plan.group, result)


def _results(job_id: int) -> Iterator[NumberResult]:
    """The ledger by row number. Each chunk has its own transaction, so that workers can write in between."""
    columns = (
        CellAnswer.row_no, CellAnswer.e164, CellAnswer.duplicate_of, CellAnswer.outcome, CellAnswer.reason,
        CellAnswer.answer, CellAnswer.checked_at, CellAnswer.text,
    )  # fmt: skip
    after = 0
    with db.engine.connect() as connection:
        connection.execution_options(**READ_ONLY)
        while True:
            chunk = select(*columns).where(CellAnswer.job_id == job_id, CellAnswer.row_no > after)
            found = connection.execute(chunk.order_by(CellAnswer.row_no).limit(CHUNK)).all()
            connection.rollback()
            yield from (NumberResult(*row) for row in found)
            if len(found) < CHUNK:
                return
            after = found[-1].row_no


Reader = Callable[[NumberResult, dict[str, str]], Any]


class _AnswerCells:
    """The added cells of a row. Each word is translated once, not once per row."""

    def __init__(self, plan: ExportPlan, *, typed: bool) -> None:
        """`typed`: with dates as dates, else as text."""
        self._zone = ZoneInfo(plan.time_zone)
        self._value = cache(value_words)
        self._country = plan.country
        self._reason_alone = cache(reason_words)
        outcome, todo = cache(outcome_words), cache(_todo)
        own: dict[str, Reader] = {
            ROW: lambda result, _: result.row_no,
            STATUS: lambda result, _: outcome(result.outcome),
            REASON: self._reason,
            TODO: lambda result, _: todo(result.reason),
            E164: lambda result, _: result.e164,
            CHECKED_AT: self._moment if typed else self._moment_text,
            DUPLICATE_OF: lambda result, _: result.duplicate_of,
        }
        self._readers = [self._field(one.field) if one.field else own[one.id] for one in plan.columns]
        self.status_at = next((place for place, one in enumerate(plan.columns) if one.id == STATUS), None)

    def of(self, result: NumberResult) -> list[Any]:
        """One AddedCell for each label, in the same order."""
        answer = result.answer or {}
        return [read(result, answer) for read in self._readers]

    def _field(self, field: str) -> Reader:
        # Only the few codes go through the cache: numbers would fill it with one entry each.
        if field in CODED or is_yes_no(field):
            return lambda _, answer: self._value(field, answer[field]) if answer.get(field) else None
        return lambda _, answer: answer.get(field) or None

    def _reason(self, result: NumberResult, _: dict[str, str]) -> str | None:
        if result.outcome == Outcome.INVALID and result.e164 is None:  # the cell may mean a number: each its own
            return row_reason_words(result.reason, result.text, self._country) or None
        return self._reason_alone(result.reason) or None

    def _moment(self, result: NumberResult, _: dict[str, str]) -> datetime | None:
        return result.checked_at.astimezone(self._zone).replace(tzinfo=None) if result.checked_at else None

    def _moment_text(self, result: NumberResult, answer: dict[str, str]) -> str | None:
        at = self._moment(result, answer)
        return at.strftime("%Y-%m-%d %H:%M:%S") if at else None


def _todo(reason: str | None) -> str | None:
    explained = explain(reason)
    return explained.todo or None if explained else None
