"""Which number is asked next, and how often."""

import pytest

from portal.jobs.attempt.retry_queue import BASE_SECONDS, CAP_SECONDS, RetryQueue


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_numbers_come_in_the_files_order_in_groups_and_each_once() -> None:
    deck = RetryQueue("abcde", group=2)
    assert [deck.take(), deck.take(), deck.take()] == [("a", "b"), ("c", "d"), ("e",)]
    assert deck.take() == () and not deck.left


def test_a_number_that_failed_comes_back_after_a_wait_that_doubles(clock: Clock) -> None:
    deck = RetryQueue("a", tries=4, clock=clock, draw=lambda: 1.0)
    for wait in (BASE_SECONDS, 2 * BASE_SECONDS):
        assert deck.take() == ("a",)
        assert deck.again("a")
        assert deck.due_in_seconds == wait
        clock.now += wait - 0.01
        assert deck.take() == ()
        clock.now += 0.01
    assert deck.take() == ("a",)


def test_the_wait_is_a_draw_and_has_a_cap(clock: Clock) -> None:
    deck = RetryQueue("a", tries=40, clock=clock, draw=lambda: 0.5)
    for _ in range(20):
        assert deck.take() and deck.again("a")
        wait = deck.due_in_seconds
        assert wait is not None and wait <= CAP_SECONDS / 2
        clock.now += wait
    assert wait == CAP_SECONDS / 2


def test_the_last_try_comes_when_all_others_have_their_answer(clock: Clock) -> None:
    deck = RetryQueue("abc", tries=2, clock=clock)
    assert deck.take() == ("a",) and deck.again("a")
    assert [deck.take(), deck.take()] == [("b",), ("c",)]
    assert deck.take() == () and deck.left, "b and c are still out"
    deck.settle()
    assert deck.take() == ()
    deck.settle()
    assert deck.take() == ("a",)
    assert not deck.again("a"), "its tries are spent"


def test_what_costs_nothing_comes_back_for_ever(clock: Clock) -> None:
    deck = RetryQueue("a", tries=2, clock=clock)
    for _ in range(100):
        assert deck.take() == ("a",) and deck.again("a", free=True)


def test_what_is_asked_late_waits_for_all_others_at_its_first_failure(clock: Clock) -> None:
    deck = RetryQueue("ab", tries=4, clock=clock)
    assert deck.take() == ("a",) and deck.again("a", late=True)
    assert deck.take() == ("b",) and deck.take() == ()
    deck.settle()
    assert deck.take() == ("a",)
