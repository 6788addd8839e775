"""A hundred and fifty workbooks of many kinds: read by three programs, each is what it was, with its answers."""

import csv
import datetime
import re
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook

from portal.jobs.export.in_place.extra_sheet import ExtraSheet
from tests.jobs.export.own_workbook import ANSWER, HEADINGS, answers, changed_parts, in_place, opened, part, read_of
from tests.jobs.export.varied_workbooks import Made, make
from tests.support.libreoffice import soffice

WORKBOOKS = 150
SHOWN = range(0, WORKBOOKS, 5)  # those that LibreOffice shows
# Comma-separated, quoted, UTF-8, every cell as it is shown, of every sheet.
AS_SHOWN = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,false,false,false,-1"
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
    made: dict[int, Made] = {}
    for seed in SHOWN:
        made[seed] = make(seed, path := tmp_path / f"{seed}-antes.xlsx")
        rows = answers(made[seed].rows, made[seed].header_row)
        sheets = [ExtraSheet("Resumen <&>", [["Columna", "Filas"], [" a ", 7]])]
        content = in_place(path, rows, sheet=made[seed].sheet, header_row=made[seed].header_row, sheets=sheets)
        (tmp_path / f"{seed}-luego.xlsx").write_bytes(content)
    command = [
        str(soffice()),
        f"-env:UserInstallation=file://{tmp_path}/profile",
        "--headless",
        "--convert-to",
        AS_SHOWN,
    ]
    files = [str(file) for file in sorted(tmp_path.glob("*.xlsx"))]
    subprocess.run([*command, "--outdir", str(tmp_path / "csv"), *files], check=True, capture_output=True, timeout=120)

    for seed, one in made.items():
        shown = {
            when: {file.stem.split("-", 2)[2]: _rows(file) for file in (tmp_path / "csv").glob(f"{seed}-{when}-*.csv")}
            for when in ("antes", "luego")
        }
        added = next(name for name in shown["luego"] if name.startswith("Resumen"))
        assert shown["luego"].pop(added) == [["Columna", "Filas"], [" a ", "7"]]
        assert shown["antes"] and shown["antes"].keys() == shown["luego"].keys()
        for name, rows_before in shown["antes"].items():
            rows_after = shown["luego"][name]
            if name != one.name:
                assert rows_after == rows_before
                continue
            first = rows_after[one.header_row - 1].index(HEADINGS[0])
            assert [row[:first] for row in rows_after] == [[*row, *[""] * first][:first] for row in rows_before]
            status, operator, moment, number = rows_after[one.header_row][first : first + 4]
            assert (status, operator, number) == ("Encontrado", ANSWER[1], "3")
            assert datetime.datetime.strptime(moment, "%m/%d/%y %I:%M %p") if "M" in moment else "26" in moment  # noqa: DTZ007


def _rows(file: Path) -> list[list[str]]:
    with file.open(encoding="utf-8", newline="") as text:
        return list(csv.reader(text))
