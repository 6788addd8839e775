"""What people's workbooks hold comes back as it was, with the answers behind it: each kind by name."""

import datetime
import io
import re
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook
from openpyxl.comments import Comment
from openpyxl.formatting.rule import ColorScaleRule
from openpyxl.styles import Alignment, Border, Font, PatternFill, Side
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.table import Table
from xlsxwriter import Workbook as XlsxWriterWorkbook

from portal.jobs.export.added import AddedRow
from portal.jobs.export.in_place.cells import CellWriter, Styles
from portal.jobs.export.in_place.errors import CannotWriteInPlace
from portal.jobs.export.in_place.workbook import OpenWorkbook, Place
from tests.jobs.export.own_workbook import (
    ANSWER,
    AT,
    HEADINGS,
    added_to,
    answers,
    changed_parts,
    copy_of,
    in_place,
    opened,
    part,
)  # fmt: skip

SHEET, STYLES, WORKBOOK = "xl/worksheets/sheet1.xml", "xl/styles.xml", "xl/workbook.xml"
PEOPLE = [["Nombre", "Teléfono", "CP"], ["Ana", "612345678", 8002], ["Luis", "612345679", 28001], ["Eva", "no", 1001]]


@pytest.fixture
def made(tmp_path: Path) -> Callable[..., Path]:
    """Saves a workbook of these people after it was changed by `change(sheet, workbook)`."""

    def save(change: Callable[..., None] | None = None) -> Path:
        workbook = Workbook()
        sheet = workbook.active
        assert sheet is not None
        for row in PEOPLE:
            sheet.append(row)
        if change is not None:
            change(sheet, workbook)
        path = tmp_path / "clientes.xlsx"
        workbook.save(path)
        return path

    return save


def test_the_answers_stand_behind_the_last_column_and_nothing_else_changes(made: Callable[..., Path]) -> None:
    path = made()
    content = in_place(path)

    sheet = opened(content).active
    assert [[cell.value for cell in row[:3]] for row in sheet.iter_rows()] == PEOPLE
    assert added_to(sheet, 1, 4) == HEADINGS
    assert [added_to(sheet, row, 4) for row in (2, 3, 4)] == [ANSWER] * 3
    assert changed_parts(path, content) == {SHEET, STYLES}
    (tmp := path.with_name("out.xlsx")).write_bytes(content)
    assert len(list(opened(content, read_only=True).active.iter_rows(min_row=2, values_only=True))[0]) == 7
    assert tmp.exists()


NASTY = [
    "=1+1", "+34612345678", "@SUM(A1)", "http://example.com", "</t></is></c>", " a ", "a\nb", "007", "ñ😀",
]  # fmt: skip


def test_added_text_stays_text(made: Callable[..., Path]) -> None:
    for text in NASTY:
        sheet = opened(in_place(made(), answers([2], cells=[text, text, "a\x00\x07b\r\nc\ufffe", "x" * 40_000]))).active
        assert [sheet.cell(2, 4).value, sheet.cell(2, 5).value] == [text, text]
        assert {sheet.cell(2, n).data_type for n in range(4, 8)} == {"s"}
        assert sheet.cell(2, 6).value == "ab\nc"
        assert len(sheet.cell(2, 7).value) == 32_767


def test_text_like_excels_own_escapes_is_escaped(made: Callable[..., Path]) -> None:
    content = in_place(made(), answers([2], cells=["_x0041_", "_x000d_ a", "_x41_", "x0041_"]))
    texts = re.findall(rb"<t>([^<]*)</t>", part(content, SHEET).split(b"<row")[2])[2:]
    assert texts == [b"_x005F_x0041_", b"_x005F_x000d_ a", b"_x41_", b"x0041_"]


def test_dates_are_dates_and_statuses_have_a_colour(made: Callable[..., Path]) -> None:
    sheet = opened(in_place(made())).active
    assert sheet.cell(2, 6).value == AT
    assert sheet.cell(2, 6).is_date
    assert sheet.cell(2, 4).fill.fgColor.rgb == "FFE4F2E7"
    assert sheet.cell(2, 5).fill.fgColor.rgb == "00000000"


def test_dates_in_a_workbook_that_counts_from_1904(made: Callable[..., Path]) -> None:
    def change(sheet: Any, workbook: Any) -> None:
        workbook.epoch = datetime.datetime(1904, 1, 1)  # noqa: DTZ001

    assert opened(in_place(made(change))).active.cell(2, 6).value == AT


def test_headings_take_the_format_of_their_neighbour(made: Callable[..., Path]) -> None:
    def change(sheet: Any, workbook: Any) -> None:
        for cell in sheet[1]:
            cell.fill = PatternFill("solid", fgColor="FF1F4E79")
            cell.font = Font(bold=True, color="FFFFFFFF")
            cell.border = Border(bottom=Side("thick"))

    sheet = opened(in_place(made(change))).active
    for column in (4, 7):
        assert sheet.cell(1, column).fill.fgColor.rgb == "FF1F4E79"
        assert sheet.cell(1, column).font.b
        assert sheet.cell(1, column).border.bottom.style == "thick"


# ── formats of cells ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("kind", "value", "form"),
    [
        ("postcode", 8002, "00000"),
        ("euros", 1000.3, '#,##0.00 "€"'),
        ("percent", 0.789292026304973, "0%"),
        ("day", datetime.datetime(2026, 1, 27), "dd/mm/yyyy"),  # noqa: DTZ001
        ("time of day", datetime.time(9, 1), "hh:mm"),
        ("duration", datetime.timedelta(hours=37), "[h]:mm:ss"),
        ("fraction", 1.5, "# ?/?"),
        ("scientific", 12345.6789, "0.00E+00"),
        ("colours by condition", -5, "[Red]-0;[Blue]0"),
    ],
)
def test_a_format_is_kept(made: Callable[..., Path], kind: str, value: Any, form: str) -> None:
    def change(sheet: Any, workbook: Any) -> None:
        for row in (2, 3, 4):
            sheet.cell(row, 3).value, sheet.cell(row, 3).number_format = value, form

    path = made(change)
    before, after = load_workbook(path).active, opened(in_place(path)).active
    assert after is not None and before is not None
    assert [cell.value for cell in after["C"]] == [cell.value for cell in before["C"]]
    assert after["C2"].number_format == form


# ── a sheet's other features ────────────────────────────────────────────────────────────────────────────────────────


def test_colours_fonts_widths_and_hidden_rows_are_kept(made: Callable[..., Path]) -> None:
    def change(sheet: Any, workbook: Any) -> None:
        sheet["A2"].fill = PatternFill("solid", fgColor="FFFFFF00")
        sheet["A2"].alignment = Alignment(wrap_text=True)
        sheet.row_dimensions[3].hidden = True
        sheet.row_dimensions[2].height = 40
        sheet.column_dimensions["A"].width = 33
        sheet.column_dimensions["B"].hidden = True
        sheet.freeze_panes = "B2"

    sheet = opened(in_place(made(change))).active
    assert sheet["A2"].fill.fgColor.rgb == "FFFFFF00"
    assert sheet.row_dimensions[3].hidden
    assert sheet.row_dimensions[2].height == 40
    assert sheet.column_dimensions["A"].width == 33
    assert sheet.column_dimensions["B"].hidden
    assert not sheet.column_dimensions["D"].hidden
    assert sheet.freeze_panes == "B2"


def test_columns_hidden_to_the_end_of_the_sheet_do_not_hide_the_answers(tmp_path: Path) -> None:
    with XlsxWriterWorkbook(path := tmp_path / "a.xlsx") as workbook:
        sheet = workbook.add_worksheet()
        for n, row in enumerate(PEOPLE):
            sheet.write_row(n, 0, row)
        sheet.set_column("D:XFD", None, None, {"hidden": True})

    columns = part(in_place(path), SHEET)
    columns = columns[columns.index(b"<cols>") : columns.index(b"</cols>")]
    assert columns.count(b'hidden="1"') == 1
    assert b'min="8" max="16384"' in columns


def test_the_filter_covers_the_answers_and_keeps_its_choice(made: Callable[..., Path]) -> None:
    def change(sheet: Any, workbook: Any) -> None:
        sheet.auto_filter.ref = "A1:C4"
        sheet.auto_filter.add_filter_column(0, ["Ana"])

    content = in_place(made(change))
    sheet = opened(content).active
    assert sheet.auto_filter.ref == "A1:G4"
    assert sheet.auto_filter.filterColumn[0].filters.filter == ["Ana"]
    assert b"$A$1:$G$4" in part(content, WORKBOOK)


def test_the_print_area_covers_the_answers(made: Callable[..., Path]) -> None:
    def change(sheet: Any, workbook: Any) -> None:
        sheet.print_area = "A1:C4"
        sheet.print_title_rows = "1:1"

    sheet = opened(in_place(made(change))).active
    assert sheet.print_area == "'Sheet'!$A$1:$G$4"
    assert sheet.print_title_rows == "$1:$1"


def test_a_print_area_of_some_columns_stays(made: Callable[..., Path]) -> None:
    def change(sheet: Any, workbook: Any) -> None:
        sheet.print_area = "A1:B4"

    assert opened(in_place(made(change))).active.print_area == "'Sheet'!$A$1:$B$4"


def test_a_table_gets_the_columns(made: Callable[..., Path]) -> None:
    def change(sheet: Any, workbook: Any) -> None:
        sheet.add_table(Table(displayName="Clientes", ref="A1:C4"))

    path = made(change)
    content = in_place(path)
    table = opened(content).active.tables["Clientes"]
    assert table.ref == table.autoFilter.ref == "A1:G4"
    assert [column.name for column in table.tableColumns] == [*PEOPLE[0], *HEADINGS]
    assert changed_parts(path, content) == {SHEET, STYLES, "xl/tables/table1.xml"}


def test_a_table_with_a_column_of_that_name_stays(made: Callable[..., Path]) -> None:
    def change(sheet: Any, workbook: Any) -> None:
        sheet["C1"] = "ESTADO"
        sheet.add_table(Table(displayName="Clientes", ref="A1:C4"))

    assert opened(in_place(made(change))).active.tables["Clientes"].ref == "A1:C4"


def test_the_answers_stand_behind_a_table_whose_last_columns_are_empty(made: Callable[..., Path]) -> None:
    def change(sheet: Any, workbook: Any) -> None:
        sheet["E1"] = "Nota"
        sheet["D1"] = "Libre"
        sheet.add_table(Table(displayName="Clientes", ref="A1:E4"))

    sheet = opened(in_place(made(change))).active
    assert added_to(sheet, 1, 6) == HEADINGS
    assert sheet.tables["Clientes"].ref == "A1:I4"


def test_a_merged_heading_stays_merged(made: Callable[..., Path]) -> None:
    def change(sheet: Any, workbook: Any) -> None:
        sheet.insert_rows(1)
        sheet["A1"] = "Listado"
        sheet.merge_cells("A1:F1")
        sheet.merge_cells("C3:C4")

    sheet = opened(in_place(made(change), header_row=2)).active
    assert {str(area) for area in sheet.merged_cells.ranges} == {"A1:F1", "C3:C4"}
    assert added_to(sheet, 2, 4) == HEADINGS
    assert added_to(sheet, 3, 4) == ANSWER


def test_the_answers_are_not_hidden_in_merged_cells(made: Callable[..., Path]) -> None:
    def change(sheet: Any, workbook: Any) -> None:
        sheet.merge_cells("C2:E2")

    sheet = opened(in_place(made(change))).active
    assert added_to(sheet, 1, 6) == HEADINGS
    assert added_to(sheet, 2, 6) == ANSWER


def test_empty_cells_with_a_format_give_way(made: Callable[..., Path]) -> None:
    def change(sheet: Any, workbook: Any) -> None:
        for row in sheet.iter_rows(min_row=1, max_row=30, max_col=12):
            for cell in row:
                cell.border = Border(bottom=Side("thin"))

    sheet = opened(in_place(made(change))).active
    assert added_to(sheet, 2, 4) == ANSWER
    assert sheet["H2"].border.bottom.style is None or sheet["L30"].border.bottom.style == "thin"


@pytest.mark.parametrize("value", ["#N/A", " ", '=""'])
def test_what_the_reader_sees_as_blank_is_not_overwritten(made: Callable[..., Path], value: str) -> None:
    def change(sheet: Any, workbook: Any) -> None:
        sheet["E3"] = value
        if value == "#N/A":
            sheet["E3"].data_type = "e"

    path = made(change)
    rows = answers([2, 3, 4])
    content = copy_of(path, Place(0, "Sheet", 3, 1, 4), rows)
    sheet = opened(content).active
    assert sheet["E3"].value == value
    assert added_to(sheet, 3, 6) == ANSWER


def test_comments_links_and_validation_are_kept(made: Callable[..., Path]) -> None:
    def change(sheet: Any, workbook: Any) -> None:
        sheet["A2"].comment = Comment("Llamar por la tarde", "Eva")
        sheet["A3"].hyperlink = "https://example.com/"
        sheet.add_data_validation(DataValidation("list", formula1='"sí,no"', sqref="C2:C4"))
        sheet.conditional_formatting.add(
            "C2:C4", ColorScaleRule("min", None, "FFFF0000", end_type="max", end_color="FF00FF00")
        )
        sheet.protection.sheet = True
        sheet.oddHeader.center.text = "Clientes"

    path = made(change)
    content = in_place(path)
    sheet = opened(content).active
    assert sheet["A2"].comment.text == "Llamar por la tarde"
    assert sheet["A3"].hyperlink.target == "https://example.com/"
    assert str(sheet.data_validations.dataValidation[0].sqref) == "C2:C4"
    assert [str(area.sqref) for area in sheet.conditional_formatting] == ["C2:C4"]
    assert sheet.protection.sheet
    assert changed_parts(path, content) == {SHEET, STYLES}


# ── other parts of the package ──────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def rich(tmp_path: Path) -> Path:
    """A workbook with a picture, a chart, a second sheet with formulas, a hidden one, a chart sheet, and macros."""
    (tmp_path / "vba.bin").write_bytes(bytes(range(256)) * 40)
    with XlsxWriterWorkbook(path := tmp_path / "rico.xlsm") as workbook:
        workbook.add_vba_project(str(tmp_path / "vba.bin"))
        chart_sheet = workbook.add_chartsheet("Gráfico")
        sheet = workbook.add_worksheet("Clientes & Cía")
        for n, row in enumerate(PEOPLE):
            sheet.write_row(n, 0, row)
        sheet.write_formula("C5", "=SUM(C2:C4)", None, 37003)
        sheet.insert_image("H2", "a.png", {"image_data": io.BytesIO(PNG)})
        for place in (sheet, chart_sheet):
            chart = workbook.add_chart({"type": "column"})
            chart.add_series({"values": "='Clientes & Cía'!$C$2:$C$4"})
            place.insert_chart("H9", chart) if place is sheet else place.set_chart(chart)
        second = workbook.add_worksheet("Otra")
        second.write_formula("A1", "='Clientes & Cía'!C2*2", None, 16004)
        workbook.add_worksheet("Oculta").hide()
    return path


PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c4944415408d763f8cfc000000301010018dd8db0"
    "0000000049454e44ae426082"
)


def test_pictures_charts_sheets_and_macros_stay_byte_for_byte(rich: Path) -> None:
    content = in_place(rich, answers([2, 3, 4]), name="Clientes & Cía")
    with zipfile.ZipFile(rich) as package:
        kept = {"xl/vbaProject.bin", "xl/media/image1.png", "xl/charts/chart1.xml", "xl/charts/chart2.xml"}
        assert kept <= set(package.namelist())
    # A picture stood where the answers are added: its anchor moves, see `test_drawings`.
    assert changed_parts(rich, content) == {SHEET, STYLES, "xl/drawings/drawing2.xml"}

    workbook = opened(content, keep_vba=True)
    assert workbook.sheetnames == ["Gráfico", "Clientes & Cía", "Otra", "Oculta"]
    assert workbook["Oculta"].sheet_state == "hidden"
    assert workbook["Otra"]["A1"].value == "='Clientes & Cía'!C2*2"
    assert added_to(workbook["Clientes & Cía"], 2, 4) == ANSWER


def test_formulas_keep_their_formulas_and_values(rich: Path) -> None:
    content = in_place(rich, answers([2, 3, 4]))
    assert opened(content)["Clientes & Cía"]["C5"].value == "=SUM(C2:C4)"
    assert opened(content, data_only=True)["Clientes & Cía"]["C5"].value == 37003


def test_answers_come_into_the_sheet_that_was_chosen(rich: Path) -> None:
    content = in_place(rich, answers([1], 0), sheet=1, header_row=0, name="Otra")
    assert changed_parts(rich, content) == {"xl/worksheets/sheet2.xml", STYLES}
    assert added_to(opened(content)["Otra"], 1, 2) == ANSWER


def test_a_workbook_with_macros_is_given_as_one(rich: Path) -> None:
    with closing(OpenWorkbook(rich, Place(0, "Clientes & Cía", 3, 1, 4))) as workbook:
        assert workbook.extension == "xlsm"


def test_a_sheet_of_another_name_is_not_written(rich: Path) -> None:
    with pytest.raises(CannotWriteInPlace, match="another name"):
        OpenWorkbook(rich, Place(0, "Otra", 3, 1, 4))


PIVOT = {
    "xl/pivotCache/pivotCacheDefinition1.xml": b"<pivotCacheDefinition/>",
    "xl/pivotCache/pivotCacheRecords1.xml": b"<pivotCacheRecords/>",
    "xl/pivotTables/pivotTable1.xml": b"<pivotTableDefinition/>",
    "xl/slicers/slicer1.xml": b"<slicers/>",
    "customXml/item1.xml": b"<a>  b  </a>",
    "xl/printerSettings/printerSettings1.bin": bytes(999),
}


def test_a_pivot_and_parts_that_nobody_knows_stay_byte_for_byte(made: Callable[..., Path]) -> None:
    path = made()
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as package:
        for name, content in PIVOT.items():
            package.writestr(name, content)
    after = in_place(path)
    assert changed_parts(path, after) == {SHEET, STYLES}
    assert {name: part(after, name) for name in PIVOT} == PIVOT


def test_every_minute_of_a_day_is_shown_as_that_minute() -> None:
    # Programs cut the seconds off: a moment that is a fraction too early is shown a minute early.
    writer = CellWriter(0, 1, Styles(moment=1))
    for minute in range(24 * 60):
        moment = AT.replace(hour=minute // 60, minute=minute % 60)
        written = re.search(rb"<v>(.+)</v>", writer.cells(AddedRow(1, [moment])))
        assert written is not None
        assert int(float(written[1]) * 1440 + 1e-7) % 1440 == minute
