"""A workbook in one of Excel's older formats becomes an xlsx with the same sheets, values and formats."""

import shutil
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook
from openpyxl.styles import Alignment, Border, Font, PatternFill, Side

from portal.documents.reader.conversion.convert import convert
from portal.documents.reader.conversion.old_workbook import OldColumns, OldRow, OldSheet, OldWorkbook
from portal.documents.reader.conversion.package import write_package
from portal.documents.reader.limits import FileProblem, ReadLimits, Unreadable
from portal.documents.reader.parent import read
from tests.documents.sheets import FIXTURES
from tests.jobs.export.sheet_order import faults_of_workbook
from tests.support.libreoffice import converted, shown_by_libreoffice
from tests.support.xlsb import Sheet, write_xlsb

HEAD = ["Nombre", "CP", "Importe", "Alta", "Horas", "Parte", "Activo", "Error", "Texto"]
FORMATS = ["General", "00000", '#,##0.00 "€"', "dd/mm/yyyy", "[h]:mm", "0%", "General", "General", "@"]
DAYS_TO_2026 = 46053  # 31 January 2026
VALUES: list[list[Any]] = [
    ["José Ñúñez & Cía <R&D>", 8002, -1000.3, DAYS_TO_2026, 1.5, 0.79, True, "#N/A", "007"],
    ["a\nb ", 1001, 12.5, DAYS_TO_2026 + 0.75, 10.625, 1.25, False, "#DIV/0!", "=1+1"],
    ["_x0041_ 😀", 50297, 12.345, 60, 0.0, -0.5, True, "#REF!", "+34 612 34 56 78"],
]
AS_READ: list[list[Any]] = [  # openpyxl, which knows no escapes: `_x005F_` is `_`
    [*VALUES[0][:3], datetime(2026, 1, 31), timedelta(hours=36), *VALUES[0][5:]],  # noqa: DTZ001 - no zone in Excel
    [*VALUES[1][:3], datetime(2026, 1, 31, 18), timedelta(hours=255), *VALUES[1][5:]],  # noqa: DTZ001
    ["_x005F_x0041_ 😀", *VALUES[2][1:3], datetime(1900, 2, 28), timedelta(0), *VALUES[2][5:]],  # noqa: DTZ001
]
AS_SEEN = [
    ["08002", "-1,000.30 €", "31/01/2026", "36:00", "79%", "TRUE", "#N/A", "007"],
    ["01001", "12.50 €", "31/01/2026", "255:00", "125%", "FALSE", "#DIV/0!", "=1+1"],
    ["50297", "12.35 €", "28/02/1900", "0:00", "-50%", "TRUE", "#REF!", "+34 612 34 56 78"],
]


def _xlsb(path: Path) -> Path:
    cells = [[(cell, form) if form != "General" else cell for cell, form in zip(row, FORMATS, strict=True)]
             for row in VALUES]  # fmt: skip
    first = Sheet(
        "Clientes", [["Listado"], [(text, "heading") for text in HEAD], *cells],
        widths={0: 31.5, 2: 14}, hidden_rows=frozenset({4}), hidden_columns=frozenset({5}),
        merged=[(0, 0, 0, 2)], frozen_rows=2,
    )  # fmt: skip
    others = [Sheet("Oculta", [["\0no está en la tabla"]], state=1), Sheet("Más", [[2]])]
    return write_xlsb(path, [first, *others])


def _xls(path: Path) -> Path:
    """The same, saved by LibreOffice."""
    workbook = Workbook()
    sheet: Any = workbook.active
    sheet.title = "Clientes"
    sheet.append(["Listado"])
    sheet.append(HEAD)
    sheet.merge_cells("A1:C1")
    for cell in sheet[2]:
        cell.font, cell.fill = Font(bold=True, color="FFFFFFFF"), PatternFill("solid", fgColor="FF1F4E79")
        cell.border, cell.alignment = Border(bottom=Side("thin")), Alignment(horizontal="center", wrap_text=True)
    for row_no, row in enumerate(VALUES, start=3):
        for column, (value, form) in enumerate(zip(row, FORMATS, strict=True), start=1):
            cell = sheet.cell(row_no, column, value)
            cell.number_format = form
            if value == "=1+1":
                cell.data_type = "s"
    sheet.column_dimensions["A"].width, sheet.column_dimensions["C"].width = 31.5, 14
    sheet.column_dimensions["F"].hidden = sheet.row_dimensions[5].hidden = True
    sheet.freeze_panes = "A3"
    workbook.create_sheet("Oculta").append(["no está en la tabla"])
    workbook["Oculta"].sheet_state = "hidden"
    workbook.create_sheet("Más").append(["=1+1"])
    workbook.save(path.with_suffix(".xlsx"))
    return converted(path.with_suffix(".xlsx"), "xls")


MAKERS = {"xls": _xls, "xlsb": _xlsb}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An old workbook of each kind, and what it is converted to by the reading process."""
    folder = tmp_path_factory.mktemp("old")
    for ending, make in MAKERS.items():
        old = make(folder / f"antes.{ending}")
        assert convert_in_child(old, old.name, folder / f"{ending}.xlsx", ReadLimits())
    return folder


def convert_in_child(path: Path, name: str, target: Path, limits: ReadLimits) -> bool:
    """Read a file; whether it was read by way of an xlsx, which is at `target` then."""
    with TemporaryDirectory(dir=path.parent) as folder, suppress(Unreadable):
        read(path, name, lambda index: Path(folder) / f"{index}.jsonl", limits, converted=target)
    return target.exists()


@pytest.mark.parametrize("ending", MAKERS)
def test_values_keep_their_types_and_formats(folder: Path, ending: str) -> None:
    path = folder / f"{ending}.xlsx"
    assert faults_of_workbook(path.read_bytes()) == []
    workbook = load_workbook(path)
    assert [(sheet.title, sheet.sheet_state) for sheet in workbook] == [
        ("Clientes", "visible"), ("Oculta", "hidden"), ("Más", "visible"),
    ]  # fmt: skip
    sheet: Any = workbook["Clientes"]
    assert [cell.value for cell in sheet[2]] == HEAD
    for row, expected in zip(sheet.iter_rows(min_row=3), AS_READ, strict=True):
        assert [cell.value for cell in row] == expected
        assert [cell.number_format.replace('" €"', ' "€"') for cell in row] == FORMATS
    assert workbook["Oculta"]["A1"].value == "no está en la tabla"
    assert workbook["Más"]["A1"].value == 2  # a formula's last result


@pytest.mark.parametrize("ending", MAKERS)
def test_the_sheet_looks_as_before(folder: Path, ending: str) -> None:
    sheet: Any = load_workbook(folder / f"{ending}.xlsx")["Clientes"]
    assert [str(area) for area in sheet.merged_cells.ranges] == ["A1:C1"]
    assert sheet.column_dimensions["A"].width == pytest.approx(31.5, abs=0.8)
    assert sheet.column_dimensions["F"].hidden and not sheet.column_dimensions["A"].hidden
    assert sheet.row_dimensions[5].hidden and not sheet.row_dimensions[4].hidden
    assert sheet.freeze_panes == "A3" or ending == "xls"  # which LibreOffice writes without
    head = sheet["B2"]
    assert (head.font.b, head.font.color.rgb, head.fill.fgColor.rgb) == (True, "FFFFFFFF", "FF1F4E79")


def test_libreoffice_shows_the_same(folder: Path) -> None:
    xls, xls_new, xlsb, xlsb_new = shown_by_libreoffice(
        [folder / name for name in ("antes.xls", "xls.xlsx", "antes.xlsb", "xlsb.xlsx")]
    )
    assert xlsb == xlsb_new
    assert [row[1:] for row in xlsb_new["Clientes"][2:]] == AS_SEEN
    # Of an xls, LibreOffice shows a boolean as 1 and every error as #N/A; Excel does not, nor does the new workbook.
    assert [[*row[:6], row[8]] for row in xls["Clientes"]] == [[*row[:6], row[8]] for row in xls_new["Clientes"]]
    assert [row[1:] for row in xls_new["Clientes"][2:]] == AS_SEEN
    assert xls["Oculta"] == xls_new["Oculta"]


def test_dates_from_1904_stay_the_same_days(tmp_path: Path) -> None:
    day = [["Alta"], [(DAYS_TO_2026 - 1462, "dd/mm/yyyy")]]
    old = write_xlsb(tmp_path / "a.xlsb", [Sheet("Hoja", day)], from_1904=True)
    convert(old, old.name, new := tmp_path / "luego.xlsx", ReadLimits())
    assert load_workbook(new).worksheets[0]["A2"].value == datetime(2026, 1, 31)  # noqa: DTZ001


def test_an_xls_as_excel_writes_it(tmp_path: Path) -> None:
    convert(FIXTURES / "como_excel.xls", "a.xls", new := tmp_path / "luego.xlsx", ReadLimits())
    workbook = load_workbook(new)
    sheet: Any = workbook["Clientes"]
    assert [cell.value for cell in sheet[2]] == ["612345678", True, "#N/A", datetime(2026, 1, 31)]  # noqa: DTZ001
    assert (sheet["C2"].data_type, sheet["D2"].number_format) == ("e", "DD/MM/YYYY")
    assert (sheet.freeze_panes, sheet.row_dimensions[2].height) == ("C2", 40)
    assert (sheet["A1"].font.b, sheet["A1"].fill.fgColor.rgb) == (True, "FF000080")
    assert workbook["Muy oculta"].sheet_state == "veryHidden"


@pytest.mark.parametrize("name", ["clientes.xlsx", "clientes.xls", "celdas.xlsb"])
def test_other_files_are_not_converted(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name.endswith("xls"):
        path.write_text("Nombre;Teléfono\nAna;612345678\n", encoding="utf-8")
    else:
        Workbook().save(path)
    assert not convert_in_child(path, name, tmp_path / "luego.xlsx", ReadLimits())
    assert [file.name for file in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("ending", ["xls", "xlsb"])
def test_a_damaged_one_is_not_converted_and_leaves_nothing(tmp_path: Path, ending: str) -> None:
    path = Path(shutil.copy(FIXTURES / f"clientes.{ending}", tmp_path))
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    assert not convert_in_child(path, path.name, tmp_path / "luego.xlsx", ReadLimits())
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def _book(*rows: OldRow, **sheet: Any) -> OldWorkbook:
    return OldWorkbook(iter([OldSheet("Hoja", "hidden", iter(rows), (9, 9), **sheet)]), [])


def test_what_excel_would_repair_is_left_out(tmp_path: Path) -> None:
    merged = [(0, 1, 0, 1), (1, 2, 1, 2), (5, 5, 5, 5), (3, 4, 0, 20_000), (3, 3, 0, 1)]
    columns = [OldColumns(0, 3, 9.0), OldColumns(2, 5, 400.0), OldColumns(-1, 20_000, 5.0)]
    book = _book(OldRow(0, [(0, 7, "\x07\ud800 <&>")]), merged=merged, columns=columns, frozen=(-1, 1 << 31))
    write_package(book, path := tmp_path / "a.xlsx")
    assert faults_of_workbook(path.read_bytes()) == []
    sheet: Any = load_workbook(path).worksheets[0]
    assert {str(area) for area in sheet.merged_cells.ranges} == {"A1:B2", "A4:B4"}
    assert (sheet["A1"].value, sheet.sheet_state) == (" <&>", "visible")


@pytest.mark.parametrize(
    "rows",
    [
        [OldRow(1, []), OldRow(0, [(0, 0, 1.0)])],
        [OldRow(1 << 30, [(0, 0, 1.0)])],
        [OldRow(0, [(1, 0, 1.0), (0, 0, 1.0)])],
        [OldRow(0, [(16_384, 0, 1.0)])],
    ],
)
def test_cells_that_no_sheet_can_hold_are_damage(tmp_path: Path, rows: list[OldRow]) -> None:
    with pytest.raises(Unreadable) as caught:
        write_package(_book(*rows), tmp_path / "a.xlsx")
    assert caught.value.problem is FileProblem.DAMAGED
