"""Writes lines as an Excel workbook, row by row so that memory stays flat.

It must not know where the lines come from. Text stays text: `=1+1` never becomes a formula, nor a URL a link. Numbers,
dates and booleans of the person's file keep their types.
"""

import datetime
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO

from flask_babel import gettext
from xlsxwriter import Workbook
from xlsxwriter.exceptions import XlsxWriterException
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet, _preserve_whitespace

from portal.documents.reader.file_mark import PROPERTY
from portal.documents.reader.sheet_file import MAX_CELL_CHARACTERS, Cell, column_letter, text_of
from portal.jobs.export.formats import Shows
from portal.jobs.export.lines import ExportPlan, Line, lines

ROWS_MEASURED = 200
NARROWEST, WIDEST = 9, 44
WHOLE_SHEET = "A1:XFD1048576"
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")  # not allowed in XML
_NOT_IN_SHEET_NAMES = re.compile(r"[\[\]:*?/\\\x00-\x1f]")
_FIRST_DAY = datetime.datetime(1900, 3, 1)  # noqa: DTZ001 - Excel's dates have no zone, and are wrong before this day


class PlainSheet(Worksheet):
    """A worksheet in which text that looks like markup stays text, and numbers keep all their digits."""

    def _xml_rich_inline_string(self, string: str, attributes: list[Any]) -> None:
        # XlsxWriter takes text in <r>…</r> for its own formatted runs and writes it unescaped.
        self._xml_inline_string(string, _preserve_whitespace(string), attributes)

    def _xml_number_element(self, number: float, attributes: list[Any]) -> None:
        # XlsxWriter writes 16 digits, but a double needs 17 to survive a round trip.
        extra = "".join(f' {name}="{value}"' for name, value in attributes)
        self.fh.write(f"<c{extra}><v>{number!r}</v></c>")


CellFormats = Mapping[tuple[int, Shows], str | int]
"""How the person's columns (from 0) show their numbers and dates."""


MoreSheets = Sequence[tuple[str, Sequence[Sequence[str | int]]]]
"""Small sheets to add: each its name and its rows, the first of which is in bold."""


def write_xlsx(plan: ExportPlan, out: BinaryIO, formats: CellFormats | None = None, sheets: MoreSheets = ()) -> None:
    """Write all lines to `out` as a workbook. Without a heading row, a second sheet names the added columns."""
    write_lines(plan, lines(plan), out, formats, sheets)


def write_lines(
    plan: ExportPlan,
    all_lines: Iterator[Line],
    out: BinaryIO,
    formats: CellFormats | None = None,
    sheets: MoreSheets = (),
) -> None:
    """The same with the lines given."""
    workbook = Workbook(out, {"constant_memory": True, "strings_to_urls": False, "strings_to_formulas": False})
    workbook.set_properties({"comments": plan.about})
    if plan.mark:
        workbook.set_custom_property(PROPERTY, plan.mark, "text")
    sheet = _add_sheet(workbook, plan.sheet_name)
    _Writer(workbook, sheet, plan, formats or {}).write(all_lines)
    if plan.header_row == 0:
        head = (gettext("Column"), gettext("Contents"))
        named = [(column_letter(plan.width + n), label) for n, label in enumerate(plan.labels())]
        # On a sheet of its own: adding a heading row would move every row of the data.
        sheets = [(gettext("Columns"), [head, *named]), *sheets]
    for name, rows in sheets:
        _add_small_sheet(workbook, name, rows)
    workbook.close()


class _Writer:
    """Writes one sheet. A written row cannot be changed any more."""

    def __init__(self, workbook: Workbook, sheet: Worksheet, plan: ExportPlan, formats: CellFormats) -> None:
        self.sheet = sheet
        self.plan = plan
        self.bold: Format = workbook.add_format({"bold": True})
        self.day: Format = workbook.add_format({"num_format": "yyyy-mm-dd"})
        self.moment: Format = workbook.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        self.own = {
            key: workbook.add_format({"num_format": form}) for key, form in formats.items() if key[0] < plan.width
        }
        self.widths: dict[int, int] = {}

    def write(self, all_lines: Iterator[Line]) -> None:
        # Numbers as text are intended: without this, Excel marks each of those cells with a green corner.
        self.sheet.ignore_errors({"number_stored_as_text": WHOLE_SHEET})
        if self.plan.header_row:
            self.sheet.freeze_panes(self.plan.header_row, 0)
        for row, line in enumerate(all_lines):
            is_heading = row == self.plan.header_row - 1
            self._write_line(row, line, self.bold if is_heading else None)
        for column, width in self.widths.items():
            self.sheet.set_column(column, column, min(max(width + 2, NARROWEST), WIDEST))

    def _write_line(self, row: int, line: Line, form: Format | None) -> None:
        numbers = self.plan.number_columns if line.is_data else ()
        for column, cell in enumerate(line.cells):
            if cell is not None:
                if column in numbers and type(cell) in (int, float):  # bool is an int too
                    cell = text_of(cell)
                self._write_cell(row, column, cell, form)
        for column, added in enumerate(line.added, start=self.plan.width):
            if added is not None:
                self._write_cell(row, column, added, form)

    def _write_cell(self, row: int, column: int, cell: Cell, form: Format | None) -> None:
        if row < ROWS_MEASURED and (row >= self.plan.header_row - 1):
            self.widths[column] = max(self.widths.get(column, 0), len(text_of(cell)))
        match cell:
            case str():
                self.sheet.write_string(row, column, clean(cell), form)
            case bool():
                self.sheet.write_boolean(row, column, cell, form)
            case dict():
                self._write_date(row, column, cell)
            case int() | float():
                self.sheet.write_number(row, column, cell, form or self.own.get((column, Shows.NUMBER)))

    def _write_date(self, row: int, column: int, cell: dict[str, str]) -> None:
        try:
            moment = datetime.datetime.fromisoformat(cell["d"])
        except (KeyError, ValueError):
            moment = None
        if moment is None or moment < _FIRST_DAY:
            self.sheet.write_string(row, column, text_of(cell))
            return
        form = self.day if moment.time() == datetime.time() else self.moment
        self.sheet.write_datetime(row, column, moment, self.own.get((column, Shows.DATE), form))


def clean(text: str) -> str:
    """The text as a cell can hold it: no control characters, line breaks as \\n, within Excel's limit."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _CONTROL.sub("", text)[:MAX_CELL_CHARACTERS]


def _add_sheet(workbook: Workbook, name: str) -> Worksheet:
    """Add a sheet with that name, or the closest that Excel allows."""
    name = _NOT_IN_SHEET_NAMES.sub("_", name)[:31].strip("'") or gettext("Results")[:31]
    try:
        return workbook.add_worksheet(name, worksheet_class=PlainSheet)
    except XlsxWriterException:
        return workbook.add_worksheet(gettext("Results")[:31], worksheet_class=PlainSheet)


def _add_small_sheet(workbook: Workbook, name: str, rows: Sequence[Sequence[str | int]]) -> None:
    taken = {sheet.get_name().casefold() for sheet in workbook.worksheets()}
    free = next(one for one in (name, *(f"{name} {n}" for n in range(2, 9))) if one.casefold() not in taken)
    sheet = _add_sheet(workbook, free)
    bold = workbook.add_format({"bold": True})
    for row, cells in enumerate(rows):
        for column, cell in enumerate(cells):
            form = bold if row == 0 else None
            if isinstance(cell, int):
                sheet.write_number(row, column, cell, form)
            else:
                sheet.write_string(row, column, clean(cell), form)
    for column in range(len(rows[0])):
        sheet.set_column(column, column, min(max(len(str(cells[column])) for cells in rows) + 2, WIDEST))
