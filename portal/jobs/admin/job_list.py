"""The administrators' list of all jobs: one page after a cursor, in any order, and the number of jobs with each status.
It reads a bounded number of rows, so that a million jobs cost as much as a thousand.

Totals by status come from the metrics; any other count stops at CAP. Part of a file's name, for which there is no
index, is searched in the first WINDOW jobs that the other filters leave; `more_to_search` says that there are more. It
checks no rights: only administrators' pages may call it.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Integer, Select, String, case, func, literal, select, tuple_
from sqlalchemy.orm import joinedload
from sqlalchemy.types import TypeEngine

from portal.database import UtcDateTime, db
from portal.jobs.admin.filters import Filters, conditions
from portal.jobs.core.status import Status
from portal.jobs.models import ScrapingJob
from portal.jobs.queries import containing
from portal.jobs.status_counts import count_by_status

PER_PAGE = 50
CAP = 5_000  # what a page of the list counts; a plan, which is requested once, counts further
WINDOW = 20_000


class Sort(StrEnum):
    """What the list can be ordered by."""

    CREATED = "created"
    UPDATED = "updated"
    STATUS = "status"
    NAME = "name"
    PROGRESS = "progress"


class SortOrder(NamedTuple):
    """A sort key, and whether the greatest comes first."""

    sort: Sort = Sort.CREATED
    descending: bool = True


class CappedCount(NamedTuple):
    """A count that may stop early. `more`: there are more than `n`."""

    n: int = 0
    more: bool = False


NEWEST = SortOrder()
Cursor = tuple[Any, ...]  # a place in the list: the values of a job's sort key, and its id


@dataclass(frozen=True)
class JobListPage:
    """A page of the list. `counts` has every status under the same filters except the status; `total` is this list's.
    `next` is the cursor of the next page. `order` differs from the requested one if too many jobs match to sort."""

    jobs: list[ScrapingJob]
    counts: dict[Status, CappedCount]
    total: CappedCount
    order: SortOrder
    next: Cursor | None = None
    more_to_search: bool = False  # the name was not searched in all of them


_PERCENT: ColumnElement[int] = case(
    (ScrapingJob.total_numbers == 0, 0), else_=100 * ScrapingJob.processed_numbers // ScrapingJob.total_numbers
)
_KEYS: dict[Sort, list[tuple[ColumnElement[Any], TypeEngine[Any]]]] = {
    Sort.CREATED: [(ScrapingJob.created_at.expression, UtcDateTime())],
    Sort.UPDATED: [(ScrapingJob.updated_at.expression, UtcDateTime())],
    Sort.STATUS: [(ScrapingJob.status.expression, String()), (ScrapingJob.created_at.expression, UtcDateTime())],
    Sort.NAME: [(ScrapingJob.file_name.expression, String())],
    Sort.PROGRESS: [(_PERCENT, Integer())],
}


def list_all(wanted: Filters, order: SortOrder = NEWEST, after: Cursor | None = None) -> JobListPage:
    """Return the page after a cursor, or the first page. A cursor of another order is ignored."""
    counts = status_counts(wanted)
    total = counts[wanted.status] if wanted.status else _sum(counts.values())
    if order.sort == Sort.PROGRESS and (total.more or total.n > CAP or wanted.name):
        order = NEWEST  # there is no index for it, and sorting a million rows is slow
    if after is not None and not _fits(after, order):
        after = None
    found = _ordered(select(ScrapingJob), wanted, order, after).options(joinedload(ScrapingJob.user))
    if not wanted.name:
        jobs = list(db.session.scalars(found.limit(PER_PAGE + 1)))
        following = _place(jobs[PER_PAGE - 1], order) if len(jobs) > PER_PAGE else None
        return JobListPage(jobs[:PER_PAGE], counts, total, order, following)
    return _named(found, wanted, order, after, counts, total)


def _named(
    found: Select[Any],
    wanted: Filters,
    order: SortOrder,
    after: Cursor | None,
    counts: dict[Status, CappedCount],
    total: CappedCount,
) -> JobListPage:
    """Return the jobs whose file's name contains a text, in a window of the list; the job with that id comes first."""
    ids = _ordered(select(ScrapingJob.id), wanted, order, after).limit(WINDOW).subquery()
    here = found.where(ScrapingJob.id.in_(select(ids.c.id)), containing(ScrapingJob.file_name, wanted.name))
    jobs = list(db.session.scalars(here.limit(PER_PAGE + 1)))
    end = _ordered(select(ScrapingJob), wanted, order, after).offset(WINDOW - 1).limit(1)
    last = db.session.scalar(end)
    following = _place(jobs[PER_PAGE - 1], order) if len(jobs) > PER_PAGE else _place(last, order) if last else None
    jobs = jobs[:PER_PAGE]
    if wanted.named_id is not None:
        by_id = replace(wanted, name="", job_id=wanted.named_id)
        own = db.session.scalar(select(ScrapingJob).where(*conditions(by_id)))
        jobs = [job for job in jobs if job.id != wanted.named_id]
        if own is not None and after is None:
            jobs = [own, *jobs]
    return JobListPage(jobs, counts, total, order, following, last is not None)


def _ordered(query: Select[Any], wanted: Filters, order: SortOrder, after: Cursor | None) -> Select[Any]:
    keys = _KEYS[order.sort]
    columns = [*(column for column, _ in keys), ScrapingJob.id.expression]
    query = query.where(*conditions(wanted, with_name=False))
    if after is not None:
        kinds = [*(kind for _, kind in keys), Integer()]
        place = tuple_(*(literal(value, kind) for value, kind in zip(after, kinds, strict=True)))
        query = query.where(tuple_(*columns) < place if order.descending else tuple_(*columns) > place)
    return query.order_by(*(column.desc() if order.descending else column for column in columns))


def _place(job: ScrapingJob, order: SortOrder) -> Cursor:
    values: dict[Sort, tuple[Any, ...]] = {
        Sort.CREATED: (job.created_at,),
        Sort.UPDATED: (job.updated_at,),
        Sort.STATUS: (str(job.status), job.created_at),
        Sort.NAME: (job.file_name,),
        Sort.PROGRESS: (100 * job.processed_numbers // job.total_numbers if job.total_numbers else 0,),
    }
    return (*values[order.sort], job.id)


def _fits(after: Cursor, order: SortOrder) -> bool:
    kinds = [*(kind for _, kind in _KEYS[order.sort]), Integer()]
    wanted = [
        datetime if isinstance(kind, UtcDateTime) else int if isinstance(kind, Integer) else str for kind in kinds
    ]
    return [type(value) for value in after] == wanted


def status_counts(wanted: Filters, cap: int | None = None) -> dict[Status, CappedCount]:
    """Count the jobs with each status under the filters, ignoring their status filter. If many match, counting stops
    at `cap` jobs (default CAP), except for the filtered status, which is counted on its own."""
    cap = cap or CAP
    asked, wanted = wanted.status, replace(wanted, status=None)
    if wanted.only_status:
        return {status: CappedCount(n) for status, n in count_by_status().items()}
    some: Select[Any] = select(ScrapingJob.status).where(*conditions(wanted, with_name=False))
    if wanted.name:
        window = _ordered(select(ScrapingJob.id), wanted, NEWEST, None).limit(WINDOW)
        some = select(ScrapingJob.status).where(*conditions(wanted), ScrapingJob.id.in_(window))
    within = some.limit(cap + 1).subquery()
    rows = db.session.execute(select(within.c.status, func.count()).group_by(within.c.status)).all()
    counted = {Status(row[0]): row[1] for row in rows}
    full = sum(counted.values()) > cap or (bool(wanted.name) and _window_is_full(wanted))
    counts = {status: CappedCount(min(counted.get(status, 0), cap), full) for status in Status}
    if full and asked is not None and not wanted.name:
        counts[asked] = _of_status(wanted, asked, cap)
    return counts


def _of_status(wanted: Filters, status: Status, cap: int) -> CappedCount:
    rows = select(literal(1)).where(*conditions(replace(wanted, status=status))).limit(cap + 1).subquery()
    n = db.session.scalar(select(func.count()).select_from(rows)) or 0
    return CappedCount(min(n, cap), n > cap)


def _window_is_full(wanted: Filters) -> bool:
    last = _ordered(select(ScrapingJob.id), wanted, NEWEST, None).offset(WINDOW - 1).limit(1)
    return db.session.scalar(last) is not None


def _sum(counts: Any) -> CappedCount:
    counts = list(counts)
    return CappedCount(sum(one.n for one in counts), any(one.more for one in counts))
