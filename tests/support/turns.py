"""The order of test files, and which tests may run at the same time, as the workers of `make test` share a machine.

Slow tests wait for processes and browsers most of their time, the others for a processor. So half of the workers begin
with the slow files and half with the others, to keep the processors busy from the first minute to the last; those that
measure come last. A test marked `alone` waits until no other test runs, as a neighbour would distort its measurements.
A worker gets a whole file, or a whole folder whose tests share what is slow to start. Must not know any test.
"""

import fcntl
import os
from collections import defaultdict
from collections.abc import Callable, Generator, Iterable
from functools import cache

import pytest
from xdist.remote import Producer
from xdist.scheduler.loadfile import LoadFileScheduling
from xdist.workermanage import WorkerController

from portal.config import ROOT

TOGETHER = ("tests/browser/",)  # one browser and one portal of six processes


def next_of(units: Iterable[str], slow: Callable[[str], bool], begins_with_slow: bool) -> str:
    """Return the first file of the kind that a worker begins with, or the first of all when there is none left."""
    units = list(units)
    return next((unit for unit in units if slow(unit) is begins_with_slow), units[0])


@cache
def _is_slow(unit: str) -> bool:
    """Whether this file has a slow test, read from its text: the process that deals the files out imports none."""
    return unit in TOGETHER or "@pytest.mark.slow" in (ROOT / unit).read_text()


class _Turns(LoadFileScheduling):
    def _assign_work_unit(self, node: WorkerController) -> None:
        begins_with_slow = self.nodes.index(node) % 2 == 0
        self.workqueue.move_to_end(next_of(self.workqueue, _is_slow, begins_with_slow), last=False)
        super()._assign_work_unit(node)

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
