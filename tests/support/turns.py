"""The order in which test files are given out, and who may run beside whom. Two workers share a machine in `make test`.

Files with slow tests come first, so that both workers are busy to the end; those that measure come last. What is
marked `alone` waits until no other test is at work: a neighbour would spoil its figures. It must not know any test.
"""

import fcntl
import os
from collections import defaultdict
from collections.abc import Generator, Iterable
from functools import cache

import pytest

from portal.config import ROOT


@cache
def _everybodys_lock() -> int:
    """The folder of the tests itself: two runs in one tree respect each other, and no file is left."""
    return os.open(ROOT / "tests", os.O_RDONLY)


def in_order(items: Iterable[pytest.Item]) -> list[pytest.Item]:
    """By file: slow ones, then the others, then those that measure. Within a file nothing moves."""
    items = list(items)
    marks: dict[str, set[str]] = defaultdict(set)
    for item in items:
        marks[item.location[0]] |= {mark.name for mark in item.iter_markers()}

    def place(item: pytest.Item) -> int:
        here = marks[item.location[0]]
        return 2 if "alone" in here else 0 if "slow" in here else 1

    return sorted(items, key=place)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items[:] = in_order(items)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    lock = _everybodys_lock()
    fcntl.flock(lock, fcntl.LOCK_EX if item.get_closest_marker("alone") else fcntl.LOCK_SH)
    try:
        return (yield)
    finally:
        fcntl.flock(lock, fcntl.LOCK_UN)  # a child that was forked meanwhile must not go on holding it
