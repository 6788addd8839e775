"""Groups of rows that can be downloaded on their own: mobiles, each number once, mobiles by original operator.

A group is named by a key that stands in an address. It knows no words and no kind of file.
"""

from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import func, select

from portal.database import db
from portal.jobs.core.tables import Number
from portal.jobs.models import ScrapingJob
from portal.sources.base import Outcome

MOBILES = "mobiles"  # valid mobiles, each once
UNIQUE = "unique"  # every row with a number, without those whose number stands further up
OPERATOR = "operator:"  # MOBILES whose range was given to this operator; without a name, those of no known one
MOBILE_TYPES = ("mobile", "fixed_or_mobile")


class UnknownGroup(LookupError):
    """There is no group of that key."""


@dataclass(frozen=True)
class Group:
    """A group that has rows, and how many."""

    key: str
    count: int

    @property
    def operator(self) -> str | None:
        """The operator's name, of a group by operator; empty for "no known one"."""
        return operator_of(self.key)


class Row(Protocol):
    """What a row must say to be put in a group."""

    @property
    def e164(self) -> str | None: ...
    @property
    def duplicate_of(self) -> int | None: ...
    @property
    def outcome(self) -> Outcome: ...
    @property
    def answer(self) -> dict[str, str] | None: ...


def is_group(key: str) -> bool:
    """Whether this is a group's key."""
    return key in (MOBILES, UNIQUE) or key.startswith(OPERATOR)


def operator_of(key: str) -> str | None:
    """The operator in a key; None when it is no group by operator."""
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


def groups_of(job: ScrapingJob) -> list[Group]:
    """The groups that have rows: mobiles, each number once, then the operators, the largest first.

    One walk over the job's rows: ask for it on a page that is opened, and not while it is followed live.
    """
    once = (Number.job_id == job.id, Number.e164.is_not(None), Number.duplicate_of.is_(None))
    unique = db.session.scalar(select(func.count()).where(*once)) or 0
    kind = Number.answer["line_type"].as_string().label("kind_of_line")
    operator = Number.answer["original_operator"].as_string().label("range_holder")
    # Grouped by the labels: PostgreSQL takes the same expression with another parameter for another expression.
    counted = (
        select(kind, operator, func.count())
        .where(*once, Number.outcome == Outcome.FOUND)
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
