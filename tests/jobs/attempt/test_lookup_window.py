"""The window of lookups in flight, alone."""

import threading
from collections.abc import Mapping, Sequence

import pytest

from portal.jobs.attempt.lookup_window import stream
from portal.jobs.attempt.number_queue import NumberQueue
from portal.sources.base import Answer, LookupEnded, SourceBusy, SourceStopped
from tests.support.sources import found


@pytest.mark.parametrize("drain_seconds", [None, 1.0], ids=["in the caller's thread", "in threads"])
@pytest.mark.parametrize(
    "ended", [SourceBusy("rate_limited", 1.0), SourceStopped("no_credit")], ids=["busy", "stopped"]
)
def test_what_was_answered_before_a_refusal_is_given_before_it(ended: LookupEnded, drain_seconds: float | None) -> None:
    def lookup(numbers: Sequence[str]) -> Mapping[str, Answer]:
        raise ended.with_answers({numbers[0]: found(numbers[0])})

    received = []
    with pytest.raises(LookupEnded):
        for one in stream(lookup, NumberQueue(["1", "2", "3"], group=3), 1, lambda: False, drain_seconds):
            received.append(one)
    assert [one for one in received if one] == [(("1", "2", "3"), {"1": found("1")})]


def test_once_stopped_no_number_goes_out_that_waited_for_a_thread() -> None:
    asked: list[str] = []
    stopped = threading.Event()

    def lookup(numbers: Sequence[str]) -> Mapping[str, Answer]:
        asked.extend(numbers)
        if numbers == ("1",):
            stopped.set()  # while others wait in front of the threads
        assert stopped.wait(10)
        return {numbers[0]: found(numbers[0])}

    queue = NumberQueue([str(n) for n in range(1, 100)])
    received = [one for one in stream(lookup, queue, 16, stopped.is_set, 10.0) if one]
    assert sorted(group[0] for group, _ in received) == sorted(asked)
    assert len(asked) <= 16
