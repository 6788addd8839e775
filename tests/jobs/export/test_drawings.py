"""What floats over the columns of the answers moves behind them."""

import re
from pathlib import Path

import pytest
import xlsxwriter
from openpyxl import load_workbook

from portal.jobs.export.in_place.drawings import moved
from tests.jobs.export.own_workbook import HEADINGS, changed_parts, in_place, part

PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360606060000000050001a5f64540"
    "0000000049454e44ae426082"
)
ONE = "<x:oneCellAnchor><x:from><x:col>{}</x:col></x:from>{}</x:oneCellAnchor>"
TWO = "<x:twoCellAnchor><x:from><x:col>{}</x:col></x:from><x:to><x:col>{}</x:col></x:to></x:twoCellAnchor>"
DRAWING = "xl/drawings/drawing1.xml"


def columns_of(xml: bytes) -> list[list[int]]:
    """The columns of each anchor: where it begins, and where it ends if it does."""
    anchors = re.findall(rb"<xdr:(?:two|one)CellAnchor.*?</xdr:(?:two|one)CellAnchor>", xml, re.DOTALL)
    return [[int(column) for column in re.findall(rb"<xdr:col>(\d+)</xdr:col>", anchor)] for anchor in anchors]


def test_charts_and_pictures_over_the_answers_move_behind_them(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(PIXEL)
    with xlsxwriter.Workbook(path := tmp_path / "a.xlsx") as workbook:
        sheet, other = workbook.add_worksheet("Lista"), workbook.add_worksheet("Otra")
        for row in range(5):
            sheet.write_row(row, 0, [f"n{row}", row, "x"])
        chart = workbook.add_chart({"type": "column"})
        chart.add_series({"values": "=Lista!$B$2:$B$5"})
        sheet.insert_chart("E2", chart)
        sheet.insert_image("D9", tmp_path / "a.png", {"object_position": 2})
        sheet.insert_image("A9", tmp_path / "a.png")
        sheet.write_comment("E1", "se queda")
        other.insert_image("H2", tmp_path / "a.png")
    before = path.read_bytes()
    after = in_place(path)
    picture, own, (chart_from, chart_to) = columns_of(part(before, DRAWING))
    by = len(HEADINGS)
    assert (chart_from, picture[0], own[0]) == (4, 3, 0)
    assert columns_of(part(after, DRAWING)) == [[one + by for one in picture], own, [chart_from + by, chart_to + by]]
    gone = re.compile(rb"<xdr:col>\d+</xdr:col>")
    assert gone.sub(b"", part(before, DRAWING)) == gone.sub(b"", part(after, DRAWING))
    assert changed_parts(path, after) & {"xl/drawings/drawing2.xml", "xl/drawings/vmlDrawing1.vml"} == set()
    assert len(load_workbook(path)["Lista"]._charts) == 1  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("anchor", "columns"),
    [
        (ONE.format("9", ""), [13]),
        (TWO.format("2", "9"), [2, 9]),
        (TWO.format(" 3 ", "16382"), [7, 16383]),
        (ONE.format("9", "<a:compatExt/>"), [9]),  # a form's control
        ("<x:absoluteAnchor/>", []),
        (ONE.format("zz", ""), []),
        (f"<mc:AlternateContent><mc:Choice>{ONE.format(3, '')}</mc:Choice></mc:AlternateContent>", [7]),
    ],
)  # fmt: skip
def test_each_kind_of_anchor(anchor: str, columns: list[int]) -> None:
    xml = f'<x:wsDr xmlns:x="x" xmlns:a="a" xmlns:mc="mc">{anchor}</x:wsDr>'.encode()
    new = moved(xml, 3, 4) or xml
    assert [int(one) for one in re.findall(rb"<x:col>\s*(\d+)", new)] == columns
