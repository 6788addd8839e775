"""Which number is looked up next, and how often."""

import pytest

from portal.jobs.attempt.number_queue import BASE_SECONDS, CAP_SECONDS, NumberQueue


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_numbers_come_once_in_order_and_in_groups() -> None:
    queue = NumberQueue("abcde", group=2)
    assert [queue.take(), queue.take(), queue.take()] == [("a", "b"), ("c", "d"), ("e",)]
    assert queue.take() == () and not queue.left


def test_the_wait_doubles_with_each_failure(clock: Clock) -> None:
    queue = NumberQueue("a", tries=4, clock=clock, draw=lambda: 1.0)
    for wait in (BASE_SECONDS, 2 * BASE_SECONDS):
        assert queue.take() == ("a",)
        assert queue.retry("a")
        assert queue.due_in_seconds == wait
        clock.now += wait - 0.01
        assert queue.take() == ()
        clock.now += 0.01
    assert queue.take() == ("a",)


def test_the_wait_is_a_draw_and_has_a_cap(clock: Clock) -> None:
    queue = NumberQueue("a", tries=40, clock=clock, draw=lambda: 0.5)
    for _ in range(20):
        assert queue.take() and queue.retry("a")
        wait = queue.due_in_seconds
        assert wait is not None and wait <= CAP_SECONDS / 2
        clock.now += wait
    assert wait == CAP_SECONDS / 2


def test_the_last_try_comes_after_all_others(clock: Clock) -> None:
    queue = NumberQueue("abc", tries=2, clock=clock)
    assert queue.take() == ("a",) and queue.retry("a")
    assert queue.take() == ("b",)
    assert queue.take() == () and queue.left, "b is still out, and c may have to judge what is said of it"
    queue.settle()
    assert queue.take() == ("c",)
    assert queue.take() == ()
    queue.settle()
    assert queue.take() == ("a",)
    assert not queue.retry("a"), "its tries are spent"


@pytest.mark.parametrize(("group", "tries", "waits"), [(1, 4, True), (1, 1, False), (2, 4, False)])
def test_the_last_number_waits_for_the_others_where_it_may_have_to_judge(group: int, tries: int, waits: bool) -> None:
    queue = NumberQueue("abcd"[: 2 * group], group=group, tries=tries)
    assert queue.take() == tuple("ab"[:group])
    if waits:
        assert queue.take() == () and queue.left
        queue.settle()
    assert queue.take() == tuple("abcd"[group : 2 * group]), "a group may be prepared for hours: it does not wait"
    assert not queue.left


def test_what_costs_nothing_comes_back_for_ever(clock: Clock) -> None:
    queue = NumberQueue("a", tries=2, clock=clock)
    for _ in range(100):
        assert queue.take() == ("a",) and queue.retry("a", free=True)


def test_a_late_retry_comes_after_all_others(clock: Clock) -> None:
    queue = NumberQueue("ab", tries=4, clock=clock)
    assert queue.take() == ("a",) and queue.retry("a", late=True)
    assert queue.take() == ("b",) and queue.take() == ()
    queue.settle()
    assert queue.take() == ("a",)
