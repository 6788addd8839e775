"""Who follows what, and when it is rendered and sent.

One thread renders everything, in turn: a change is rendered once for each different watch, and what it sends is in the
order of what it has read. A job's progress is sent four times a second at most, everything else at once. After each it
rests for as long as that took: pages that come are taken in by the same process, which does one thing at a time, and
while it renders nobody is let in. Without a rest, fifty watched jobs kept 2,500 pages that came in a second waiting for
longer than the socket could hold them (`backlog`), and every sixth was turned away. Because a
message from Redis may be lost, it also looks at the watched jobs itself every few seconds; by then it also knows whose
session has ended, and ends their streams. No transaction is open while a stream waits.
"""

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import structlog
from flask import Flask

from portal.accounts import living_sessions
from portal.clock import utcnow
from portal.jobs import queries
from portal.jobs.core.changes import Change
from portal.web.access import only_read
from portal.web.live.watcher import HEARTBEAT_SECONDS, Watcher
from portal.web.live.watches import ListWatch, Memory, Watch

log = structlog.get_logger(__name__)

PROGRESS_SECONDS = 0.25  # between two fragments of a job that only moves on
WHOLE_SECONDS = 20.0  # and of all that it shows, counts in menus too, while it only moves on
LOOK_SECONDS = 5.0  # between two looks at the database
DEAF_SECONDS = 1.0  # the same while no message can come from Redis
LONGEST_REST = 0.25  # after a rendering that took this long or longer
AHEAD_AT_ONCE = 20  # waiting jobs whose place in the queue is found out anew in one look
MOST_WATCHERS = 10_000  # more open pages poll; gunicorn takes some more, to tell them so
MOST_OF_ONE = 60  # of one session


@dataclass
class Followed:
    """One watch: its pages, what they show, and when it is rendered next. `came` have not been sent anything yet."""

    memory: Memory = field(default_factory=Memory)
    watchers: set[Watcher] = field(default_factory=set)
    came: set[Watcher] = field(default_factory=set)
    due_at: float | None = None
    rendered_at: float = float("-inf")
    changed: bool = False  # since it was rendered last; else it is due for those who came alone
    only_moved: bool = True  # nothing but counters has changed since it was rendered last
    whole_at: float = float("-inf")  # when it was last rendered with all that its pages show
    other_jobs: bool = False  # a job that the list does not show has come, or has changed


class Hub:
    """All open pages of this process."""

    def __init__(
        self, app: Flask, clock: Callable[[], float] = time.monotonic, rest: Callable[[float], None] = time.sleep
    ) -> None:
        self._app, self._clock, self._rest = app, clock, rest
        self._followed: dict[Watch, Followed] = {}
        self._by_job: dict[int, set[Watch]] = defaultdict(set)
        self._by_owner: dict[int, set[Watch]] = defaultdict(set)
        self._seen: dict[int, str] = {}  # each watched job as it was when it was rendered, or looked at
        self._open_pages: Counter[str] = Counter()  # of each session
        self._ahead_from = 0
        self._looked_at = self._checked_at = clock()
        self._lock, self._wake = threading.RLock(), threading.Event()
        self.hears = False  # whether messages from Redis come in
        self._closed = False

    # ── pages come and go ──

    def has_room(self, session_id: str) -> bool:
        """Whether one more page of this session may follow something."""
        with self._lock:
            room = self._open_pages.total() < MOST_WATCHERS and self._open_pages[session_id] < MOST_OF_ONE
        return room and not self._closed

    def add(self, watch: Watch, watcher: Watcher) -> None:
        """Let a page follow from now on; what it does not show yet is sent first."""
        with self._lock:
            followed = self._followed.get(watch)
            if followed is None:
                followed = self._followed[watch] = Followed()
                for job_id in watch.job_ids:
                    self._by_job[job_id].add(watch)
                if watch.owner_id is not None:
                    self._by_owner[watch.owner_id].add(watch)
            followed.watchers.add(watcher)
            self._open_pages[watcher.session_id] += 1
            followed.came.add(watcher)
            followed.due_at = self._clock()
        self._wake.set()

    def remove(self, watch: Watch, watcher: Watcher) -> None:
        """Forget a page that was closed."""
        with self._lock:
            followed = self._followed.get(watch)
            if followed is None or watcher not in followed.watchers:
                return
            followed.watchers.discard(watcher)
            self._open_pages -= Counter([watcher.session_id])  # and forgets a session without any
            followed.came.discard(watcher)
            if followed.watchers:
                return
            del self._followed[watch]
            for job_id in watch.job_ids:
                self._by_job[job_id].discard(watch)
                if not self._by_job[job_id]:
                    del self._by_job[job_id]
                    self._seen.pop(job_id, None)
            if watch.owner_id is not None:
                self._by_owner[watch.owner_id].discard(watch)
                if not self._by_owner[watch.owner_id]:
                    del self._by_owner[watch.owner_id]

    def close(self) -> None:
        """End every stream, so that its page comes back to the process that follows this one."""
        with self._lock:
            self._closed = True
            watchers = [watcher for followed in self._followed.values() for watcher in followed.watchers]
        for watcher in watchers:
            watcher.end("again")
        self._wake.set()

    @property
    def is_closed(self) -> bool:
        return self._closed

    # ── what has changed ──

    def heard(self, changes: Iterable[Change]) -> None:
        """Render what follows these jobs, soon."""
        with self._lock:
            for change in changes:
                watches = self._by_job.get(change.job_id, set())
                for watch in watches:
                    self._set_due(self._followed[watch], at_once=change.at_once)
                if change.owner_id is not None:
                    for watch in self._by_owner.get(change.owner_id, set()) - watches:
                        self._followed[watch].other_jobs = True
                        self._set_due(self._followed[watch], at_once=True)
        self._wake.set()

    def heard_all(self, hears: bool) -> None:
        """Note whether messages come in from now on; those of the time before may be lost, so look at everything."""
        self.hears = hears
        self._looked_at = float("-inf")
        self._wake.set()

    def _set_due(self, followed: Followed, *, at_once: bool) -> None:
        followed.changed = True
        due_at = self._clock()
        if at_once:
            followed.only_moved = False
        else:
            due_at = max(due_at, followed.rendered_at + PROGRESS_SECONDS)
        followed.due_at = due_at if followed.due_at is None else min(due_at, followed.due_at)

    # ── the rendering thread ──

    def run(self) -> None:
        """Render whatever is due, until the hub is closed."""
        while not self._closed:
            self._wake.wait(self.turn())
            self._wake.clear()

    def turn(self) -> float:
        """Do what is due now, and return the seconds until the next thing is. An error costs this turn alone."""
        try:
            now = self._clock()
            if now >= self._looked_at + (LOOK_SECONDS if self.hears else DEAF_SECONDS):
                self._looked_at = now
                self._look()
            if now >= self._checked_at + HEARTBEAT_SECONDS / 2:
                self._checked_at = now
                self._end_signed_out()
            for watch, followed in self._due(now):
                began = self._clock()
                self._render(watch, followed)
                self._rest(min(self._clock() - began, LONGEST_REST))
        except Exception:  # the database may be away for a moment; pages poll meanwhile, or wait for the next look
            log.exception("open pages could not be brought up to date")
        return self._until_next()

    def _due(self, now: float) -> list[tuple[Watch, Followed]]:
        with self._lock:
            due = [(w, one) for w, one in self._followed.items() if one.due_at is not None and one.due_at <= now]
            for _, followed in due:
                followed.due_at = None
        return due

    def _until_next(self) -> float:
        with self._lock:
            moments = [one.due_at for one in self._followed.values() if one.due_at is not None]
        moments.append(self._looked_at + (LOOK_SECONDS if self.hears else DEAF_SECONDS))
        return min(max(0.0, min(moments) - self._clock()), DEAF_SECONDS)

    def _render(self, watch: Watch, followed: Followed) -> None:
        with self._lock:
            came, followed.came = followed.came, set()
            other_jobs, followed.other_jobs = followed.other_jobs, False
            light = followed.only_moved and not came and self._clock() < followed.whole_at + WHOLE_SECONDS
            shows = {watcher.version for watcher in came} if not followed.changed else set()
            followed.changed, followed.only_moved = False, True
            known = followed.watchers - came
        memory = followed.memory
        followed.rendered_at = self._clock()
        if not light:
            followed.whole_at = followed.rendered_at
        try:
            shown = watch.show(self._app, memory, shows, whole=bool(came), light=light)
            other = watch.with_new_jobs(self._app) if other_jobs and isinstance(watch, ListWatch) else {}
        except Exception:
            with self._lock:
                followed.came |= came & followed.watchers
                followed.other_jobs |= other_jobs
                followed.changed, followed.only_moved = True, False
                followed.due_at = self._clock() + DEAF_SECONDS
            log.exception("an open page could not be brought up to date")
            return
        sums = {name: hash(part) for name, part in shown.parts.items()}
        changed = {name: part for name, part in shown.parts.items() if sums[name] != memory.sums.get(name)}
        memory.sums |= sums
        memory.version = shown.version
        with self._lock:
            self._seen |= {job_id: state for job_id, state in shown.states.items() if job_id in self._by_job}
        for watcher in known:
            watcher.put({**changed, **shown.passing, **other})
        for watcher in came:
            watcher.put({**(shown.parts if watcher.version != shown.version else {}), **other})
        if shown.ends:
            for watcher in known | came:
                watcher.end(shown.ends)

    # ── looks at the database ──

    def _look(self) -> None:
        """Render what has changed without a message, and some of the jobs that wait for a worker: their place in the
        queue changes with other people's jobs."""
        with self._lock:
            watched = list(self._by_job)
        if not watched:
            return
        with self._app.app_context():
            only_read()
            now_seen = queries.states_of(watched, utcnow())
        waiting = sorted(job_id for job_id, (_, waits) in now_seen.items() if waits)
        start = self._ahead_from % max(1, len(waiting))
        turn = set((waiting[start:] + waiting[:start])[:AHEAD_AT_ONCE])
        self._ahead_from += AHEAD_AT_ONCE
        with self._lock:
            for job_id in watched:
                version = now_seen[job_id][0] if job_id in now_seen else "gone"
                if self._seen.get(job_id, version) != version or job_id in turn:
                    for watch in self._by_job.get(job_id, ()):
                        self._set_due(self._followed[watch], at_once=True)
                if job_id in self._by_job:
                    self._seen[job_id] = version

    def _end_signed_out(self) -> None:
        """End the streams of sessions that have ended, and of readers whose rights or language changed: these come back
        and get what is theirs now."""
        with self._lock:
            every = [(watch, w) for watch, followed in self._followed.items() for w in followed.watchers]
        with self._app.app_context():
            users = living_sessions({watcher.session_id for _, watcher in every}, utcnow())
        for watch, watcher in every:
            user = users.get(watcher.session_id)
            if user is None:
                watcher.end("signed-out")
            elif user.is_admin != watch.reader.is_admin or (user.locale or watch.reader.locale) != watch.reader.locale:
                watcher.end("again")
