"""Circuit breaker of one source, shared by all workers, so that a source that is down is not asked 5,000 times.

It opens after 20 failures in a row, or when more than half of the last 50 requests failed. While it is open no request
is sent, and `check` raises SourceBusy with the time left: the job waits and uses no retry. After 30 seconds, doubling
to ten minutes, a single request probes the source; an answer closes the breaker, a failure opens it for longer. Knows
no job and no request. The step that runs inside Redis is `circuit_breaker.lua`, and is used only here.

Moments are on Redis' own clock, so that machines whose clocks differ agree. Redis is asked once a second, not per
request, and outcomes are reported in that same call, so a source that goes down is noticed up to a second late. With
Redis away the breaker is closed: each request fails on its own.
"""

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog
from redis import Redis
from redis.exceptions import RedisError

from portal.clock import utcnow
from portal.redis_client import prefix_of
from portal.sources.base import SourceBusy

log = structlog.get_logger(__name__)

SCRIPT = Path(__file__).with_suffix(".lua").read_text(encoding="utf-8")

CONSECUTIVE = 20  # failures in a row that open it
WINDOW = 50  # or failures in more than half of so many latest outcomes
FIRST_SECONDS = 30  # how long it is open at first, doubled by each probe that fails
LONGEST_SECONDS = 600
FORGET_SECONDS = 86400

ASK_SECONDS = 1.0
AWAY_SECONDS = 5.0  # how long Redis is left alone once it is away
PROBE_WAIT_SECONDS = 5.0  # how long the other threads of a process wait for the result of its own probe


@dataclass(frozen=True)
class CircuitState:
    """The state of the breaker. `until` is when an open one lets the next probe through; `failures` of the latest `of`
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

    For each request, in the same thread: call `check()`, send the request, then call `succeeded()`, `failed()` or
    `refused()`.
    """

    clock_moves = False  # a test that moves this process's clock sets it: Redis' own clock does not follow

    def __init__(self, redis: Redis | None, name: str, clock: Callable[[], datetime] | None = None) -> None:
        self.name = name
        self._clock = clock or utcnow
        self._moves_clock = clock is not None or self.clock_moves
        self._redis = redis
        self._script = redis.register_script(SCRIPT) if redis is not None else None
        self._key = f"{prefix_of(redis)}breaker:{name}"
        self._changed = threading.Condition()
        self._outcomes = ""  # not reported yet
        self._sent = threading.local()  # when this thread was last let through
        self._answered: datetime | None = None  # when the question of the latest answer was sent; not reported yet
        self._failures_in_a_row = 0  # those of other processes included
        self._state = CLOSED
        self._asked_at: datetime | None = None
        self._away_until: datetime | None = None
        self._prober: int | None = None  # the thread whose request is the probe

    def check(self) -> None:
        """Return when a request may be sent. Raises SourceBusy with the seconds until the next probe."""
        self._sent.at = self._clock()
        with self._changed:
            if self._prober is not None and self._state.until is not None and self._clock() >= self._state.until:
                self._end_probe()  # its thread ended without an outcome, as when the attempt was stopped
            if self._prober is None and self._is_due() and self._call("ask") == "probe":
                self._prober = threading.get_ident()
                log.info("a request probes the source", source=self.name)
            if self._prober == threading.get_ident():
                return
            if self._prober is not None:  # the result is near: wait for it
                self._changed.wait_for(lambda: self._prober is None, PROBE_WAIT_SECONDS)
            state = self._state
            if state.is_open and state.until is not None:
                raise SourceBusy(state.reason, max((state.until - self._clock()).total_seconds(), 1.0))

    def succeeded(self, *, answers: bool = False) -> None:
        """Report that the source is alive. Any answer that shows it counts, also "not found" or "too many requests".
        `answers`: it was one about a number. If its question was sent after the source had refused us, it refused
        some numbers and not us, and the breaker closes."""
        with self._changed:
            if self._prober == threading.get_ident():
                self._call("close")
                self._end_probe()
                log.info("the source answers again", source=self.name)
            else:
                self._outcomes = (self._outcomes + "+")[-WINDOW:]
                self._failures_in_a_row = 0
                if answers and (at := getattr(self._sent, "at", None)):
                    self._answered = max(at, self._answered or at)
                    if self._state.is_open:  # it was on its way: nobody comes to `check` any more
                        self._call("note")

    def failed(self) -> None:
        """Report a failure that another try may cure: a timeout, a reset, a 503."""
        with self._changed:
            if self._prober == threading.get_ident():
                self._call("reopen")
                self._end_probe()
                return
            self._outcomes = (self._outcomes + "-")[-WINDOW:]
            self._failures_in_a_row += 1
            # Enough failures to open it are reported at once: one second more would be spent on a dead source.
            if self._prober is None and (self._is_due() or self._failures_in_a_row >= CONSECUTIVE):
                self._call("note")

    def refused(self) -> None:
        """Report a refusal that may be about its number only: it opens nothing, and an open breaker stays open."""
        with self._changed:
            if self._prober == threading.get_ident():
                self._call("reopen")
                self._end_probe()

    def trip(self, reason: str) -> None:
        """Open at once and for the longest time, because the source refuses all our requests for this reason."""
        with self._changed:
            self._call("trip", reason)
            self._end_probe()

    def take_proof(self) -> bool:
        """Whether the source has answered since it refused us. True once; False while Redis is away."""
        try:
            return self._redis is not None and bool(self._redis.hdel(self._key, "proof"))
        except (RedisError, OSError):
            return False

    def note_secret(self, mark: str) -> bool:
        """Note the mark of the secrets with which the source is asked, or refused us; return whether it is another than
        those of the last day. False while Redis is away."""
        key = f"{self._key}:secrets"
        try:
            if self._redis is None or not self._redis.sadd(key, mark):
                return False
            self._redis.expire(key, FORGET_SECONDS)
        except (RedisError, OSError):
            return False
        return True

    def knows_secret(self, mark: str) -> bool:
        """Whether these secrets were noted. True while Redis is away."""
        try:
            return self._redis is None or bool(self._redis.sismember(f"{self._key}:secrets", mark))
        except (RedisError, OSError):
            return True

    def close(self) -> None:
        """Close it because a person says that the source works again."""
        with self._changed:
            self._call("close")
            self._end_probe()

    def state(self) -> CircuitState:
        """The present state, for a page. Changes nothing."""
        with self._changed:
            self._call("state")
            return self._state

    def _is_due(self) -> bool:
        return self._asked_at is None or (self._clock() - self._asked_at).total_seconds() >= ASK_SECONDS

    def _end_probe(self) -> None:
        self._prober = None
        self._changed.notify_all()

    def _call(self, command: str, reason: str = "") -> str:
        """Run the script once: report the outcomes since the last call and read the state. Returns closed, open or
        probe."""
        now = self._clock()
        if command != "state":  # a page only reads
            self._asked_at = now
        if self._script is None or (self._away_until is not None and now < self._away_until):
            self._state = UNKNOWN
            return "closed"
        outcomes = "" if command == "state" else self._outcomes
        caller = f"{os.getpid()}-{id(self)}"
        arguments: list[Any] = [
            command, round(now.timestamp() * 1000) if self._moves_clock else "", outcomes, caller, reason,
            CONSECUTIVE, WINDOW, FIRST_SECONDS, LONGEST_SECONDS, FORGET_SECONDS, self._answered_ago(command, now),
        ]  # fmt: skip
        try:
            answer = self._script(keys=[self._key], args=arguments)
        except (RedisError, OSError) as error:
            self._away_until = datetime.fromtimestamp(now.timestamp() + AWAY_SECONDS, UTC)
            self._state, self._outcomes, self._failures_in_a_row = UNKNOWN, "", 0
            log.warning("redis is away; the breaker is closed", source=self.name, error=str(error))
            return "closed"
        position, left, why, last, opened = (_text(part) for part in answer)
        if command != "state":
            self._answered = None
            self._outcomes, self._failures_in_a_row = "", len(last) - len(last.rstrip("-"))
        was_open = self._state.is_open
        until = (round(now.timestamp() * 1000) + int(left)) / 1000
        moment = datetime.fromtimestamp(until, UTC) if position != "closed" else None
        self._state = CircuitState(position != "closed", moment, why, last.count("-"), len(last), int(opened))
        if self._state.is_open and not was_open:
            log.warning("the source is not asked", source=self.name, reason=why, until=str(moment))
        return position

    def _answered_ago(self, command: str, now: datetime) -> int | str:
        if command == "state" or self._answered is None:
            return ""
        return round((now - self._answered).total_seconds() * 1000)


def _text(part: Any) -> str:
    return part.decode() if isinstance(part, bytes) else str(part)
