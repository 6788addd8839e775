"""The breaker on a real Valkey: when it opens, which request probes, and how long all others wait."""

import multiprocessing
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from redis import Redis

from portal.sources.base import SourceBusy
from portal.sources.limits import circuit_breaker
from portal.sources.limits.circuit_breaker import CircuitBreaker
from tests import services
from tests.support.processes import crowd

NOON = datetime(2026, 5, 5, 12, 0, tzinfo=UTC)
DEAD = "redis://127.0.0.1:1/0"


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def redis(valkey: str) -> Iterator[Redis]:
    with Redis.from_url(valkey) as redis:
        yield redis


@pytest.fixture
def clock() -> Clock:
    return Clock()


def refused(breaker: CircuitBreaker) -> SourceBusy:
    with pytest.raises(SourceBusy) as busy:
        breaker.check()
    return busy.value


def opened(redis: Redis, clock: Clock) -> CircuitBreaker:
    breaker = CircuitBreaker(redis, "one", clock)
    for _ in range(20):
        breaker.failed()
    return breaker


def test_twenty_failures_in_a_row_open_it(redis: Redis, clock: Clock) -> None:
    breaker = CircuitBreaker(redis, "one", clock)
    for _ in range(19):
        breaker.check()
        breaker.failed()
    clock.forward(1)
    breaker.check()
    breaker.failed()
    busy = refused(breaker)
    assert (busy.reason, busy.seconds) == ("source_down", 30)


def test_an_answer_in_between_begins_the_count_anew(redis: Redis, clock: Clock) -> None:
    breaker = CircuitBreaker(redis, "one", clock)
    for _ in range(2):
        for _ in range(19):
            breaker.failed()
        breaker.succeeded()
    clock.forward(1)
    breaker.check()


@pytest.mark.parametrize(("failures", "is_open"), [(25, False), (26, True)])
def test_more_than_half_of_the_last_fifty_open_it(redis: Redis, clock: Clock, failures: int, is_open: bool) -> None:
    breaker = CircuitBreaker(redis, "one", clock)
    fail = {*range(1, 50, 2), *({48} if failures == 26 else set())}
    assert len(fail) == failures
    for n in range(50):
        breaker.failed() if n in fail else breaker.succeeded()
    clock.forward(1)
    if is_open:
        assert refused(breaker).reason == "source_down"
    else:
        breaker.check()


def test_it_adds_up_the_failures_of_all_workers(redis: Redis, clock: Clock) -> None:
    workers = [CircuitBreaker(redis, "one", clock) for _ in range(10)]
    for worker in workers:
        worker.failed()
        worker.failed()
        clock.forward(1.1)
        try:
            worker.check()  # reports its outcomes
        except SourceBusy:
            assert worker is workers[-1]
    assert refused(CircuitBreaker(redis, "one", clock)).reason == "source_down"


def test_another_source_is_asked_all_the_same(redis: Redis, clock: Clock) -> None:
    opened(redis, clock)
    CircuitBreaker(redis, "other", clock).check()


def test_an_answered_probe_closes_it_for_all(redis: Redis, clock: Clock) -> None:
    here, there = opened(redis, clock), CircuitBreaker(redis, "one", clock)
    assert refused(there).seconds == 30
    clock.forward(31)
    here.check()
    assert refused(there).seconds <= 30
    here.succeeded()
    clock.forward(1)
    there.check()
    here.check()
    assert not here.state().is_open


def test_a_failed_probe_doubles_the_time_up_to_ten_minutes(redis: Redis, clock: Clock) -> None:
    breaker = opened(redis, clock)
    waits = []
    for _ in range(7):
        seconds = refused(breaker).seconds
        waits.append(seconds)
        clock.forward(seconds)
        breaker.check()
        breaker.failed()
    assert waits == [30, 60, 120, 240, 480, 600, 600]


def test_after_closing_it_starts_with_the_short_time(redis: Redis, clock: Clock) -> None:
    breaker = opened(redis, clock)
    for outcome in (breaker.failed, breaker.succeeded):
        clock.forward(601)
        breaker.check()
        outcome()
    for _ in range(20):
        breaker.failed()
    assert refused(breaker).seconds == 30


def test_a_dead_prober_is_replaced_after_an_interval(redis: Redis, clock: Clock) -> None:
    opened(redis, clock)
    clock.forward(31)
    CircuitBreaker(redis, "one", clock).check()  # and dies
    other = CircuitBreaker(redis, "one", clock)
    assert refused(other).seconds == 30
    clock.forward(30)
    other.check()


def test_a_thread_that_ended_does_not_stay_the_prober(
    redis: Redis, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(circuit_breaker, "PROBE_WAIT_SECONDS", 0.01)
    breaker = opened(redis, clock)
    clock.forward(31)
    thread = threading.Thread(target=breaker.check)
    thread.start()
    thread.join()
    assert refused(breaker).seconds == 30
    clock.forward(30)
    breaker.check()
    breaker.succeeded()
    assert not breaker.state().is_open


def test_a_late_failure_is_not_a_probe(redis: Redis, clock: Clock) -> None:
    breaker = opened(redis, clock)
    other = CircuitBreaker(redis, "one", clock)
    clock.forward(5)
    other.failed()
    breaker.failed()
    assert refused(breaker).seconds == 25


def test_threads_wait_for_their_process_probe(redis: Redis, clock: Clock) -> None:
    breaker = opened(redis, clock)
    clock.forward(31)
    breaker.check()
    passed: list[bool] = []

    def ask() -> None:
        breaker.check()
        passed.append(True)

    threads = [threading.Thread(target=ask) for _ in range(5)]
    for thread in threads:
        thread.start()
    assert passed == []
    breaker.succeeded()
    for thread in threads:
        thread.join()
    assert passed == [True] * 5


@pytest.mark.parametrize("reason", ["credentials", "blocked"])
def test_a_refusal_opens_it_at_once_with_its_reason(redis: Redis, clock: Clock, reason: str) -> None:
    breaker, other = CircuitBreaker(redis, "one", clock), CircuitBreaker(redis, "one", clock)
    breaker.check()
    breaker.trip(reason)
    for one in (breaker, other):
        busy = refused(one)
        assert (busy.reason, busy.seconds) == (reason, 600)
    clock.forward(600)
    other.check()
    other.trip(reason)
    clock.forward(1)
    assert refused(breaker).seconds == 599


def test_an_administrator_closes_it(redis: Redis, clock: Clock) -> None:
    breaker = CircuitBreaker(redis, "one", clock)
    breaker.trip("credentials")
    CircuitBreaker(redis, "one", clock).close()
    clock.forward(1)
    breaker.check()


def test_reading_the_state_changes_nothing(redis: Redis, clock: Clock) -> None:
    breaker = opened(redis, clock)
    clock.forward(31)
    page = CircuitBreaker(redis, "one", clock)
    for _ in range(3):
        state = page.state()
        assert (state.is_open, state.reason, state.until) == (True, "source_down", NOON + timedelta(seconds=30))
    breaker.check()  # the probe is still available


def test_it_asks_redis_once_a_second(redis: Redis, clock: Clock) -> None:
    def calls() -> int:
        stats = redis.info("commandstats")
        return sum(stat["calls"] for name, stat in stats.items() if name == "cmdstat_evalsha")

    breaker = CircuitBreaker(redis, "one", clock)
    breaker.check()
    before = calls()
    for n in range(300):
        breaker.check()
        breaker.succeeded() if n % 3 else breaker.failed()
        clock.forward(0.01)
    assert 2 <= calls() - before <= 3


def test_without_redis_it_is_closed(clock: Clock) -> None:
    with Redis.from_url(DEAD) as redis:
        breaker = CircuitBreaker(redis, "one", clock)
        for _ in range(50):
            breaker.check()
            breaker.failed()
        breaker.trip("credentials")
        clock.forward(1)
        breaker.check()
        assert not breaker.state().known


class Offset:
    """The machine's clock plus some seconds, which all processes of a test share."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __call__(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.seconds)


def _probe(url: str, offset: float, asked: "multiprocessing.Queue[int]") -> None:
    with Redis.from_url(url) as redis:
        breaker = CircuitBreaker(redis, "one", Offset(offset))
        passed = 0
        for _ in range(20):
            try:
                breaker.check()
                passed += 1
                breaker.failed()
            except SourceBusy:
                pass
        asked.put(passed)


@pytest.mark.slow
def test_one_of_several_processes_probes(redis: Redis, valkey: str) -> None:
    start = CircuitBreaker(redis, "one", Offset(0))
    for _ in range(20):
        start.failed()
    context = crowd()
    # The first probe's failure has doubled the interval: after 60 s no process may probe, after 100 s one.
    for offset, probes in ((31, 1), (60, 0), (100, 1)):
        asked = context.Queue()
        probing = [context.Process(target=_probe, args=(valkey, offset, asked)) for _ in range(4)]
        for process in probing:
            process.start()
        counts = [asked.get(timeout=60) for _ in probing]
        for process in probing:
            process.join()
        assert sum(counts) == probes, offset
    services.wait_until(lambda: start.state().is_open)


def test_two_machines_with_different_clocks_agree(redis: Redis) -> None:
    """One opens it for ten minutes; for the other, whose clock is a day ahead, it is open as long."""
    CircuitBreaker(redis, "one").trip("blocked")
    with time_machine.travel(datetime.now(UTC) + timedelta(days=1)):
        ahead = CircuitBreaker(redis, "one")
        assert refused(ahead).seconds == pytest.approx(600, abs=10)  # in milliseconds, so it may be a half more


@pytest.mark.parametrize("noticed", [False, True])
@pytest.mark.parametrize("asked", ["before", "after"])
def test_an_answer_closes_it_that_was_asked_for_after_the_source_had_refused_us(
    redis: Redis, clock: Clock, asked: str, noticed: bool
) -> None:
    ours, theirs = CircuitBreaker(redis, "one", clock), CircuitBreaker(redis, "one", clock)
    theirs.check()
    if asked == "after":
        clock.forward(0.1)
    ours.trip("no_credit")
    if asked == "after":
        clock.forward(0.1)
        theirs.check()  # it asks Redis once a second, and has not heard of it
    clock.forward(1)
    if noticed:
        another = threading.Thread(target=refused, args=[theirs])
        another.start()
        another.join()
    theirs.succeeded(answers=True)
    clock.forward(1)
    if asked == "before":
        assert refused(theirs).reason == "no_credit" and not ours.take_proof()
    else:
        theirs.check()
        assert not ours.state().is_open and ours.take_proof() and not ours.take_proof()
