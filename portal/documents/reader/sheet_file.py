"""A sheet that was read: one file, one line a row, each line a JSON list of the row's cells. Pure.

Line k is Excel's row k. A cell is a text, a number, true or false, null, or {"d": "2026-01-31T00:00:00"} for a date.
Empty cells at a row's end are not written, so rows differ in length: ask `rows` for the width you need.
"""

import datetime
import json
import math
import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from portal.documents.reader.limits import FileProblem, ReadLimits, Unreadable

Cell = str | int | float | bool | dict[str, str] | None
MAX_CELL_CHARACTERS = 32_767  # Excel's own limit
DISPLAY_CHARACTERS = 200


def cell_of(value: Any) -> Cell:
    """A reader's value as a cell. Numbers come as floats; whole ones become integers before anything else."""
    match value:
        case None | "":
            return None
        case str():
            # Half a surrogate pair or a NUL cannot be stored everywhere.
            return value[:MAX_CELL_CHARACTERS].replace("\x00", "").encode("utf-8", "replace").decode("utf-8")
        case bool():
            return value
        case int():
            return value
        case float():
            if not math.isfinite(value):
                return str(value)
            return int(value) if value.is_integer() and abs(value) < 1e18 else value
        case datetime.datetime():
            return {"d": value.isoformat(timespec="seconds")}
        case datetime.date():
            return {"d": f"{value.isoformat()}T00:00:00"}
        case _:
            return str(value)[:MAX_CELL_CHARACTERS]  # a time of day or a span


def text_of(cell: Cell) -> str:
    """A cell as a person would read it."""
    match cell:
        case None:
            return ""
        case str():
            return cell
        case bool():
            return "TRUE" if cell else "FALSE"
        case dict():
            day, _, time = cell.get("d", "").partition("T")
            return day if time in ("", "00:00:00") else f"{day} {time}"
        case _:
            return str(cell)


def column_letter(column: int) -> str:
    """What Excel calls column `column` (from 0): A, B, … Z, AA."""
    letters = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


class Budget:
    """How many bytes all sheets of one document may still write."""

    def __init__(self, limits: ReadLimits) -> None:
        self.limits = limits
        self.left = limits.output_bytes

    def spend(self, size: int) -> None:
        """Raises Unreadable when the document's text comes to more than is allowed."""
        self.left -= size
        if self.left < 0:
            raise Unreadable(FileProblem.TOO_LARGE, {"limit": self.limits.output_bytes // (1024 * 1024)})


def write_sheet(path: Path, values: Iterator[list[Any]], limits: ReadLimits, budget: Budget) -> tuple[int, int]:
    """Write a sheet's rows and say how many rows and columns it has, empty ones at the end left out.

    Rows above `limits.max_lines` are counted and not written. Raises Unreadable for too many columns.
    """
    row_count = width = written = 0
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for row_no, row in enumerate(values, start=1):
            end = len(row)
            while end and (row[end - 1] is None or (isinstance(row[end - 1], str) and not row[end - 1].strip())):
                end -= 1
            if not end:
                continue
            row_count = row_no
            width = max(width, end)
            if width > limits.max_columns:
                raise Unreadable(FileProblem.TOO_MANY_COLUMNS, {"columns": width, "limit": limits.max_columns})
            if row_no > limits.max_lines:
                continue
            line = json.dumps([cell_of(value) for value in row[:end]], ensure_ascii=False, separators=(",", ":"))
            line = "[]\n" * (row_no - written - 1) + line + "\n"
            budget.spend(len(line))
            file.write(line)
            written = row_no
        file.flush()
        os.fsync(file.fileno())
    return row_count, width


def rows(sheet_path: Path, width: int = 0) -> Iterator[tuple[int, list[Cell]]]:
    """Each row with its number as Excel counts, filled up with None to `width` cells at least."""
    with sheet_path.open(encoding="utf-8", newline="\n") as file:
        for row_no, line in enumerate(file, start=1):
            cells = json.loads(line)
            if len(cells) < width:
                cells += [None] * (width - len(cells))
            yield row_no, cells


def header_of(sheet_path: Path, header_row: int, width: int = 0) -> list[str]:
    """The texts of that row, clipped for display; none when `header_row` is 0 or below the last row."""
    if header_row < 1:
        return []
    for _, cells in islice(rows(sheet_path, width), header_row - 1, header_row):
        return [text_of(cell)[:DISPLAY_CHARACTERS] for cell in cells]
    return []


def sample(sheet_path: Path, header_row: int, count: int = 10, width: int = 0) -> list[list[str]]:
    """The first `count` rows below the header as display texts; the first of them is row `header_row + 1`."""
    below = islice(rows(sheet_path, width), header_row, header_row + count)
    return [[text_of(cell)[:DISPLAY_CHARACTERS] for cell in cells] for _, cells in below]
