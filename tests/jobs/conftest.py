"""Fixtures of the jobs' tests: real processes, and the source of the export's tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from portal import sources
from tests.jobs.export.exporting import RangeSource
from tests.support.preloaded import Preloaded
from tests.support.world import World, world


@pytest.fixture
def place(tmp_path: Path, forks: Preloaded) -> Iterator[World]:
    """A world where a lookup takes a twentieth of a second, four run at once, and RQ checks its horse each second."""
    with world(tmp_path, forks, JOURNAL_SECONDS="0.05", MONITORING_SECONDS="1") as place:
        yield place


@pytest.fixture
def ranges() -> Iterator[None]:
    """A source named "ranges"."""
    sources.register("ranges", RangeSource)
    yield
    sources.unregister("ranges")
