"""A hundred and fifty workbooks of many kinds: read by three programs, each is what it was, with its answers."""

import re
import zipfile
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook

from portal.jobs.export.in_place.extra_sheet import ExtraSheet
from tests.jobs.export.own_workbook import (
    ANSWER,
    HEADINGS,
    answers,
    assert_only_answers_were_added,
    changed_parts,
    in_place,
    opened,
    part,
    read_of,
)  # fmt: skip
from tests.jobs.export.varied_workbooks import Made, make
from tests.support.libreoffice import shown_by_libreoffice

WORKBOOKS = 150
SHOWN = range(0, WORKBOOKS, 5)  # those that LibreOffice shows
MAY_CHANGE = re.compile(r"xl/(worksheets/sheet\d+|tables/table\d+|drawings/drawing\d+|styles|workbook)\.xml")
COLUMN = re.compile(rb"<xdr:col>\d+</xdr:col>")

pytestmark = pytest.mark.filterwarnings("ignore:.*extension is not supported:UserWarning")


def _cells(sheet: Any, columns: int) -> list[list[tuple[Any, ...]]]:
    """The value, format and look of each cell up to a column."""
    return [
        [(cell.value, cell.number_format, cell.font.b, cell.fill.fgColor.rgb, cell.border.bottom.style) for cell in row]
        for row in sheet.iter_rows(max_col=columns, max_row=sheet.max_row)
    ]


@pytest.mark.parametrize("seed", range(WORKBOOKS))
def test_a_workbook_is_what_it_was_with_its_answers(seed: int, tmp_path: Path) -> None:
    made = make(seed, path := tmp_path / "antes.xlsx")
    rows = answers(made.rows, made.header_row)
    content = in_place(path, rows, sheet=made.sheet, header_row=made.header_row, name=made.name)

    changed = changed_parts(path, content)
    assert all(MAY_CHANGE.fullmatch(name) for name in changed), changed
    assert sum("worksheets" in name for name in changed) == 1
    with zipfile.ZipFile(path) as package:
        for name in (name for name in changed if "drawings" in name):  # only where things are
            assert COLUMN.sub(b"", package.read(name)) == COLUMN.sub(b"", part(content, name))

    before, after = load_workbook(path), opened(content)
    assert after.sheetnames == before.sheetnames
    sheet = after[made.name]
    first = next(cell.column for cell in sheet[made.header_row] if cell.value == HEADINGS[0])
    assert _cells(sheet, first - 1) == _cells(before[made.name], first - 1)
    assert [n for n, row in sheet.row_dimensions.items() if row.hidden] == [
        n for n, row in before[made.name].row_dimensions.items() if row.hidden
    ]
    assert sheet.merged_cells.ranges == before[made.name].merged_cells.ranges
    for row_no, expected in [(made.header_row, HEADINGS), *((row, ANSWER) for row in made.rows)]:
        assert [sheet.cell(row_no, first + n).value for n in range(4)] == expected

    (out := tmp_path / "después.xlsx").write_bytes(content)
    old, new = read_of(path, made.sheet), read_of(out, made.sheet)
    assert [row[: len(old[0])] for row in new[: len(old)]] == old


def test_libreoffice_shows_every_old_cell_as_before(tmp_path: Path) -> None:
    made: list[tuple[Made, Path, Path]] = []
    for seed in SHOWN:
        one = make(seed, path := tmp_path / f"{seed}-antes.xlsx")
        sheets = [ExtraSheet("Resumen <&>", [["Columna", "Filas"], [" a ", 7]])]
        rows = answers(one.rows, one.header_row)
        content = in_place(path, rows, sheet=one.sheet, header_row=one.header_row, sheets=sheets)
        (after := tmp_path / f"{seed}-luego.xlsx").write_bytes(content)
        made.append((one, path, after))
    shown = iter(shown_by_libreoffice([path for _, *both in made for path in both]))
    for one, _, _ in made:
        before, after_all = next(shown), next(shown)
        added = next(name for name in after_all if name.startswith("Resumen"))
        assert after_all.pop(added) == [["Columna", "Filas"], [" a ", "7"]]
        assert_only_answers_were_added(before, after_all, one.name, one.header_row)
