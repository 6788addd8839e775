"""A person's own list of files: jobs, and the documents that were never started, together on one page.

What needs the person comes first: files that were not started, and those that stopped and are not retried. Each page is
read after, or before, a place in the list, so that a hundred thousand files cost as much as ten. A text is searched in
the next WINDOW files of each kind; `more_to_search` says that there are more.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, and_, not_, or_, select, text

from portal.accounts import User
from portal.database import db
from portal.documents.models import Document, Reading
from portal.documents.search_text import fold
from portal.ids import id_in
from portal.jobs.core.status import Status
from portal.jobs.models import ScrapingJob
from portal.jobs.queries import with_source_pauses
from portal.jobs.uploads import not_started

PER_PAGE = 25
WINDOW = 10_000
MOST_PAGES = 400  # that an address may ask for by number
ON_TOP = timedelta(days=14)  # a file that stopped earlier than that has its place among the others
REFUSED_SHOWN = timedelta(days=1)  # a file that cannot be used; after that it only waits to be deleted


class Sort(StrEnum):
    """What the list can be ordered by."""

    ATTENTION = "attention"  # what needs the person, then the newest
    CREATED = "created"
    NAME = "name"


class Show(StrEnum):
    """What the list can be limited to, beside the statuses of jobs."""

    ATTENTION = "attention"
    NOT_STARTED = "not_started"


@dataclass(frozen=True)
class ListFilters:
    """What is asked of the list. `status` is a job's status or one of `Show`; empty: all."""

    status: str = ""
    q: str = ""
    sort: Sort = Sort.ATTENTION
    descending: bool = True

    @property
    def filters(self) -> bool:
        """Whether anything is left out."""
        return bool(self.status or self.q)


class Place(NamedTuple):
    """A place in the list: the part, the value that it is ordered by, the kind of the file (0: a job), and its id."""

    part: int
    key: Any
    kind: int
    its_id: int


@dataclass(frozen=True)
class FileEntry:
    """One line: a job, or a document that was never started."""

    place: Place
    job: ScrapingJob | None = None
    document: Document | None = None


@dataclass(frozen=True)
class FilePage:
    """A page of the list. `before` and `after` are places to go on from, or None. `more_to_search`: the text was not
    searched in all files."""

    entries: list[FileEntry]
    before: Place | None = None
    after: Place | None = None
    more_to_search: bool = False

    @property
    def jobs(self) -> list[ScrapingJob]:
        """The jobs among them, which may change while the page is open."""
        return [one.job for one in self.entries if one.job]


@dataclass(frozen=True)
class _Feed:
    """Files of one kind in one part of the list."""

    part: int
    kind: int
    model: type[ScrapingJob] | type[Document]
    key: Any
    where: Sequence[ColumnElement[bool]]


def has_any(user_id: int) -> bool:
    """Return whether the person has a file at all."""
    job = select(ScrapingJob.id).where(ScrapingJob.user_id == user_id, ScrapingJob.deleted_at.is_(None)).limit(1)
    document = select(Document.id).where(Document.user_id == user_id, Document.deleted_at.is_(None)).limit(1)
    return db.session.scalar(job) is not None or db.session.scalar(document) is not None


def list_files(
    user: User,
    wanted: ListFilters,
    now: datetime,
    *,
    after: Place | None = None,
    before: Place | None = None,
    page: int = 1,
) -> FilePage:
    """Return the page after or before a place, or the page with a number; a place of another order is ignored."""
    feeds = _feeds(user, wanted, now)
    after, before = (one if one and _fits(one, wanted) else None for one in (after, before))
    searched = _Search(wanted.q) if wanted.q else None
    if before is not None:
        places, more, full = _places(feeds, wanted, before, PER_PAGE, forward=False, search=searched)
        if len(places) == PER_PAGE or more or full:
            places.reverse()
            first = places[0] if more and places else None
            return FilePage(_loaded(places), first, places[-1] if places else before, full)
        after = None  # fewer than a page are before it: the first page has them all
    elif after is None and page > 1:
        skipped, more, _ = _places(feeds, wanted, None, PER_PAGE * (min(page, MOST_PAGES) - 1), search=searched)
        if not more:  # past the end: the last page
            skipped = skipped[: max(0, (len(skipped) - 1) // PER_PAGE * PER_PAGE)]
        after = skipped[-1] if skipped else None
    places, more, full = _places(feeds, wanted, after, PER_PAGE, search=searched)
    following = places[-1] if more and places else None
    if full and searched is not None and not more:
        following = searched.reached
    return FilePage(_loaded(places), places[0] if after and places else None, following, full)


def _feeds(user: User, wanted: ListFilters, now: datetime) -> list[_Feed]:
    mine = (ScrapingJob.user_id == user.id, ScrapingJob.deleted_at.is_(None))
    new = (
        *not_started(user.id),
        or_(Document.state != Reading.REFUSED, Document.created_at > now - REFUSED_SHOWN),
    )
    by_name = wanted.sort is Sort.NAME
    job_key = ScrapingJob.search_text if by_name else ScrapingJob.created_at
    document_key = Document.search_text if by_name else Document.created_at
    documents = _Feed(0, 1, Document, document_key, new)
    # Worded like the index, so that SQLite takes it.
    stopped = and_(text("status IN ('failed', 'timeout')"), ScrapingJob.next_retry_at.is_(None))
    if wanted.status == Show.NOT_STARTED:
        return [documents]
    if wanted.status == Show.ATTENTION:
        return [documents, _Feed(0, 0, ScrapingJob, job_key, (*mine, stopped))]
    if wanted.status in tuple(Status):  # any other does not filter
        return [_Feed(0, 0, ScrapingJob, job_key, (*mine, ScrapingJob.status == Status(wanted.status)))]
    if wanted.sort is not Sort.ATTENTION or wanted.q:  # a search looks in an index that has no statuses
        return [documents, _Feed(0, 0, ScrapingJob, job_key, mine)]
    # From midnight, so that no file changes its part while somebody turns the pages.
    recent = ScrapingJob.created_at >= (now - ON_TOP).replace(hour=0, minute=0, second=0, microsecond=0)
    on_top = and_(stopped, recent)
    return [
        documents,
        _Feed(0, 0, ScrapingJob, job_key, (*mine, stopped, recent)),
        _Feed(1, 0, ScrapingJob, job_key, (*mine, not_(on_top))),
    ]


class _Search:
    """A text to look for in the next files of each kind. `reached` is the last place that was looked at."""

    def __init__(self, q: str) -> None:
        self.text, self.named = fold(q).strip(), id_in(q.strip().lstrip("#"))
        self.reached: Place | None = None

    def narrowed(self, found: Select[Any], feed: _Feed, descending: bool) -> tuple[Select[Any], bool]:
        """The query limited to the window and the text, and whether there are more files than the window has."""
        last = db.session.execute(found.offset(WINDOW - 1).limit(1)).first()
        here = feed.model.search_text.contains(self.text, autoescape=True)
        if feed.kind == 0 and self.named is not None:
            here = or_(here, feed.model.id == self.named)
        if last is None:
            return found.where(here), False
        self.reached = Place(feed.part, last[0], feed.kind, last[1])
        return found.where(here, _up_to(feed, self.reached, descending)), True


def _places(
    feeds: Sequence[_Feed],
    wanted: ListFilters,
    start: Place | None,
    most: int,
    *,
    forward: bool = True,
    search: _Search | None = None,
) -> tuple[list[Place], bool, bool]:
    """Return the places that follow `start`, whether there are more, and whether a search stopped at its window."""
    descending = wanted.descending == forward
    found: list[Place] = []
    for part in sorted({feed.part for feed in feeds}, reverse=not forward):
        if start is not None and (part < start.part if forward else part > start.part):
            continue
        here: list[Place] = []
        full = False
        for feed in (one for one in feeds if one.part == part):
            query = _ordered(feed, start if start and start.part == part else None, descending)
            if search is not None:
                query, more = search.narrowed(query, feed, descending)
                full = full or more
            rows = db.session.execute(query.limit(most + 1 - len(found)))
            here += [Place(part, key, feed.kind, its_id) for key, its_id in rows]
        here.sort(key=lambda place: place[1:], reverse=descending)
        found += here
        if len(found) > most:
            return found[:most], True, False
        if full:
            return found, False, True
    return found, False, False


def _ordered(feed: _Feed, start: Place | None, descending: bool) -> Select[Any]:
    query = select(feed.key, feed.model.id).where(*feed.where)
    if start is not None:
        query = query.where(_beyond(feed, start, descending))
    columns = (feed.key, feed.model.id)
    return query.order_by(*(column.desc() if descending else column.asc() for column in columns))


def _beyond(feed: _Feed, start: Place, descending: bool) -> ColumnElement[bool]:
    """The condition of what comes after the place, in this order of key, kind and id."""
    further: Callable[[Any, Any], Any] = (lambda a, b: a < b) if descending else (lambda a, b: a > b)
    or_same: Callable[[Any, Any], Any] = (lambda a, b: a <= b) if descending else (lambda a, b: a >= b)
    condition: ColumnElement[bool]
    if feed.kind == start.kind:
        condition = and_(
            or_same(feed.key, start.key), or_(further(feed.key, start.key), further(feed.model.id, start.its_id))
        )
    else:
        condition = or_same(feed.key, start.key) if further(feed.kind, start.kind) else further(feed.key, start.key)
    return condition


def _up_to(feed: _Feed, last: Place, descending: bool) -> ColumnElement[bool]:
    """The condition of what comes before a place of the same feed, and of the place itself; a range of its index."""
    if descending:
        return and_(feed.key >= last.key, or_(feed.key > last.key, feed.model.id >= last.its_id))
    return and_(feed.key <= last.key, or_(feed.key < last.key, feed.model.id <= last.its_id))


def _loaded(places: Sequence[Place]) -> list[FileEntry]:
    job_ids = [place.its_id for place in places if place.kind == 0]
    document_ids = [place.its_id for place in places if place.kind == 1]
    jobs: dict[int, ScrapingJob] = {}
    documents: dict[int, Document] = {}
    if job_ids:
        found = db.session.scalars(select(ScrapingJob).where(ScrapingJob.id.in_(job_ids)))
        jobs = {job.id: job for job in with_source_pauses(list(found))}
    if document_ids:
        documents = {one.id: one for one in db.session.scalars(select(Document).where(Document.id.in_(document_ids)))}
    entries = [
        FileEntry(place, jobs.get(place.its_id)) if place.kind == 0 else FileEntry(place, None, documents[place.its_id])
        for place in places
    ]
    return [one for one in entries if one.job or one.document]


def _fits(place: Place, wanted: ListFilters) -> bool:
    key = str if wanted.sort is Sort.NAME else datetime
    return isinstance(place.part, int) and isinstance(place.key, key) and place.kind in (0, 1)
