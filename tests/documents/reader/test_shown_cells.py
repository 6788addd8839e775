"""What a person sees in a workbook is read: errors, times as they are shown, formulas without a result, hidden rows."""

import datetime
import re
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter
from flask import Flask
from flask_babel import force_locale
from openpyxl import Workbook

from portal.documents.check import check, check_facts
from portal.documents.choice import SheetChoice
from portal.documents.reader.limits import FileProblem, ReadLimits, Unreadable
from portal.documents.reader.sheet_file import LeftOut, column_letter
from portal.documents.reader.time_text import writer_of
from portal.documents.shown_cells import shown_cell
from portal.phone import Reason
from tests.documents import hostile
from tests.documents.sheets import cells_of, read_file, sheet_of, xlsx
from tests.support.libreoffice import convert

ERRORS = {"=1/0": "#DIV/0!", "=NA()": "#N/A", "=XYZ()": "#NAME?", '="x"+1': "#VALUE!"}
SHOWN = ["7:05", "07:05:09", "7:05 AM", "31:05", "0:59", "05:09.5"]
FORMATS = ["h:mm", "hh:mm:ss", "h:mm AM/PM", "[h]:mm", "[h]:mm", "mm:ss.0"]
DAYS = [7.0859 / 24, (7 * 3600 + 309) / 86400, 7.0859 / 24, 31.09 / 24, 0.99 / 24, 309.5 / 86400]


def made(path: Path) -> Path:
    """A workbook with errors, times, and rows that a filter hides."""
    with xlsxwriter.Workbook(path) as workbook:
        sheet = workbook.add_worksheet("Datos")
        sheet.write_row(0, 0, ["Nombre", "Teléfono", "Tiempo"])
        for row, (formula, error) in enumerate(ERRORS.items(), start=1):
            sheet.write_string(row, 0, "Ana")
            sheet.write_formula(row, 1, formula, None, error)
        for row, (days, form) in enumerate(zip(DAYS, FORMATS, strict=True), start=1 + len(ERRORS)):
            sheet.write_row(row, 0, ["Luis", 612345678 + row])
            sheet.write_number(row, 2, days, workbook.add_format({"num_format": form}))
        last = len(ERRORS) + len(DAYS)
        sheet.autofilter(0, 0, last, 2)
        sheet.filter_column(0, "x == Luis")
        for row in range(1, 1 + len(ERRORS)):
            sheet.set_row(row, options={"hidden": True})
    return path


NUMBER_FORMATS = {
    '#,##0.00 "€"': (1081.34, "1,081.34 €"), "00000": (8002, "08002"), "0%": (0.79, "79%"), "# ?/?": (1.5, "1 1/2"),
    "dd/mm/yyyy": (45544, "09/09/2024"), "[<100]0;0.0": (250.5, "250.5"), "General": (612345678, "612345678"),
    '#,##0 "<&>"': (1234, "1,234 <&>"), "[hh]:mm": (1.5, "36:00"),
}  # fmt: skip


def in_many_formats(path: Path) -> Path:
    """A workbook with two sheets of values in many formats, one with a note."""
    with xlsxwriter.Workbook(path) as workbook:
        for name in ("Datos", "Más & más"):
            sheet = workbook.add_worksheet(name)
            for column, (code, (value, _)) in enumerate(NUMBER_FORMATS.items()):
                sheet.write_string(0, column, f"Columna {column}")
                sheet.write_number(1, column, value, workbook.add_format({"num_format": code}))
            sheet.write_comment(1, 1, "una nota")
    return path


FAR = ("XFD6", "XFD4", "IU60001")  # in a row that is shown, in a hidden one, and far below


def with_hidden_rows_and_far_cells(path: Path, where: str) -> Path:
    """A list of which a filter hides every third row, with one cell far away."""
    with xlsxwriter.Workbook(path) as workbook:
        sheet = workbook.add_worksheet("Datos")
        sheet.write_row(0, 0, ["Nombre", "Teléfono"])
        for row in range(1, 31):
            sheet.write_row(row, 0, ["Ana" if row % 3 else "Luis", 612345600 + row])
            sheet.set_row(row, options={"hidden": row % 3 == 0})
        sheet.autofilter(0, 0, 30, 1)
        sheet.filter_column(0, "x == Ana")
        sheet.write(where, "x")
    return path


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shown")
    source = made(folder / "a.xlsx")
    filtered = [with_hidden_rows_and_far_cells(folder / f"{where}.xlsx", where) for where in FAR]
    convert([source, in_many_formats(folder / "formats.xlsx"), *filtered], "ods", folder)
    convert([source], "xls", folder)
    return folder


@pytest.mark.parametrize("ending", ["xlsx", "xls", "ods"])
def test_errors_times_and_hidden_rows(tmp_path: Path, files: Path, ending: str) -> None:
    path = Path(shutil.copy(files / f"a.{ending}", tmp_path))
    facts = read_file(path)[0]
    cells = cells_of(path)
    assert [row[1] for row in cells[1:5]] == list(ERRORS.values())
    assert [row[2] for row in cells[5:]] == SHOWN
    assert (facts.hidden_rows, facts.rows) == (4, 11)
    checked = list(check(sheet_of(path), SheetChoice(0, 1, (1,), "ES")))
    assert [row.reason for row in checked[:4]] == [Reason.ERROR_CELL] * 4
    left = check_facts(sheet_of(path), SheetChoice(0, 1, (1,), "ES", left=LeftOut(hidden=True)))
    assert (left.total, left.to_look_up, left.invalid) == (6, 6, 0)


@pytest.mark.parametrize("is_rewritten", [False, True])
def test_values_of_an_ods_are_shown_as_its_program_showed_them(
    app: Flask, tmp_path: Path, files: Path, is_rewritten: bool
) -> None:
    path = Path(shutil.copy(files / "formats.ods", tmp_path))
    if is_rewritten:  # by its comments: the parser would not see the rest
        with zipfile.ZipFile(files / "formats.ods") as old, zipfile.ZipFile(path, "w") as new:
            for name in old.namelist():
                content = old.read(name)
                new.writestr(name, content.replace(b"<table:table-row", b"<!-- x --><table:table-row"))
    for facts in read_file(path):
        row = cells_of(path, facts.index)[1]
        with app.test_request_context(), force_locale("en"):
            texts = [shown_cell(cell, facts.format_at(2, column)) for column, cell in enumerate(row)]
        assert texts == [text for _, text in NUMBER_FORMATS.values()], facts.name


def test_a_formula_without_a_result_is_called_that(tmp_path: Path) -> None:
    formulas = [
        "=B5&C5",
        '="612345678"',
        '=IF(A1="","",600111222)',
        "=600111222+1",
        '=HYPERLINK("612345678","Ana")',
    ]
    path = xlsx(tmp_path / "a.xlsx", [["Teléfono", "Nota"], *([formula, "x"] for formula in formulas)])
    read_file(path)
    checked = list(check(sheet_of(path), SheetChoice(0, 1, (0,), "ES")))
    assert [row.text for row in checked] == formulas
    assert [row.phone_e164 for row in checked] == [None, "+34612345678", None, None, None]
    assert {row.reason for row in checked if row.row_no != 3} == {Reason.NO_RESULT}


@pytest.mark.parametrize("without", [rb' r="[A-Z]+\d+"', rb' r="[A-Z]*\d+"', rb' r="[B-Z]\d+"'])
def test_errors_and_formulas_of_an_xlsx_whose_cells_do_not_say_where_they_are(tmp_path: Path, without: bytes) -> None:
    path, whole = tmp_path / "a.xlsx", tmp_path / "whole.xlsx"
    with xlsxwriter.Workbook(whole) as workbook:
        sheet = workbook.add_worksheet()
        sheet.write_row(0, 0, ["Nombre", "Teléfono"])
        sheet.write_row(1, 0, ["Ana", 612345678])
        for row, (formula, result) in enumerate((("=NA()", "#N/A"), ("=A1&A2", None)), start=2):
            sheet.write(row, 0, "Luis")
            sheet.write_formula(row, 1, formula, None, result)
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if "sheet1" in name:
                content = re.sub(without, b"", content).replace(b"<v>None</v>", b"")
            new.writestr(name, content)
    read_file(path)
    checked = list(check(sheet_of(path), SheetChoice(0, 1, (1,), "ES")))
    assert [(cell.text, cell.reason) for cell in checked] == [
        ("612345678", None), ("#N/A", Reason.ERROR_CELL), ("=A1&A2", Reason.NO_RESULT),
    ]  # fmt: skip


def test_a_formula_of_an_ods_without_a_result(tmp_path: Path) -> None:
    path = tmp_path / "a.ods"
    cells = (
        '<table:table-row><table:table-cell office:value-type="string"><text:p>tel</text:p></table:table-cell>'
        '<table:table-cell office:value-type="string"><text:p>n</text:p></table:table-cell></table:table-row>'
        '<table:table-row><table:table-cell table:formula="of:=[.B9]&amp;[.C9]"/><table:table-cell'
        ' office:value-type="string"><text:p>x</text:p></table:table-cell></table:table-row>'
    )
    spaces = "".join(
        f' xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in ("office", "table", "text")
    )
    content = (
        f"<office:document-content{spaces}><office:body><office:spreadsheet>"
        f'<table:table table:name="H">{cells}</table:table></office:spreadsheet></office:body>'
        "</office:document-content>"
    )
    with zipfile.ZipFile(path, "w") as package:
        package.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        package.writestr("content.xml", content)
    read_file(path)
    checked = next(check(sheet_of(path), SheetChoice(0, 1, (0,), "ES")))
    assert (checked.text, checked.reason) == ("=[.B9]&[.C9]", Reason.NO_RESULT)


def test_a_formula_whose_result_is_an_empty_text_is_blank(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(path) as workbook:
        sheet = workbook.add_worksheet()
        sheet.write_row(0, 0, ["Teléfono", "n"])
        sheet.write_formula(1, 0, '=""', None, "")
        sheet.write(1, 1, "x")
        sheet.write_row(2, 0, [612345678, "y"])
    read_file(path)
    assert next(check(sheet_of(path), SheetChoice(0, 1, (0,), "ES"))).reason == Reason.BLANK


def test_elements_with_a_prefix_and_attributes_in_any_order(tmp_path: Path) -> None:
    rows = (
        '<x:row hidden="true" r="1"><x:c t="inlineStr" r="A1"><x:is><x:t>tel</x:t></x:is></x:c></x:row>'
        '<x:row r="2" spans="1:2"><x:c s="0" t="e" r="A2"><x:f>1/0</x:f><x:v>#DIV/0!</x:v></x:c></x:row>'
        '<x:row r="3"><x:c r="A3"><x:f t="shared" si="0"/></x:c><x:c r="B3" t="n"><x:v>1</x:v></x:c></x:row>'
    )
    path = hostile.workbook(tmp_path / "a.xlsx", hostile.rows_of(rows))
    with zipfile.ZipFile(path) as package:
        parts = {name: package.read(name) for name in package.namelist()}
    sheet = parts["xl/worksheets/sheet1.xml"].replace(b"<worksheet", b"<x:worksheet").replace(b"xmlns=", b"xmlns:x=")
    sheet = sheet.replace(b"</worksheet", b"</x:worksheet").replace(b"sheetData>", b"x:sheetData>")
    parts["xl/worksheets/sheet1.xml"] = sheet.replace(b"</x:x:", b"</x:").replace(b"<x:sheetData", b"<x:sheetData")
    with zipfile.ZipFile(path, "w") as package:
        for name, content in parts.items():
            package.writestr(name, content.replace(b"</x:sheetData", b"</x:sheetData"))
    facts = read_file(path)[0]
    assert cells_of(path) == [["tel"], ["#DIV/0!"], [{"f": ""}, 1]]
    assert facts.hidden_rows == 1


@pytest.mark.parametrize("code", ["dd/mm/yyyy hh:mm", "mmm", "0.00", "General", '"h:mm"', "yyyy", "#,##0", "@", "mm"])
def test_no_other_format_is_taken_for_a_time(code: str) -> None:
    assert writer_of(code) is None


def test_what_a_format_does_not_show_whole_is_left_to_the_parser() -> None:
    write: Any = writer_of("h:mm")
    assert (write(0.5), write(1.5), write(-0.5)) == ("12:00", None, None)


def test_a_duration_of_an_unknown_format_is_written_in_hours(tmp_path: Path) -> None:
    workbook: Any = Workbook()
    workbook.active.append(["Teléfono", "t"])
    workbook.active.append([612345678, datetime.timedelta(days=10, hours=15, minutes=10, seconds=10)])
    workbook.save(tmp_path / "a.xlsx")
    read_file(tmp_path / "a.xlsx")
    assert cells_of(tmp_path / "a.xlsx")[1][1] == "255:10:10"


# ── a cell far away ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("where", "text"),
    [("B6001", "x"), ("C1048576", "x"), ("C1048576", " "), ("XFD1048576", "x"), ("XFD3", " "), ("ZZ9", "x")],
)
def test_a_stray_cell_makes_no_file_too_large(tmp_path: Path, where: str, text: str) -> None:
    workbook: Any = Workbook()
    sheet = workbook.active
    sheet.append(["Nombre", "Teléfono"])
    for number in range(25):
        sheet.append(["Ana", 612345670 + number])
    sheet[where] = text
    workbook.save(tmp_path / "a.xlsx")
    facts = read_file(tmp_path / "a.xlsx")[0]
    far = where.startswith(("X", "Z"))
    assert cells_of(tmp_path / "a.xlsx")[25] == ["Ana", 612345694]
    assert facts.columns == (3 if where.startswith("C") and text == "x" else 2)
    assert facts.far == int(far)
    found = check_facts(sheet_of(tmp_path / "a.xlsx"), SheetChoice(0, 1, (1,), "ES"))
    stray = int(text == "x" and not far)
    assert (found.to_look_up, found.total - stray) == (25, 25)
    assert facts.data_rows == 25 + stray


@pytest.mark.parametrize(
    ("row", "cell"),
    [("<row>", "<c"), ('<row spans="1:2">', '<c t="n"'), ('<row r="{}">', "<c"), ("<row>", '<c r="{}{}"')],
)
def test_a_far_cell_of_an_xlsx_whose_cells_do_not_say_where_they_are(tmp_path: Path, row: str, cell: str) -> None:
    def written(number: int, values: list[int | None]) -> str:
        cells = (
            cell.format(column_letter(column), number) + ("/>" if value is None else f"><v>{value}</v></c>")
            for column, value in enumerate(values)
        )
        return f"{row.format(number)}{''.join(cells)}</row>"

    rows = [written(1 + n, [n, 612345678 + n]) for n in range(25)]
    rows[7] = written(8, [7, 612345685, *[None] * 16_381, 9])
    path = hostile.workbook(tmp_path / "a.xlsx", hostile.rows_of("".join(rows)))
    facts = read_file(path)[0]
    assert (facts.columns, facts.far, facts.rows) == (2, 1, 25)
    assert cells_of(path) == [[n, 612345678 + n] for n in range(25)]


@pytest.mark.parametrize("where", FAR)
@pytest.mark.parametrize("ending", ["xlsx", "ods"])
def test_hidden_rows_are_taken_or_left_beside_far_cells(tmp_path: Path, files: Path, where: str, ending: str) -> None:
    path = Path(shutil.copy(files / f"{where}.{ending}", tmp_path))
    facts = read_file(path)[0]
    far_right, far_below = where in ("XFD6", "XFD4"), where == "IU60001"
    assert (facts.hidden_rows, facts.far, facts.data_rows) == (10, int(far_right), 31 if far_below else 30)
    taken, left = (
        [row.text for row in check(sheet_of(path), SheetChoice(0, 1, (1,), "ES", left=LeftOut(hidden=is_left)))]
        for is_left in (False, True)
    )
    numbers = [str(612345600 + n) for n in range(1, 31)]
    assert taken == [*numbers, *[""] * far_below]
    assert left == [*(text for n, text in enumerate(numbers, start=1) if n % 3), *[""] * far_below]


def test_rows_with_wide_gaps_are_all_there(tmp_path: Path) -> None:
    workbook: Any = Workbook()
    for row in (1, 5_000, 500_000, 1_000_000):
        workbook.active.cell(row, 2, "Teléfono" if row == 1 else 612345678 + row)
        workbook.active.cell(row, 200, "z")
    workbook.save(tmp_path / "a.xlsx")
    facts = read_file(tmp_path / "a.xlsx")[0]
    assert (facts.rows, facts.columns, facts.data_rows) == (1_000_000, 200, 3)
    checked = list(check(sheet_of(tmp_path / "a.xlsx"), SheetChoice(0, 1, (1,), "ES")))
    assert [(row.row_no, row.text) for row in checked] == [
        (row, str(612345678 + row)) for row in (5_000, 500_000, 1_000_000)
    ]


def test_a_few_empty_rows_are_no_gap(tmp_path: Path) -> None:
    path = xlsx(tmp_path / "a.xlsx", [["tel"], [612345678], *[[None]] * 20, [612345679]])
    assert read_file(path)[0].data_rows == 22
    assert check_facts(sheet_of(path), SheetChoice(0, 1, (0,), "ES")).blank == 20


def test_the_limit_counts_filled_rows(tmp_path: Path) -> None:
    path = xlsx(tmp_path / "a.xlsx", [["tel"], *([612345678 + n] for n in range(30)), *[[None]] * 500, ["x"]])
    assert read_file(path, limits=ReadLimits(max_rows=31))[0].problem is None
    with pytest.raises(Unreadable) as raised:
        read_file(path, limits=ReadLimits(max_rows=30))
    assert (raised.value.problem, raised.value.facts) == (FileProblem.TOO_MANY_ROWS, {"rows": 31, "limit": 30})
