"""Limits how many requests of all workers and machines together are in flight at one source.

A request needs a place. Each attempt holds a share of the source's places in Redis and hands them to its threads, so
that most requests cost no call: Redis is asked when the share is too small, once a second to keep it, and when the
attempt has needed no place for a moment or is closed. Attempts that want places get equal shares; where there are more
attempts than places, they take turns. Knows no job and no request. The step that runs inside Redis is
`concurrency_limiter.lua`, and is used only here.

Where its promise ends: the places of a worker that was killed come back after LEASE_SECONDS. A worker that stood still
for longer than that, and a Redis that was emptied, may let a source have too many requests for a moment. With Redis
away each attempt keeps the share it had, at least one place; one that had never asked takes all.
"""

import secrets
import threading
import time
from collections.abc import Callable
from pathlib import Path

import structlog
from redis import Redis
from redis.exceptions import RedisError

from portal.causes import CauseCode
from portal.redis_client import prefix_of
from portal.sources.base import SourceBusy
from portal.sources.limits.rate_limiter import WaitInterrupted

log = structlog.get_logger(__name__)

SCRIPT = Path(__file__).with_suffix(".lua").read_text(encoding="utf-8")

LEASE_SECONDS = 10.0
RENEW_SECONDS = 1.0
IDLE_SECONDS = 0.25  # without any request, until the places are given back: one at a time would ask twice for each
GATHER_SECONDS = 0.005  # in which the threads that start together come to want a place, and are asked for together
# Between two questions of a process that wants more places than it got. One that has some asks more and more rarely
# while the answer stays the same, until renewing its share does: at 40 requests a second, three processes would else
# ask almost as often as they send requests.
ASK_SECONDS, RAREST_ASK_SECONDS = 0.1, 2.0
RAREST_FIRST_SECONDS = 0.4  # while it has none: a small file should not wait for long behind a large one
PATIENCE_SECONDS = 2.0  # a waiting process that has not asked for so long is gone
TURN_SECONDS = 2.0  # how long a process may hold its place while others have none
LONGEST_WAIT = 60.0  # without any place, after which the worker is freed
AWAY_SECONDS = 5.0  # how long Redis is left alone once it is away


class ConcurrencyLimiter:
    """The places of one source, `limit` of them, as one attempt sees them. One object serves all its threads."""

    def __init__(self, redis: Redis | None, name: str, limit: int, max_wait_seconds: float = LONGEST_WAIT) -> None:
        self.name, self.limit = name, limit
        self._max_wait_seconds = max_wait_seconds
        self._script = redis.register_script(SCRIPT) if redis is not None else None
        self._key = f"{prefix_of(redis)}places:{name}"
        self._caller = secrets.token_hex(8)
        self._changed = threading.Condition()
        self._granted = self._in_flight = self._waiting = 0
        self._peak = 0  # the most places that could have been used since Redis was last asked
        self._known = False  # whether Redis has ever said how many places these are
        self._satisfied = True  # whether the last answer was all that was wanted
        self._gathering = False  # whether a thread is about to ask for all
        self._idle_since = 0.0
        self._asked_at = self._away_until = 0.0
        self._ask_seconds = ASK_SECONDS
        self._without_place_since: float | None = None
        self._renewer: threading.Thread | None = None

    def take(self, stop: Callable[[], bool] = lambda: False) -> None:
        """Return when a request may be in flight; `give_back` ends it.

        Raises SourceBusy after `max_wait_seconds` without any place, and its subclass WaitInterrupted once `stop()` is
        true; in both cases there is nothing to give back.
        """
        with self._changed:
            self._waiting += 1
            self._peak = max(self._peak, self._in_flight + self._waiting)
            try:
                while not stop():
                    if self._has_place():
                        self._in_flight += 1
                        break
                    self._raise_after_long_wait()
                    self._changed.wait(ASK_SECONDS)
                else:
                    raise WaitInterrupted
            finally:
                self._waiting -= 1
                if self._is_idle():
                    self._ask()
            self._keep_renewing()

    def give_back(self) -> None:
        """End what `take` began."""
        with self._changed:
            self._in_flight -= 1
            if self._in_flight >= self._granted and (not self._in_flight or self._may_ask()):
                self._ask()  # other attempts may be waiting for it
            self._idle_since = time.monotonic()
            self._changed.notify()

    def close(self) -> None:
        """Give all places back: no request follows, as far as is known."""
        with self._changed:
            if self._granted and self._is_idle():
                self._ask()

    def _is_idle(self) -> bool:
        return not self._in_flight and not self._waiting

    def _has_place(self) -> bool:
        if self._in_flight >= self._granted and self._granted < self.limit and self._may_ask() and not self._gathering:
            if self._granted:
                self._gathering = True
                self._changed.wait(GATHER_SECONDS)
                self._gathering = False
            self._ask()
        return self._in_flight < self._granted

    def _may_ask(self) -> bool:
        return self._satisfied or time.monotonic() - self._asked_at >= self._ask_seconds

    def _raise_after_long_wait(self) -> None:
        now = time.monotonic()
        if self._granted or self._in_flight:
            self._without_place_since = None
        elif self._without_place_since is None:
            self._without_place_since = now
        elif now - self._without_place_since >= self._max_wait_seconds:
            raise SourceBusy(CauseCode.SOURCE_BUSY, self._max_wait_seconds)

    def _ask(self) -> None:
        """Report what is used and wanted, and read the share."""
        wanted = min(self._peak, self.limit) if self._in_flight or self._waiting else 0
        self._peak = self._in_flight + self._waiting
        now = self._asked_at = time.monotonic()
        if self._script is None:
            self._granted = self.limit
            return
        if now < self._away_until:
            return
        before = self._granted
        arguments: list[str | int] = [self._caller, self._in_flight, wanted, self.limit]
        spans = [round(seconds * 1000) for seconds in (LEASE_SECONDS, PATIENCE_SECONDS, TURN_SECONDS)]
        try:
            self._granted = int(self._script(keys=[self._key], args=[*arguments, *spans]))
            self._known = True
        except (RedisError, OSError) as error:
            self._away_until = now + AWAY_SECONDS
            self._granted = max(self._granted, 1 if self._known else self.limit)
            log.warning("redis is away; the attempt keeps its places", source=self.name, error=str(error))
        self._satisfied = self._granted >= wanted
        same = not self._satisfied and self._granted == before
        rarest = RAREST_ASK_SECONDS if self._granted else RAREST_FIRST_SECONDS
        self._ask_seconds = min(2 * self._ask_seconds, rarest) if same else ASK_SECONDS
        if self._granted > self._in_flight:
            self._changed.notify(self._granted - self._in_flight)

    def _keep_renewing(self) -> None:
        if self._script is not None and self._renewer is None:
            self._renewer = threading.Thread(target=self._renew, name=f"places {self.name}", daemon=True)
            self._renewer.start()

    def _renew(self) -> None:
        while True:
            time.sleep(min(RENEW_SECONDS, IDLE_SECONDS))
            with self._changed:
                now = time.monotonic()
                if not self._is_idle():
                    if now - self._asked_at >= RENEW_SECONDS:
                        self._ask()
                elif now - self._idle_since >= IDLE_SECONDS:
                    if self._granted:
                        self._ask()
                    self._renewer = None
                    return
