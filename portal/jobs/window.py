"""A streaming window of numbers in flight: as one answer comes in, the next number goes out. It saves nothing.

There is no barrier between chunks: waiting for the slowest of a hundred before the next hundred costs a fifth of
the throughput.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from portal.sources.base import Answer

Lookup = Callable[[str], Answer]
TICK_SECONDS = 0.25  # how long the window may be silent before the caller gets its turn


def stream(
    lookup: Lookup, numbers: Iterable[str], concurrency: int, stopped: Callable[[], bool], drain_seconds: float
) -> Iterator[tuple[str, Answer] | None]:
    """Answers as they come in, and None when a while went by without one, so that the caller can save and beat.

    When `stopped()` turns true no new number goes out; what is in flight is waited for, `drain_seconds` at most.
    An exception of `lookup` comes out here, after the answers that were already in.
    """
    if concurrency <= 1:
        yield from _one_by_one(lookup, numbers, stopped)
    else:
        yield from _many(lookup, numbers, concurrency, stopped, drain_seconds)


def _one_by_one(lookup: Lookup, numbers: Iterable[str], stopped: Callable[[], bool]) -> Iterator[tuple[str, Answer]]:
    for e164 in numbers:
        if stopped():
            return
        yield e164, lookup(e164)


def _many(
    lookup: Lookup, numbers: Iterable[str], concurrency: int, stopped: Callable[[], bool], drain_seconds: float
) -> Iterator[tuple[str, Answer] | None]:
    waiting = iter(numbers)
    flying: dict[Future[Answer], str] = {}
    pool = ThreadPoolExecutor(concurrency, thread_name_prefix="lookup")
    failure: BaseException | None = None
    drain_until: float | None = None
    try:
        while True:
            stopping = failure is not None or stopped()
            while not stopping and len(flying) < concurrency and (e164 := next(waiting, None)) is not None:
                flying[pool.submit(lookup, e164)] = e164
            if not flying:
                break
            if stopping:
                drain_until = drain_until or time.monotonic() + drain_seconds
                if time.monotonic() > drain_until:
                    break
            done, _ = wait(flying, timeout=TICK_SECONDS, return_when=FIRST_COMPLETED)
            for future in done:
                e164 = flying.pop(future)
                if error := future.exception():
                    failure = failure or error
                else:
                    yield e164, future.result()
            if not done:
                yield None
    finally:
        # A number that hangs must not hold the worker: its thread is left to end with the process.
        pool.shutdown(wait=False, cancel_futures=True)
    if failure:
        raise failure
