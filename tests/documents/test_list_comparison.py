"""Two editions of a list: which column is the key, when two keys are the same, and what became of each row."""

import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from portal.documents.comparison import two_lists
from portal.documents.comparison.key_columns import ColumnSamples, KeyOption, options
from portal.documents.comparison.row_keys import ListRow, NumberAt, key_of, list_rows, loose_of
from portal.documents.comparison.two_lists import RowKind, TwoLists

Rows = list[list[Any]]


def listed(rows: Rows, phones: tuple[int, ...] = (1,)) -> list[ListRow]:
    """The rows of a list whose telephones are in these columns, below a heading in row 1."""
    found = []
    for row_no, cells in enumerate(rows, start=2):
        texts = {column: str(cells[column]) for column in phones if cells[column]}
        found.append(
            ListRow(row_no, cells, {column: f"+34{text}" for column, text in texts.items()}, "/".join(texts.values()))
        )
    return found


def compared(old: Rows, new: Rows, phones: tuple[int, ...] = (1,)) -> tuple[dict[RowKind, int], list[Any], list[int]]:
    with TwoLists(0, 0) as two:
        two.add_before(listed(old, phones))
        two.add_new(listed(new, phones))
        kinds = two.compare()
        changes = [(one.row_no, str(one.kind), one.before) for one in two.changes()]
        return {kind: count for kind, count in kinds.items() if count}, changes, [one.row_no for one in two.gone()]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("C-001", " c-001 "), (123, "123"), (123.0, "123"), ("123.0", 123), ("123,00", 123), ("A  Pérez", "A PÉREZ"),
        ("12345678Z", "12345678z"), ("a\u00a0b", "a b"), ("\u200bx1", "X1"), ("'0012", "0012"),
        ({"f": '"0012"'}, "0012"), ("ana@example.com", "Ana@Example.com"), ("ＡＢ１", "ab1"), (True, "TRUE"),
        ({"d": "2026-01-31T00:00:00"}, "2026-01-31"), ("Cafe\u0301", "café"),
    ],
)  # fmt: skip
def test_keys_that_people_see_as_the_same_are_the_same(one: Any, other: Any) -> None:
    assert key_of(one) == key_of(other) != ""


@pytest.mark.parametrize(("one", "other"), [("C-001", "C-01"), (123, 1230), ("1.5", "15"), ("Ana", "Ane"), ("0", "")])
def test_other_keys_are_not(one: Any, other: Any) -> None:
    assert key_of(one) != key_of(other)


def test_what_excel_loses_counts_only_where_no_other_row_has_it() -> None:
    assert loose_of("00123") == loose_of("123") == "123" and loose_of("12.345.678-z") == loose_of("12345678z")
    assert compared([["00123", 1], ["0045", 2]], [[123, 1], [45, 3]]) == (
        {RowKind.SAME: 1, RowKind.CHANGED: 1}, [(3, "changed", "2")], []
    )  # fmt: skip
    # 0012 and 12 are two customers here: nothing is guessed.
    kinds, _, gone = compared([["0012", 1], ["12", 2]], [["012", 1]])
    assert kinds == {RowKind.NEW: 1, RowKind.GONE: 2} and gone == [2, 3]


def test_each_row_is_what_it_is() -> None:
    old = [["a", 1], ["b", 2], ["c", 3], ["d", ""], ["e", 5]]
    new = [["b", 2], ["A", 9], ["x", 1], ["d", 4], ["e", ""]]
    kinds, changes, gone = compared(old, new)
    assert kinds == {RowKind.SAME: 1, RowKind.CHANGED: 3, RowKind.NEW: 1, RowKind.GONE: 1}
    assert changes == [(3, "changed", "1"), (4, "new", ""), (5, "changed", ""), (6, "changed", "5")]
    assert gone == [4]


def test_a_repeated_key_is_compared_only_where_the_number_is_the_same() -> None:
    old = [["a", 1], ["a", 2], ["b", 3]]
    new = [["a", 2], ["a", 7], ["b", 3], ["b", 8], ["z", 4], ["z", 5]]
    kinds, changes, gone = compared(old, new)
    assert kinds == {RowKind.SAME: 2, RowKind.REPEATED: 2, RowKind.NEW: 2}
    assert [(row, kind) for row, kind, _ in changes] == [(3, "repeated"), (5, "repeated"), (6, "new"), (7, "new")]
    assert gone == []


def test_rows_without_a_key_are_counted_and_their_numbers_are_not_gone() -> None:
    kinds, changes, gone = compared([["a", 1], ["b", 2], ["", 3]], [["", 1], ["b", 2], [None, ""]])
    assert kinds == {RowKind.NO_KEY: 1, RowKind.SAME: 1} and changes == [(2, "no_key", "")] and gone == []


def test_a_telephone_as_the_key_is_a_number_however_it_is_written() -> None:
    def rows(*texts: str) -> Iterator[ListRow]:
        for row_no, text in enumerate(texts, start=2):
            digits = "".join(filter(str.isdecimal, text))[-9:]
            yield ListRow(row_no, [text], {0: f"+34{digits}"}, text)

    with TwoLists(0, 0) as two:
        two.add_before(rows("600 123 123", "600123124"))
        two.add_new(rows("+34600123123", "0034 600-123-125"))
        kinds = two.compare()
    assert (kinds[RowKind.SAME], kinds[RowKind.CHANGED], kinds[RowKind.NEW], kinds[RowKind.GONE]) == (1, 0, 1, 1)


def test_numbers_that_changed_places_are_the_same() -> None:
    kinds, _, _ = compared([["a", 1, 2]], [["a", 2, 1]], (1, 2))
    assert kinds == {RowKind.SAME: 1}


def best(new: Rows, old: Rows, heads: list[str], heads_before: list[str], phones: tuple[int, ...]) -> KeyOption:
    samples = [ColumnSamples(max(len(new), len(old))).add_all(listed(rows, phones)) for rows in (new, old)]
    return options(samples[0], samples[1], heads, heads_before)[0]


def customers(numbers: range, changed: int = 0) -> Rows:
    """Rows that are counted, with a customer's number, a name that others have too, a town and a telephone."""
    return [
        [place, f"C{n}", f"Ana {n % 7}", "Vigo", 600000000 + n + (50_000_000 if changed and n % changed == 0 else 0)]
        for place, n in enumerate(numbers, start=1)
    ]


HEADS = ["Nº", "Cliente", "Nombre", "Ciudad", "Teléfono"]


@pytest.mark.parametrize("size", [50, 5000])
def test_the_key_is_the_column_that_tells_the_rows_apart(size: int) -> None:
    new, old = customers(range(5, size), 9), customers(range(size - 5))
    assert best(new, old, HEADS, HEADS, (4,))[:2] == (1, 1)
    assert best(new[::-1], old, HEADS, HEADS, (4,))[:2] == (1, 1)  # in another order
    assert best(old, old, HEADS, HEADS, (4,))[:2] == (1, 1)  # rows that are counted are no key, even if all fit


def test_the_key_is_found_where_headings_and_places_are_others() -> None:
    old = [[row[4], row[1]] for row in customers(range(100))]
    samples = [
        ColumnSamples(100).add_all(listed(customers(range(3, 100), 9), (4,))),
        ColumnSamples(100).add_all(listed(old, (0,))),
    ]
    assert options(samples[0], samples[1], HEADS, ["Movil", "Código"])[0][:2] == (1, 1)


def test_without_another_column_the_telephone_is_the_key() -> None:
    new, old = ([[row[3], row[4]] for row in customers(numbers)] for numbers in (range(5, 50), range(45)))
    assert best(new, old, ["Ciudad", "Tel"], ["Ciudad", "Tel"], (1,))[:2] == (1, 1)


def test_rows_are_read_beside_their_numbers(tmp_path: Path) -> None:
    path = tmp_path / "sheet"
    path.write_text("".join(json.dumps(row) + "\n" for row in [["h"], ["a", "1 y 2"], [], ["b", "x"], ["c"]]))
    numbers = [NumberAt(2, 1, "+341", "1 y 2"), NumberAt(2, 1, "+342", "1 y 2"), NumberAt(4, 1, None, "x")]
    found = list(list_rows(path, numbers))
    assert [(row.row_no, row.numbers, row.shown) for row in found] == [(2, "+341 / +342", "1 y 2"), (4, "", "x")]
    assert list(list_rows(path, [])) == []


def test_memory_is_the_same_for_many_rows() -> None:
    def rows(count: int) -> Iterator[ListRow]:
        for n in range(count):
            text = str(600000000 + n * 7)
            yield ListRow(n + 2, [f"C{n}", "Ana", text], {2: f"+34{text}"}, text)

    def peak(count: int) -> int:
        tracemalloc.start()
        samples = [ColumnSamples(count).add_all(rows(count)) for _ in range(2)]
        options(samples[0], samples[1], [], [])
        with TwoLists(0, 0) as two:
            two.add_before(rows(count))
            two.add_new(rows(count - count // 10))
            two.compare()
            assert sum(1 for _ in two.gone()) == count // 10
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    peak(100)
    assert peak(60_000) < 1.5 * peak(10_000)
    assert two_lists.CACHE_KILOBYTES <= 16_000  # what SQLite keeps beside it
