"""One file at a source of 50 ms on one worker and on four, each with eight requests in flight: nearly all of the time
is waiting, so that four of them should be four times as fast on any machine."""

import time
from collections.abc import Iterator

from bench.many_workers import run_forks
from bench.measure import SHORT, Goal, best_of
from bench.slow_source import LATENCY_SECONDS
from bench.sources import slow_portal
from bench.temporary_portal import make_job, numbers

WORKERS, EACH = 4, 8  # requests in flight at each worker
NUMBERS = 2400 if SHORT else 9600
FLOOR = 0.75 if SHORT else 0.9  # the last round is half empty, which weighs four times as much in a short file
ROUNDS, MOST_ROUNDS = (1, 5) if SHORT else (2, 6)


def measure() -> Iterator[Goal]:
    """Measure how near four workers come to four times the pace of one."""
    with slow_portal(NUMBERS, EACH, WORKERS * EACH) as (app, _):

        def on(workers: int, count: int) -> float:
            job = make_job(app, numbers(count), f"slow-{workers * EACH}")
            began = time.perf_counter()
            run_forks(job, workers)
            return time.perf_counter() - began

        best = best_of(
            ROUNDS,
            most=MOST_ROUNDS,
            enough=lambda best: best["one"] / best["four"] >= FLOOR,
            one=lambda: on(1, NUMBERS // WORKERS),
            four=lambda: on(WORKERS, NUMBERS),
        )
    one, four = NUMBERS / WORKERS / best["one"], NUMBERS / best["four"]
    yield Goal(
        "four workers at a source of 50 ms against four times one",
        best["one"] / best["four"],
        f"{four:,.0f}/s and {one:,.0f}/s; with {EACH} in flight none can do over {EACH / LATENCY_SECONDS:,.0f}/s",
        floor=FLOOR,
    )
