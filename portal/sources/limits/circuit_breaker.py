"""Whether a source is down for everybody: shared by all workers, so that a dead source is not asked 5,000 times.

It opens after 20 failures in a row, or more than half of the last 50. While it is open nobody asks, and whoever wants
to is told how long that lasts: the job waits and uses no retry. After 30 seconds, doubling to ten minutes, one single
request probes; its answer closes the breaker, its failure opens it for longer. It must not know what is asked.

Redis is asked once a second, never per request: outcomes are handed in together with that question, so a source that
dies is noticed up to a second late. With Redis away the breaker is closed: each request fails for itself.
"""

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import structlog
from redis import Redis
from redis.exceptions import RedisError

from portal.causes import CauseCode
from portal.clock import utcnow
from portal.sources.base import SourceBusy
from portal.sources.limits.circuit_breaker_lua import CONSECUTIVE, SCRIPT, WINDOW

log = structlog.get_logger(__name__)

ASK_SECONDS = 1.0
AWAY_SECONDS = 5.0  # with Redis away, it is not asked again before
PROBE_WAIT_SECONDS = 5.0  # how long a process' other threads wait for the answer of its own probe
DOWN = CauseCode.SOURCE_DOWN


@dataclass(frozen=True)
class CircuitState:
    """How the breaker stands. `until` is when an open one lets the next probe through; `failures` of the latest `of`
    outcomes failed; `known` is false while Redis is away."""

    is_open: bool
    until: datetime | None = None
    reason: str = ""
    failures: int = 0
    of: int = 0
    opened: int = 0  # how often in a row
    known: bool = True


CLOSED = CircuitState(False)
UNKNOWN = CircuitState(False, known=False)


class CircuitBreaker:
    """The breaker of one source. One object serves all threads of a process.

    Around each request, in one and the same thread: `check()`, then the request, then `succeeded()` or `failed()`.
    """

    def __init__(self, redis: Redis | None, name: str, clock: Callable[[], datetime] = utcnow) -> None:
        self.name = name
        self._clock = clock
        self._script = redis.register_script(SCRIPT) if redis is not None else None
        self._key = f"breaker:{name}"
        self._changed = threading.Condition()
        self._outcomes = ""  # not handed in yet
        self._in_a_row = 0  # failures, those of other processes included
        self._known = CLOSED
        self._asked_at: datetime | None = None
        self._away_until: datetime | None = None
        self._prober: int | None = None  # the thread whose request is the probe

    def check(self) -> None:
        """Return when the source may be asked. Raises SourceBusy with the time it stays closed to us."""
        with self._changed:
            if self._prober is not None and self._known.until is not None and self._clock() >= self._known.until:
                self._over()  # its thread ended without a word, as when we were told to stop
            if self._prober is None and self._due() and self._ask("ask") == "probe":
                self._prober = threading.get_ident()
                log.info("a request probes the source", source=self.name)
            if self._prober == threading.get_ident():
                return
            if self._prober is not None:  # one moment more, and we know
                self._changed.wait_for(lambda: self._prober is None, PROBE_WAIT_SECONDS)
            known = self._known
            if known.is_open and known.until is not None:
                raise SourceBusy(known.reason, max((known.until - self._clock()).total_seconds(), 1.0))

    def succeeded(self) -> None:
        """The source is alive. True of every answer that shows it: one of not found or too many requests, too."""
        with self._changed:
            if self._prober == threading.get_ident():
                self._ask("close")
                self._over()
                log.info("the source answers again", source=self.name)
            else:
                self._outcomes = (self._outcomes + "+")[-WINDOW:]
                self._in_a_row = 0

    def failed(self) -> None:
        """No usable answer, of a kind that another try may cure: a timeout, a reset, a 503."""
        with self._changed:
            if self._prober == threading.get_ident():
                self._ask("reopen")
                self._over()
                return
            self._outcomes = (self._outcomes + "-")[-WINDOW:]
            self._in_a_row += 1
            # So many that it opens are handed in at once: every second more would be spent on a dead source.
            if self._prober is None and (self._due() or self._in_a_row >= CONSECUTIVE):
                self._ask("note")

    def trip(self, reason: str) -> None:
        """Open at once, for the longest time: the source refuses us altogether, and `reason` says why."""
        with self._changed:
            self._ask("trip", reason)
            self._over()

    def close(self) -> None:
        """A person says that the source is well again."""
        with self._changed:
            self._ask("close")
            self._over()

    def state(self) -> CircuitState:
        """For a page: how it stands. It changes nothing."""
        with self._changed:
            self._ask("state")
            return self._known

    def _due(self) -> bool:
        return self._asked_at is None or (self._clock() - self._asked_at).total_seconds() >= ASK_SECONDS

    def _over(self) -> None:
        self._prober = None
        self._changed.notify_all()

    def _ask(self, what: str, reason: str = "") -> str:
        """Hand in what came out since, and learn how the breaker stands."""
        now = self._clock()
        if what != "state":  # a page's look hands nothing in
            self._asked_at = now
        if self._script is None or (self._away_until is not None and now < self._away_until):
            self._known = UNKNOWN
            return "closed"
        outcomes = "" if what == "state" else self._outcomes
        who = f"{os.getpid()}-{id(self)}"
        arguments: list[Any] = [what, round(now.timestamp() * 1000), outcomes, who, reason]
        try:
            answer = self._script(keys=[self._key], args=arguments)
        except (RedisError, OSError) as error:
            self._away_until = datetime.fromtimestamp(now.timestamp() + AWAY_SECONDS, UTC)
            self._known, self._outcomes, self._in_a_row = UNKNOWN, "", 0
            log.warning("redis is away; the breaker is closed", source=self.name, error=str(error))
            return "closed"
        stands, until, because, last, opened = (_text(part) for part in answer)
        if what != "state":
            self._outcomes, self._in_a_row = "", len(last) - len(last.rstrip("-"))
        before = self._known.is_open
        moment = datetime.fromtimestamp(int(until) / 1000, UTC) if stands != "closed" else None
        self._known = CircuitState(stands != "closed", moment, because, last.count("-"), len(last), int(opened))
        if self._known.is_open and not before:
            log.warning("the source is not asked", source=self.name, reason=because, until=str(moment))
        return stands


def _text(part: Any) -> str:
    return part.decode() if isinstance(part, bytes) else str(part)
