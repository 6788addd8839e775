"""Some rows of a workbook come in the formats of the person's cells, and nothing else of it does."""

import io
import re
import zipfile
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from openpyxl import Workbook, load_workbook
from openpyxl.cell.rich_text import CellRichText, TextBlock
from openpyxl.cell.text import InlineFont
from openpyxl.comments import Comment
from openpyxl.formatting.rule import CellIsRule
from openpyxl.styles import Border, Font, PatternFill, Side
from openpyxl.worksheet.table import Table
from python_calamine import CalamineWorkbook

from portal.accounts import User
from tests.jobs.export.exporting import ran
from tests.jobs.export.sheet_order import faults_of_workbook
from tests.jobs.export.test_in_place import job_of

pytestmark = pytest.mark.usefixtures("ranges")
BLUE = PatternFill("solid", "FF1F4E79")
DAY = datetime(2026, 1, 31)  # noqa: DTZ001 - Excel's dates have no zone
ENGLISH = {"Accept-Language": "en"}


def rich_workbook() -> bytes:
    """Five rows below a title and a blue heading; the second, third and fifth cannot be looked up."""
    workbook = Workbook()
    sheet: Any = workbook.active
    sheet.title = "Clientes"
    sheet.append(["Clientes 2026"])
    sheet.merge_cells("A1:D1")
    sheet.append(["Nombre", "Teléfono", "CP", "Saldo", "Alta", "IVA"])
    for number, phone in enumerate(["612345678", "no tiene", "691234567", "612345679", "x"]):
        sheet.append([f"Cliente {number}", phone, 8002 + number, 12.5, DAY, f"=D{number + 3}*2"])
    for cell in sheet[2]:
        cell.font, cell.fill = Font(bold=True, color="FFFFFFFF"), BLUE
    for row in range(3, 8):
        sheet.cell(row, 3).number_format = "00000"
        sheet.cell(row, 4).number_format = '#,##0.00 "€"'
        sheet.cell(row, 5).number_format = "dd/mm/yyyy"
        sheet.cell(row, 4).border = Border(bottom=Side("thin"))
    sheet["A4"] = CellRichText("Cliente ", TextBlock(InlineFont(b=True), "1"))
    sheet.column_dimensions["A"].width = 33
    sheet.row_dimensions[4].height = 40
    sheet.row_dimensions[5].hidden = True
    sheet.merge_cells("A7:A8")
    sheet["A4"].comment = Comment("nota", "Ana")
    sheet.auto_filter.ref = "A2:F7"
    sheet.conditional_formatting.add("D3:D7", CellIsRule(operator="greaterThan", formula=["1"], fill=BLUE))
    sheet.freeze_panes = "A3"
    workbook.create_sheet("Otra")["A1"] = "secreto"
    workbook.save(out := io.BytesIO())
    return out.getvalue()


def look_of(cell: Any) -> tuple[str, ...]:
    return cell.number_format, repr(cell.font), repr(cell.fill), repr(cell.border)


def selected(app: Flask, user: User, client: FlaskClient, content: bytes, asked: str, **of_job: Any) -> bytes:
    job = ran(job_of(app, user, content, **of_job))
    return client.get(f"/jobs/{job.id}/results.xlsx?{asked}", headers=ENGLISH, buffered=True).data


def test_the_cells_look_as_they_did(app: Flask, alice: User, as_alice: FlaskClient) -> None:
    made = selected(app, alice, as_alice, content := rich_workbook(), "rows=failed", header_row=2)
    assert faults_of_workbook(made) == []
    new, old = load_workbook(io.BytesIO(made), rich_text=True), load_workbook(io.BytesIO(content), rich_text=True)
    assert new.sheetnames == ["Clientes"]
    sheet: Any = new.active
    before: Any = old["Clientes"]
    for row_no, own in enumerate((1, 2, 4, 5, 7), start=1):
        for column in range(1, 6):
            mine, theirs = sheet.cell(row_no, column), before.cell(own, column)
            assert mine.value == theirs.value
            assert look_of(mine) == look_of(theirs)
    heads = [cell.value for cell in sheet[2]][6:]
    assert heads[:2] == ["Row in your file", "Status"] and heads[-1] == "What to do"
    assert {look_of(cell) for cell in sheet[2][6:]} == {look_of(before["F2"])}
    assert [sheet.cell(row, 7).value for row in (3, 4, 5)] == [4, 5, 7]
    assert sheet.max_row == 5
    assert (sheet.column_dimensions["A"].width, sheet.row_dimensions[3].height) == (33, 40)
    assert not any(row.hidden for row in sheet.row_dimensions.values())
    assert [str(one) for one in sheet.merged_cells.ranges] == ["A1:D1"]
    assert sheet.freeze_panes == "A3"
    assert CalamineWorkbook.from_filelike(io.BytesIO(made)).get_sheet_by_index(0).to_python()[3][1] == "691234567"


@pytest.mark.parametrize("where", ["XFD4", "XFD6", "IV70000"])
def test_the_answers_stand_beside_the_list_not_behind_a_far_cell(
    app: Flask, alice: User, as_alice: FlaskClient, where: str
) -> None:
    workbook = load_workbook(io.BytesIO(rich_workbook()), rich_text=True)
    sheet: Any = workbook["Clientes"]
    sheet[where] = "x"
    workbook.save(out := io.BytesIO())
    made = selected(app, alice, as_alice, out.getvalue(), "rows=failed", header_row=2)
    assert faults_of_workbook(made) == []
    sheet = load_workbook(io.BytesIO(made)).active
    assert [cell.value for cell in sheet[2]][6:8] == ["Row in your file", "Status"]
    assert [sheet.cell(row, 7).value for row in (3, 4, 5)] == [4, 5, 7]
    assert sheet.cell(3, 16384).value == ("x" if where == "XFD4" else None)


def test_nothing_of_other_rows_and_sheets_is_in_it(app: Flask, alice: User, as_alice: FlaskClient) -> None:
    made = selected(app, alice, as_alice, rich_workbook(), "outcome=found", header_row=2)
    with zipfile.ZipFile(io.BytesIO(made)) as package:
        everything = b"".join(package.read(name) for name in package.namelist()).decode()
    assert "Cliente 0" in everything and "Cliente 3" in everything
    for gone in ("Cliente 2", "secreto", "no tiene", "nota", "<f>", "conditionalFormatting", "autoFilter"):
        assert gone not in everything


def test_formulas_become_the_values_that_were_stored(app: Flask, alice: User, as_alice: FlaskClient) -> None:
    with zipfile.ZipFile(io.BytesIO(rich_workbook())) as old, zipfile.ZipFile(out := io.BytesIO(), "w") as new:
        for name in old.namelist():
            xml = old.read(name)
            if name.endswith("sheet1.xml"):
                xml = re.sub(rb"(<f>D4\*2</f>)<v ?/?>(?:</v>)?", rb"\1<v>25</v>", xml)
            new.writestr(name, xml)
    sheet: Any = load_workbook(
        io.BytesIO(selected(app, alice, as_alice, out.getvalue(), "rows=failed", header_row=2))
    ).active
    assert [sheet.cell(row, 6).value for row in (3, 4)] == [25, None]


def test_without_headings_a_sheet_names_the_columns(app: Flask, alice: User, as_alice: FlaskClient) -> None:
    workbook = Workbook()
    sheet: Any = workbook.active
    for name, phone in (("a", "612345678"), ("b", "no"), ("c", "x")):
        sheet.append([name, phone])
    sheet.add_table(Table(displayName="T", ref="A1:B3"))
    workbook.save(out := io.BytesIO())
    made = selected(app, alice, as_alice, out.getvalue(), "rows=failed", header_row=0)
    assert faults_of_workbook(made) == []
    found = load_workbook(io.BytesIO(made))
    assert found.sheetnames == ["Sheet", "Columns"]
    assert [row[:3] for row in found["Sheet"].iter_rows(values_only=True)] == [("b", "no", 2), ("c", "x", 3)]


@pytest.mark.parametrize("change", ["strict", "odd rows"])
def test_other_workbooks_are_written_anew(
    app: Flask, alice: User, as_alice: FlaskClient, change: str, tmp_path: Path
) -> None:
    with zipfile.ZipFile(io.BytesIO(rich_workbook())) as old, zipfile.ZipFile(out := io.BytesIO(), "w") as new:
        for name in old.namelist():
            xml = old.read(name)
            if change == "odd rows" and name.endswith("sheet1.xml"):
                xml = xml.replace(b"<row ", b"<!-- a --><row ", 1)
            if change == "strict":
                xml = xml.replace(
                    b"http://schemas.openxmlformats.org/spreadsheetml/2006/main",
                    b"http://purl.oclc.org/ooxml/spreadsheetml/main",
                )
            new.writestr(name, xml)
    made = selected(app, alice, as_alice, out.getvalue(), "rows=failed", header_row=2)
    sheet: Any = load_workbook(io.BytesIO(made)).active
    assert sheet["B3"].value == "no tiene" and sheet.max_row == 5
