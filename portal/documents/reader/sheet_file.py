"""The file that holds the rows of one sheet: each line is a JSON list of a row's cells. Pure.

Line k is Excel's row k. A cell is a text, a number, true or false, null, {"d": "2026-01-31T00:00:00"} for a date, or
{"f": "A1+B1"} for a formula without a result. Empty cells at a row's end are not written, so rows differ in length:
pass `rows` the width you need. The line of a hidden row ends with a space.
"""

import datetime
import json
import math
import os
from array import array
from collections.abc import Collection, Container, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from portal.documents.reader.limits import FileProblem, ReadLimits, Unreadable
from portal.documents.reader.time_text import plain_text

Cell = str | int | float | bool | dict[str, str] | None
MAX_CELL_CHARACTERS = 32_767  # Excel's own limit
DISPLAY_CHARACTERS = 200
MARKED_ROWS = 64
GAP_ROWS = 100  # so many empty rows one after the other are no rows of the list: a stray cell stands far below it
FORMAT_ROWS = 30  # at the top of a sheet, whose cells are shown in their own formats: headings and first rows
SHEETS_WITH_FORMATS = 5  # so that what is reported of a file stays small
FEW_FAR = 20  # cells so far to the right that they are left aside
FAR_COLUMNS = 20  # empty columns between them and the others
_HIDDEN = b" \n"
_encode_any = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


FORMULA_MARK = "\ue000formula\ue000"  # before a formula in a text of the parser, as nobody writes it
SHOWN_MARK = "\ue001"  # in the place of a format's code: the text behind it is how the file itself shows the value


class Formula(str):
    """A formula for which the file has no result, without its equals sign."""

    __slots__ = ()


def cell_of(value: Any) -> Cell:
    """Convert a value of the parser to a cell. Numbers arrive as floats; whole ones become integers here."""
    kind = type(value)
    if kind is str:  # nearly all cells
        return _text_cell(value)
    if kind is float:
        if not math.isfinite(value):
            return str(value)
        return int(value) if value.is_integer() and abs(value) < 1e18 else float(value)
    match value:
        case None:
            return None
        case bool() | int():
            return value
        case Formula():
            return {"f": value[:MAX_CELL_CHARACTERS].replace("\x00", "")}
        case datetime.datetime():
            return {"d": value.isoformat(timespec="seconds")}
        case datetime.date():
            return {"d": f"{value.isoformat()}T00:00:00"}
        case datetime.timedelta():
            return plain_text(value)
        case _:
            return str(value)[:MAX_CELL_CHARACTERS]  # a time of day


def _text_cell(text: str) -> Cell:
    if not text:
        return None
    if text.isascii() and len(text) < MAX_CELL_CHARACTERS and "\x00" not in text:
        return text
    if text.startswith(FORMULA_MARK):
        return {"f": text[len(FORMULA_MARK) : MAX_CELL_CHARACTERS]}
    # Not every database can store a NUL or half a surrogate pair.
    return text[:MAX_CELL_CHARACTERS].replace("\x00", "").encode("utf-8", "replace").decode("utf-8")


@dataclass(frozen=True)
class RawSheet:
    """One sheet of a file that is being read: its name, whether Excel hides it, and its rows, beginning at Excel's row
    1 and column A."""

    name: str
    hidden: bool
    rows: Iterator[list[Any]]
    hidden_rows: Container[int] = ()
    far: int = 0  # cells far to the right that are left aside
    text: dict[str, Any] = field(default_factory=dict)  # how a text file is written
    formats: dict[int, dict[int, str]] = field(default_factory=dict)  # of the first rows: a format's code by place


def text_of(cell: Cell) -> str:
    """Return a cell's text as a person would read it."""
    match cell:
        case None:
            return ""
        case str():
            return cell
        case bool():
            return "TRUE" if cell else "FALSE"
        case {"f": formula}:
            return f"={formula}"
        case dict():
            day, _, time = cell.get("d", "").partition("T")
            return day if time in ("", "00:00:00") else f"{day} {time}"
        case _:
            return str(cell)


def column_letter(column: int) -> str:
    """Return Excel's letters for column `column` (from 0): A, B, … Z, AA."""
    letters = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


class Budget:
    """The bytes that the sheets of one document may still write."""

    def __init__(self, limits: ReadLimits) -> None:
        self.limits = limits
        self.left = limits.output_bytes

    def spend(self, size: int) -> None:
        """Subtract `size` bytes. Raises Unreadable when the document's text exceeds the limit."""
        self.left -= size
        if self.left < 0:
            raise Unreadable(FileProblem.TOO_LARGE, {"limit": self.limits.output_bytes // (1024 * 1024)})


@dataclass(frozen=True)
class Written:
    """What was written of a sheet: the number of its last row, its columns, and how many rows count: all but those in
    a gap of GAP_ROWS or more."""

    rows: int = 0
    columns: int = 0
    counted: int = 0
    hidden: int = 0  # filled rows that the sheet does not show


def write_sheet(
    path: Path, values: Iterator[list[Any]], limits: ReadLimits, budget: Budget, hidden: Container[int] = ()
) -> Written:
    """Write a sheet's rows, without the empty ones at the end. `hidden` are the numbers of the rows that are not shown.

    Rows after the first `limits.max_lines` that count are counted but not written. Raises Unreadable for too many
    columns or too much text.
    """
    row_count = width = written = counted = not_shown = 0
    with path.open("wb") as file:
        for row_no, row in enumerate(values, start=1):
            end = len(row)
            while end and (row[end - 1] is None or (isinstance(row[end - 1], str) and not row[end - 1].strip())):
                end -= 1
            if not end:
                continue
            gap = row_no - row_count - 1
            counted += 1 + (gap if gap < GAP_ROWS else 0)
            row_count = row_no
            width = max(width, end)
            if width > limits.max_columns:
                raise Unreadable(FileProblem.TOO_MANY_COLUMNS, {"columns": width, "limit": limits.max_columns})
            if counted > limits.max_lines:
                continue
            line = _encode([_text_cell(value) if type(value) is str else cell_of(value) for value in row[:end]])
            is_hidden = row_no in hidden
            not_shown += is_hidden
            line = b"[]\n" * (row_no - written - 1) + line + (_HIDDEN if is_hidden else b"\n")
            budget.spend(len(line))
            file.write(line)
            written = row_no
        file.flush()
        os.fsync(file.fileno())
    return Written(row_count, width, counted, not_shown)


def _encode(cells: list[Cell]) -> bytes:
    try:
        return orjson.dumps(cells)
    except TypeError:  # a number of more than 64 bits
        return _encode_any(cells).encode()


@dataclass(frozen=True)
class LeftOut:
    """Rows of a sheet that a person leaves alone: the hidden ones, and those with these numbers."""

    hidden: bool = False
    numbers: frozenset[int] = frozenset()  # of rows with totals and footers

    @property
    def code(self) -> str:
        """`hidden`, `totals`, both, or empty."""
        return " ".join(code for code, is_left in (("hidden", self.hidden), ("totals", self.numbers)) if is_left)


def rows_to_check(sheet_path: Path, left: LeftOut = LeftOut()) -> Iterator[tuple[int, list[Cell]]]:
    """Read the rows as `rows` does, without those that are left out and without gaps of GAP_ROWS or more."""
    empty: list[int] = []
    with sheet_path.open("rb") as file:
        for row_no, line in enumerate(file, start=1):
            if row_no in left.numbers or (left.hidden and line.endswith(_HIDDEN)):
                continue
            if line == b"[]\n":
                empty.append(row_no)
                continue
            if len(empty) < GAP_ROWS:
                yield from ((one, []) for one in empty)
            empty.clear()
            yield row_no, orjson.loads(line)


def rows(sheet_path: Path, width: int = 0) -> Iterator[tuple[int, list[Cell]]]:
    """Read the rows, each with its number as Excel counts and padded with None to at least `width` cells."""
    with sheet_path.open("rb") as file:
        for row_no, line in enumerate(file, start=1):
            cells = orjson.loads(line)
            if len(cells) < width:
                cells += [None] * (width - len(cells))
            yield row_no, cells


def rows_at(sheet_path: Path, numbers: Collection[int]) -> dict[int, list[Cell]]:
    """Read only the rows with these numbers, as Excel counts; those after the last row are left out. Where the rows lie
    in the file is remembered, so that rows far down come as fast as the first ones."""
    found: dict[int, list[Cell]] = {}
    with sheet_path.open("rb") as file:
        facts = os.fstat(file.fileno())
        starts = _starts(sheet_path, facts.st_size, facts.st_mtime_ns)
        at = 0  # the number of the row that was read last
        for row_no in sorted(numbers):
            mark = (row_no - 1) // MARKED_ROWS
            if row_no < 1 or mark >= len(starts):
                continue
            if at < mark * MARKED_ROWS or not at:
                file.seek(starts[mark])
                at = mark * MARKED_ROWS
            line = b""
            while at < row_no:
                line, at = file.readline(), at + 1
            if line:
                found[row_no] = orjson.loads(line)
    return found


@lru_cache(maxsize=64)
def _starts(sheet_path: Path, size: int, changed_ns: int) -> array:
    """Return where in the file every 64th row begins. `size` and `changed_ns` tell a file from one of the same name."""
    starts, at = array("Q"), 0
    with sheet_path.open("rb") as file:
        for place, line in enumerate(file):
            if not place % MARKED_ROWS:
                starts.append(at)
            at += len(line)
    return starts


def header_of(sheet_path: Path, header_row: int, width: int = 0) -> list[str]:
    """Return the row's texts, cut to 200 characters each; empty when `header_row` is 0 or after the last row."""
    if header_row < 1:
        return []
    for _, cells in islice(rows(sheet_path, width), header_row - 1, header_row):
        return [text_of(cell)[:DISPLAY_CHARACTERS] for cell in cells]
    return []


def first_rows(sheet_path: Path, header_row: int, count: int) -> list[list[Cell]]:
    """Return the first `count` rows below the header; they begin at `header_row + 1`."""
    return [cells for _, cells in islice(rows(sheet_path), header_row, header_row + count)]


def sample(sheet_path: Path, header_row: int, count: int = 10, width: int = 0) -> list[list[str]]:
    """Return the first `count` rows below the header as texts cut to 200 characters; they begin at `header_row + 1`."""
    below = islice(rows(sheet_path, width), header_row, header_row + count)
    return [[text_of(cell)[:DISPLAY_CHARACTERS] for cell in cells] for _, cells in below]
