"""The lines of an exported file: the rows of the sheet with their answers, in the order of the file.

Knows no file formats. The ledger is read in chunks by row number, each in a short transaction.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

from flask_babel import get_timezone, gettext
from sqlalchemy import select

from portal import sources
from portal.database import READ_ONLY, db
from portal.documents.check import rows
from portal.documents.reader.sheet_file import Cell, header_of
from portal.documents.storage import LocalStorage
from portal.jobs.core.job_tables import CellAnswer, Number
from portal.jobs.export.added import AddedCell, AddedRow, Tone
from portal.jobs.export.download_groups import RowChoice, in_group
from portal.jobs.models import ScrapingJob
from portal.jobs.words.statuses import explain, outcome_words, reason_words, row_reason_words
from portal.sources.base import Outcome
from portal.sources.registry import is_yes_no
from portal.sources.words import CODED, field_label, source_title, value_words

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
    own_headings: tuple[str, ...] = ()  # the person's, which no added one repeats

    @property
    def selects(self) -> bool:
        """Whether rows are left out, so that each line must give its row number."""
        return self.rows != RowFilter.ALL or self.group is not None or bool(self.choice)

    def labels(self) -> list[str]:
        """The headings of the added columns, in the reader's language."""
        headings = [gettext("Status"), *(field_label(field, self.source) for field in self.fields)]
        headings.append(gettext("Reason"))
        headings.append(gettext("Checked at (%(time_zone)s)", time_zone=self.time_zone))
        headings.append(gettext("Duplicate of row"))
        if self.selects:
            headings.insert(0, gettext("Row in your file"))
        if self.rows == RowFilter.FAILED:
            headings.append(gettext("What to do"))
        return _each_once(headings, self.own_headings)


def _each_once(headings: list[str], taken: Iterable[str]) -> list[str]:
    """The headings, numbered where there is one like it: in a table of Excel two columns cannot have one name."""
    known = {text.strip().casefold() for text in taken}
    unique = []
    for heading in headings:
        numbered, n = heading, 2
        while numbered.casefold() in known:
            numbered, n = f"{heading} {n}", n + 1
        known.add(numbered.casefold())
        unique.append(numbered)
    return unique


def plan_for(
    job: ScrapingJob, storage: LocalStorage, wanted: RowFilter, group: str | None, choice: RowChoice | None = None
) -> ExportPlan:
    """Gather what is needed to write the file of this job."""
    document = job.document
    sheet = next((facts for facts in document.sheets if facts["index"] == job.sheet), {})
    fields, version = _fields(job)
    sheet_path = storage.sheet_path(document.storage_key, job.sheet)
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
        time_zone=str(get_timezone()),
        about=f"{source_title(job.source)} {version}".strip(),
        own_headings=tuple(header_of(sheet_path, job.header_row)) if sheet_path.is_file() else (),
    )


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
    cells_of = _AnswerCells(plan)
    for row_no, cells in rows(plan.sheet_path):
        if row_no < plan.header_row:
            yield Line(cells, [], False)
            continue
        if row_no == plan.header_row:
            yield Line(cells, [*plan.labels()], False)
            continue
        while result is not None and result.row_no < row_no:
            result = next(results, None)
        if result is not None and result.row_no == row_no:
            if _is_included(plan, result):
                yield Line(cells, cells_of.added(result), True)
        elif not plan.selects:  # a row without a ledger entry is still a row of the person's file
            yield Line(cells, [], True)


def added_rows(plan: ExportPlan) -> Iterator[AddedRow]:
    """What is added to the person's own file: the headings, then the answers, by row number."""
    cells_of = _AnswerCells(plan)
    if plan.header_row:
        yield AddedRow(plan.header_row, plan.labels(), Tone.HEADING)
    for result in _results(plan.job_id):
        if result.row_no > plan.header_row:
            yield AddedRow(result.row_no, cells_of.typed(result), TONES[result.outcome])


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


class _AnswerCells:
    """The added cells of a row. Each word is translated once, not once per row."""

    def __init__(self, plan: ExportPlan) -> None:
        self._plan = plan
        self._words = [(field, field in CODED or is_yes_no(field)) for field in plan.fields]
        self._zone = ZoneInfo(plan.time_zone)
        self._outcome = cache(outcome_words)
        self._reason_alone = cache(reason_words)
        self._value = cache(value_words)
        self._todo = cache(_todo)

    def added(self, result: NumberResult) -> list[str | int | None]:
        plan, answer = self._plan, result.answer or {}
        added: list[str | int | None] = [self._outcome(result.outcome)]
        added += self._fields(answer)
        added += [self._reason(result) or None, self._moment(result.checked_at), result.duplicate_of]
        if plan.selects:
            added.insert(0, result.row_no)
        if plan.rows == RowFilter.FAILED:
            added.append(self._todo(result.reason))
        return added

    def typed(self, result: NumberResult) -> list[AddedCell]:
        """The same with dates as dates. One cell per label, in the same order."""
        at = result.checked_at.astimezone(self._zone).replace(tzinfo=None) if result.checked_at else None
        added: list[AddedCell] = [self._outcome(result.outcome), *self._fields(result.answer or {})]
        return [*added, self._reason(result) or None, at, result.duplicate_of]

    def _reason(self, result: NumberResult) -> str:
        if result.outcome == Outcome.INVALID and result.e164 is None:  # the cell may mean a number: each its own
            return row_reason_words(result.reason, result.text, self._plan.country)
        return self._reason_alone(result.reason)

    def _fields(self, answer: dict[str, str]) -> Iterable[str | None]:
        for field, has_words in self._words:
            value = answer.get(field)
            # Only the few codes go through the cache: numbers would fill it with one entry each.
            yield (self._value(field, value) if has_words else value) if value else None

    def _moment(self, at: datetime | None) -> str | None:
        return at.astimezone(self._zone).strftime("%Y-%m-%d %H:%M:%S") if at else None


def _todo(reason: str | None) -> str | None:
    explained = explain(reason)
    return explained.todo or None if explained else None
