"""Each person's choice of columns, kept for each source. A person without one has the portal's default."""

from collections.abc import Mapping
from datetime import datetime
from hashlib import blake2s
from typing import Any, TypeVar

from sqlalchemy import JSON, ColumnElement, Exists, ForeignKey, String, delete, exists, false, select
from sqlalchemy.orm import Mapped, mapped_column

from portal import sources
from portal.database import Model, UtcDateTime, db, upsert
from portal.jobs.core import derived
from portal.jobs.core.job_tables import Number, NumberCell
from portal.jobs.export.columns import (
    CHECKED_AT,
    CORRECTED,
    DEFAULT,
    DUPLICATE_OF,
    E164,
    REASON,
    Column,
    ColumnChoice,
    Pick,
    columns_of,
    titles_of,
)
from portal.jobs.models import ScrapingJob
from portal.sources.base import Outcome
from portal.sources.several import BETWEEN

Key = TypeVar("Key")
SOURCE_LENGTH = 40


class ColumnTemplate(Model):
    """One person's choice for the files of one source."""

    __tablename__ = "column_templates"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
    source: Mapped[str] = mapped_column(String(SOURCE_LENGTH), primary_key=True)
    choice: Mapped[dict[str, Any]] = mapped_column(JSON)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)


def _key(source: str) -> str:
    """How the table names a source, or several whose names together are too long for it."""
    if len(source) <= SOURCE_LENGTH:
        return source
    return f"{source[:20]}{BETWEEN}{blake2s(source.encode(), digest_size=9).hexdigest()}"


def kept_choice(user_id: int, source: str) -> ColumnChoice | None:
    """What this person has chosen for this source, or for several, if anything."""
    mine = (ColumnTemplate.user_id == user_id, ColumnTemplate.source == _key(source))
    kept = db.session.scalar(select(ColumnTemplate.choice).where(*mine))
    if kept is None:
        return None
    picks = tuple(Pick(one["id"], one["shown"], one.get("name", "")) for one in kept["columns"])
    return ColumnChoice(picks, kept["summary"], kept["keeps_empty"])


def kept_or_default(user_id: int, source: str) -> ColumnChoice:
    """The same, or the portal's default."""
    return kept_choice(user_id, source) or DEFAULT


def answers_added(user_id: int, source: str) -> list[str]:
    """The names of the columns with a source's answers that this person's files get."""
    columns = {column.id: column for column in columns_of(sources.fields_of(source))}
    titles = titles_of(tuple(columns.values()), source)
    picks = kept_or_default(user_id, source).picks_of(tuple(columns.values()))
    return [pick.name or titles[pick.id] for pick in picks if pick.is_shown and columns[pick.id].field]


def keep_choice(user_id: int, source: str, choice: ColumnChoice, now: datetime) -> None:
    """Keep the choice, which `columns.checked` has accepted, for the files of this source. Commits."""
    columns = [{"id": pick.id, "shown": pick.is_shown, "name": pick.name} for pick in choice.picks]
    kept = {"columns": columns, "summary": choice.with_summary, "keeps_empty": choice.keeps_empty}
    replaced = upsert(ColumnTemplate, ("user_id", "source"), replace=("choice", "updated_at"))
    db.session.commit()  # what was read ends first: SQLite cannot turn it into a writing transaction
    db.session.execute(replaced.values(user_id=user_id, source=_key(source), choice=kept, updated_at=now))
    db.session.commit()


def forget_choice(user_id: int, source: str) -> None:
    """Go back to the portal's default. Commits."""
    db.session.commit()
    mine = (ColumnTemplate.user_id == user_id, ColumnTemplate.source == _key(source))
    db.session.execute(delete(ColumnTemplate).where(*mine))
    db.session.commit()


def empty_beside(job: ScrapingJob, columns: tuple[Column, ...]) -> frozenset[tuple[int, str]]:
    """The same as `empty_columns` for each column of numbers (its position comes first) of a job that has several."""
    if derived.is_unfinished(job):
        return frozenset()
    asked: dict[tuple[int, str], ColumnElement[bool]] = {}
    for place in job.columns:
        cells = exists().where(NumberCell.job_id == job.id, NumberCell.column == place)
        numbers = cells.where(Number.job_id == NumberCell.job_id, Number.no == NumberCell.number_no)
        asked |= {(place, name): is_there for name, is_there in _questions(columns, numbers, cells).items()}
    return _unanswered(asked)


def empty_columns(job: ScrapingJob, columns: tuple[Column, ...]) -> frozenset[str]:
    """The ids of those columns in which no row of the job has a value. None while rows are being looked up: what is
    empty now may be filled at the end."""
    if derived.is_unfinished(job):
        return frozenset()
    numbers, cells = exists().where(Number.job_id == job.id), exists().where(NumberCell.job_id == job.id)
    asked = _questions(columns, numbers, cells)
    if REASON in asked and job.found_count == job.total_numbers:
        asked[REASON] = false()  # what is found has none: with a million of them no row is read
    return _unanswered(asked)


def _questions(columns: tuple[Column, ...], numbers: Exists, cells: Exists) -> dict[str, ColumnElement[bool]]:
    """Whether each of the columns has a value, among these numbers and these cells; columns that always have are left
    out."""
    own: dict[str, ColumnElement[bool]] = {
        REASON: numbers.where(Number.reason.is_not(None)) | cells.where(NumberCell.reason.is_not(None)),
        E164: numbers,
        CHECKED_AT: numbers.where(Number.checked_at.is_not(None)),
        DUPLICATE_OF: cells.where(NumberCell.repeats),
        CORRECTED: cells.where(NumberCell.corrected.is_not(None)),
    }
    asked: dict[str, ColumnElement[bool]] = {}
    for column in columns:
        if column.field:
            value = Number.answer[column.field].as_string()
            asked[column.id] = numbers.where(Number.outcome == Outcome.FOUND, value != "")
        elif column.id in own:
            asked[column.id] = own[column.id]
    return asked


def _unanswered(asked: Mapping[Key, ColumnElement[bool]]) -> frozenset[Key]:
    """Ask all in one statement, and return those with the answer no. Each looks no further than the first row."""
    if not asked:
        return frozenset()
    questions = [is_there.label(f"c{n}") for n, is_there in enumerate(asked.values())]
    answers = db.session.execute(select(*questions)).one()
    return frozenset(key for key, is_there in zip(asked, answers, strict=True) if not is_there)
