"""Workbooks that LibreOffice wrote, xlsx and ods, come back with their answers and are shown as before.

A few here; `make chaos` takes LIBREOFFICE_WORKBOOKS of them, and compares printed pages.
"""

import os
import re
import subprocess
import zipfile
from collections import Counter
from pathlib import Path

import pytest
from python_calamine import CalamineWorkbook

from tests.jobs.export.libreoffice_workbooks import Saved, saved_by_libreoffice
from tests.jobs.export.own_workbook import HEADINGS, assert_only_answers_were_added, changed_parts, opened, part
from tests.support.libreoffice import convert, pdftotext, shown_by_libreoffice

MANY = int(os.environ.get("LIBREOFFICE_WORKBOOKS", "0"))
SEEDS = range(200, 200 + (MANY or 4))
MAY_CHANGE = re.compile(r"xl/(worksheets/sheet\d+|tables/table\d+|styles|workbook)\.xml|content\.xml")

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*extension is not supported:UserWarning"),
    pytest.mark.timeout(900 if MANY else 120),
]


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Saved, Path]]:
    """What LibreOffice saved, each with its copy with answers."""
    return [(one, one.answered()) for one in saved_by_libreoffice(SEEDS, tmp_path_factory.mktemp("saved"))]


def test_only_the_sheet_and_what_follows_it_change(pairs: list[tuple[Saved, Path]]) -> None:
    for one, after in pairs:
        changed = changed_parts(one.path, after.read_bytes())
        assert all(MAY_CHANGE.fullmatch(name) for name in changed), (one.path.name, changed)
        with CalamineWorkbook.from_path(str(after)) as workbook:
            assert workbook.get_sheet_by_name(one.sheet).to_python()
        if after.suffix == ".xlsx":
            assert one.sheet in opened(after.read_bytes()).sheetnames


def test_each_is_shown_as_before(pairs: list[tuple[Saved, Path]]) -> None:
    shown = iter(shown_by_libreoffice([path for one, after in pairs for path in (one.path, after)]))
    for one, _ in pairs:
        assert_only_answers_were_added(next(shown), next(shown), one.sheet, one.header_row)


def test_comment_rules_filter_pivot_and_hidden_rows_stay(pairs: list[tuple[Saved, Path]]) -> None:
    after = next(path for one, path in pairs if one.path.name == "completa.xlsx").read_bytes()
    with zipfile.ZipFile(next(one.path for one, _ in pairs if one.path.name == "completa.xlsx")) as package:
        names = package.namelist()
    assert {"xl/comments1.xml", "xl/pivotTables/pivotTable1.xml", "xl/tables/table1.xml"} <= set(names)
    sheet = opened(after)["Clientes"]
    assert [n for n, row in sheet.row_dimensions.items() if row.hidden] == [5, 8, 11, 14]
    assert [str(area) for area in sheet.merged_cells.ranges] == ["A1:F1"]
    assert (sheet["C3"].number_format, sheet["A3"].comment.text) == ("00000", "llamar")
    assert [str(rule.sqref) for rule in sheet.conditional_formatting] == ["D3:D14"]
    table = part(after, "xl/tables/table1.xml").decode()
    assert 'ref="A2:J14"' in table
    assert all(f'name="{name}"' in table for name in HEADINGS)


@pytest.mark.skipif(not MANY, reason="make chaos")
def test_the_printed_pages_have_the_same_text(pairs: list[tuple[Saved, Path]], tmp_path: Path) -> None:
    # Only of the full list: in others a long text runs into empty cells beside it, which hold answers afterwards, and
    # LibreOffice crashes when it prints some of them, with answers or without.
    for one, after in [pair for pair in pairs if pair[0].path.stem == "completa"]:
        convert([one.path], "pdf", before := tmp_path / f"antes{one.path.suffix}")
        convert([after], "pdf", tmp_path)
        assert not _words(before / f"{one.path.stem}.pdf") - _words(tmp_path / f"{after.stem}.pdf"), one.path.name


def _words(pdf: Path) -> Counter[str]:
    text = subprocess.run([pdftotext(), str(pdf), "-"], check=True, capture_output=True, timeout=60).stdout
    return Counter(text.decode().split())
