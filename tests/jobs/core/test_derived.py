"""What follows from a job's row, without a database or a page."""

from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.jobs.core.derived import (
    LATER,
    Action,
    Summary,
    actions,
    is_unfinished,
    outcome_counts,
    progress,
    retryable_numbers,
    summary_sentence,
)
from portal.jobs.core.status import Status
from tests.support.cast import NOW

SOON = NOW + timedelta(minutes=5)


def a_job(status: Status = Status.PROCESSING, **more: Any) -> Any:
    plain = {
        "id": 1, "status": status, "total_numbers": 1000, "processed_numbers": 0, "found_count": 0,
        "not_found_count": 0, "invalid_count": 0, "rejected_count": 0, "failed_count": 0, "started_at": NOW,
        "left_alone_count": 0, "blank_count": 0,
        "processed_at_claim": 0, "last_progress_at": None, "lease_until": NOW + timedelta(hours=9), "paused_at": None,
        "not_before": None, "next_retry_at": None, "attempt": 1, "put_first_at": None,
        "last_error": None, "wait_cause": None, "source_paused": False, "step": 1, "step_count": 1, "passed_on": 0,
    }  # fmt: skip
    return SimpleNamespace(**{**plain, **more})


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("job", "possible"),
    [
        (a_job(Status.PENDING), {"cancel", "pause", "delete", "limits", "put_first"}),
        (a_job(Status.PROCESSING), {"cancel", "pause", "delete", "time_out", "limits"}),
        (a_job(Status.PROCESSING, paused_at=NOW), {"cancel", "resume", "delete", "time_out", "limits"}),
        (a_job(Status.RETRYING), {"cancel", "pause", "delete", "limits", "put_first"}),
        (a_job(Status.RETRYING, paused_at=NOW), {"cancel", "resume", "delete", "limits"}),
        (a_job(Status.FAILED, next_retry_at=SOON), {"retry", "cancel", "pause", "delete", "limits"}),
        (a_job(Status.FAILED), {"retry", "delete", "limits"}),
        (a_job(Status.TIMEOUT), {"retry", "delete", "limits"}),
        (a_job(Status.CANCELLED), {"retry", "delete", "limits"}),
        (a_job(Status.CANCELLED, processed_numbers=1000), {"delete", "limits"}),
        (a_job(Status.COMPLETED, processed_numbers=1000), {"delete"}),
    ],
)
def test_only_what_can_be_done_is_offered(job: Any, possible: set[str]) -> None:
    assert actions(job) == {Action(word) for word in possible}


@pytest.mark.parametrize(
    ("job", "summary"),
    [
        (a_job(Status.PENDING, attempt=0), Summary.QUEUED),
        (a_job(Status.PENDING, attempt=0, paused_at=NOW), Summary.PAUSED),
        (a_job(), Summary.STARTING),
        (a_job(last_progress_at=NOW), Summary.WORKING),
        (a_job(paused_at=NOW), Summary.PAUSING),
        (a_job(lease_until=NOW - timedelta(seconds=1)), Summary.WORKER_AWAY),
        (a_job(Status.RETRYING), Summary.GOING_ON),
        (a_job(Status.RETRYING, not_before=SOON), Summary.SOURCE_BUSY),
        (a_job(Status.RETRYING, not_before=SOON, wait_cause="rate_limited"), Summary.SOURCE_BUSY),
        (a_job(Status.RETRYING, not_before=SOON, wait_cause="credentials"), Summary.SOURCE_REFUSES),
        (a_job(Status.RETRYING, not_before=NOW, wait_cause="credentials"), Summary.GOING_ON),
        (a_job(Status.PENDING, attempt=0, source_paused=True), Summary.SOURCE_PAUSED),
        (
            a_job(Status.RETRYING, not_before=SOON, wait_cause="source_paused", source_paused=True),
            Summary.SOURCE_PAUSED,
        ),
        (a_job(Status.PENDING, source_paused=True, paused_at=NOW), Summary.PAUSED),
        (a_job(source_paused=True), Summary.STARTING),
        (a_job(Status.FAILED, next_retry_at=SOON, last_error="page_changed"), Summary.RETRY_FOR_ADMIN),
        (a_job(Status.FAILED, last_error="secret_missing"), Summary.STOPPED_FOR_ADMIN),
        (a_job(Status.RETRYING, not_before=NOW), Summary.GOING_ON),
        (a_job(Status.RETRYING, not_before=SOON, paused_at=NOW), Summary.PAUSED),
        (a_job(Status.FAILED, next_retry_at=SOON), Summary.RETRY_PLANNED),
        (a_job(Status.FAILED, next_retry_at=SOON, paused_at=NOW), Summary.PAUSED),
        (a_job(Status.FAILED), Summary.STOPPED),
        (a_job(Status.TIMEOUT), Summary.STOPPED),
        (a_job(Status.CANCELLED), Summary.CANCELLED),
        (a_job(Status.COMPLETED), Summary.DONE),
    ],
)
def test_the_summary_says_whether_to_act(job: Any, summary: Summary) -> None:
    assert summary_sentence(job, NOW) == summary


def test_an_ended_job_is_watched_only_if_a_retry_is_planned() -> None:
    assert is_unfinished(a_job(Status.RETRYING))
    assert is_unfinished(a_job(Status.FAILED, next_retry_at=SOON))
    assert not any(is_unfinished(a_job(s)) for s in (Status.COMPLETED, Status.FAILED, Status.TIMEOUT, Status.CANCELLED))


def test_no_estimate_before_30_rows_or_30_seconds() -> None:
    def shown(rows: int, seconds: float) -> bool:
        return progress(a_job(processed_numbers=rows), after(seconds)).seconds_left is not None

    assert not shown(29, 29.9)
    assert shown(30, 1)
    assert shown(1, 30)
    assert not shown(0, 3600)  # nothing came in: there is no speed to judge by
    assert not shown(30, 0)
    assert not shown(30, -5)  # another machine's clock


def test_rows_of_an_earlier_attempt_are_no_speed() -> None:
    far = a_job(processed_numbers=900, processed_at_claim=880)
    assert progress(far, after(10)).seconds_left is None


@pytest.mark.parametrize("quiet", [{"paused_at": NOW}, {"status": Status.RETRYING, "not_before": after(1e6)}])
def test_a_waiting_job_has_no_estimate(quiet: dict[str, Any]) -> None:
    how_far = progress(a_job(**{"processed_numbers": 500, **quiet}), after(100))
    assert how_far.waiting
    assert how_far.seconds_left is None
    assert how_far.per_minute is None


def test_a_job_without_one_row_is_at_99_percent() -> None:
    assert progress(a_job(processed_numbers=999), NOW).percent == 99
    assert progress(a_job(processed_numbers=1000), NOW).percent == 99  # all rows are in, but it is not completed yet
    assert progress(a_job(Status.COMPLETED, processed_numbers=1000), NOW).percent == 100
    assert progress(a_job(total_numbers=0), NOW).percent == 0
    assert progress(a_job(Status.COMPLETED, total_numbers=0), NOW).percent == 100


@given(
    rows=st.integers(1, 5000),
    seconds=st.floats(-100, 1e6),
    total=st.integers(1, 5000),
    failed=st.integers(0, 5000),
    status=st.sampled_from(list(Status)),
)
def test_no_figure_is_ever_impossible(rows: int, seconds: float, total: int, failed: int, status: Status) -> None:
    rows = min(rows, total)
    failed = min(failed, total - rows)
    job = a_job(status, total_numbers=total, processed_numbers=rows, found_count=rows, failed_count=failed)
    how_far = progress(job, after(seconds))
    assert 0 <= how_far.percent <= 100
    assert (how_far.percent == 100) == (status == Status.COMPLETED)
    if how_far.seconds_left:
        assert 0 < how_far.seconds_left[0] < how_far.seconds_left[1]
    assert sum(outcome_counts(job).values()) == total
    assert all(count >= 0 for count in outcome_counts(job).values())
    assert retryable_numbers(job) == total - rows


@given(per_second=st.floats(0.05, 500), total=st.integers(50, 5000), share=st.floats(0.1, 0.95))
def test_at_a_steady_speed_the_estimate_holds(per_second: float, total: int, share: float) -> None:
    seconds = total * share / per_second
    rows = int(per_second * seconds)
    how_far = progress(a_job(total_numbers=total, processed_numbers=rows, found_count=rows), after(seconds))
    if how_far.seconds_left is None:
        assert rows < 30 and seconds < 30
        return
    sooner, later = how_far.seconds_left
    assert sooner <= total / per_second - seconds + 1 / per_second
    assert later >= total / per_second - seconds - 1e-6 * seconds


def test_of_several_sources_each_that_a_cell_has_behind_it_counts() -> None:
    two = {"total_numbers": 100, "step_count": 2}
    assert progress(a_job(**two, passed_on=50), SOON).percent == 25
    assert progress(a_job(**two, processed_numbers=40, passed_on=60, step=2), SOON).percent == 70
    assert progress(a_job(**two, processed_numbers=99, passed_on=1, step=2), SOON).percent == 99
    quick = {**two, "processed_numbers": 50, "found_count": 50}
    assert progress(a_job(**quick), SOON).seconds_left is None  # nobody knows how many come to the second source
    assert progress(a_job(**quick, step=2), SOON).seconds_left is not None


@given(
    count=st.integers(2, 4), step=st.integers(1, 3), cells=st.integers(40, 2000), share=st.floats(0.1, 0.9),
    found=st.floats(0, 1), failed=st.integers(0, 5), paces=st.lists(st.floats(0.01, 10), min_size=4, max_size=4),
)  # fmt: skip
def test_of_several_sources_the_time_left_is_enough_if_all_are_asked(
    count: int, step: int, cells: int, share: float, found: float, failed: int, paces: list[float]
) -> None:
    """A source was asked about a share of the cells that came to it; the rest goes through all that follow."""
    step = min(step, count - 1)
    asked = max(30, int(cells * share))
    ready = int(asked * found)  # the others of these wait for the next source
    gone_on, rest = asked - ready, cells - asked
    names = ",".join(f"source{n}" for n in range(1, count + 1))
    more = {
        "total_numbers": cells + failed, "failed_count": failed, "processed_numbers": ready, "found_count": ready,
        "processed_at_claim": -gone_on, "step": step, "step_count": count, "all_sources": names,
        "passed_on": gone_on * step + (rest + failed) * (step - 1),
    }  # fmt: skip
    seconds = asked * paces[0]
    left = progress(a_job(**more), after(seconds), lambda name, n: n * paces[int(name[6:]) - 1])
    behind = sum((gone_on + rest) * paces[n - 1] for n in range(step + 1, count + 1))
    assert left.seconds_left is None and left.most_seconds is not None
    assert left.most_seconds >= (rest * paces[0] + behind) * 0.999
    assert left.most_seconds <= ((rest + failed) * paces[0] + behind) * LATER + gone_on * paces[0] * LATER
    assert progress(a_job(**more), after(seconds)).most_seconds is None  # nobody knows how fast the others are
    assert progress(a_job(**{**more, "step": count}), after(seconds), lambda *_: 1.0).most_seconds is None
