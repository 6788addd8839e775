"""Lists of jobs under a reader's filters: what is theirs to see, how many there are of each status, and which page.

Asked through `queries`.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import joinedload

from portal.accounts import User
from portal.database import db
from portal.documents.models import Document
from portal.jobs.core.status import Status
from portal.jobs.models import ScrapingJob
from portal.sources import pause

PER_PAGE = 25
LAST_ID = 2**31 - 1  # what PostgreSQL's integer holds; a greater number in an address is nobody's


@dataclass(frozen=True)
class Page:
    """One page of a list of jobs, newest first. `counts` has every status word, and `all`, under the same filters
    but for the status: what the filter tabs show."""

    jobs: list[ScrapingJob]
    page: int  # from 1
    pages: int
    total: int
    counts: dict[str, int]


def seen_by(user: User, of: type[ScrapingJob] | type[Document], *, everybody: bool = True) -> list[ColumnElement[bool]]:
    seen: list[ColumnElement[bool]] = [of.deleted_at.is_(None)]
    if not (everybody and user.is_admin):
        seen.append(of.user_id == user.id)
    return seen


def told_of_pauses(jobs: list[ScrapingJob]) -> list[ScrapingJob]:
    """The jobs, each knowing whether its source is paused: that stands in a table of the sources."""
    paused = pause.pauses() if jobs else {}
    for job in jobs:
        job.source_paused = job.source in paused
    return jobs


def containing(column: Any, text: str) -> ColumnElement[bool]:
    text = text.replace("\0", "").strip()  # PostgreSQL refuses a text with a NUL
    return column.icontains(text, autoescape=True)


def _filters(user: User, q: str) -> list[ColumnElement[bool]]:
    where = seen_by(user, ScrapingJob, everybody=False)
    if q := q.strip():
        ways = [containing(ScrapingJob.file_name, q)]
        if q.lstrip("#").isdecimal() and int(q.lstrip("#")[:10]) <= LAST_ID:
            ways.append(ScrapingJob.id == int(q.lstrip("#")[:10]))
        where.append(or_(*ways))
    return where


def _status(word: str | None) -> Status | None:
    return Status(word) if word in tuple(Status) else None


def list_jobs(user: User, *, status: str | None = None, q: str = "", page: int = 1) -> Page:
    """This person's own jobs, newest first, 25 a page; an admin's list of everybody's is `desk`'s.

    `q` is part of a file's name or a job's id. An unknown status filters nothing; a page past the end is the last one.
    """
    where = _filters(user, q)
    by_status = select(ScrapingJob.status, func.count()).where(*where).group_by(ScrapingJob.status)
    counted = {row[0]: row[1] for row in db.session.execute(by_status)}
    counts = {"all": sum(counted.values()), **{word.value: counted.get(word, 0) for word in Status}}
    wanted = _status(status)
    if wanted is not None:
        where.append(ScrapingJob.status == wanted)
    total = counts[wanted.value if wanted else "all"]
    pages = max(1, -(-total // PER_PAGE))
    page = min(max(1, page), pages)
    found = select(ScrapingJob).where(*where).options(joinedload(ScrapingJob.user)).order_by(ScrapingJob.id.desc())
    jobs = db.session.scalars(found.limit(PER_PAGE).offset((page - 1) * PER_PAGE)).all()
    return Page(told_of_pauses(list(jobs)), page, pages, total, counts)
