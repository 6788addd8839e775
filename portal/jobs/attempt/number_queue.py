"""The numbers that one attempt still has to look up, and when: new ones, ones to retry, and last tries.

A number that failed for a moment comes back after a wait with full jitter, so that the numbers of one burst do not come
back together. Its last try comes when all others have their answer: by then an outage of a minute is over. The last
new number waits until all others are back: only a question sent after a refusal shows whom the source refuses. Pure: it
knows no database and no source.
"""

import heapq
import random
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable

BASE_SECONDS = 1.0
CAP_SECONDS = 60.0


class NumberQueue:
    """`group` numbers go out together, and each may be looked up `tries` times in this attempt. The last number
    waits for the others only when numbers go out one by one and have several tries."""

    def __init__(
        self,
        numbers: Iterable[str],
        group: int = 1,
        tries: int = 1,
        clock: Callable[[], float] = time.monotonic,
        draw: Callable[[], float] = random.random,
        more: Callable[[], Iterable[str]] | None = None,
    ) -> None:
        """`more` returns further new numbers when the ones in hand run out, and none once there are none."""
        self._fresh = deque(numbers)
        self._more = more
        self._group, self._tries = group, tries
        self._clock, self._draw = clock, draw
        self._later: list[tuple[float, str]] = []
        self._last: deque[str] = deque()
        self._failures: Counter[str] = Counter()  # failed tries by number
        self._out = 0

    def take(self) -> tuple[str, ...]:
        """Return the next numbers to look up together. Empty when none is due or none is left."""
        while self._more is not None and len(self._fresh) <= self._group:
            self._fresh.extend(further := tuple(self._more()))
            if not further:
                self._more = None
        may_take_fresh = self._group > 1 or len(self._fresh) > 1 or self._tries == 1 or not self._out
        if self._group == 1 and self._fresh and may_take_fresh and not self._later:  # the usual case
            self._out += 1
            return (self._fresh.popleft(),)
        taken: list[str] = []
        while len(taken) < self._group:
            if self._later and self._later[0][0] <= self._clock():
                taken.append(heapq.heappop(self._later)[1])
            elif self._fresh and may_take_fresh:
                taken.append(self._fresh.popleft())
            else:
                break
        if not taken and not self._later and not self._out:
            taken = [self._last.popleft() for _ in range(min(self._group, len(self._last)))]
        self._out += len(taken)
        return tuple(taken)

    def settle(self, numbers: int = 1) -> None:
        """Count so many numbers that were taken as finished: they have their answers, or get none in this attempt."""
        self._out -= numbers

    def retry(self, number: str, *, free: bool = False, late: bool = False) -> bool:
        """Put a number that was taken back for another try. False when its tries are used up. `free` uses no try, and
        `late` comes when all others have their answer, as the last try does."""
        failures = self._failures[number] = self._failures[number] + (not free)
        if failures >= self._tries:
            return False
        self._out -= 1
        if late or (failures == self._tries - 1 and not free):
            self._last.append(number)
        else:
            span = 0.0 if free else min(CAP_SECONDS, BASE_SECONDS * 2 ** (failures - 1))
            heapq.heappush(self._later, (self._clock() + span * self._draw(), number))
        return True

    @property
    def due_in_seconds(self) -> float | None:
        """Seconds until the next waiting number is due; None when none waits for its time."""
        return max(0.0, self._later[0][0] - self._clock()) if self._later else None

    @property
    def left(self) -> bool:
        """Whether `take` will return more numbers, now or later."""
        return bool(self._fresh or self._later or self._last or self._more)
