"""What an open page can follow, and its fragments as they are now.

They come from the pages' own templates, in a request's context of their own whose reader has the rights, the language
and the time zone of those who get them. Equal watches are rendered once.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from flask import Flask, g, render_template, session
from flask_login import current_user

from portal.accounts import User
from portal.clock import utcnow
from portal.jobs import queries
from portal.jobs.core import derived
from portal.jobs.models import ScrapingJob
from portal.sources.base import Outcome
from portal.web import job_page
from portal.web.access import only_read
from portal.web.home import files_list
from portal.web.live.watcher import CSRF_MARK, data_lines

_PARTIAL = re.compile(r'(?=<hx-partial hx-target="([^"]+)")')


@dataclass(frozen=True)
class Reader:
    """For whom a fragment is. `user_id` is ANYBODY where administrators see the same, as they do of others' files."""

    user_id: int
    is_admin: bool
    locale: str
    time_zone: str


ANYBODY = 0


@dataclass
class Memory:
    """What the pages with the same watch show: its version, and a sum of each part."""

    version: str = ""
    sums: dict[str, int] = field(default_factory=dict)
    rows: dict[tuple[int, int, int], tuple[Any, ...]] = field(default_factory=dict)
    rows_open: bool = False  # whether a visible row waits for its answer
    state: tuple[Any, ...] = ()
    moving: frozenset[int] = frozenset()

    def forget(self, version: str) -> None:
        """Take up another version, whose parts are not known: the next change sends all of them."""
        if version != self.version:
            self.version, self.sums, self.rows, self.state = version, {}, {}, ()


@dataclass(frozen=True)
class Shown:
    """A watch as it is now. `ends`: the event that ends its stream, because nothing can change any more, or it may not
    be seen any more. `passing`: parts that say what has just happened, and are sent to nobody who comes later."""

    version: str
    parts: Mapping[str, bytes]
    ends: str | None = None
    states: Mapping[int, str] = field(default_factory=dict)  # of its jobs, as `queries.state_of` has them
    passing: Mapping[str, bytes] = field(default_factory=dict)


GONE = Shown("gone", {}, "gone")


@contextmanager
def _as(app: Flask, reader: Reader, path: str, query: dict[str, Any], searches: dict[str, str]) -> Iterator[None]:
    """Enter a request for this page by this reader, which only reads."""
    address = {"base_url": app.config["PUBLIC_URL"], "query_string": {k: v for k, v in query.items() if v}}
    with app.app_context(), app.test_request_context(path, headers={"Accept-Language": reader.locale}, **address):
        # A reader as templates and queries need them: not read from the database again for each fragment.
        g._login_user = User(
            id=reader.user_id, is_admin=reader.is_admin, locale=reader.locale, time_zone=reader.time_zone
        )
        g.csrf_token = CSRF_MARK.decode()
        session[job_page.SEARCHES] = searches
        only_read()
        yield


def _apart(html: str) -> dict[str, bytes]:
    """Take rendered parts apart at each partial. What comes before the first one is the title."""
    first, *rest = _PARTIAL.split(html)
    return {"title": data_lines(first)} | {
        target: data_lines(partial) for target, partial in zip(rest[::2], rest[1::2], strict=True)
    }


def _partial(target: str, swap: str, html: str) -> bytes:
    return data_lines(f'<hx-partial hx-target="{target}" hx-swap="{swap}">{html}</hx-partial>')


@dataclass(frozen=True)
class JobWatch:
    """A job's page, with the rows that it shows. `searched` is what it searched the rows for, under the key `find`."""

    reader: Reader
    job_id: int
    outcome: str = ""
    page: str = ""
    find: str = ""
    searched: str = ""

    @property
    def job_ids(self) -> frozenset[int]:
        return frozenset({self.job_id})

    @property
    def owner_id(self) -> int | None:
        """Whose other jobs matter too."""
        return None

    def show(self, app: Flask, memory: Memory, shows: set[str], *, whole: bool, light: bool) -> Shown:
        """Return the page's parts, and those of its visible rows that have changed; with `whole` all that have an
        answer. `light`: only what changes with every answer, if that is all that changed. `shows`: the versions that
        the pages show; nothing is rendered if that is the present one."""
        query = {"outcome": self.outcome, "page": self.page, "find": self.find}
        with _as(app, self.reader, f"/jobs/{self.job_id}", query, {self.find: self.searched} if self.find else {}):
            job = queries.find_job(current_user, self.job_id)
            if job is None:
                return GONE
            if shows and shows == {version := job_page.version_of(job)}:
                memory.forget(version)
                return Shown(version, {}, states=_states([job]))
            state = (job.status, job.attempt, job.round, job.paused_at, job.not_before)
            if light and state == memory.state:
                parts = _apart(job_page.moved_parts(job))
                if memory.rows_open and self._rows_have_changed(job, memory):
                    parts |= self._numbers(job, job_page.rows_of(job), memory, whole=False)
                return Shown(memory.version, parts, states=_states([job]))
            memory.state = state
            facts = job_page.facts_of(job)
            rows: dict[str, Any] = {}
            numbers: dict[str, bytes] = {}
            if not facts["moving"]:
                rows = job_page.rows_of(job, now=False)
            elif job_page.shows_all(job):
                rows = job_page.rows_of(job)
                numbers = self._numbers(job, rows, memory, whole=whole)
            parts = _apart(job_page.streamed_parts(job, facts, rows)) | numbers
            return Shown(facts["version"], parts, None if facts["moving"] else "end", _states([job]))

    def _rows_have_changed(self, job: ScrapingJob, memory: Memory) -> bool:
        first, last = min(memory.rows)[0], max(memory.rows)[0]
        return queries.outcomes_between(job, first, last) != [state[0] for _, state in sorted(memory.rows.items())]

    def _numbers(self, job: ScrapingJob, rows: dict[str, Any], memory: Memory, *, whole: bool) -> dict[str, bytes]:
        """Return the visible rows that have an answer which the pages do not show yet."""
        found: dict[str, bytes] = {}
        before, memory.rows = memory.rows, {}
        for number in rows["numbers"].rows:
            place = (number.row_no, number.column, number.place)
            memory.rows[place] = state = (number.outcome, number.reason, number.attempt)
            if state != before.get(place, (Outcome.WAITING, None, None)) or (
                whole and number.outcome != Outcome.WAITING
            ):
                target = f"#row-{'-'.join(map(str, place))}"
                found[target] = _partial(target, "outerMorph", job_page.number_row(job, number, rows))
        memory.rows_open = rows["rows_open"]
        return found


def _states(jobs: list[ScrapingJob]) -> dict[int, str]:
    now = utcnow()
    return {job.id: queries.state_of(job, now) for job in jobs}


@dataclass(frozen=True)
class ListWatch:
    """A list of jobs: everybody's, or a person's own under the filters of `query`, where new ones come in too."""

    reader: Reader
    shown_ids: tuple[int, ...]
    everybody: bool = False
    query: tuple[tuple[str, str], ...] = ()

    @property
    def job_ids(self) -> frozenset[int]:
        return frozenset(self.shown_ids)

    @property
    def owner_id(self) -> int | None:
        return None if self.everybody else self.reader.user_id

    def show(self, app: Flask, memory: Memory, shows: set[str], *, whole: bool, light: bool) -> Shown:
        """Return each row and the next poll; and a message for each job that has just ended."""
        with _as(app, self.reader, "/", dict(self.query), {}):
            jobs = queries.find_jobs(current_user, list(self.shown_ids))
            version = derived.version_of_all(jobs)
            if shows == {version}:
                memory.forget(version)
                memory.moving = frozenset(job.id for job in jobs if derived.is_unfinished(job))
                return Shown(version, {}, states=_states(jobs))
            parts = {
                f"#job-row-{job.id}": _partial(
                    f"#job-row-{job.id}",
                    "outerMorph",
                    render_template("jobs/_row.html", job=job, everybody=self.everybody),
                )
                for job in jobs
            }
            parts["#jobs-poll"] = _partial(
                "#jobs-poll",
                "outerHTML",
                render_template("jobs/_poll_list.html", jobs=jobs, everybody=self.everybody),
            )
            moving = frozenset(job.id for job in jobs if derived.is_unfinished(job))
            ended = [job for job in jobs if job.id in memory.moving - moving] if not self.everybody else []
            toasts = {
                f"toast-{job.id}": data_lines(render_template("jobs/_ended_toast.html", job=job)) for job in ended
            }
            memory.moving = moving
            return Shown(version, parts, states=_states(jobs), passing=toasts)

    def with_new_jobs(self, app: Flask) -> dict[str, bytes]:
        """Return the whole list, which has other jobs than those shown."""
        with _as(app, self.reader, "/", dict(self.query), {}):
            return {"#jobs": _partial("#jobs", "innerMorph", files_list())}


Watch = JobWatch | ListWatch
