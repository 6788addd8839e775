"""Rate limiter of one source, shared by all workers and machines: a request takes the next slot and sleeps until it.

Taking a slot is one call to Redis, without polling; one call takes the slots of all threads that want one at that
moment, and several ahead while no request waits. A rate that
the recipe declares is kept from the start. Without one, the rate rises until the source refuses. A source that refuses
its declared rate is also asked less often, and then slowly more often again. Knows no job and no request. The step that
runs inside Redis is `rate_limiter.lua`, and is used only here.

Where its promise ends: with Redis away, each process keeps its own rate, the declared one or else START_RATE, so
several processes together exceed it by as many times. A pause is known at once in the process that called it, and in
the others with their next request.
"""

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import structlog
from redis import Redis
from redis.exceptions import RedisError

from portal.causes import CauseCode
from portal.redis_client import prefix_of
from portal.sources.base import SourceBusy

log = structlog.get_logger(__name__)

SCRIPT = Path(__file__).with_suffix(".lua").read_text(encoding="utf-8")

START_RATE = 4.0  # requests a second at which an undeclared rate starts
CEILING = 500.0  # requests a second that it never exceeds, unless the caller sets another ceiling
FLOOR = 0.05
# How an undeclared rate is found: doubled each second until the first refusal, then down by a fifth at each refusal
# and up by a fiftieth each second. Measured against a hidden limit of 200/s: 0.4 % refusals, where threads that each
# wait for their own Retry-After get 10 %.
CUT = 0.8
GROWTH = 1.02
CUT_SECONDS = 1.0  # refusals within this time belong to one burst, and cut the rate once
# While no request waits for a declared rate, a process takes the slots of so many seconds at once and hands them to its
# threads: at a rate that is never reached, asking Redis for each request would cost more than all other waiting.
BLOCK_SECONDS = 0.02
# A slot that a thread comes to later than this has expired. On a busy machine, and after it stood still, threads wake
# up together: a rate of 40/s then let 48 and 53 requests out within a second, although none of the slots was wrong. Now
# a second has so much more of the rate at most. At a slow source, whose next slot may be minutes away, it is a share of
# the time between two of them.
LATE_SECONDS, LATE_SHARE = 0.05, 0.5
FORGET_SECONDS = 7 * 86400

STEP_SECONDS = 0.2  # how long a sleeping thread may take to notice that it should stop
PAUSE_IN_THE_WORKER = 60.0  # a longer pause frees the worker
LONGEST_WAIT = 600.0  # for a slow source; well under the time after which a job without progress times out
SLOTS_AHEAD = 40  # how many requests may wait for a slow source
AWAY_SECONDS = 5.0  # how long Redis is left alone once it is away

OK = "ok"


class WaitInterrupted(SourceBusy):
    """The attempt stopped while waiting for a slot. No request was sent."""

    def __init__(self) -> None:
        super().__init__(CauseCode.RESTART, 0.0)


@dataclass(frozen=True)
class LimiterState:
    """The state of a limiter: requests a second, seconds left of a pause, seconds for which slots are already taken,
    and whether Redis answered."""

    rate: float
    paused_seconds: float
    ahead_seconds: float
    known: bool = True


class RateLimiter:
    """The slots of one source. One object may serve all threads of a process.

    `rate` is what the recipe declares, in requests a second, or None; `ceiling` is what an undeclared rate never
    exceeds; `max_wait_seconds` is the longest wait for a slot.
    """

    def __init__(
        self,
        redis: Redis | None,
        name: str,
        rate: float | None,
        ceiling: float | None = None,
        max_wait_seconds: float | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.name = name
        self._start_rate = rate or min(START_RATE, ceiling or CEILING)
        self._ceiling = rate or ceiling or CEILING
        self._floor = min(FLOOR, self._start_rate)
        slow = min(SLOTS_AHEAD / rate, LONGEST_WAIT) if rate else 0.0
        self._max_wait_seconds = max_wait_seconds if max_wait_seconds is not None else max(PAUSE_IN_THE_WORKER, slow)
        self._sleep = sleep
        self._script = redis.register_script(SCRIPT) if redis is not None else None
        self._key = f"{prefix_of(redis)}pace:{name}"
        self._lock, self._asking = threading.Lock(), threading.Lock()
        self._wanted = 0  # slots, by threads of this process
        self._paused_until = 0.0  # like the moments below, on this process's own clock
        self._slots: deque[float] = deque()  # taken, and not yet handed to a thread
        self._rate = self._start_rate  # as Redis has said it last
        self._free_at = 0.0  # the next slot while Redis is away
        self._away_until = 0.0

    def wait(self, stop: Callable[[], bool] = lambda: False) -> None:
        """Return when a request may be sent.

        Raises SourceBusy when the slot is too far away, and its subclass WaitInterrupted once `stop()` is true; in both
        cases no request may be sent.
        """
        while True:
            slot = self._reserve()
            while (left := slot - time.monotonic()) > 0:
                if stop():
                    raise WaitInterrupted
                self._sleep(min(left, STEP_SECONDS))
            if stop():
                raise WaitInterrupted
            late = time.monotonic() - slot
            if slot >= self._paused_until and late < max(LATE_SECONDS, LATE_SHARE / self._rate):
                return
            # A pause began during the sleep, and this slot is within it; or the thread was held up, and the requests
            # of others that are on time would come together with its own: take another slot instead.

    def pause(self, seconds: float) -> None:
        """Hold back all requests for so long, as a Retry-After asks. Raises SourceBusy for a pause that should free the
        worker."""
        seconds = max(seconds, 0.0)
        with self._lock:
            self._paused_until = max(self._paused_until, time.monotonic() + seconds)
            self._slots.clear()
        self._call("pause", seconds)
        if seconds > PAUSE_IN_THE_WORKER:
            raise SourceBusy(CauseCode.RATE_LIMITED, seconds)

    def report(self, outcome: str) -> None:
        """Report how the source took the rate: `rate_limited` lowers it. `ok` costs nothing and may be left out, as the
        rate rises with time."""
        if outcome == CauseCode.RATE_LIMITED:
            self._call("cut", 0.0)

    def state(self) -> LimiterState:
        """The present state, for a page."""
        answer = self._call("state", 0.0)
        if answer is None:
            paused_seconds = max(self._paused_until - time.monotonic(), 0.0)
            return LimiterState(self._start_rate, paused_seconds, 0.0, known=False)
        ahead, paused, rate, _ = answer
        return LimiterState(rate, paused, ahead)

    def _reserve(self) -> float:
        """Take a slot and return its moment. Raises SourceBusy."""
        if (slot := self._next_slot()) is not None:
            return slot
        with self._lock:
            self._wanted += 1
        try:
            with self._asking:  # while one thread asks, others come, and the next one asks for all of them
                if (slot := self._next_slot()) is not None:
                    return slot
                answer = self._call("slot", self._max_wait_seconds, self._wanted)
                if answer is not None:
                    wait, paused, rate, taken = answer
                    now = time.monotonic()  # after the call: from before it, the slot would come early by its latency
                    with self._lock:
                        self._rate = rate
                        self._paused_until = max(self._paused_until, now + paused)
                        self._slots.extend(now + wait + n / rate for n in range(1, taken))
        finally:
            with self._lock:
                self._wanted -= 1
        if answer is None:
            return self._reserve_without_redis()
        if wait < 0:
            self._raise_busy(-wait, paused=paused >= self._max_wait_seconds)
        return now + wait

    def _next_slot(self) -> float | None:
        """Take a slot that this process has already."""
        with self._lock:
            now = time.monotonic()
            while self._slots:
                if (slot := self._slots.popleft()) > now - BLOCK_SECONDS:  # an older slot has expired
                    return slot
        return None

    def _reserve_without_redis(self) -> float:
        """Do the same for this process alone."""
        with self._lock:
            now = time.monotonic()
            slot = max(self._free_at, self._paused_until, now)
            if slot - now <= self._max_wait_seconds:
                self._free_at = slot + 1 / self._start_rate
                return slot
            paused = self._paused_until - now >= self._max_wait_seconds
        self._raise_busy(slot - now, paused)

    def _raise_busy(self, seconds: float, paused: bool) -> NoReturn:
        raise SourceBusy(CauseCode.RATE_LIMITED if paused else CauseCode.SOURCE_BUSY, seconds)

    def _call(self, command: str, seconds: float, slots: int = 1) -> tuple[float, float, float, int] | None:
        """Run the script once: wait and pause in seconds, the rate, and how many slots were taken. None while Redis is
        away."""
        if self._script is None or time.monotonic() < self._away_until:
            return None
        arguments: list[Any] = [
            command, self._start_rate, self._ceiling, self._floor, _microseconds(seconds),
            CUT, GROWTH, _microseconds(CUT_SECONDS), BLOCK_SECONDS, FORGET_SECONDS, slots,
        ]  # fmt: skip
        try:
            wait, paused, rate, taken = self._script(keys=[self._key], args=arguments)
        except (RedisError, OSError) as error:
            self._away_until = time.monotonic() + AWAY_SECONDS
            log.warning("redis is away; this process keeps the rate alone", source=self.name, error=str(error))
            return None
        return int(wait) / 1_000_000, int(paused) / 1_000_000, float(rate), int(taken)


def _microseconds(seconds: float) -> int:
    """A span as the script counts it, rounded up so that a short one does not become 0."""
    return math.ceil(seconds * 1_000_000)
