"""Shared by these tests: write a file of rows, read a file, write a sheet file by hand."""

import csv
import io
from pathlib import Path
from typing import Any

from openpyxl import Workbook

from portal.documents.reader.limits import ReadLimits
from portal.documents.reader.parent import SheetFacts, read
from portal.documents.reader.sheet_file import Budget, rows, write_sheet

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"


def xlsx(path: Path, *sheets: list[list[Any]]) -> Path:
    """Write a workbook with these sheets of rows, by openpyxl."""
    workbook = Workbook()
    workbook.remove(workbook.active)
    for number, lines in enumerate(sheets, start=1):
        sheet = workbook.create_sheet(f"Hoja{number}")
        for line in lines:
            sheet.append(line)
    workbook.save(path)
    return path


def csv_text(lines: list[list[str]], delimiter: str) -> str:
    """Return the rows as Excel would write them."""
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter).writerows(lines)
    return text.getvalue()


def read_file(path: Path, name: str | None = None, limits: ReadLimits | None = None) -> list[SheetFacts]:
    """Read a file; its sheets are written beside it."""
    return read(path, name or path.name, lambda index: sheet_of(path, index), limits or ReadLimits())


def sheet_of(path: Path, index: int = 0) -> Path:
    """Return the path where `read_file` writes a sheet."""
    return path.with_name(f"{path.name}.sheet-{index}.jsonl")


def cells_of(path: Path, index: int = 0) -> list[list[Any]]:
    """Return a sheet that was read, as rows of cells."""
    return [cells for _, cells in rows(sheet_of(path, index))]


def written(path: Path, lines: list[list[Any]]) -> Path:
    """Write a sheet file with these rows, without a workbook."""
    limits = ReadLimits(max_rows=1_000_000)
    write_sheet(path, iter(lines), limits, Budget(limits))
    return path
