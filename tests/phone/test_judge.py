"""The judge of reading a cell: thousands of made cells whose true answer is known."""

from collections import Counter

import pytest

from portal.phone import Phone, Reason, parse
from tests.phone.cells import Cell, cells

SEED = 20261129  # another seed gives other cells with the same result


@pytest.fixture(scope="module")
def judged() -> list[tuple[Cell, Phone]]:
    return [(cell, parse(cell.text, cell.country)) for cell in cells(SEED)]


def looked_up(phone: Phone) -> tuple[str, ...]:
    return (phone.e164,) if phone.e164 else phone.numbers


def test_no_number_is_looked_up_that_is_not_in_the_cell(judged: list[tuple[Cell, Phone]]) -> None:
    assert len(judged) >= 14_000
    assert [(cell, looked_up(phone)) for cell, phone in judged if looked_up(phone) not in ((), cell.numbers)] == []


def test_what_a_person_reads_is_found_or_offered(judged: list[tuple[Cell, Phone]]) -> None:
    with_number = [(cell, phone) for cell, phone in judged if cell.numbers]
    lost = [(cell, phone) for cell, phone in with_number if not set(cell.numbers) <= {phone.e164, *phone.offered}]
    assert len(lost) <= len(with_number) / 100, lost
    one = [phone for cell, phone in with_number if len(cell.numbers) == 1]
    assert sum(phone.e164 is not None for phone in one) > 0.9 * len(one)  # offers are the exception


def test_the_numbers_of_a_cell_are_all_looked_up(judged: list[tuple[Cell, Phone]]) -> None:
    several = [(cell, phone) for cell, phone in judged if cell.kind.startswith(("two:", "several:"))]
    left = [(cell, phone) for cell, phone in several if phone.numbers != cell.numbers]
    assert len(several) == 2500
    assert len(left) <= len(several) / 100, left


def test_what_is_not_certain_of_several_is_only_offered(judged: list[tuple[Cell, Phone]]) -> None:
    doubtful = [phone for cell, phone in judged if cell.kind.startswith("doubtful")]
    assert len(doubtful) == 100
    assert {looked_up(phone) for phone in doubtful} == {()}


def test_every_reason_is_true(judged: list[tuple[Cell, Phone]]) -> None:
    assert [(cell, phone) for cell, phone in judged if phone.reason and phone.reason not in cell.why] == []
    given = Counter(phone.reason for _, phone in judged if phone.reason)
    assert set(given) == set(Reason)  # the cells have every reason


def test_two_numbers_are_never_silently_one(judged: list[tuple[Cell, Phone]]) -> None:
    several = [phone for cell, phone in judged if len(cell.numbers) > 1]
    assert [phone.e164 for phone in several if phone.e164] == []


def test_the_cells_are_of_many_kinds(judged: list[tuple[Cell, Phone]]) -> None:
    kinds = {cell.kind for cell, _ in judged}
    written = {" ".join(kind.split(" ")[:3]) for kind in kinds if kind.startswith(("home", "abroad"))}
    special = {kind for kind in kinds if not kind.startswith(("home", "abroad"))}
    assert len(written) + len(special) > 150
    assert len({cell.country for cell, _ in judged}) == 15
