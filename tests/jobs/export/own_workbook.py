"""Shared by the tests of writing in place: a workbook with answers added, and what changed in its package."""

import re
import zipfile
from collections.abc import Iterable, Sequence
from contextlib import closing
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any

from openpyxl import load_workbook
from python_calamine import CalamineWorkbook, SheetTypeEnum

from portal.jobs.export.added import AddedCell, AddedRow, Tone
from portal.jobs.export.in_place.extra_sheet import ExtraSheet
from portal.jobs.export.in_place.workbook import OpenWorkbook, Place
from tests.jobs.export.sheet_order import faults_of_workbook
from tests.support.libreoffice import Shown

AT = datetime(2026, 1, 31, 18, 5)  # noqa: DTZ001 - Excel's dates have no zone
HEADINGS = ["Estado", "Operador", "Consultado", "Repetido"]
ANSWER: list[AddedCell] = ["Encontrado", "Movistar & Cía <Ñ>", AT, 3]


def answers(rows: Iterable[int], header_row: int = 1, cells: Sequence[AddedCell] = ANSWER) -> list[AddedRow]:
    """An answer in each of these rows, under headings."""
    heads = [AddedRow(header_row, HEADINGS, Tone.HEADING)] if header_row else []
    return [*heads, *(AddedRow(row, cells, Tone.FOUND) for row in rows)]


def read_of(path: Path, sheet: int = 0) -> list[list[Any]]:
    """The rows as the portal's reader sees them, from column A on."""
    with CalamineWorkbook.from_path(str(path)) as workbook:
        worksheets = [one.name for one in workbook.sheets_metadata if one.typ == SheetTypeEnum.WorkSheet]
        found = workbook.get_sheet_by_name(worksheets[sheet])
        before = [None] * (found.start[1] if found.start else 0)
        return [before + row for row in found.iter_rows()]


def copy_of(path: Path, place: Place, rows: Iterable[AddedRow], sheets: Sequence[ExtraSheet] = ()) -> bytes:
    """The copy of a workbook, whole."""
    with closing(OpenWorkbook(path, place)) as workbook:
        return b"".join(workbook.copy(iter(rows), sheets))


def in_place(
    path: Path,
    rows: list[AddedRow] | None = None,
    *,
    sheet: int = 0,
    header_row: int = 1,
    name: str = "",
    sheets: Sequence[ExtraSheet] = (),
) -> bytes:
    """The workbook with answers (by default one in each row below the headings), checked against the standard."""
    own = read_of(path, sheet)
    if rows is None:
        rows = answers([n for n, row in enumerate(own, 1) if n > header_row and any(row)], header_row)
    width = max((len(row) for row in own), default=1)
    content = copy_of(path, Place(sheet, name, width, header_row, max(len(row.cells) for row in rows)), rows, sheets)
    assert faults_of_workbook(content) == []
    return content


def changed_parts(before: Path, after: bytes) -> set[str]:
    """The parts that differ, are new or are gone. For all others the compressed bytes are the same too."""
    with zipfile.ZipFile(before) as old, zipfile.ZipFile(BytesIO(after)) as new:
        names = {*old.namelist(), *new.namelist()}
        here = {name for name in names if name in old.namelist() and name in new.namelist()}
        same = {name for name in here if old.read(name) == new.read(name)}
        for name in same:
            assert old.getinfo(name).compress_size == new.getinfo(name).compress_size
        return names - same


def opened(content: bytes, **how: Any) -> Any:
    """The workbook, opened by openpyxl."""
    return load_workbook(BytesIO(content), **how)


def part(content: bytes, name: str) -> bytes:
    """One part of a package."""
    with zipfile.ZipFile(BytesIO(content)) as package:
        return package.read(name)


def added_to(sheet: Any, row: int, first: int, count: int = len(HEADINGS)) -> list[Any]:
    """The added cells of a row, from column `first` (from 1) on, as openpyxl reads them."""
    return [sheet.cell(row, first + n).value for n in range(count)]


def assert_only_answers_were_added(before: Shown, after: Shown, name: str, header_row: int) -> None:
    """Each sheet is shown as before, and that of this name with answers behind its columns."""
    assert before
    assert before.keys() == after.keys()
    for sheet, old in before.items():
        new = after[sheet]
        if sheet != name:
            assert new == old
            continue
        first = new[header_row - 1].index(HEADINGS[0])
        assert [row[:first] for row in new] == [[*row, *[""] * first][:first] for row in old]
        status, operator, moment, number = new[header_row][first : first + 4]
        assert (status, operator, number) == (ANSWER[0], ANSWER[1], "3")
        assert re.fullmatch(r"0?1/31/(20)?26 (18:05|06:05 PM)|31/01/2026 18:05", moment), moment
