"""The rate limiter on a real Valkey: one rate for all processes, pauses for all, and a rate that it finds."""

import math
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from redis import Redis

from portal.sources.base import SourceBusy
from portal.sources.limits import rate_limiter
from portal.sources.limits.rate_limiter import RateLimiter, WaitInterrupted
from tests import services

ROOT = Path(__file__).resolve().parents[3]
DEAD = "redis://127.0.0.1:1/0"


@pytest.fixture
def redis(valkey: str) -> Iterator[Redis]:
    with Redis.from_url(valkey) as redis:
        yield redis


class Sleeper:
    """Sleeps, and remembers for how long."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self, seconds: float) -> None:
        self.seconds += seconds
        time.sleep(seconds)


def calls(redis: Redis) -> int:
    """Commands that clients sent, without those inside a script (no network) and those of connecting (only once)."""
    inside = {"time", "hmget", "hset", "expire", "info", "hello", "client|setinfo"}
    stats = redis.info("commandstats")
    return sum(stat["calls"] for name, stat in stats.items() if name.removeprefix("cmdstat_") not in inside)


@pytest.mark.alone
@pytest.mark.slow
def test_three_processes_keep_one_rate(redis: Redis, valkey: str) -> None:
    rate, seconds = 100, 5
    command = [sys.executable, "-m", "tests.sources.limits.rate_limiter_process", valkey, str(rate), "8", str(seconds)]
    before = calls(redis)
    processes = [
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, preexec_fn=services.dies_with_us(9))
        for _ in range(3)
    ]
    outputs = [process.communicate(timeout=60)[0] for process in processes]
    assert all(outputs), "each process had its turn"
    asked = sorted(float(line) for output in outputs for line in output.split())
    # The processes start at different moments: what counts is the time in which all three were asking.
    begun = max(float(output.split()[0]) for output in outputs)
    ended = min(float(output.split()[-1]) for output in outputs)
    within = [at for at in asked if begun <= at <= ended]
    assert len(within) / (ended - begun) >= 0.95 * rate
    most = max(sum(1 for at in asked if start <= at < start + 1) for start in asked)
    assert most <= 1.10 * rate
    assert (calls(redis) - before) / len(asked) <= 1.2


def test_slots_are_as_far_apart_as_the_rate_says(redis: Redis) -> None:
    sleeper = Sleeper()
    limiter = RateLimiter(redis, "one", 20, sleep=sleeper)
    began = time.monotonic()
    for _ in range(5):
        limiter.wait()
    assert time.monotonic() - began >= 0.2
    assert 0.1 < sleeper.seconds <= 0.21


def test_an_unreached_rate_takes_slots_in_blocks(redis: Redis) -> None:
    limiter = RateLimiter(redis, "fast", 1000)
    limiter.wait()
    before = calls(redis)
    began = time.monotonic()
    for _ in range(300):
        limiter.wait()
    took = time.monotonic() - began
    assert took >= 300 / 1000 - 0.05
    assert (calls(redis) - before) / 300 <= 1.0
    services.wait_until(lambda: limiter.state().ahead_seconds == 0, what="nobody waits any more")
    before = calls(redis)
    for _ in range(15):
        limiter.wait()
    assert calls(redis) - before <= 2, "one block, and perhaps the next"


def test_threads_that_come_together_take_their_slots_together(redis: Redis) -> None:
    limiter = RateLimiter(redis, "crowd", 100.0)
    limiter.wait()
    before, begun, together = scripts(redis), time.monotonic(), threading.Barrier(30)

    def wait(_: int) -> float:
        together.wait()
        limiter.wait()
        return time.monotonic()

    with ThreadPoolExecutor(30) as pool:
        came = sorted(pool.map(wait, range(30)))
    assert scripts(redis) - before <= 15
    assert came[-1] - begun >= 0.29, "each has its own"
    assert RateLimiter(redis, "crowd", 100.0).state().ahead_seconds <= 0.02, "and none is left over"


def test_each_source_has_its_own_slots(redis: Redis) -> None:
    RateLimiter(redis, "slow", 0.1).wait()
    sleeper = Sleeper()
    RateLimiter(redis, "other", 0.1, sleep=sleeper).wait()
    assert sleeper.seconds == 0


def test_a_slot_too_far_away_is_not_taken(redis: Redis) -> None:
    limiter = RateLimiter(redis, "slow", 0.01, max_wait_seconds=150)
    limiter.wait()
    next_slot = pytest.approx(100, abs=40)  # the one after it is 200 seconds away
    assert limiter.state().ahead_seconds == next_slot
    impatient = RateLimiter(redis, "slow", 0.01, max_wait_seconds=50)
    for _ in range(3):
        with pytest.raises(SourceBusy) as busy:
            impatient.wait()
        assert busy.value.reason == "source_busy"
        assert busy.value.seconds == next_slot
    assert limiter.state().ahead_seconds == next_slot


def test_a_pause_holds_all_processes(redis: Redis) -> None:
    here, there = RateLimiter(redis, "one", 100), RateLimiter(redis, "one", 100)
    here.pause(0.5)
    began = time.monotonic()
    there.wait()
    here.wait()
    assert time.monotonic() - began >= 0.45


def test_a_sleeper_waits_for_the_end_of_a_new_pause(redis: Redis) -> None:
    limiter = RateLimiter(redis, "one", 5)
    limiter.wait()  # the next slot is 0.2 s away
    went: list[float] = []
    thread = threading.Thread(target=lambda: (limiter.wait(), went.append(time.monotonic())))
    thread.start()
    services.wait_until(lambda: limiter.state().ahead_seconds > 0.2, what="the slot is taken")
    paused = time.monotonic()
    limiter.pause(0.6)
    thread.join()
    assert went[0] - paused >= 0.59


def test_no_burst_follows_a_pause(redis: Redis) -> None:
    limiter = RateLimiter(redis, "one", 50)
    limiter.pause(0.3)
    went: list[float] = []
    crowd = [threading.Thread(target=lambda: (limiter.wait(), went.append(time.monotonic()))) for _ in range(10)]
    for thread in crowd:
        thread.start()
    for thread in crowd:
        thread.join()
    went.sort()
    assert went[-1] - went[0] >= 9 / 50 - 0.02


def test_no_burst_follows_a_moment_in_which_a_process_stood_still(redis: Redis) -> None:
    """Its threads wake up together, when the slots that they had are over: those are others' time by now."""
    wakes, asleep, went = threading.Event(), [], []

    def sleep(seconds: float) -> None:
        if wakes.is_set():
            time.sleep(seconds)
        else:
            asleep.append(seconds)
            wakes.wait()

    limiter = RateLimiter(redis, "one", 50, sleep=sleep)
    limiter.wait()  # the slots of the others are in the future
    crowd = [threading.Thread(target=lambda: (limiter.wait(), went.append(time.monotonic()))) for _ in range(9)]
    for thread in crowd:
        thread.start()
    services.wait_until(lambda: len(asleep) == len(crowd), what="all have a slot")
    services.wait_until(lambda: not limiter.state().ahead_seconds, what="the last slot is over")
    wakes.set()
    for thread in crowd:
        thread.join()
    on_time = math.ceil(rate_limiter.LATE_SECONDS * 50)  # the last ones may still be
    went.sort()
    assert went[-1] - went[0] >= (len(went) - 1 - on_time) / 50 - 0.02


def test_a_slow_source_waits_for_no_other_slot_because_a_thread_was_a_little_late(redis: Redis) -> None:
    limiter = RateLimiter(redis, "slow", 1, sleep=lambda seconds: time.sleep(seconds + 0.1))
    limiter.wait()
    before = scripts(redis)
    limiter.wait()
    assert scripts(redis) - before == 1


def test_a_long_pause_frees_every_worker(redis: Redis) -> None:
    limiter = RateLimiter(redis, "one", 10)
    with pytest.raises(SourceBusy) as busy:
        limiter.pause(600)
    assert (busy.value.reason, busy.value.seconds) == ("rate_limited", 600)
    with pytest.raises(SourceBusy) as other:
        RateLimiter(redis, "one", 10).wait()
    assert other.value.reason == "rate_limited"
    assert other.value.seconds == pytest.approx(600, abs=60)


def test_a_shorter_pause_does_not_shorten_a_longer_one(redis: Redis) -> None:
    limiter = RateLimiter(redis, "one", 10)
    limiter.pause(50)
    limiter.pause(1)
    assert limiter.state().paused_seconds == pytest.approx(50, abs=40)


def test_a_stop_is_noticed_while_waiting(redis: Redis) -> None:
    limiter = RateLimiter(redis, "slow", 0.05)
    limiter.wait()
    began = time.monotonic()
    with pytest.raises(WaitInterrupted):
        limiter.wait(lambda: time.monotonic() - began > 0.3)
    assert time.monotonic() - began < 5


@pytest.mark.alone
def test_an_undeclared_rate_doubles_until_refused(redis: Redis) -> None:
    limiter = RateLimiter(redis, "one", None, ceiling=40)
    began = limiter.state().rate
    assert began == rate_limiter.START_RATE
    crowd = threading.Event()
    threads = [threading.Thread(target=_ask_until, args=(limiter, crowd)) for _ in range(8)]
    for thread in threads:
        thread.start()
    try:
        services.wait_until(lambda: limiter.state().rate >= 16, what="it doubles twice")
        limiter.report("rate_limited")
        cut = limiter.state().rate
        assert cut <= 32
        for _ in range(20):  # a burst of refusals is one
            limiter.report("rate_limited")
        assert limiter.state().rate == pytest.approx(cut, rel=0.05)
        risen = services.wait_until(lambda: (rate := limiter.state().rate) > cut and rate, what="it rises again")
        assert risen <= cut * 1.07, "slowly, once it was refused"
    finally:
        crowd.set()
        for thread in threads:
            thread.join()


def _ask_until(limiter: RateLimiter, end: threading.Event) -> None:
    try:
        while not end.is_set():
            limiter.wait(end.is_set)
    except SourceBusy:
        return


def test_an_unused_rate_does_not_rise(redis: Redis) -> None:
    limiter = RateLimiter(redis, "one", None)
    limiter.wait()
    redis.hset("pace:one", "grown", 1)  # long ago
    redis.hset("pace:one", "free", 1)  # and nobody waits
    limiter.wait()
    assert limiter.state().rate == rate_limiter.START_RATE


def test_a_ceiling_is_never_exceeded(redis: Redis) -> None:
    limiter = RateLimiter(redis, "one", None, ceiling=5)
    for _ in range(8):
        redis.hset("pace:one", "grown", 1)
        limiter.wait()
    assert limiter.state().rate == 5


def test_a_refused_declared_rate_falls_and_recovers(redis: Redis) -> None:
    limiter = RateLimiter(redis, "one", 50)
    limiter.report("rate_limited")
    assert limiter.state().rate == 40
    for _ in range(4):
        redis.hset("pace:one", "grown", 1)
        limiter.wait()
        limiter.wait()
    assert limiter.state().rate == 50


def test_a_new_rate_in_the_recipe_holds_at_once(redis: Redis) -> None:
    RateLimiter(redis, "one", 50).report("rate_limited")
    assert RateLimiter(redis, "one", 10).state().rate == 10


def test_without_redis_the_process_keeps_the_declared_rate() -> None:
    with Redis.from_url(DEAD) as redis:
        limiter = RateLimiter(redis, "one", 50)
        began = time.monotonic()
        for _ in range(6):
            limiter.wait()
        assert time.monotonic() - began >= 0.1
        limiter.pause(0.2)
        paused = time.monotonic()
        limiter.wait()
        assert time.monotonic() - paused >= 0.19
        assert not limiter.state().known


def test_redis_that_comes_back_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limiter, "AWAY_SECONDS", 0.0)
    with services.valkey_server() as server, Redis.from_url(server.url) as redis:
        limiter = RateLimiter(redis, "one", 50)
        limiter.wait()
        server.stop()
        limiter.wait()
        server.start()
        limiter.wait()
        assert limiter.state().known


def test_a_slow_call_to_redis_makes_no_slot_come_early(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """Redis counts from when it runs the script, so the wait must not be counted from before the call was made."""
    limiter = RateLimiter(redis, "slow-call", 5.0)
    begun = time.monotonic()
    limiter.wait()
    real = limiter._call

    def slow(*arguments: object) -> object:
        time.sleep(0.1)
        return real(*arguments)

    monkeypatch.setattr(limiter, "_call", slow)
    limiter.wait()
    assert time.monotonic() - begun >= 0.2


def scripts(redis: Redis) -> int:
    return int(redis.info("commandstats").get("cmdstat_evalsha", {}).get("calls", 0))
