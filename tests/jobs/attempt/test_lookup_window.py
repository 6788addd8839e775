"""The window of lookups in flight, alone."""

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
