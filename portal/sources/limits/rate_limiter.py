"""The pace of one source over all workers and machines: who wants to ask takes the next slot, and sleeps until it.

One call to Redis a request takes the slot, or several slots while nobody else waits; nobody polls. A declared rate is
kept from the start; without one, the pace is found by asking faster until the source refuses. A source that refuses
although its rate was declared is asked less often, too, and slowly as often again. It must not know what is asked, nor
any job.

Where its promise ends: with Redis away, each process keeps a pace of its own, the declared rate or, where there is
none, START_RATE; several processes are then together as many times too fast. A pause is known at once in the process
that called it, and in another with its next request.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import structlog
from redis import Redis
from redis.exceptions import RedisError

from portal.causes import CauseCode
from portal.sources.base import SourceBusy
from portal.sources.limits.rate_limiter_lua import BLOCK_SECONDS, SCRIPT, microseconds

log = structlog.get_logger(__name__)

START_RATE = 4.0  # requests a second at which an undeclared pace begins
CEILING = 500.0  # and what it never goes beyond, unless the recipe says otherwise
FLOOR = 0.05
STEP_SECONDS = 0.2  # how long a sleeper is deaf to being stopped
PAUSE_IN_THE_WORKER = 60.0  # a source that wants a longer pause than this gets it without a worker waiting
LONGEST_WAIT = 600.0  # for a slow source; well under the time after which a job without progress is given up
SLOTS_AHEAD = 40  # a slow source may have so many requests waiting for it
AWAY_SECONDS = 5.0  # with Redis away, it is not asked again before

OK = "ok"


class WaitInterrupted(SourceBusy):
    """We were told to stop while waiting for the slot. Nothing was asked."""

    def __init__(self) -> None:
        super().__init__(CauseCode.RESTART, 0.0)


@dataclass(frozen=True)
class LimiterState:
    """How a source is being asked: requests a second, how long its pause still lasts, how far slots are taken ahead,
    and whether Redis could be asked."""

    rate: float
    paused_seconds: float
    ahead_seconds: float
    known: bool = True


class RateLimiter:
    """The slots of one source. `rate` is what the recipe declares, in requests a second, or None; `ceiling` is what
    an undeclared pace never exceeds. One object may serve all threads of a process."""

    def __init__(
        self,
        redis: Redis | None,
        name: str,
        rate: float | None,
        ceiling: float | None = None,
        bound_seconds: float | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.name = name
        self._begin = rate or min(START_RATE, ceiling or CEILING)
        self._ceiling = rate or ceiling or CEILING
        self._floor = min(FLOOR, self._begin)
        slow = min(SLOTS_AHEAD / rate, LONGEST_WAIT) if rate else 0.0
        self._bound = bound_seconds if bound_seconds is not None else max(PAUSE_IN_THE_WORKER, slow)
        self._sleep = sleep
        self._script = redis.register_script(SCRIPT) if redis is not None else None
        self._key = f"pace:{name}"
        self._lock = threading.Lock()
        self._held_until = 0.0  # these are moments of this process' own clock
        self._slots: deque[float] = deque()  # taken and not given to a thread yet
        self._free_at = 0.0  # the next slot while Redis is away
        self._away_until = 0.0

    def wait(self, stop: Callable[[], bool] = lambda: False) -> None:
        """Return when it is our turn. Raises SourceBusy when that is too far away, and Interrupted, which is one too,
        once `stop()` is true: in both cases nothing may be asked."""
        while True:
            slot = time.monotonic() + self._reserve()
            while (left := slot - time.monotonic()) > 0:
                if stop():
                    raise WaitInterrupted
                self._sleep(min(left, STEP_SECONDS))
            if stop():
                raise WaitInterrupted
            if slot >= self._held_until:
                return
            # A pause was called while we slept: our slot lies within it and is given up for one behind it.

    def pause(self, seconds: float) -> None:
        """Nobody asks for so long: a Retry-After. Raises SourceBusy for one that no worker should wait out."""
        seconds = max(seconds, 0.0)
        with self._lock:
            self._held_until = max(self._held_until, time.monotonic() + seconds)
            self._slots.clear()
        self._ask("pause", seconds)
        if seconds > PAUSE_IN_THE_WORKER:
            raise SourceBusy(CauseCode.RATE_LIMITED, seconds)

    def told(self, outcome: str) -> None:
        """What the source made of our pace: `rate_limited` slows it down. `ok` costs nothing and may be left out: the
        pace rises with time."""
        if outcome == CauseCode.RATE_LIMITED:
            self._ask("cut", 0.0)

    def state(self) -> LimiterState:
        """For a page: how the source is being asked just now."""
        answer = self._ask("state", 0.0)
        if answer is None:
            return LimiterState(self._begin, max(self._held_until - time.monotonic(), 0.0), 0.0, known=False)
        ahead, held, rate, _ = answer
        return LimiterState(rate, held, ahead)

    def _reserve(self) -> float:
        """Take a slot, and say how many seconds it is away. Raises SourceBusy."""
        with self._lock:
            now = time.monotonic()
            while self._slots:
                if (slot := self._slots.popleft()) > now - BLOCK_SECONDS:  # what was not used in its time is lost
                    return max(slot - now, 0.0)
        answer = self._ask("slot", self._bound)
        if answer is None:
            return self._reserve_here()
        wait, held, rate, taken = answer
        if held or taken > 1:
            with self._lock:
                now = time.monotonic()
                self._held_until = max(self._held_until, now + held)
                self._slots.extend(now + n / rate for n in range(1, taken))
        if wait < 0:
            self._refuse(-wait, paused=held >= self._bound)
        return wait

    def _reserve_here(self) -> float:
        """The same without Redis, for this process alone."""
        with self._lock:
            now = time.monotonic()
            slot = max(self._free_at, self._held_until, now)
            if slot - now <= self._bound:
                self._free_at = slot + 1 / self._begin
                return slot - now
            paused = self._held_until - now >= self._bound
        self._refuse(slot - now, paused)
        raise AssertionError

    def _refuse(self, seconds: float, paused: bool) -> None:
        raise SourceBusy(CauseCode.RATE_LIMITED if paused else CauseCode.SOURCE_BUSY, seconds)

    def _ask(self, what: str, seconds: float) -> tuple[float, float, float, int] | None:
        """One call to Redis: wait and pause in seconds, the rate, and how many slots. None while it is away."""
        if self._script is None or time.monotonic() < self._away_until:
            return None
        arguments: list[Any] = [what, self._begin, self._ceiling, self._floor, microseconds(seconds)]
        try:
            wait, held, rate, taken = self._script(keys=[self._key], args=arguments)
        except (RedisError, OSError) as error:
            self._away_until = time.monotonic() + AWAY_SECONDS
            log.warning("redis is away; this process keeps the pace alone", source=self.name, error=str(error))
            return None
        return int(wait) / 1_000_000, int(held) / 1_000_000, float(rate), int(taken)
