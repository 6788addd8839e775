"""How often one session may ask its source: places, slots of the rate limit, what robots.txt asks for, and "too many
requests". Sends nothing and classifies nothing."""

import threading
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from portal.causes import CauseCode
from portal.net.retry_after import rate_limit_seconds, retry_after_seconds
from portal.sources.base import SourceBusy, SourceStopped
from portal.sources.http.classify import asked_wait
from portal.sources.http.client import RequestInterrupted
from portal.sources.http.response import SourceResponse, UnreadableResponse
from portal.sources.http.robots import Robots
from portal.sources.limits.interfaces import Limiter, Places
from portal.sources.limits.rate_limiter import WaitInterrupted
from portal.sources.recipes.model import Recipe, Rule

BELIEVED_SECONDS = 3600.0  # no Retry-After is believed for longer: a mistake in one would stop a source for years
LIMITED_SECONDS = 60.0  # how long "too many requests" may last before the worker is freed


class Pace:
    """See the module. Its methods may be called from many threads at once."""

    def __init__(
        self, recipe: Recipe, make_limiter: Callable[[float | None], Limiter], places: Places, robots: Robots
    ) -> None:
        self._recipe, self._make_limiter, self._places, self._robots = recipe, make_limiter, places, robots
        self._per_second = recipe.limits.per_second
        self._limiter = make_limiter(self._per_second)
        self._lock = threading.Lock()
        self._limited_since: float | None = None

    def take_place(self, stop: Callable[[], bool]) -> None:
        """Wait until fewer than all places at the source are taken. Raises RequestInterrupted."""
        try:
            self._places.take(stop)
        except WaitInterrupted:
            raise RequestInterrupted from None

    def give_back(self) -> None:
        self._places.give_back()

    def close(self) -> None:
        """Let others have this session's places at the source."""
        self._places.close()

    def wait_for_slot(self, stop: Callable[[], bool]) -> None:
        """Wait for the turn of one request. Raises RequestInterrupted and SourceBusy."""
        try:
            self._limiter.wait(stop)
        except SourceBusy:
            if not stop():
                raise
        if stop():
            raise RequestInterrupted

    def note_success(self, response: SourceResponse) -> None:
        """Note that a request was not too many, and wait for as long as its response asks."""
        self._limiter.report("ok")
        if seconds := rate_limit_seconds(response.headers):
            self._limiter.pause(seconds)

    def note_answer(self) -> None:
        """Note that the source has answered: it does not say "too many requests" any more."""
        self._limited_since = None

    def slow_down(self, response: SourceResponse, content: Any = None) -> None:
        """Slow down every worker after "too many requests", which `content`, one number's item, may say as well. Raises
        SourceBusy when that lasts too long."""
        now = time.monotonic()
        with self._lock:
            since = self._limited_since = self._limited_since or now
        wanted = retry_after_seconds(response.headers, datetime.now(UTC), BELIEVED_SECONDS)
        if wanted is None:
            wanted = self._asked_wait(self._recipe.outcomes.get("limited", ()), response, content)
        # Without a Retry-After: as long again as the source has been saying so.
        seconds = wanted if wanted is not None else min(max(1.0, now - since), LIMITED_SECONDS)
        self._limiter.report(CauseCode.RATE_LIMITED)
        if seconds > LIMITED_SECONDS or now - since > LIMITED_SECONDS:
            raise SourceBusy(CauseCode.RATE_LIMITED, max(seconds, 1.0))
        self._limiter.pause(seconds)

    @staticmethod
    def _asked_wait(rules: Iterable[Rule], response: SourceResponse, content: Any) -> float | None:
        """The seconds that the answer itself asks us to wait, where the recipe says where they are."""
        rules = [rule for rule in rules if rule.wait]
        try:
            seconds = asked_wait(rules, response.content if content is None else content) if rules else None
        except UnreadableResponse:
            return None
        return None if seconds is None else min(seconds, BELIEVED_SECONDS)

    def obey_robots(self, url: str) -> None:
        """Wait longer between two requests where robots.txt asks for it. Raises SourceStopped where it refuses, and
        NoResponse when it cannot be fetched."""
        if not self._recipe.limits.robots:
            return
        if not self._robots.allow(url):
            raise SourceStopped(CauseCode.ROBOTS_REFUSE)
        delay = self._robots.delay_seconds(url)
        if delay and (self._per_second is None or self._per_second > 1 / delay):
            self._per_second = 1 / delay
            self._limiter = self._make_limiter(self._per_second)
