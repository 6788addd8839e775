"""Read a workbook's sheets with python-calamine. Only for the child process: a hostile file can abort it."""

import zipfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from python_calamine import (
    CalamineError,
    CalamineSheet,
    CalamineWorkbook,
    SheetTypeEnum,
    SheetVisibleEnum,
)

from portal.documents.reader.limits import FileProblem, ReadLimits, Unreadable
from portal.documents.reader.plain_ods import content_name, is_plain, write_plain


@dataclass(frozen=True)
class RawSheet:
    """One sheet: its name, whether Excel hides it, and its rows, beginning at Excel's row 1 and column A."""

    name: str
    hidden: bool
    rows: Iterator[list[Any]]


def read_sheets(path: Path, folder: Path, limits: ReadLimits) -> Iterator[RawSheet]:
    """Read the sheets in the workbook's order, without chart and macro sheets. Raises Unreadable for too many.

    What had to be written again for the parser is in `folder` for a moment.
    """
    with _opened(path, folder) as workbook:
        found = [(n, meta) for n, meta in enumerate(workbook.sheets_metadata) if meta.typ == SheetTypeEnum.WorkSheet]
        if len(found) > limits.max_sheets:
            raise Unreadable(FileProblem.TOO_MANY_SHEETS, {"sheets": len(found), "limit": limits.max_sheets})
        for position, meta in found:
            sheet = workbook.get_sheet_by_index(position)
            yield RawSheet(meta.name, meta.visible != SheetVisibleEnum.Visible, _rows(sheet, limits))


def _opened(path: Path, folder: Path) -> CalamineWorkbook:
    """Open the workbook. An ods that the parser refuses, or does not wholly see, is written again as it expects."""
    content = content_name(path) if zipfile.is_zipfile(path) else None
    if content is None:
        return CalamineWorkbook.from_path(str(path))
    if is_plain(path, content):
        with suppress(CalamineError, OSError):  # the machine would fail again below
            workbook = CalamineWorkbook.from_path(str(path))
            if workbook.sheet_names:
                return workbook
            workbook.close()
    plain = folder / "plain.ods"
    try:
        write_plain(path, content, plain)
        return CalamineWorkbook.from_path(str(plain))
    finally:
        plain.unlink(missing_ok=True)


def _rows(sheet: CalamineSheet, limits: ReadLimits) -> Iterator[list[Any]]:
    """Read the rows from column A on: calamine returns empty rows above the data, but no empty columns before it."""
    if sheet.start is None:
        return
    before = [None] * sheet.start[1]
    if len(before) > limits.max_columns:
        raise Unreadable(
            FileProblem.TOO_MANY_COLUMNS, {"columns": len(before) + sheet.width, "limit": limits.max_columns}
        )
    for row in sheet.iter_rows():
        yield before + row
