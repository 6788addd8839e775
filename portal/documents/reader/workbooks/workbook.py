"""Read a workbook's sheets with python-calamine. Only for the child process: a hostile file can abort it.

What the parser does not say of an xlsx is added from `xlsx_notes`.
"""

import zipfile
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

from python_calamine import (
    CalamineError,
    CalamineSheet,
    CalamineWorkbook,
    SheetTypeEnum,
    SheetVisibleEnum,
)

from portal.documents.reader.limits import FileProblem, ReadLimits, Unreadable
from portal.documents.reader.sheet_file import SHEETS_WITH_FORMATS, RawSheet
from portal.documents.reader.workbooks.ods_texts import Formats, shown_texts
from portal.documents.reader.workbooks.plain_ods import PlainSheet, content_name, is_plain, write_plain
from portal.documents.reader.workbooks.thin_sheet import write_near
from portal.documents.reader.workbooks.xlsx_notes import SheetNotes, XlsxNotes

_NO_NOTES = SheetNotes()
MOST_ROWS = 1_048_576


def read_sheets(path: Path, folder: Path, limits: ReadLimits) -> Iterator[RawSheet]:
    """Read the sheets in the workbook's order, without chart and macro sheets. Raises Unreadable for too many.

    What had to be written again for the parser is in `folder` for a moment.
    """
    workbook, plain_sheets, shown = _opened(path, folder, limits)
    with workbook:
        found = [(n, meta) for n, meta in enumerate(workbook.sheets_metadata) if meta.typ == SheetTypeEnum.WorkSheet]
        if len(found) > limits.max_sheets:
            raise Unreadable(FileProblem.TOO_MANY_SHEETS, {"sheets": len(found), "limit": limits.max_sheets})
        notes = _notes(path, limits)
        for position, meta in found:
            noted = notes.of(position) if notes else _NO_NOTES
            if noted.is_thin:
                rows = _thin_rows(path, folder, position, noted, limits)
            else:
                rows = _rows(workbook.get_sheet_by_index(position), limits)
            if noted.cells:
                rows = _with(noted.cells, rows, limits)
            hidden = meta.visible != SheetVisibleEnum.Visible
            not_shown, far = noted.hidden, noted.far if noted.has_far else 0
            if position < len(plain_sheets):
                not_shown, far = plain_sheets[position].hidden, plain_sheets[position].far
                rows = plain_sheets[position].with_gaps(rows)
            yield RawSheet(meta.name, hidden, rows, not_shown, far, formats=shown.get(meta.name, noted.formats))


def _notes(path: Path, limits: ReadLimits) -> XlsxNotes | None:
    """The notes on an xlsx; None for other files, and for one that only the parser can read."""
    try:
        return XlsxNotes(path, limits) if zipfile.is_zipfile(path) else None
    except (zipfile.BadZipFile, KeyError, ValueError, ParseError):
        return None


def _with(cells: dict[int, dict[int, Any]], rows: Iterator[list[Any]], limits: ReadLimits) -> Iterator[list[Any]]:
    """The rows with these cells instead of the parser's. They may stand behind its last row."""
    last = max(cells)
    for row_no in count(1):
        row = next(rows, None)
        if row is None:
            if row_no > min(last, MOST_ROWS):
                return
            row = []
        for column, value in cells.get(row_no, {}).items():
            row += [None] * (column + 1 - len(row))
            row[column] = value
        yield row


def _thin_rows(path: Path, folder: Path, place: int, notes: SheetNotes, limits: ReadLimits) -> Iterator[list[Any]]:
    """The rows of a sheet with wide gaps, which is written again without them for the parser."""
    near = folder / "near.xlsx"
    try:
        numbers = write_near(path, notes.part, near, limits)
        with CalamineWorkbook.from_path(str(near)) as workbook:
            row_no = 0
            for number, row in zip(numbers, _rows(workbook.get_sheet_by_index(place), limits), strict=False):
                yield from ([] for _ in range(row_no + 1, number))
                row_no = max(number, row_no + 1)
                yield row
    finally:
        near.unlink(missing_ok=True)


def _opened(
    path: Path, folder: Path, limits: ReadLimits
) -> tuple[CalamineWorkbook, list[PlainSheet], dict[str, Formats]]:
    """Open the workbook. An ods that the parser refuses, or does not wholly see, is written again as it expects: then
    more is known of each sheet. With it comes how an ods shows its values."""
    content = content_name(path) if zipfile.is_zipfile(path) else None
    if content is None:
        return CalamineWorkbook.from_path(str(path)), [], {}
    if is_plain(path, content):
        with suppress(CalamineError, OSError):  # the machine would fail again below
            workbook = CalamineWorkbook.from_path(str(path))
            if workbook.sheet_names:
                return workbook, [], shown_texts(path, content, workbook.sheet_names[:SHEETS_WITH_FORMATS])
            workbook.close()
    plain = folder / "plain.ods"
    try:
        sheets = write_plain(path, content, plain, limits.max_columns)
        workbook = CalamineWorkbook.from_path(str(plain))
        return (
            workbook,
            sheets,
            shown_texts(plain, content_name(plain) or "", workbook.sheet_names[:SHEETS_WITH_FORMATS]),
        )
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
