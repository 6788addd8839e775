"""Streams numbers through a window of lookups in flight: as one answer comes in, the next number goes out.

There is no barrier between chunks: waiting for the slowest of a hundred before the next hundred costs a fifth of the
throughput. It saves nothing and must not know jobs.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from queue import Empty, SimpleQueue

from portal.jobs.attempt.number_queue import NumberQueue
from portal.sources.base import Answer, LookupEnded, Source, SourceWithSessions

NumberGroup = tuple[str, ...]
BatchAnswers = Mapping[str, Answer]
Lookup = Callable[[Sequence[str]], BatchAnswers]
TICK_SECONDS = 0.25  # the longest silence before the caller gets its turn
# A worker that has to stop waits for what is in flight as long as the source itself may take: it is paid for. The
# supervisor waits longer than the longest of these (`worker.rq_worker.LAST_CALL_SECONDS`).
DRAIN_SECONDS, LONGEST_DRAIN_SECONDS = 7.0, 35.0
BEYOND_SECONDS = 2.0  # from the source's own time limit to the end of the wait
AHEAD = 8  # for each so many threads one number waits in front of them, so that none is idle until the caller's turn


def stream(
    lookup: Lookup, queue: NumberQueue, concurrency: int, stopped: Callable[[], bool], drain_seconds: float | None
) -> Iterator[tuple[NumberGroup, BatchAnswers] | None]:
    """Yield each group that was looked up with its answers as they come in, and None after a while without any, so that
    the caller can save and beat. The caller settles the numbers in the queue before it asks for more.

    When `stopped()` turns true no new number goes out, and answers in flight are awaited for `drain_seconds` at most.
    None: the source only computes, and with a concurrency of 1 its numbers are looked up in the caller's own thread,
    which is faster but cannot leave one that hangs.
    An exception of `lookup` is raised here, after the answers that came in before it, those of its own call included.
    """
    if concurrency <= 1 and drain_seconds is None:
        yield from _one_by_one(lookup, queue, stopped)
    else:
        yield from _many(lookup, queue, concurrency, stopped, drain_seconds or 0.0)


def drain_seconds_of(source: Source) -> float | None:
    """How many seconds an attempt that has to stop waits for answers in flight. None: the source only computes."""
    if isinstance(source, SourceWithSessions):
        return min(source.answer_seconds + BEYOND_SECONDS, LONGEST_DRAIN_SECONDS)
    return DRAIN_SECONDS if source.concurrency > 1 else None


def _one_by_one(
    lookup: Lookup, queue: NumberQueue, stopped: Callable[[], bool]
) -> Iterator[tuple[NumberGroup, BatchAnswers] | None]:
    while not stopped():
        group = queue.take()
        if group:
            try:
                answers = lookup(group)
            except LookupEnded as ended:
                yield group, ended.answers
                raise
            yield group, answers
        elif queue.left:
            time.sleep(min(TICK_SECONDS, queue.due_in_seconds or 0.0))
            yield None
        else:
            return


def _many(
    lookup: Lookup, queue: NumberQueue, concurrency: int, stopped: Callable[[], bool], drain_seconds: float
) -> Iterator[tuple[NumberGroup, BatchAnswers] | None]:
    in_flight: dict[Future[BatchAnswers], NumberGroup] = {}
    done: SimpleQueue[Future[BatchAnswers]] = SimpleQueue()
    most = concurrency + concurrency // AHEAD
    pool = ThreadPoolExecutor(concurrency, thread_name_prefix="lookup")
    failure: BaseException | None = None
    drain_until: float | None = None
    try:
        while True:
            stopping = failure is not None or stopped()
            while not stopping and len(in_flight) < most and (group := queue.take()):
                future = pool.submit(lookup, group)
                in_flight[future] = group
                future.add_done_callback(done.put)
            if stopping and drain_until is None:
                drain_until = time.monotonic() + drain_seconds
                in_flight = {future: group for future, group in in_flight.items() if not future.cancel()}
            if not in_flight and (stopping or not queue.left):
                break
            if drain_until is not None and time.monotonic() > drain_until:
                break
            due = queue.due_in_seconds
            tick = TICK_SECONDS if due is None or len(in_flight) == most else min(TICK_SECONDS, due)
            if not in_flight:  # every number that is left waits for its time
                time.sleep(tick)
                yield None
                continue
            nothing = True
            for future in _come_in(done, tick):
                if future not in in_flight:  # it was cancelled
                    continue
                group = in_flight.pop(future)
                nothing = False
                if error := future.exception():
                    failure = failure or error
                    if isinstance(error, LookupEnded):
                        yield group, error.answers
                else:
                    yield group, future.result()
            if nothing:
                yield None
    finally:
        # A number that hangs must not hold the worker: its thread ends with the process.
        pool.shutdown(wait=False, cancel_futures=True)
    if failure:
        raise failure


def _come_in(done: SimpleQueue[Future[BatchAnswers]], seconds: float) -> list[Future[BatchAnswers]]:
    """Return what has come in; wait for the first so long at most. Asking each call in flight whether it is over would
    cost a fifth of a fast source's pace."""
    came: list[Future[BatchAnswers]] = []
    try:
        came.append(done.get(timeout=seconds) if seconds > 0 else done.get_nowait())
        while True:
            came.append(done.get_nowait())
    except Empty:
        return came
