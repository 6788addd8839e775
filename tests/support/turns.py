"""The order of test files, and which tests may run at the same time, as the workers of `make test` share a machine.

Files with slow tests come first, so that all workers are busy to the end; those that measure come last. A test marked
`alone` waits until no other test runs, as a neighbour would distort its measurements. A worker gets a whole file, or a
whole folder whose tests share what is slow to start. Must not know any test.
"""

import fcntl
import os
from collections import defaultdict
from collections.abc import Generator, Iterable
from functools import cache

import pytest
from xdist.remote import Producer
from xdist.scheduler.loadfile import LoadFileScheduling

from portal.config import ROOT

TOGETHER = ("tests/browser/",)  # one browser and one portal of six processes


class _Turns(LoadFileScheduling):
    def _split_scope(self, nodeid: str) -> str:
        return next((folder for folder in TOGETHER if nodeid.startswith(folder)), super()._split_scope(nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadFileScheduling | None:
    return _Turns(config, log) if config.getoption("dist") == "loadfile" else None


@cache
def _shared_lock() -> int:
    """A lock on the tests' folder itself: two runs in one tree respect each other, and no file is left behind."""
    return os.open(ROOT / "tests", os.O_RDONLY)


def in_order(items: Iterable[pytest.Item]) -> list[pytest.Item]:
    """By file: slow ones, then the others, then those that measure. The order within a file stays."""
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
    lock = _shared_lock()
    fcntl.flock(lock, fcntl.LOCK_EX if item.get_closest_marker("alone") else fcntl.LOCK_SH)
    try:
        return (yield)
    finally:
        fcntl.flock(lock, fcntl.LOCK_UN)  # a child that was forked meanwhile must not keep it locked
