"""Which rows of a file are which rows of another one, after a person has corrected, moved or deleted some. Pure.

Rows that are wholly alike are found first, in their places and then anywhere. A row whose numbers were changed is
known by its other cells, where as many rows as before have the same ones, or by its place between rows that are known.
What is not certain is left unknown: a correction must never stand beside another person's number.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import NamedTuple


class Row(NamedTuple):
    """A row: its number, what stands in the cells with numbers, and in the others."""

    row_no: int
    numbers: tuple[str, ...]
    others: tuple[str, ...]


def match_rows(known: Sequence[Row], given: Sequence[Row]) -> dict[int, int]:
    """Return the row numbers of the given rows that are known, each with the number of its known row. Both are in the
    order of their files."""
    found: dict[int, int] = {}
    by_number = {row.row_no: row for row in known}
    for row in given:
        there = by_number.get(row.row_no)
        if there is not None and there[1:] == row[1:]:
            found[row.row_no] = there.row_no
    _pair(found, known, given, lambda row: row[1:], only_equal_counts=False)
    if any(any(row.others) for row in known):
        _pair(found, known, given, lambda row: row.others if any(row.others) else None, only_equal_counts=True)
    _fill_gaps(found, known, given)
    return found


def _pair(
    found: dict[int, int],
    known: Iterable[Row],
    given: Iterable[Row],
    key: Callable[[Row], Hashable],
    *,
    only_equal_counts: bool,
) -> None:
    """Match what is not matched yet and has the same key, in the order of the files."""
    taken = set(found.values())
    left: dict[Hashable, list[int]] = defaultdict(list)
    for row in known:
        if row.row_no not in taken and (of_row := key(row)) is not None:
            left[of_row].append(row.row_no)
    wanted: dict[Hashable, list[int]] = defaultdict(list)
    for row in given:
        if row.row_no not in found and (of_row := key(row)) is not None:
            wanted[of_row].append(row.row_no)
    for of_row, numbers in wanted.items():
        if not only_equal_counts or len(numbers) == len(left[of_row]):
            found.update(zip(numbers, left[of_row], strict=False))


def _fill_gaps(found: dict[int, int], known: Sequence[Row], given: Sequence[Row]) -> None:
    """Match rows without other cells between two that are known, where there are as many as before."""
    taken = {row_no: place for place, row_no in enumerate(row.row_no for row in known)}
    waiting: list[Row] = []
    last = -1
    ends = [*given, None]
    for row in ends:
        if row is not None and row.row_no not in found:
            waiting.append(row)
            continue
        next_place = len(known) if row is None else taken[found[row.row_no]]
        between = known[last + 1 : next_place] if next_place > last else ()
        alike = all(one.others == new.others for one, new in zip(between, waiting, strict=False))
        if waiting and len(between) == len(waiting) and alike:
            found.update((new.row_no, one.row_no) for new, one in zip(waiting, between, strict=True))
        waiting, last = [], next_place
