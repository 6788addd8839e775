"""What pages ask of documents and jobs. It only reads, and it decides who sees what.

A job or document that is not the reader's, or that was deleted, is None, and the page answers 404. Lists apply the
reader's filters and say how many jobs have each status.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select
from sqlalchemy.orm import joinedload

from portal.accounts import User
from portal.database import MAX_INTEGER, among, db, id_in
from portal.documents.models import Document
from portal.jobs.core.derived import TEMPORARY, summary_sentence, version
from portal.jobs.core.status import WAITING, Status
from portal.jobs.core.tables import Attempt, Event, Number, SweepState
from portal.jobs.models import ScrapingJob
from portal.jobs.notify.history import with_notices
from portal.sources import pause
from portal.sources.base import Outcome
from portal.sources.pause import names_paused

PER_PAGE = 25
EVENTS_SHOWN = 200


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
        if (named := id_in(q.lstrip("#"))) is not None:
            ways.append(ScrapingJob.id == named)
        where.append(or_(*ways))
    return where


def _status(word: str | None) -> Status | None:
    return Status(word) if word in tuple(Status) else None


def list_jobs(user: User, *, status: str | None = None, q: str = "", page: int = 1) -> Page:
    """This person's own jobs, newest first, 25 a page; an admin's list of everybody's is in `admin.job_list`.

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


@dataclass(frozen=True)
class NumbersPage:
    """Some rows of a job in the file's order. `next_after` is the row number to go on from, or nothing."""

    rows: list[Number]
    next_after: int | None


@dataclass(frozen=True)
class LastSweep:
    """When the sweep last came to its end; `late` when that is too long ago, or never was."""

    ended_at: datetime | None
    late: bool


def find_document(user: User, document_id: int) -> Document | None:
    """The document, if this person may see it."""
    if document_id > MAX_INTEGER:
        return None
    return db.session.scalar(select(Document).where(Document.id == document_id, *seen_by(user, Document)))


def find_job(user: User, job_id: int) -> ScrapingJob | None:
    """The job as it stands now, if this person may see it."""
    if job_id > MAX_INTEGER:
        return None
    found = select(ScrapingJob).where(ScrapingJob.id == job_id, *seen_by(user, ScrapingJob))
    job = db.session.scalar(found, execution_options={"populate_existing": True})
    return told_of_pauses([job])[0] if job else None


def find_expired(user: User, job_id: int) -> ScrapingJob | None:
    """The job whose days were over, if this person might see it: its totals are all that is left of it."""
    if job_id > MAX_INTEGER:
        return None
    found = select(ScrapingJob).where(ScrapingJob.id == job_id, ScrapingJob.expired_at.is_not(None))
    if not user.is_admin:
        found = found.where(ScrapingJob.user_id == user.id)
    return db.session.scalar(found)


def find_jobs(user: User, job_ids: list[int]) -> list[ScrapingJob]:
    """Those of the jobs that this person may see, in the order asked."""
    known = [job_id for job_id in job_ids if job_id <= MAX_INTEGER]
    found = select(ScrapingJob).where(ScrapingJob.id.in_(known), *seen_by(user, ScrapingJob))
    seen = list(db.session.scalars(found.options(joinedload(ScrapingJob.user))))
    jobs = {job.id: job for job in told_of_pauses(seen)}
    return [jobs[job_id] for job_id in job_ids if job_id in jobs]


def numbers_page(
    job: ScrapingJob, outcome: str | None = None, q: str = "", after_row: int = 0, limit: int = 50
) -> NumbersPage:
    """Rows of the job after a row number, in the file's order: those of one outcome, or with `q` in the number."""
    found: Select[Number] = select(Number).where(Number.job_id == job.id, Number.row_no > after_row)
    if outcome in tuple(Outcome):
        found = found.where(Number.outcome == Outcome(outcome))
    if q := q.strip():
        ways = [containing(Number.text, q)]
        if digits := "".join(letter for letter in q if letter.isdecimal()):
            ways.append(containing(Number.e164, digits))
        found = found.where(or_(*ways))
    rows = list(db.session.scalars(found.order_by(Number.row_no).limit(limit + 1)))
    return NumbersPage(rows[:limit], rows[limit - 1].row_no if len(rows) > limit else None)


def timeline(job: ScrapingJob) -> list[Event]:
    """What happened to the job and who was told of it, newest first."""
    events = select(Event).where(Event.job_id == job.id).order_by(Event.id.desc()).limit(EVENTS_SHOWN)
    return with_notices(job.id, list(db.session.scalars(events)))


def attempts(job: ScrapingJob) -> list[Attempt]:
    """The job's attempts, newest first."""
    newest_first = select(Attempt).where(Attempt.job_id == job.id).order_by(Attempt.attempt.desc()).limit(EVENTS_SHOWN)
    return list(db.session.scalars(newest_first))


def kept_at(number: Number, attempts: Iterable[Attempt]) -> datetime | None:
    """When the source was asked for a row's answer, where that was for an earlier file: before the attempt began that
    wrote it. Nothing for an answer of this file's own."""
    began = next((one.started_at for one in attempts if one.attempt == number.attempt), None)
    return number.checked_at if began and number.checked_at and number.checked_at < began else None


def attempt_rows(job: ScrapingJob, each: int = 5) -> dict[int, list[Number]]:
    """Some rows that each attempt wrote, for admins: those without an answer first."""
    last = case((Number.outcome == Outcome.FAILED, 0), else_=1)
    place = func.row_number().over(partition_by=Number.attempt, order_by=(last, Number.row_no)).label("place")
    ranked = select(Number.row_no, place).where(Number.job_id == job.id, Number.attempt.is_not(None)).subquery()
    first = select(ranked.c.row_no).where(ranked.c.place <= each)
    found: dict[int, list[Number]] = {}
    for row in db.session.scalars(select(Number).where(Number.job_id == job.id, Number.row_no.in_(first))):
        found.setdefault(row.attempt or 0, []).append(row)
    return found


def failed_causes(job: ScrapingJob) -> list[tuple[str, int, bool]]:
    """Why rows failed: reason, how many rows, and whether another attempt may cure it. The most frequent first."""
    if not job.failed_count:
        return []
    rows = func.count()
    grouped = (
        select(Number.reason, rows)
        .where(Number.job_id == job.id, Number.outcome == Outcome.FAILED)
        .group_by(Number.reason)
        .order_by(rows.desc(), Number.reason)
    )
    return [(reason or "", count, reason in TEMPORARY) for reason, count in db.session.execute(grouped)]


def duplicates(job: ScrapingJob) -> int:
    """How many rows repeat a number of a row further up."""
    repeated = select(func.count()).where(Number.job_id == job.id, Number.duplicate_of.is_not(None))
    return db.session.scalar(repeated) or 0


def queue_position(job: ScrapingJob) -> int | None:
    """How many jobs are ahead in the queue; None when the job is not in it."""
    if job.status not in WAITING or job.paused_at is not None or job.not_before is not None or job.source_paused:
        return None
    in_order = and_(ScrapingJob.enqueued_at.is_(None), ScrapingJob.id < job.id)
    if job.enqueued_at is None:
        earlier = or_(ScrapingJob.enqueued_at.is_not(None), in_order)
    else:
        earlier = ScrapingJob.enqueued_at < job.enqueued_at
    ahead = select(func.count()).where(
        ScrapingJob.id != job.id,
        among(ScrapingJob.status, WAITING),
        ScrapingJob.paused_at.is_(None),
        ScrapingJob.not_before.is_(None),
        ScrapingJob.source.not_in(names_paused()),
        ScrapingJob.deleted_at.is_(None),
        earlier,
    )
    return db.session.scalar(ahead)


def page_version(job: ScrapingJob, now: datetime) -> str:
    """`version` with what else the job's page shows: the queue before it, its timeline, and what the clock changes."""
    newest = db.session.scalar(select(func.max(Event.id)).where(Event.job_id == job.id))
    ahead = queue_position(job)
    return f"{version(job)}.{'' if ahead is None else ahead}.{newest or ''}.{summary_sentence(job, now)}"


def last_sweep(now: datetime, interval: timedelta) -> LastSweep:
    """When the sweep last ended. Three intervals without one and something is wrong with the portal itself."""
    ended_at = db.session.scalar(select(func.max(SweepState.ended_at)))
    return LastSweep(ended_at, ended_at is None or now - ended_at > 3 * interval)
