"""Fixtures of the tests of jobs that need real processes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.preloaded import Preloaded, preloaded
from tests.support.world import World, world


@pytest.fixture(scope="session")
def forks() -> Iterator[Preloaded]:
    """What real workers are forked from; started by the first test that needs one."""
    with preloaded() as forks:
        yield forks


@pytest.fixture
def place(tmp_path: Path, forks: Preloaded) -> Iterator[World]:
    """A world where a lookup takes a twentieth of a second, four at once, and RQ looks after its horse each second."""
    with world(tmp_path, forks, JOURNAL_SECONDS="0.05", MONITORING_SECONDS="1") as place:
        yield place
