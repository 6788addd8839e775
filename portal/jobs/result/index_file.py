"""A file with the rows of a result in a form that is quick to search, to choose from and to put in order. Pure.

It is read where it lies: a page of a million rows touches a few kilobytes. Every row has a position, from 0 in the
order of the file, and each column is kept in one of two ways: one with few values as a code of one byte a row, one with
many as the positions in their order. What is searched is one folded text a row.
"""

import json
import mmap
import os
import uuid
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import compress, islice
from pathlib import Path
from typing import Any, Literal

from portal.jobs.result.texts import alternatives, order_key

MAGIC = b"result-7"
MOST_VALUES = 254  # of a column that is kept as codes
MOST_FOUND = 10_000  # rows that a search looks for
FEW = 20_000  # rows that are put in order one by one
_BLOCK = 8192  # rows
STATUS = "status"
Place = tuple[int, int, int]
"""A row's number, its column and the place of the number in the cell."""


class Unusable(Exception):
    """Not a file of ours, or one of an earlier version of the portal."""


@dataclass(frozen=True)
class Wanted:
    """Which rows, and in which order: those that have these values in these columns, and every word of `text`.
    `sort` is a column; empty: the order of the file."""

    values: tuple[tuple[str, str], ...] = ()
    text: str = ""
    sort: str = ""
    descending: bool = False


@dataclass(frozen=True)
class Found:
    """The positions of a page of rows, and how many rows there are on all pages; with `more` at least so many."""

    positions: list[int]
    total: int
    more: bool = False


class Column:
    """The values of a column while a file is being written."""

    def __init__(self) -> None:
        self.codes = bytearray()
        self.known: dict[str | None, int] = {}
        self.key_of: list[str] = []  # by code
        self.keys: list[str] | None = None  # of all rows, once there are too many values for codes

    def add(self, value: str | None, key: Callable[[str], str]) -> None:
        """Add the value of the next row; None where there is nothing that could have one."""
        code = self.known.get(value)
        if self.keys is not None:
            self.keys.append(self.key_of[code] if code is not None else key(value or ""))
            return
        if code is None:
            if len(self.known) == MOST_VALUES:
                self.keys = [self.key_of[one] for one in self.codes]
                self.keys.append(key(value or ""))
                return
            code = self.known[value] = len(self.known)
            self.key_of.append(key(value or ""))
        self.codes.append(code)

    def parts(self) -> tuple[dict[str, Any], dict[str, bytes | bytearray | memoryview]]:
        """Return what the head of the file says of the column, and its sections."""
        if self.keys is None:
            counts = [self.codes.count(code) for code in range(len(self.known))]
            return {"values": list(self.known), "counts": counts, "keys": self.key_of}, {"codes": self.codes}
        keys = self.keys
        order = sorted((at for at, key in enumerate(keys) if key), key=keys.__getitem__)
        filled = len(order)
        order += [at for at, key in enumerate(keys) if not key]
        rank = array("I", bytes(4 * len(order)))
        for place, at in enumerate(order):
            rank[at] = place
        return {"filled": filled}, {
            "order": memoryview(array("I", order)).cast("B"),
            "rank": memoryview(rank).cast("B"),
        }


@dataclass
class NewIndex:
    """What is written into a file: add each row once, in the order of the file."""

    facts: dict[str, Any]
    columns: dict[str, Column]
    places: array = field(default_factory=lambda: array("I"))
    text: bytearray = field(default_factory=bytearray)
    ends: array = field(default_factory=lambda: array("Q", [0]))

    def add(self, place: Place, text: str) -> None:
        """Add a row's place and what it is searched by; its values are added to the columns."""
        self.places.extend(place)
        self.text += text.encode("utf-8", "replace")
        self.text += b"\n"
        self.ends.append(len(self.text))

    def write(self, path: Path) -> None:
        """Write the file, completely or not at all."""
        sections: dict[str, Any] = {"places": memoryview(self.places).cast("B"), "text": self.text,
                                    "ends": memoryview(self.ends).cast("B")}  # fmt: skip
        columns = {}
        for name, column in self.columns.items():
            columns[name], own = column.parts()
            sections |= {f"{name}/{part}": content for part, content in own.items()}
            column.keys = None
        at, where = 0, {}
        for name, content in sections.items():
            where[name] = (at, len(content))
            at += -(-len(content) // 8) * 8
        head = json.dumps({"facts": self.facts, "columns": columns, "sections": where}).encode()
        head += b" " * (-(len(head) + 16) % 8)
        unfinished = path.with_name(f"{path.name}.{uuid.uuid4().hex}.part")
        try:
            with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(MAGIC + len(head).to_bytes(8, "little") + head)
                for content in sections.values():
                    file.write(content)
                    file.write(b"\0" * (-len(content) % 8))
            os.replace(unfinished, path)
        finally:
            unfinished.unlink(missing_ok=True)


class ResultIndex:
    """An open file. Close it, or use it in a `with`."""

    def __init__(self, path: Path) -> None:
        """Raises FileNotFoundError and Unusable."""
        with path.open("rb") as file:
            try:
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            except ValueError as error:  # an empty file
                raise Unusable from error
        if self._map[:8] != MAGIC:
            raise Unusable
        self._begin = 16 + int.from_bytes(self._map[8:16], "little")
        head = json.loads(self._map[16 : self._begin])
        self.facts: dict[str, Any] = head["facts"]
        self.columns: Mapping[str, dict[str, Any]] = head["columns"]
        self._sections: dict[str, tuple[int, int]] = head["sections"]
        self._view = memoryview(self._map)
        self._views = [self._view]
        self.rows = self._sections["ends"][1] // 8 - 1

    def __enter__(self) -> "ResultIndex":
        return self

    def __exit__(self, *error: object) -> None:
        for view in reversed(self._views):
            view.release()
        self._map.close()

    def _section(self, name: str, kind: Literal["I", "Q"]) -> memoryview:
        at, size = self._sections[name]
        part = self._view[self._begin + at : self._begin + at + size]
        typed: memoryview = part.cast(kind)
        self._views += [part, typed]
        return typed

    def _codes(self, column: str) -> bytes:
        at, size = self._sections[f"{column}/codes"]
        return self._map[self._begin + at : self._begin + at + size]

    @cached_property
    def _ends(self) -> memoryview:
        return self._section("ends", "Q")

    def places(self, positions: Iterable[int]) -> list[Place]:
        """Return where these rows stand in the person's file."""
        numbers = self._section("places", "I")
        return [(numbers[3 * at], numbers[3 * at + 1], numbers[3 * at + 2]) for at in positions]

    def counts(self, column: str) -> dict[str | None, int] | None:
        """Return how many rows have each value, None for rows without any; None for a column of many values."""
        found = self.columns[column]
        return dict(zip(found["values"], found["counts"], strict=True)) if "values" in found else None

    def find(
        self, wanted: Wanted, first: int, most: int, words: Callable[[str, str], str] = lambda column, value: value
    ) -> Found:
        """Return `most` of the wanted rows from the one with number `first`, from 0. `words` is how a reader sees a
        value of a column, by which its rows are put in order."""
        mask = self._mask(wanted.values)
        if wanted.text.strip():
            hits, more = self._search(alternatives(wanted.text), mask)
            if wanted.sort:
                hits.sort(key=self._rank(wanted, words))
            return Found(hits[first : first + most], len(hits), more)
        total = self.rows if mask is None else mask.count(1)
        return Found(list(self._in_order(wanted, mask, first, most, words)), total)

    def _mask(self, values: Sequence[tuple[str, str]]) -> bytes | None:
        """Return a byte for each row, 1 for those with these values; None for all rows."""
        mask: bytes | None = None
        for column, value in values:
            known = self.columns.get(column, {}).get("values", [])
            if value not in known:
                return bytes(self.rows)
            only = bytearray(256)
            only[known.index(value)] = 1
            mask = _both(mask, self._codes(column).translate(bytes(only)))
        return mask

    def _groups(self, wanted: Wanted, words: Callable[[str, str], str]) -> list[list[int]]:
        """The codes of a column in their order, those that are the same to a reader together; without a value last."""
        column = self.columns[wanted.sort]
        by_key: dict[str, list[int]] = {}
        for code, value in enumerate(column["values"]):
            seen = words(wanted.sort, value) if value else ""
            key = column["keys"][code] if seen == value else order_key(seen)
            by_key.setdefault(key if value else "", []).append(code)
        filled = sorted((key for key in by_key if key), reverse=wanted.descending)
        return [by_key[key] for key in filled] + ([by_key[""]] if "" in by_key else [])

    def _rank(self, wanted: Wanted, words: Callable[[str, str], str]) -> Callable[[int], int]:
        if "values" in self.columns[wanted.sort]:
            codes = self._codes(wanted.sort)
            rank_of: dict[int, int] = {}
            for place, group in enumerate(self._groups(wanted, words)):
                rank_of |= dict.fromkeys(group, place)
            return lambda at: rank_of[codes[at]]
        rank, filled = self._section(f"{wanted.sort}/rank", "I"), self.columns[wanted.sort]["filled"]
        if wanted.descending:
            return lambda at: rank[at] if rank[at] >= filled else filled - rank[at]
        return rank.__getitem__

    def _in_order(
        self, wanted: Wanted, mask: bytes | None, first: int, most: int, words: Callable[[str, str], str]
    ) -> Iterable[int]:
        if not wanted.sort:
            return range(self.rows)[first : first + most] if mask is None else _ones(mask, first, most)
        if "values" in self.columns[wanted.sort]:
            return self._by_groups(wanted, mask, first, most, words)
        if mask is not None and (count := mask.count(1)) <= FEW:
            return sorted(_ones(mask, 0, count), key=self._rank(wanted, words))[first : first + most]
        order, filled = self._section(f"{wanted.sort}/order", "I"), self.columns[wanted.sort]["filled"]
        if mask is None:
            size = self.rows
            places = range(first, min(first + most, size))
            return [order[filled - 1 - at if wanted.descending and at < filled else at] for at in places]
        parts = [order[:filled][::-1] if wanted.descending else order[:filled], order[filled:]]
        self._views += parts
        chosen = (at for part in parts for at in compress(part, map(mask.__getitem__, part)))
        return list(islice(chosen, first, first + most))

    def _by_groups(
        self, wanted: Wanted, mask: bytes | None, first: int, most: int, words: Callable[[str, str], str]
    ) -> Iterator[int]:
        codes, left = self._codes(wanted.sort), most
        for group in self._groups(wanted, words):
            only = bytearray(256)
            for code in group:
                only[code] = 1
            part = _both(mask, codes.translate(bytes(only)))
            count = part.count(1)
            if first < count and left:
                found = _ones(part, first, left)
                left -= len(found)
                yield from found
            first = max(0, first - count)

    def _search(self, searched: Sequence[Sequence[bytes]], mask: bytes | None) -> tuple[list[int], bool]:
        if mask is not None and (count := mask.count(1)) <= FEW:
            at, _ = self._sections["text"]
            base = self._begin + at
            hits = []
            for position in _ones(mask, 0, count):
                line = self._map[base + self._ends[position] : base + self._ends[position + 1]]
                if any(_has_all(words, line) for words in searched):
                    hits.append(position)
            return hits[:MOST_FOUND], len(hits) > MOST_FOUND
        found: set[int] = set()
        for words in searched:
            found.update(islice(self._lines_with(words, mask), MOST_FOUND + 1))
        return sorted(found)[:MOST_FOUND], len(found) > MOST_FOUND

    def _lines_with(self, words: Sequence[bytes], mask: bytes | None) -> Iterator[int]:
        """Yield the rows with all these words. They are copied block by block: a search in the map itself is slow."""
        at, _ = self._sections["text"]
        base, ends = self._begin + at, self._ends
        for begin in range(0, self.rows, _BLOCK):
            end = min(begin + _BLOCK, self.rows)
            block = self._map[base + ends[begin] : base + ends[end]]
            if not begin:
                words = sorted(words, key=block.count)  # looked for by the rarest one
            first, *others = words
            if any(word not in block for word in others):
                continue
            place = 0
            while (place := block.find(first, place)) >= 0:
                position = bisect_right(ends, ends[begin] + place, begin, end) - 1
                after = ends[position + 1] - ends[begin]
                if (mask is None or mask[position]) and (
                    not others or _has_all(others, block[ends[position] - ends[begin] : after])
                ):
                    yield position
                place = after


def _has_all(words: Sequence[bytes], text: bytes) -> bool:
    return all(word in text for word in words)


def _both(one: bytes | None, other: bytes) -> bytes:
    if one is None:
        return other
    both = int.from_bytes(one, "little") & int.from_bytes(other, "little")
    return both.to_bytes(len(other), "little")


def _ones(mask: bytes, first: int, most: int) -> list[int]:
    """Return the places of `most` ones from the one with number `first`, from 0."""
    found: list[int] = []
    at = 0
    while at < len(mask) and first >= (count := mask.count(1, at, at + _BLOCK)):
        first -= count
        at += _BLOCK
    at -= 1
    while len(found) < first + most and (at := mask.find(1, at + 1)) >= 0:
        found.append(at)
    return found[first:]
