"""The places of a source on a real Valkey: how many requests are in flight over all workers, and who gets them."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from redis import Redis

from portal.sources.base import NoTickets, SourceBusy
from portal.sources.http.source import HttpSource
from portal.sources.limits import concurrency_limiter
from portal.sources.limits.concurrency_limiter import ConcurrencyLimiter
from portal.sources.limits.rate_limiter import WaitInterrupted
from tests import services
from tests.support.cast import mobile
from tests.support.misbehaving import misbehaving
from tests.support.recipes import LOOPBACK, SECRETS, recipe

DEAD = "redis://127.0.0.1:1/0"


@pytest.fixture
def redis(valkey: str) -> Iterator[Redis]:
    with Redis.from_url(valkey) as redis:
        yield redis


Opened = Callable[..., ConcurrencyLimiter]


@pytest.fixture
def opened(redis: Redis) -> Iterator[Opened]:
    """Makes limiters, whose places are given back at the end."""
    made: list[ConcurrencyLimiter] = []

    def open_(name: str, *arguments: float) -> ConcurrencyLimiter:
        made.append(ConcurrencyLimiter(redis, name, *arguments))  # type: ignore[arg-type]
        return made[-1]

    yield open_
    for limiter in made:
        give_all_back(limiter)


class Crowd:
    """Threads that take a place, hold it for a moment and give it back, until the end of the block."""

    def __init__(self) -> None:
        self.in_flight = self.most = 0
        self.requests: Counter[str] = Counter()
        self._lock, self._ended = threading.Lock(), threading.Event()
        self._threads: list[threading.Thread] = []

    def join(self, name: str, limiter: ConcurrencyLimiter, threads: int) -> None:
        for _ in range(threads):
            self._threads.append(threading.Thread(target=self._ask, args=(limiter, name)))
            self._threads[-1].start()

    def _ask(self, limiter: ConcurrencyLimiter, name: str) -> None:
        while True:
            try:
                limiter.take(self._ended.is_set)
            except WaitInterrupted:
                return
            with self._lock:
                self.in_flight += 1
                self.most = max(self.most, self.in_flight)
                self.requests[name] += 1
            time.sleep(0.005)
            with self._lock:
                self.in_flight -= 1
            limiter.give_back()

    def __enter__(self) -> "Crowd":
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()


def test_attempts_on_several_workers_share_what_the_recipe_allows(redis: Redis, tmp_path: Path) -> None:
    with misbehaving() as server:
        server.latency = 0.02
        made = recipe(tmp_path, "json", server.url, concurrency=3)
        workers = [HttpSource(made, SECRETS, redis, LOOPBACK) for _ in range(2)]
        sessions = [worker.open_session(lambda: False, NoTickets()) for worker in workers]
        with ThreadPoolExecutor(8) as pool:
            looked_up = [pool.submit(sessions[n % 2].lookup_many, [f"+34{mobile(n)}"]) for n in range(60)]
        assert all(len(answers.result()) == 1 for answers in looked_up)
        assert 2 <= server.most_at_once <= 3


@pytest.mark.parametrize(("places", "attempts"), [(4, 2), (5, 2), (1, 2), (2, 4)])
def test_all_places_are_used_and_each_attempt_gets_some(opened: Opened, places: int, attempts: int) -> None:
    names = [f"attempt {n}" for n in range(attempts)]
    with Crowd() as crowd:
        crowd.join(names[0], opened("one", places), places)
        services.wait_until(lambda: crowd.most == places, what="the first one, alone, has all places")
        for name in names[1:]:
            crowd.join(name, opened("one", places), places)
        services.wait_until(lambda: min(crowd.requests[name] for name in names) >= 20, what="everyone gets some")
    assert crowd.most == places


def test_an_attempt_that_needs_few_leaves_the_rest_to_the_others(opened: Opened) -> None:
    small, large = (opened("one", 8) for _ in range(2))
    small.take()
    for _ in range(7):
        large.take()
    with pytest.raises(WaitInterrupted):
        large.take(stops_after(0.3))
    small.give_back()
    large.take()  # an attempt without requests holds nothing


def test_most_requests_cost_no_call(redis: Redis, opened: Opened) -> None:
    limiter = opened("one", 8)
    for _ in range(100):  # one at a time: as at a source that allows no more
        limiter.take()
        limiter.give_back()
    limiter.take()
    assert scripts(redis) <= 2
    with ThreadPoolExecutor(7) as pool:
        list(pool.map(lambda _: limiter.take(), range(7)))
    for _ in range(200):
        limiter.give_back()
        limiter.take()
    assert scripts(redis) <= 2 + 3


def test_an_attempt_that_has_ended_leaves_its_places_to_others_at_once(opened: Opened) -> None:
    first, second = opened("one", 1), opened("one", 1)
    first.take()
    first.give_back()
    first.close()
    second.take(stops_after(0.0001))


def test_the_places_of_a_killed_worker_come_back(redis: Redis, opened: Opened) -> None:
    redis.hset("places:one", "dead", "2 2 1 1")  # seen long ago
    limiter = opened("one", 2)
    limiter.take()
    limiter.take()
    assert redis.hkeys("places:one") == [limiter_id(limiter)]


def test_an_attempt_keeps_its_places_while_its_requests_last(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in (("LEASE_SECONDS", 0.4), ("RENEW_SECONDS", 0.05)):
        monkeypatch.setattr(concurrency_limiter, name, seconds)
    slow, other = (opened("one", 1) for _ in range(2))
    slow.take()
    with pytest.raises(WaitInterrupted):
        other.take(stops_after(0.9))
    slow.give_back()
    other.take()


def test_a_long_wait_without_any_place_frees_the_worker(opened: Opened) -> None:
    opened("one", 1).take()
    with pytest.raises(SourceBusy) as busy:
        opened("one", 1, 0.3).take()
    assert (busy.value.reason, busy.value.seconds) == ("source_busy", 0.3)


def test_sources_do_not_share_places(opened: Opened) -> None:
    opened("one", 1).take()
    opened("other", 1).take()


@pytest.mark.parametrize("url", [DEAD, ""])
def test_without_redis_the_attempt_keeps_the_limit_alone(url: str) -> None:
    limiter = ConcurrencyLimiter(Redis.from_url(url) if url else None, "one", 2)
    limiter.take()
    limiter.take()
    with pytest.raises(WaitInterrupted):
        limiter.take(stops_after(0.2))
    limiter.give_back()
    limiter.take()
    give_all_back(limiter)


def test_an_attempt_keeps_its_share_when_redis_goes_away(redis: Redis, opened: Opened) -> None:
    here, there = (opened("one", 2) for _ in range(2))
    here.take()
    there.take()
    redis.delete("places:one")
    redis.set("places:one", "of another type")  # each call fails from now on
    with pytest.raises(WaitInterrupted):
        here.take(stops_after(0.3))
    here.give_back()
    here.take()


def give_all_back(limiter: ConcurrencyLimiter) -> None:
    for _ in range(limiter._in_flight):
        limiter.give_back()


def stops_after(seconds: float) -> Callable[[], bool]:
    until = time.monotonic() + seconds
    return lambda: time.monotonic() > until


def limiter_id(limiter: ConcurrencyLimiter) -> bytes:
    return limiter._caller.encode()


def scripts(redis: Redis) -> int:
    return int(redis.info("commandstats").get("cmdstat_evalsha", {}).get("calls", 0))
