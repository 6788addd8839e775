"""Web pages and XML of Excel 2003 that are called workbooks are read, and come back as xlsx."""

from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook

from portal.documents.reader.limits import FileProblem, ReadLimits, Unreadable
from portal.documents.reader.parent import SheetFacts, read
from tests.documents.sheets import cells_of, sheet_of
from tests.jobs.export.sheet_order import faults_of_workbook

PAGE = """<html xmlns:x="urn:schemas-microsoft-com:office:excel"><head><meta charset="{charset}">
<style>td {{ color: red }}</style><script>var x = "<table><tr><td>no</td></tr></table>";</script></head><body>
<p>Listado</p><table border=1><thead><tr><th>Nombre<th>Teléfono</tr></thead>
<tr><td rowspan="2">José&nbsp;&amp; Cía</td><td x:str>0612345678</td></tr>
<tr><td style='mso-number-format:"\\@"'>612345679<td>nota<br>dos</tr>
<tr><td colspan=2>Total</td><td> 007 </td></tr>
<tr><td>Ana</td><td>+34 612 34 56 71</td><td>12.50</table></body></html>"""
ROWS: list[list[Any]] = [
    ["Nombre", "Teléfono"], ["José & Cía", "0612345678"], [None, "612345679", "nota\ndos"], ["Total", None, "007"],
    ["Ana", "+34 612 34 56 71", "12.50"],
]  # fmt: skip
XML = """<?xml version="1.0"?><?mso-application progid="Excel.Sheet"?>
<ss:Workbook xmlns:ss="urn:schemas-microsoft-com:office:spreadsheet" xmlns:x="urn:schemas-microsoft-com:office:excel">
<ss:Styles><ss:Style ss:ID="d"><ss:NumberFormat ss:Format="Short Date"/></ss:Style>
<ss:Style ss:ID="h"><ss:NumberFormat ss:Format="[h]:mm"/></ss:Style></ss:Styles>
<ss:Worksheet ss:Name="Clientes"><ss:Table>
<ss:Row ss:Index="2"><ss:Cell><ss:Data ss:Type="String">Nombre</ss:Data></ss:Cell>
<ss:Cell ss:Index="3"><ss:Data ss:Type="String">Teléfono</ss:Data></ss:Cell></ss:Row>
<ss:Row ss:Hidden="1"><ss:Cell ss:MergeAcross="1"><ss:Data ss:Type="String">A &lt; <b>B</b></ss:Data></ss:Cell>
<ss:Cell><ss:Data ss:Type="Number">612345678</ss:Data><ss:Comment><ss:Data>no</ss:Data></ss:Comment></ss:Cell>
<ss:Cell ss:StyleID="d"><ss:Data ss:Type="DateTime">2026-01-31T00:00:00.000</ss:Data></ss:Cell>
<ss:Cell ss:StyleID="h"><ss:Data ss:Type="Number">1.5</ss:Data></ss:Cell></ss:Row>
<ss:Row><ss:Cell ss:Index="3"><ss:Data ss:Type="Error">#N/A</ss:Data></ss:Cell>
<ss:Cell><ss:Data ss:Type="Boolean">1</ss:Data></ss:Cell></ss:Row>
</ss:Table></ss:Worksheet>
<ss:Worksheet ss:Name="Otra"><ss:Table><ss:Row><ss:Cell><ss:Data ss:Type="String">x</ss:Data></ss:Cell></ss:Row>
</ss:Table></ss:Worksheet></ss:Workbook>"""


def read_stored(
    path: Path, content: bytes, name: str = "export.xls", limits: ReadLimits | None = None
) -> list[SheetFacts]:
    path.write_bytes(content)
    return read(
        path, name, lambda index: sheet_of(path, index), limits or ReadLimits(),
        converted=path.with_name("converted.xlsx"),
    )  # fmt: skip


@pytest.mark.parametrize(("charset", "encoding"), [
    ("utf-8", "utf-8"), ("utf-8", "utf-8-sig"), ("windows-1252", "cp1252"), ("iso-8859-1", "latin-1"),
    ("utf-16", "utf-16"), ("none-of-these", "cp1252"),
])  # fmt: skip
@pytest.mark.parametrize("name", ["export.xls", "export.xlsx"])
def test_a_page_is_read_and_comes_back(tmp_path: Path, charset: str, encoding: str, name: str) -> None:
    path = tmp_path / "stored"
    facts = read_stored(path, PAGE.format(charset=charset).encode(encoding), name)
    assert cells_of(path) == ROWS
    assert (facts[0].header_row, facts[0].number_column) == (1, 1)
    new = tmp_path / "converted.xlsx"
    assert faults_of_workbook(new.read_bytes()) == []
    sheet: Any = load_workbook(new).active
    assert [[cell.value for cell in row if cell.value is not None] for row in sheet] == [
        [cell for cell in row if cell is not None] for row in ROWS
    ]
    assert {str(area) for area in sheet.merged_cells.ranges} == {"A2:A3", "A4:B4"}


def test_tables_of_a_page_stand_below_each_other(tmp_path: Path) -> None:
    table = "<table><tr><td>{}</td><td>{}</td></tr></table>"
    inner = f"<table><tr><td>{table.format(1, 'dos')}</td></tr></table>"
    page = f"<!DOCTYPE html>\n<html>{table.format('tel', 'n')}<h1>no</h1>{table.format(612345678, 'a')}{inner}</html>"
    read_stored(tmp_path / "stored", page.encode())
    assert cells_of(tmp_path / "stored") == [["tel", "n"], [612345678, "a"], [1, "dos"]]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_xml_of_2003_is_read_and_comes_back(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "stored"
    first, second = read_stored(path, XML.replace('"1.0"?>', f'"1.0" encoding="{encoding}"?>').encode(encoding))
    assert cells_of(path) == [
        [], ["Nombre", None, "Teléfono"], ["A < B", None, 612345678, {"d": "2026-01-31T00:00:00"}, "36:00"],
        [None, None, "#N/A", True],
    ]  # fmt: skip
    assert (first.name, first.hidden_rows, second.name) == ("Clientes", 1, "Otra")
    new = tmp_path / "converted.xlsx"
    assert faults_of_workbook(new.read_bytes()) == []
    assert load_workbook(new)["Clientes"]["E3"].number_format == "[h]:mm"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"<html><body>Log in<form></form></body></html>", FileProblem.WRONG_TYPE),
        (b"<html><table><tr></tr></table></html>", FileProblem.NO_ROWS),
        (XML.encode()[:900], FileProblem.WRONG_TYPE),
        (b'<!DOCTYPE x [<!ENTITY a "b">]>' + XML.encode().partition(b"?>")[2], FileProblem.WRONG_TYPE),
    ],
    ids=["no table", "no cells", "cut short", "entities"],
)
def test_a_page_without_rows_is_refused(tmp_path: Path, content: bytes, problem: FileProblem) -> None:
    with pytest.raises(Unreadable) as raised:
        read_stored(tmp_path / "stored", content)
    assert raised.value.problem in (problem, FileProblem.WRONG_TYPE)
    assert not (tmp_path / "converted.xlsx").exists()


def test_tags_that_never_end_are_stopped(tmp_path: Path) -> None:
    page = b"<table>" + b"<td colspan=9999 rowspan=9999>" * 20_000 + b"<tr" * 50_000
    with pytest.raises(Unreadable):
        read_stored(tmp_path / "stored", page, limits=ReadLimits(cpu_seconds=1))
