"""The added cells of a row: what is said of its numbers, in words. Knows no file formats and no database."""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from portal.causes import CauseCode
from portal.documents.comparison.two_lists import RowChange, RowKind
from portal.jobs.core.status import CellStatus
from portal.jobs.export.added import AddedRow, Tone
from portal.jobs.export.columns import (
    CHANGE,
    CHECKED_AT,
    CORRECTED,
    DUPLICATE_OF,
    E164,
    OF_ROW,
    REASON,
    ROW,
    STATUS,
    TODO,
    Column,
)
from portal.jobs.words.merges import BEFORE, kind_words
from portal.jobs.words.statuses import explain, outcome_words, reason_words, row_reason_words
from portal.sources.base import Outcome
from portal.sources.registry import is_yes_no
from portal.sources.several import base_of
from portal.sources.words import CODED, value_words

MOMENT = "%Y-%m-%d %H:%M:%S"
TO_FIX = (Outcome.FAILED, Outcome.INVALID, Outcome.REJECTED)
TONES = {
    Outcome.FOUND: Tone.FOUND, Outcome.NOT_FOUND: Tone.NOT_FOUND, Outcome.WAITING: Tone.WAITING,
    **dict.fromkeys(TO_FIX, Tone.TO_FIX),
}  # fmt: skip
WORST_FIRST = (Tone.TO_FIX, Tone.WAITING, Tone.NOT_FOUND, Tone.FOUND)  # the one that a cell with several numbers has


class NumberResult(NamedTuple):
    """What a file shows of a cell in the ledger."""

    row_no: int
    column: int
    e164: str | None
    duplicate_of: int | None
    outcome: Outcome
    reason: str | None
    answer: dict[str, str] | None
    checked_at: datetime | None
    text: str = ""  # the cell's
    corrected: str | None = None  # what its person wrote beside it
    change: RowChange | None = None  # what its row is beside an earlier list


Reader = Callable[[NumberResult, dict[str, str]], Any]


class AnswerCells:
    """The added cells of a row. Each word is translated once, not once per row."""

    def __init__(
        self, added: Sequence[tuple[int, Column]], columns: Sequence[int], time_zone: str, country: str, *, typed: bool
    ) -> None:
        """`added` are the added columns, each with the column of the numbers that it is about, one of `columns`;
        `country` is that of numbers without a prefix. `typed`: with dates as dates, else as text."""
        self._zone = ZoneInfo(time_zone)
        self._value = cache(value_words)
        self._country = country
        self._reason_alone = cache(reason_words)
        self._kind = cache(kind_words)
        status, todo = cache(_status), cache(_todo)
        own: dict[str, Reader] = {
            ROW: lambda result, _: result.row_no,
            CHANGE: lambda result, _: self._change(result),
            CORRECTED: lambda result, _: result.corrected,
            STATUS: lambda result, _: status(result.outcome, result.reason),
            REASON: self._reason,
            TODO: lambda result, _: todo(result.reason),
            E164: lambda result, _: result.e164,
            CHECKED_AT: self._moment if typed else self._moment_text,
            DUPLICATE_OF: lambda result, _: result.duplicate_of,
        }
        self._readers = [(column, self._field(one.field) if one.field else own[one.id]) for column, one in added]
        self._all = [read for _, read in self._readers]
        self._is_simple, self._first_column = len(columns) == 1, columns[0]
        statuses = [(place, column) for place, (column, one) in enumerate(added) if one.id == STATUS]
        self._status_at = statuses[0][0] if statuses else 0
        self._more_statuses = statuses[1:]
        self._tones = TONES if statuses else {}
        self._of_row = [(place, own[one.id]) for place, (_, one) in enumerate(added) if one.id in OF_ROW]

    def of(self, results: Sequence[NumberResult]) -> list[Any]:
        """One AddedCell for each label, in the same order. `results` are those of one row."""
        if self._is_simple and len(results) == 1:
            answer = results[0].answer or {}
            return [read(results[0], answer) for read in self._all]
        cells = [self._cell(read, [one for one in results if one.column == column]) for column, read in self._readers]
        for place, read in self._of_row:  # also when the first column of the row is blank
            cells[place] = read(results[0], {})
        return cells

    def row_of(self, row_no: int, results: Sequence[NumberResult]) -> AddedRow:
        """The same as an added row, with the tone of each status."""
        if self._is_simple and len(results) == 1:  # nearly always
            return AddedRow(row_no, self.of(results), self._tone_of(results[0]), self._status_at)
        first = self._tone(self._first_column, results)
        if not self._more_statuses:
            return AddedRow(row_no, self.of(results), first, self._status_at)
        more = {place: self._tone(column, results) for place, column in self._more_statuses}
        return AddedRow(row_no, self.of(results), first, self._status_at, more)

    def _tone_of(self, result: NumberResult) -> Tone:
        return Tone.PLAIN if result.reason == CellStatus.BLANK else self._tones.get(result.outcome, Tone.PLAIN)

    def _tone(self, column: int, results: Sequence[NumberResult]) -> Tone:
        tones = {self._tone_of(one) for one in results if one.column == column}
        return next((tone for tone in WORST_FIRST if tone in tones), Tone.PLAIN)

    def _cell(self, read: Reader, results: Sequence[NumberResult]) -> Any:
        """What is said of one cell. Each of several numbers has its value behind its place, unless all are equal."""
        values = [read(one, one.answer or {}) for one in results]
        if not values or all(value == values[0] for value in values):
            return values[0] if values else None
        return " / ".join(f"{place}) {_shown(value)}" for place, value in enumerate(values, start=1))

    def _field(self, field: str) -> Reader:
        # Only the few codes go through the cache: numbers would fill it with one entry each.
        if base_of(field) in CODED or is_yes_no(field):
            return lambda _, answer: self._value(field, answer[field]) if answer.get(field) else None
        return lambda _, answer: answer.get(field) or None

    def _reason(self, result: NumberResult, _: dict[str, str]) -> str | None:
        if result.outcome == Outcome.INVALID and result.e164 is None:  # the cell may mean a number: each its own
            return row_reason_words(result.reason, result.text, self._country) or None
        if result.reason == CauseCode.EXCLUDED:
            return row_reason_words(result.reason, "", self._country, result.answer) or None
        return self._reason_alone(result.reason) or None

    def _change(self, result: NumberResult) -> str | None:
        change = result.change
        if change is None or (change.kind == RowKind.SAME and result.reason == CellStatus.BLANK):
            return None
        is_known = change.kind != RowKind.CHANGED or change.before
        return self._kind(change.kind, had_none=not is_known).replace(BEFORE, change.before)

    def _moment(self, result: NumberResult, _: dict[str, str]) -> datetime | None:
        return result.checked_at.astimezone(self._zone).replace(tzinfo=None) if result.checked_at else None

    def _moment_text(self, result: NumberResult, answer: dict[str, str]) -> str | None:
        at = self._moment(result, answer)
        return at.strftime(MOMENT) if at else None


def _shown(value: Any) -> str:
    if isinstance(value, datetime):
        return value.strftime(MOMENT)
    return "\u2013" if value is None else str(value)


def _status(outcome: Outcome, reason: str | None) -> str:
    return outcome_words(CellStatus.of(outcome, reason))


def _todo(reason: str | None) -> str | None:
    explained = explain(reason)
    return explained.todo or None if explained else None
