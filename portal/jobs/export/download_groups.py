"""Groups of rows that can be downloaded on their own: mobiles, each number once, mobiles by original operator.

A group is identified by a key used in URLs. Knows no words and no file formats.
"""

from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import func, select

from portal.database import db
from portal.documents.comparison.two_lists import RowChange, RowKind
from portal.jobs.core.job_tables import Number
from portal.jobs.core.status import CellStatus
from portal.jobs.merge.changed_rows import has_kind
from portal.jobs.models import ScrapingJob
from portal.sources.base import Outcome

MOBILES = "mobiles"  # valid mobiles, each once
UNIQUE = "unique"  # every row with a number, except repeats of an earlier row
OPERATOR = "operator:"  # MOBILES whose range was assigned to this operator; no name: operator unknown
MOST_VALUES = 60  # in a list to choose from
MOBILE_TYPES = ("mobile", "fixed_or_mobile")


class UnknownGroup(LookupError):
    """There is no group with that key."""


@dataclass(frozen=True)
class Group:
    """A group and its number of rows."""

    key: str
    count: int

    @property
    def operator(self) -> str | None:
        """The operator of a group by operator; empty if unknown."""
        return operator_of(self.key)


@dataclass(frozen=True)
class RowChoice:
    """Rows by their status, by values of their answers, by their numbers and by what has changed, each of which must
    hold. Nothing chosen: all."""

    status: CellStatus | None = None
    values: tuple[tuple[str, str], ...] = ()  # field and value; an empty value is for answers without one
    rows: Container[int] | None = None  # their numbers in the file
    change: RowKind | None = None  # what they are beside an earlier list

    def __bool__(self) -> bool:
        return self.status is not None or bool(self.values) or self.rows is not None or self.change is not None

    def includes(self, row: "Row") -> bool:
        """Whether a row is among them."""
        if self.status is not None and self.status != CellStatus.of(row.outcome, row.reason):
            return False
        if self.rows is not None and row.row_no not in self.rows:
            return False
        if self.change is not None and not _has_changed_so(row, self.change):
            return False
        answer = row.answer or {}
        return all(row.outcome == Outcome.FOUND and answer.get(field, "") == value for field, value in self.values)


class Row(Protocol):
    """What a row needs, to be put into a group."""

    @property
    def row_no(self) -> int: ...
    @property
    def e164(self) -> str | None: ...
    @property
    def duplicate_of(self) -> int | None: ...
    @property
    def outcome(self) -> Outcome: ...
    @property
    def reason(self) -> str | None: ...
    @property
    def answer(self) -> dict[str, str] | None: ...
    @property
    def change(self) -> RowChange | None: ...


def _has_changed_so(row: Row, kind: RowKind) -> bool:
    is_blank = CellStatus.of(row.outcome, row.reason) == CellStatus.BLANK
    return row.change is not None and has_kind(kind, is_blank=is_blank, of_row=row.change.kind)


def is_group(key: str) -> bool:
    """Whether this is a group's key."""
    return key in (MOBILES, UNIQUE) or key.startswith(OPERATOR)


def operator_of(key: str) -> str | None:
    """The operator in a key; None if it is not a group by operator."""
    return key.removeprefix(OPERATOR) if key.startswith(OPERATOR) else None


def in_group(key: str, row: Row) -> bool:
    """Whether a row belongs to the group."""
    if row.e164 is None or row.duplicate_of is not None:
        return False
    if key == UNIQUE:
        return True
    answer = row.answer or {}
    if row.outcome != Outcome.FOUND or answer.get("line_type") not in MOBILE_TYPES:
        return False
    return key == MOBILES or answer.get("original_operator", "") == operator_of(key)


def counts_by_value(job: ScrapingJob, fields: Sequence[str]) -> dict[str, list[tuple[str, int]]]:
    """In how many cells of the file each value of a field stands, for fields with at most 60 values of which one is
    not empty: the most frequent first, and "" for answers without one last.

    Reads all answers: use it when a page is opened, not on every poll.
    """
    found = {}
    for field in fields:
        value = Number.answer[field].as_string().label("one_value")
        answered = (Number.job_id == job.id, Number.outcome == Outcome.FOUND, Number.cells > 0)
        counted = select(value, func.sum(Number.cells)).where(*answered).group_by("one_value").limit(MOST_VALUES + 1)
        cells: dict[str, int] = {}
        for one, count in db.session.execute(counted):
            cells[one or ""] = cells.get(one or "", 0) + int(count)
        if any(cells) and len(cells) <= MOST_VALUES:
            found[field] = sorted(cells.items(), key=lambda item: (not item[0], -item[1], item[0]))
    return found


def groups_of(job: ScrapingJob) -> list[Group]:
    """The groups that have rows: mobiles, each number once, then the operators, largest first.

    Reads all rows of the job: use it when a page is opened, not on every poll.
    """
    unique = db.session.scalar(select(func.count()).where(Number.job_id == job.id, Number.cells > 0)) or 0
    kind = Number.answer["line_type"].as_string().label("kind_of_line")
    operator = Number.answer["original_operator"].as_string().label("range_holder")
    # Grouped by label: for PostgreSQL the same expression with another bind parameter is another expression.
    counted = (
        select(kind, operator, func.count())
        .where(Number.job_id == job.id, Number.outcome == Outcome.FOUND, Number.cells > 0)
        .group_by("kind_of_line", "range_holder")
    )
    operators: dict[str, int] = {}
    for line_type, name, count in db.session.execute(counted):
        if line_type in MOBILE_TYPES:
            operators[name or ""] = operators.get(name or "", 0) + count
    largest_first = sorted(operators.items(), key=lambda item: (not item[0], -item[1], item[0]))
    found = [Group(MOBILES, sum(operators.values())), Group(UNIQUE, unique)]
    found += [Group(f"{OPERATOR}{name}", count) for name, count in largest_first]
    return [group for group in found if group.count]
