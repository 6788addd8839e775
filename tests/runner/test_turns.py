"""Which tests may run at the same time, and which file comes first."""

import fcntl
import os
from types import SimpleNamespace

import pytest

from portal.config import ROOT
from tests.support.turns import in_order, next_of


def could_have(turn: int) -> bool:
    """Return whether the other worker could start a test of that kind now."""
    neighbour = os.open(ROOT / "tests", os.O_RDONLY)
    try:
        fcntl.flock(neighbour, turn | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False
    finally:
        os.close(neighbour)


def test_no_measuring_test_starts_beside_another() -> None:
    assert not could_have(fcntl.LOCK_EX)


@pytest.mark.alone
def test_no_test_starts_beside_a_measuring_one() -> None:
    assert not could_have(fcntl.LOCK_SH)


def item(file: str, *marks: str) -> SimpleNamespace:
    return SimpleNamespace(location=(file, 0, ""), iter_markers=lambda: [SimpleNamespace(name=name) for name in marks])


def test_slow_first_measuring_last_files_whole() -> None:
    collected = [item("a"), item("b", "slow"), item("b", "slow", "alone"), item("c"), item("c", "slow"), item("d")]
    ordered = in_order(collected)  # type: ignore[type-var]
    assert [one.location[0] for one in ordered] == ["c", "c", "a", "d", "b", "b"]
    assert ordered[:2] == collected[3:5]


def test_half_of_the_workers_begin_with_slow_files() -> None:
    units = ["slow 1", "slow 2", "quick"]
    order = []
    for begins_with_slow in (True, False, False):
        order.append(next_of(units, lambda unit: unit.startswith("slow"), begins_with_slow))
        units.remove(order[-1])
    assert order == ["slow 1", "quick", "slow 2"]
