"""Workbooks as people make them: each seed is another mix of features, written by openpyxl or XlsxWriter."""

import datetime
import io
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openpyxl import Workbook
from openpyxl.comments import Comment
from openpyxl.formatting.rule import CellIsRule, DataBarRule
from openpyxl.styles import Alignment, Border, Font, PatternFill, Protection, Side
from openpyxl.utils import get_column_letter, quote_sheetname
from openpyxl.workbook.defined_name import DefinedName
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.table import Table, TableStyleInfo
from xlsxwriter import Workbook as XlsxWriterWorkbook

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c4944415408d763f8cfc000000301010018dd8db0"
    "0000000049454e44ae426082"
)
FORMATS = [
    "00000", '#,##0.00 "€"', "0%", "dd/mm/yyyy", "[h]:mm", "hh:mm", "# ?/?", "0.00E+00", "@", "[Red]-0;[Blue]0",
    "00 00 00 00 00",
]  # fmt: skip
WORDS = [
    "Ana", "José Ñúñez", "Cía <R&D>", "x" * 300, " espacio ", "a\nb", "07001", "=no", "😀 مرحبا", "_x0041_", "'comilla",
    "1,5",
]  # fmt: skip


@dataclass(frozen=True)
class Made:
    """What was written: which sheet holds the list, as the reader counts, and its heading row."""

    sheet: int
    name: str
    header_row: int
    rows: range  # rows below the heading


def make(seed: int, path: Path) -> Made:
    """Write the workbook of that number. Even ones are openpyxl's, odd ones XlsxWriter's."""
    chance = random.Random(seed)
    return (_by_xlsxwriter if seed % 2 else _by_openpyxl)(chance, path)


def _value(chance: random.Random) -> Any:
    return chance.choice([
        None, chance.choice(WORDS), chance.randrange(50_000), chance.uniform(0, 50_000), True, False,
        datetime.datetime(2026, 1, chance.randrange(1, 29), chance.randrange(24)),  # noqa: DTZ001
        f"6{chance.randrange(10**8):08d}", chance.choice(WORDS),
    ])  # fmt: skip


def _by_openpyxl(chance: random.Random, path: Path) -> Made:
    workbook = Workbook()
    if chance.random() < 0.2:
        workbook.epoch = datetime.datetime(1904, 1, 1)  # noqa: DTZ001
    sheet: Any = workbook.active
    sheet.title = chance.choice(["Clientes", "Año 2026 & más", "Lista's", "客户"])
    first, columns, rows = chance.randrange(1, 3), chance.randrange(1, 28), chance.randrange(2, 40)
    header = chance.randrange(1, 4)
    last, bottom = first + columns - 1, header + rows
    if header > 1:
        sheet.cell(1, first, "Título").font = Font(size=20, bold=True)
        if columns > 1:
            sheet.merge_cells(start_row=1, start_column=first, end_row=1, end_column=last)
    fill = PatternFill("solid", fgColor=chance.choice(["FF1F4E79", "FFFFC000"]))
    for column in range(first, last + 1):
        head = sheet.cell(header, column, f"Columna {column}")
        if chance.random() < 0.7:
            head.fill, head.font = fill, Font(bold=True, color="FFFFFFFF")
        form = chance.choice(FORMATS)
        for row in range(header + 1, bottom + 1):
            cell = sheet.cell(row, column, f"6{row:08d}" if column == first else _value(chance))
            if not isinstance(cell.value, datetime.datetime) and chance.random() < 0.5:
                cell.number_format = form
    here = f"{get_column_letter(first)}{header}:{get_column_letter(last)}{bottom}"
    extras: list[Callable[[], Any]] = [
        lambda: setattr(sheet, "freeze_panes", sheet.cell(header + 1, first + 1)),
        lambda: setattr(sheet.row_dimensions[bottom], "hidden", True),
        lambda: setattr(sheet.column_dimensions[get_column_letter(last)], "hidden", True),
        lambda: setattr(sheet.column_dimensions["A"], "width", 31),
        lambda: sheet.column_dimensions.group(get_column_letter(last + 1), get_column_letter(last + 3), hidden=True),
        lambda: setattr(sheet.auto_filter, "ref", here),
        lambda: setattr(sheet, "print_area", here),
        lambda: setattr(sheet, "print_title_rows", f"{header}:{header}"),
        lambda: setattr(sheet.cell(bottom, last), "comment", Comment("nota", "yo")),
        lambda: setattr(sheet.cell(bottom, first), "hyperlink", "https://example.com/?a=1&b=2"),
        lambda: sheet.conditional_formatting.add(here, CellIsRule("greaterThan", ["5"], fill=fill)),
        lambda: sheet.conditional_formatting.add(here, DataBarRule("min", 0, "max", 9, "FF638EC6")),
        lambda: _validation(sheet, here),
        lambda: setattr(sheet.protection, "sheet", True),
        lambda: setattr(sheet.cell(bottom, last), "protection", Protection(locked=False)),
        lambda: setattr(sheet.sheet_properties, "tabColor", "FF00FF00"),
        lambda: setattr(sheet.page_setup, "orientation", "landscape"),
        lambda: setattr(sheet.oddFooter.center, "text", "Página &P"),
        lambda: sheet.row_dimensions.group(header + 1, bottom, outline_level=1),
        lambda: setattr(sheet.cell(bottom + 2, first), "value", f"=COUNTA(A{header}:A{bottom})"),
        lambda: _lines(sheet, header, bottom, last + 6),
        lambda: setattr(sheet.cell(header, first), "alignment", Alignment(wrap_text=True, text_rotation=45)),
        lambda: workbook.defined_names.add(DefinedName("todo", attr_text=f"{quote_sheetname(sheet.title)}!$A$1:$B$2")),
        lambda: setattr(sheet.sheet_view, "rightToLeft", True),
        lambda: setattr(sheet.sheet_view, "zoomScale", 70),
    ]  # fmt: skip
    for extra in chance.sample(extras, chance.randrange(0, 10)):
        extra()
    if chance.random() < 0.3 and not sheet.auto_filter.ref:
        table = Table(displayName="Tabla", ref=here)
        table.tableStyleInfo = TableStyleInfo("TableStyleMedium9", showRowStripes=True)
        sheet.add_table(table)
    position = _more_sheets(chance, workbook)
    workbook.save(path)
    return Made(position, sheet.title, header, range(header + 1, bottom + 1))


def _validation(sheet: Any, where: str) -> None:
    sheet.add_data_validation(DataValidation("list", formula1='"sí,no"', sqref=where))


def _lines(sheet: Any, top: int, bottom: int, right: int) -> None:
    for row in sheet.iter_rows(top, bottom, 1, right):
        for cell in row:
            cell.border = Border(bottom=Side("thin"))


def _more_sheets(chance: random.Random, workbook: Any) -> int:
    """Add other sheets before and behind; return how many worksheets stand before the list."""
    before = 0
    for n in range(chance.randrange(3)):
        in_front = chance.random() < 0.4
        other = workbook.create_sheet(f"Otra {n}", 0 if in_front else None)
        other["B2"] = f"hoja {n}"
        other.sheet_state = chance.choice(["visible", "hidden"])
        before += in_front
    workbook.active = before
    return before


def _by_xlsxwriter(chance: random.Random, path: Path) -> Made:
    flat = chance.random() < 0.3  # texts in the cells instead of the table of shared strings
    workbook = XlsxWriterWorkbook(path, {"constant_memory": flat, "date_1904": chance.random() < 0.2})
    before = 0
    if chance.random() < 0.3:
        workbook.add_chartsheet("Gráfico").set_chart(_chart(workbook, "Clientes", 5))
    if chance.random() < 0.3:
        workbook.add_worksheet("Antes").hide()
        before = 1
    sheet = workbook.add_worksheet("Clientes")
    columns, rows, header = chance.randrange(1, 28), chance.randrange(2, 40), chance.randrange(1, 4)
    head = workbook.add_format({"bold": True, "bg_color": "#1F4E79", "font_color": "white", "bottom": 2})
    forms = [workbook.add_format({"num_format": form}) for form in FORMATS]
    day = workbook.add_format({"num_format": "dd/mm/yyyy hh:mm", "italic": True})
    bottom, last = header + rows, columns - 1
    table = not flat and chance.random() < 0.3
    if header > 1:
        sheet.write_string(0, 0, "Título", head)
    for column in range(columns):
        sheet.set_column(column, column, chance.choice([None, 8, 30]), None, {"hidden": chance.random() < 0.05})
    sheet.write_row(header - 1, 0, [f"Columna {n}" for n in range(columns)], head)
    for row in range(header, bottom):
        if chance.random() < 0.1:
            sheet.set_row(row, 33, None, {"hidden": True})
        for column in range(columns):
            value = f"6{row:08d}" if column == 0 else _value(chance)
            form = day if isinstance(value, datetime.datetime) else chance.choice([None, *forms])
            if isinstance(value, str):
                sheet.write_string(row, column, value, form)
            elif value is not None or form is not None:
                sheet.write(row, column, value, form)
        if chance.random() < 0.05:
            sheet.write_blank(row, last + 2, None, head)
    here = (header - 1, 0, bottom - 1, last)
    extras: list[Callable[[], Any]] = [
        lambda: sheet.freeze_panes(header, 1),
        lambda: sheet.print_area(*here),
        lambda: sheet.repeat_rows(header - 1),
        lambda: sheet.insert_image(1, last + 3, "a.png", {"image_data": io.BytesIO(PNG)}),
        lambda: sheet.insert_chart(2, last + 3, _chart(workbook, "Clientes", bottom)),
        lambda: sheet.insert_textbox(3, last + 3, "nota"),
        lambda: sheet.data_validation(*here, {"validate": "integer", "criteria": ">", "value": 1}),
        lambda: sheet.conditional_format(*here, {"type": "data_bar", "data_bar_2010": True}),
        lambda: sheet.conditional_format(*here, {"type": "icon_set", "icon_style": "3_arrows"}),
        lambda: sheet.protect("x"),
        lambda: sheet.set_landscape(),
        lambda: sheet.set_footer("&CPágina &P"),
        lambda: sheet.ignore_errors({"number_stored_as_text": "A1:A99"}),
        lambda: sheet.add_sparkline(bottom + 1, 0, {"range": "Clientes!A1:A5"}),
        lambda: sheet.set_v_pagebreaks([3]),
        lambda: sheet.right_to_left(),
        lambda: sheet.hide_gridlines(2),
        lambda: sheet.set_column(columns, 16_383, None, None, {"hidden": True}),
        lambda: sheet.write_comment(header, 0, "nota", {"author": "yo"}),
        lambda: sheet.write_url(bottom + 1, 0, "https://example.com/", None, "enlace"),
        lambda: sheet.insert_button(1, last + 4, {"macro": "m"}),
        lambda: sheet.outline_settings(True, False),
    ]  # fmt: skip
    for extra in chance.sample(extras, chance.randrange(0, 10)):
        extra()
    if table:
        sheet.add_table(*here, {"columns": [{"header": f"Columna {n}"} for n in range(columns)]})
    elif chance.random() < 0.4:
        sheet.autofilter(*here)
    if not flat:
        sheet.write_rich_string(bottom + 2, 0, "a ", head, "negrita", " z")
        sheet.write_formula(bottom + 3, 0, "=SUM(A1:A9)", None, 7)
    if chance.random() < 0.3:
        workbook.add_worksheet("Después").write(0, 0, "queda")
        workbook.define_name("todo", "=Clientes!$A$1:$B$2")
    workbook.close()
    return Made(before, "Clientes", header, range(header + 1, bottom + 1))


def _chart(workbook: Any, sheet: str, bottom: int) -> Any:
    chart = workbook.add_chart({"type": "line"})
    chart.add_series({"values": [sheet, 1, 0, bottom, 0]})
    return chart
