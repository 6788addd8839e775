"""Reads documents and jobs for pages, and decides who sees what. It changes nothing.

A job or document that belongs to somebody else, or was deleted, is None, and the page answers 404. Lists apply the
reader's filters and say how many jobs have each status.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask import current_app
from sqlalchemy import ColumnElement, Text, and_, cast, func, or_, select, text
from sqlalchemy.orm import joinedload

from portal import sources
from portal.accounts import User
from portal.causes import cause_for
from portal.database import among, db
from portal.documents.comparison.two_lists import RowKind
from portal.documents.models import Document
from portal.ids import MAX_INTEGER
from portal.jobs.core import steps
from portal.jobs.core.derived import Progress, cell_counts, progress, summary_sentence, version
from portal.jobs.core.job_tables import Attempt, CellAnswer, Event, Number, NumberCell, SweepState
from portal.jobs.core.merge_tables import ListChange
from portal.jobs.core.status import WAITING, CellStatus
from portal.jobs.core.step_tables import JobStep
from portal.jobs.models import ScrapingJob
from portal.jobs.notify.history import with_notices
from portal.sources import pause
from portal.sources.base import Outcome

NUMBERS_PER_PAGE = 50
LOOKED_AT = 2000  # numbers that an administrator's page looks through
MOST_COUNTED = 10_000  # numbers that a page counts
EVENTS_SHOWN = 200


def visible_to(
    user: User, of: type[ScrapingJob] | type[Document], *, everybody: bool = True
) -> list[ColumnElement[bool]]:
    seen: list[ColumnElement[bool]] = [of.deleted_at.is_(None)]
    if not (everybody and user.is_admin):
        seen.append(of.user_id == user.id)
    return seen


def with_source_pauses(jobs: list[ScrapingJob]) -> list[ScrapingJob]:
    """Set on each job whether its source is paused, which a table of the sources records. Returns the jobs."""
    paused = pause.pauses() if jobs else {}
    for job in jobs:
        job.source_paused = job.source in paused
    return jobs


def containing(column: Any, text: str) -> ColumnElement[bool]:
    text = text.replace("\0", "").strip()  # PostgreSQL refuses a text with a NUL
    return column.icontains(text, autoescape=True)


@dataclass(frozen=True)
class NumbersPage:
    """A page of a job's numbers, 50 a page. There are `total` under the same filter, with `more` at least so many, and
    only the pages of these can be asked for. `shared` are the row and column of each cell that has several numbers."""

    rows: list[CellAnswer]
    page: int  # from 1
    total: int
    more: bool = False
    shared: frozenset[tuple[int, int]] = frozenset()

    @property
    def pages(self) -> int:
        """How many pages there are, 1 at least."""
        return max(1, -(-self.total // NUMBERS_PER_PAGE))

    @property
    def first(self) -> int:
        """The place of the page's first number among all, from 1."""
        return (self.page - 1) * NUMBERS_PER_PAGE + 1

    @property
    def near(self) -> list[int | None]:
        """The pages to offer: the first, those around this one, and the last; None where some are left out."""
        offered = sorted({1, self.pages, *range(max(1, self.page - 1), min(self.pages, self.page + 1) + 1)})
        found: list[int | None] = []
        for page in offered:
            if found and (found[-1] or 0) + 1 < page:
                found.append(None)
            found.append(page)
        return found


@dataclass(frozen=True)
class LastSweep:
    """When the sweep last ended; `late` when that is too long ago, or never happened."""

    ended_at: datetime | None
    late: bool


def find_document(user: User, document_id: int) -> Document | None:
    """Return the document, if this person may see it."""
    if document_id > MAX_INTEGER:
        return None
    return db.session.scalar(select(Document).where(Document.id == document_id, *visible_to(user, Document)))


def find_job(user: User, job_id: int) -> ScrapingJob | None:
    """Return the job in its present state, if this person may see it."""
    if job_id > MAX_INTEGER:
        return None
    found = select(ScrapingJob).where(ScrapingJob.id == job_id, *visible_to(user, ScrapingJob))
    job = db.session.scalar(found, execution_options={"populate_existing": True})
    return with_source_pauses([job])[0] if job else None


def find_expired(user: User, job_id: int) -> ScrapingJob | None:
    """Return the job deleted after its retention period, if this person could see it: only its totals are left."""
    if job_id > MAX_INTEGER:
        return None
    found = select(ScrapingJob).where(ScrapingJob.id == job_id, ScrapingJob.expired_at.is_not(None))
    if not user.is_admin:
        found = found.where(ScrapingJob.user_id == user.id)
    return db.session.scalar(found)


def find_jobs(user: User, job_ids: list[int]) -> list[ScrapingJob]:
    """Return those of the jobs that this person may see, in the order of `job_ids`."""
    known = [job_id for job_id in job_ids if job_id <= MAX_INTEGER]
    found = select(ScrapingJob).where(ScrapingJob.id.in_(known), *visible_to(user, ScrapingJob))
    seen = list(db.session.scalars(found.options(joinedload(ScrapingJob.user))))
    jobs = {job.id: job for job in with_source_pauses(seen)}
    return [jobs[job_id] for job_id in job_ids if job_id in jobs]


def state_of(job: ScrapingJob, now: datetime) -> str:
    """Return a short text that changes with what a page shows of the job's row."""
    return f"{version(job)}.{summary_sentence(job, now)}"


def states_of(job_ids: list[int], now: datetime) -> dict[int, tuple[str, bool]]:
    """Return for each of these jobs its `state_of`, and whether it waits for a worker. It asks for no reader's rights:
    the live update uses it to see which jobs to render anew."""
    found: dict[int, tuple[str, bool]] = {}
    for start in range(0, len(job_ids), 500):
        some = select(ScrapingJob).where(
            ScrapingJob.id.in_(job_ids[start : start + 500]), ScrapingJob.deleted_at.is_(None)
        )
        jobs = with_source_pauses(list(db.session.scalars(some)))
        found |= {job.id: (state_of(job, now), job.status in WAITING) for job in jobs}
    return found


def numbers_page(
    job: ScrapingJob,
    status: CellStatus | None = None,
    q: str = "",
    page: int = 1,
    values: Sequence[tuple[str, str]] = (),
    change: RowKind | None = None,
) -> NumbersPage:
    """Return a page of the job's numbers in the file's order: those of one status, with `q` in the number, with
    these values of their answers, each a field and a value (an empty one is for answers without it), and in rows that
    have changed so since an earlier list. A page past the end is the last one."""
    where: list[ColumnElement[bool]] = [CellAnswer.job_id == job.id]
    total, more = job.total_numbers, False
    if status is not None:
        where.append(_has_status(status))
        total = cell_counts(job)[status]
    for field, value in values:
        said = CellAnswer.answer[field].as_string()
        without = or_(said.is_(None), said == "")
        where += [CellAnswer.outcome == Outcome.FOUND, said == value if value else without]
    if change is not None:
        where.append(_has_changed(job, change))
    if q := q.strip():
        ways = [containing(CellAnswer.text, q)]
        if digits := "".join(character for character in q if character.isdecimal()):
            ways.append(containing(CellAnswer.e164, digits))
        where.append(or_(*ways))
    if q or values or change is not None:
        some = select(CellAnswer.row_no).where(*where).limit(MOST_COUNTED + 1).subquery()
        total = db.session.scalar(select(func.count()).select_from(some)) or 0
        total, more = min(total, MOST_COUNTED), total > MOST_COUNTED
    page = min(max(1, page), max(1, -(-total // NUMBERS_PER_PAGE)))
    of: type[NumberCell] | type[CellAnswer] = CellAnswer
    if len(where) == 1:  # all: the page is found in the index of the cells alone
        of, where = NumberCell, [NumberCell.job_id == job.id]
    places = select(of.row_no, of.column, of.place).where(*where).order_by(of.row_no, of.column, of.place)
    found = db.session.execute(places.limit(NUMBERS_PER_PAGE).offset((page - 1) * NUMBERS_PER_PAGE))
    return numbers_at(job, [(row_no, column, place) for row_no, column, place in found], page, total, more=more)


def _has_changed(job: ScrapingJob, kind: RowKind) -> ColumnElement[bool]:
    row = ListChange
    listed = select(row.row_no).where(row.merge_id == job.merge_id, row.of_before.is_(False))
    if kind != RowKind.SAME:
        return CellAnswer.row_no.in_(listed.where(row.kind == kind))
    not_blank = func.coalesce(CellAnswer.reason, "") != CellStatus.BLANK.value
    return and_(CellAnswer.row_no.not_in(listed), not_blank)


def _has_status(status: CellStatus) -> ColumnElement[bool]:
    if status == CellStatus.BLANK:
        return CellAnswer.reason == CellStatus.BLANK.value
    if status == CellStatus.INVALID:
        not_blank = func.coalesce(CellAnswer.reason, "") != CellStatus.BLANK.value
        return and_(CellAnswer.outcome == Outcome.INVALID, not_blank)
    return CellAnswer.outcome == Outcome(status)


def numbers_at(
    job: ScrapingJob, places: Sequence[tuple[int, int, int]], page: int, total: int, *, more: bool = False
) -> NumbersPage:
    """Return a page with the numbers at these places, each a row, a column and a place in the cell, in their order."""
    row_nos = {row_no for row_no, _, _ in places}
    found = select(CellAnswer).where(CellAnswer.job_id == job.id, CellAnswer.row_no.in_(row_nos))
    by_place = {(one.row_no, one.column, one.place): one for one in db.session.scalars(found)}
    rows = [by_place[place] for place in places if place in by_place]
    return NumbersPage(rows, page, total, more, _shared_cells(job, row_nos))


def outcomes_between(job: ScrapingJob, first_row: int, last_row: int) -> list[Outcome]:
    """Return only the outcomes of the numbers in these rows, in the file's order: cheaper than the numbers."""
    found = select(CellAnswer.outcome).where(
        CellAnswer.job_id == job.id, CellAnswer.row_no.between(first_row, last_row)
    )
    found = found.order_by(CellAnswer.row_no, CellAnswer.column, CellAnswer.place)
    return list(db.session.scalars(found))


def _shared_cells(job: ScrapingJob, row_nos: set[int]) -> frozenset[tuple[int, int]]:
    second = select(NumberCell.row_no, NumberCell.column).where(
        NumberCell.job_id == job.id, NumberCell.row_no.in_(row_nos), NumberCell.place == 2
    )
    return frozenset((row_no, column) for row_no, column in db.session.execute(second))


def timeline(job: ScrapingJob) -> list[Event]:
    """Return what happened to the job and who was notified, newest first."""
    events = select(Event).where(Event.job_id == job.id).order_by(Event.id.desc()).limit(EVENTS_SHOWN)
    return with_notices(job.id, list(db.session.scalars(events)))


def attempts(job: ScrapingJob) -> list[Attempt]:
    """Return the job's attempts, newest first."""
    newest_first = select(Attempt).where(Attempt.job_id == job.id).order_by(Attempt.attempt.desc()).limit(EVENTS_SHOWN)
    return list(db.session.scalars(newest_first))


def kept_at(number: CellAnswer, attempts: Iterable[Attempt]) -> datetime | None:
    """Return when the source gave a row's answer, if that was for an earlier file: before the attempt that wrote it
    began. None for an answer of this file's own."""
    began = next((one.started_at for one in attempts if one.attempt == number.attempt), None)
    return number.checked_at if began and number.checked_at and number.checked_at < began else None


def attempt_rows(job: ScrapingJob, each: int = 5) -> dict[int, list[Number]]:
    """Return some numbers that each attempt wrote, for admins: those without an answer first, then some of the first
    numbers of the file."""
    place = func.row_number().over(partition_by=Number.attempt, order_by=Number.no).label("place")
    written = (Number.job_id == job.id, Number.attempt.is_not(None))
    found: dict[int, list[Number]] = {}
    for some in (
        (among(Number.outcome, (Outcome.FAILED,)),),
        (Number.outcome != Outcome.FAILED, Number.no <= LOOKED_AT),
    ):
        ranked = select(Number.no, place).where(*written, *some).subquery()
        first = select(ranked.c.no).where(ranked.c.place <= each)
        for number in db.session.scalars(select(Number).where(Number.job_id == job.id, Number.no.in_(first))):
            of_attempt = found.setdefault(number.attempt or 0, [])
            if len(of_attempt) < each:
                of_attempt.append(number)
    return found


def failed_causes(job: ScrapingJob) -> list[tuple[str, int, bool]]:
    """Return why rows failed: reason, number of rows, and whether another attempt may help. The most frequent first."""
    if not job.failed_count:
        return []
    rows = func.sum(Number.cells)
    grouped = (
        select(Number.reason, rows)
        .where(Number.job_id == job.id, among(Number.outcome, (Outcome.FAILED,)))
        .group_by(Number.reason)
        .order_by(rows.desc(), Number.reason)
    )
    return [(reason or "", count, cause_for(reason).temporary) for reason, count in db.session.execute(grouped)]


def excluded(job: ScrapingJob) -> list[tuple[str, str, int]]:
    """Return the lists of excluded numbers that the job's numbers were on: name, day (in ISO) and how many cells, the
    longest first."""
    if not job.rejected_count:
        return []
    # With a literal, so that both databases see that the small index applies.
    listed, cells = cast(Number.answer, Text), func.sum(Number.cells)
    found = select(listed, cells).where(Number.job_id == job.id, text("reason = 'excluded'")).group_by(listed)
    rows = ((json.loads(answer or "{}"), int(n)) for answer, n in db.session.execute(found))
    named = [(answer.get("list", ""), answer.get("dated", ""), n) for answer, n in rows]
    return sorted(named, key=lambda one: -one[2])


def duplicates(job: ScrapingJob) -> int:
    """Count the rows that repeat a number of an earlier row."""
    repeated = select(func.count()).where(NumberCell.job_id == job.id, NumberCell.repeats)
    return db.session.scalar(repeated) or 0


def sources_of(job: ScrapingJob) -> Sequence[JobStep]:
    """Return the sources of a job that has several, in their order, with what each has said; none for one alone."""
    return steps.of_job(job)


def progress_of(job: ScrapingJob, now: datetime) -> Progress:
    """Return how far a job is; of several sources, those that follow take as long as their recipes say."""
    try:
        return progress(job, now, sources.seconds_for)
    except sources.UnknownSource:
        return progress(job, now)


def page_version(job: ScrapingJob, now: datetime, ahead: int | None) -> str:
    """Return `version` with the rest of what the job's page shows: the jobs ahead (`turns.jobs_ahead`), the timeline,
    and what time changes."""
    newest = db.session.scalar(select(func.max(Event.id)).where(Event.job_id == job.id))
    return f"{state_of(job, now)}.{'' if ahead is None else ahead}.{newest or ''}"


def last_sweep(now: datetime) -> LastSweep:
    """Return when the sweep last ended. Three intervals without one mean that the portal itself has a problem."""
    ended_at = db.session.scalar(select(func.max(SweepState.ended_at)))
    late = timedelta(minutes=3 * current_app.config["SCRAPING_CHECK_INTERVAL"])
    return LastSweep(ended_at, ended_at is None or now - ended_at > late)
