"""The index of a result: the same rows as a plain search through all of them finds."""

import random
from pathlib import Path

import pytest

from portal.jobs.result import index_file
from portal.jobs.result.index_file import Column, NewIndex, ResultIndex, Unusable, Wanted
from portal.jobs.result.texts import fold, order_key

KINDS = ("mobile", "fixed", None)


@pytest.mark.parametrize("few", [0, 20_000], ids=["by walking", "one by one"])
def test_it_finds_what_a_plain_search_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, few: int) -> None:
    monkeypatch.setattr(index_file, "FEW", few)
    monkeypatch.setattr(index_file, "_BLOCK", 64)
    draw = random.Random(7)
    rows = [(draw.choice(KINDS), draw.choice(("", f"Nú{draw.randrange(400)}")), draw.randrange(9)) for _ in range(900)]
    new = NewIndex({}, {"kind": Column(), "name": Column(), "digit": Column()})
    for at, (kind, name, digit) in enumerate(rows):
        new.columns["kind"].add(kind, order_key)
        new.columns["name"].add(name, order_key)
        new.columns["digit"].add(str(digit), order_key)
        new.add((at + 2, 1, 1), fold(f"{name} {kind} d{digit}"))
    new.write(tmp_path / "index")
    with ResultIndex(tmp_path / "index") as index:
        assert index.places([5]) == [(7, 1, 1)]
        assert index.counts("name") is None and sum((index.counts("kind") or {}).values()) == 900
        for _ in range(150):
            values = tuple((one, value) for one, value in (("kind", "fixed"), ("digit", "3")) if draw.random() < 0.5)
            wanted = Wanted(values, draw.choice(("", "", "NU1", "mobile d4", "nu2 fixed")),
                            draw.choice(("", "kind", "name", "digit")), draw.random() < 0.5)  # fmt: skip
            expected = _plainly(rows, wanted)
            first = draw.randrange(0, 80)
            found = index.find(wanted, first, 7)
            assert found.total == len(expected), wanted
            if wanted.sort in ("", "name"):  # what is equal may stand in any order
                key = _key(rows, wanted.sort)
                assert [key(at) for at in found.positions] == [key(at) for at in expected[first : first + 7]], wanted
            assert set(found.positions) <= set(expected)


def _key(rows: list, sort: str):  # type: ignore[no-untyped-def,type-arg]
    return lambda at: order_key(rows[at][1]) if sort else at


def _plainly(rows: list, wanted: Wanted) -> list[int]:  # type: ignore[type-arg]
    found = [
        at
        for at, row in enumerate(rows)
        if all(row[("kind", "name", "digit").index(column)] in (value, int(value) if value.isdecimal() else value)
               for column, value in wanted.values)
        and all(word in fold(f"{row[1]} {row[0]} d{row[2]}") for word in fold(wanted.text).split())
    ]  # fmt: skip
    if wanted.sort == "name":
        filled = sorted((at for at in found if rows[at][1]), key=_key(rows, "name"), reverse=wanted.descending)
        return filled + [at for at in found if not rows[at][1]]
    return found


def test_numbers_are_put_in_order_by_their_size() -> None:
    texts = ["-3", "0,5", "7", "10 €", "1.081,34 €", "12.000", "árbol", "Zorro"]
    assert sorted(set(texts), key=order_key) == texts


@pytest.mark.parametrize("content", [b"", b"something else entirely"])
def test_another_file_is_no_index(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "other").write_bytes(content)
    with pytest.raises(Unusable):
        ResultIndex(tmp_path / "other")
