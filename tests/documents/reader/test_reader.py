"""Every kind of file gives the same rows, under the row numbers that Excel shows."""

import datetime
import json
import shutil
from pathlib import Path

import pytest
import xlsxwriter
from openpyxl import Workbook, load_workbook

from portal.documents.reader.limits import FileProblem, ReadLimits, Unreadable
from portal.documents.reader.parent import SheetFacts, header_of, read, sample
from tests.documents.sheets import FIXTURES, cells_of, csv_text, read_file, sheet_of, xlsx

PEOPLE = [
    ["Nombre", "Teléfono", "Nota"],
    ["Ana", "612345678", "007"],
    ["José", "+34 698 76 54 32", "España"],
    ["", "", ""],
    ["Marta", "0034912345678", "a, b; c"],
]
PEOPLE_CELLS = [[cell or None for cell in row] if any(row) else [] for row in PEOPLE]


def test_xlsx_with_every_type_of_cell(tmp_path: Path) -> None:
    moment, clock = datetime.datetime(2026, 1, 31, 10, 30), datetime.time(9, 5)  # noqa: DTZ001
    path = xlsx(
        tmp_path / "a.xlsx",
        [
            ["Teléfono", "b", "c", "d", "e", "f"],
            [612345678, 1.5, True, moment, clock, "007"],
            [34612345678, -1, "=1+1"],
        ],
    )
    facts = read_file(path)[0]
    assert cells_of(path)[1] == [612345678, 1.5, True, {"d": "2026-01-31T10:30:00"}, "9:05:00", "007"]
    assert cells_of(path)[2][:2] == [34612345678, -1]
    assert isinstance(cells_of(path)[1][0], int)
    assert facts.sample[0] == ["612345678", "1.5", "TRUE", "2026-01-31 10:30:00", "9:05:00", "007"]
    assert (facts.rows, facts.columns, facts.header_row, facts.number_column, facts.hidden) == (3, 6, 1, 0, False)
    assert facts.header == ["Teléfono", "b", "c", "d", "e", "f"]


def test_xlsx_by_xlsxwriter(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(path) as workbook:
        sheet = workbook.add_worksheet("Números")
        for row_no, row in enumerate(PEOPLE):
            sheet.write_row(row_no, 0, row)
    facts = read_file(path)[0]
    assert cells_of(path) == PEOPLE_CELLS
    assert (facts.name, facts.rows, facts.columns, facts.data_rows) == ("Números", 5, 3, 4)


@pytest.mark.parametrize("ending", ["xls", "xlsb", "ods"])
def test_title_merged_cells_and_two_sheets(tmp_path: Path, ending: str) -> None:
    path = Path(shutil.copy(FIXTURES / f"clientes.{ending}", tmp_path))
    first, second = read_file(path)
    assert (first.name, first.rows, first.columns, first.header_row, first.number_column) == ("Clientes", 9, 3, 3, 1)
    assert first.header == ["Nombre", "Teléfono", "Alta"]
    rows = cells_of(path)
    assert rows[0] == ["Listado de clientes 2026"]
    assert rows[1] == []
    assert rows[3][:2] == ["Ana", 612345678]
    assert rows[4] == ["Luis", "0034 698 76 54 32"]
    assert rows[7] == ["Iñaki", "sin teléfono"]
    assert (second.name, second.index, second.number_column) == ("Ocultos", 1, 0)
    assert second.hidden == (ending != "ods")
    assert cells_of(path, 1) == [["tel"], [687654321]]


@pytest.mark.parametrize("ending", ["xls", "xlsb", "ods", "xlsx"])
def test_data_that_begins_at_b3_keeps_its_position(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    if ending == "xlsx":
        workbook = Workbook()
        for cell, value in {
            "B3": "Móvil",
            "C3": "Nota",
            "B4": 612345678,
            "C4": "a",
            "B5": 622345678,
            "C5": "b",
        }.items():
            workbook.active[cell] = value
        workbook.save(path)
    else:
        shutil.copy(FIXTURES / f"empieza_en_b3.{ending}", path)
    facts = read_file(path)[0]
    assert cells_of(path) == [[], [], [None, "Móvil", "Nota"], [None, 612345678, "a"], [None, 622345678, "b"]]
    assert (facts.header_row, facts.number_column, facts.rows, facts.columns) == (3, 1, 5, 3)


def test_hidden_rows_count_and_hidden_sheets_are_flagged(tmp_path: Path) -> None:
    path = xlsx(tmp_path / "a.xlsx", PEOPLE, PEOPLE, PEOPLE)
    workbook = load_workbook(path)
    workbook["Hoja1"].row_dimensions[2].hidden = True
    workbook["Hoja1"].merge_cells("A4:C4")
    workbook["Hoja2"].sheet_state = "hidden"
    workbook["Hoja3"].sheet_state = "veryHidden"
    workbook.create_chartsheet("Gráfico", 1)
    workbook.save(path)
    found = read_file(path)
    assert [(facts.index, facts.name, facts.hidden) for facts in found] == [
        (0, "Hoja1", False),
        (1, "Hoja2", True),
        (2, "Hoja3", True),
    ]
    assert cells_of(path, 0) == cells_of(path, 2) == PEOPLE_CELLS


def test_only_trailing_empty_rows_are_dropped(tmp_path: Path) -> None:
    path = xlsx(tmp_path / "a.xlsx", [["tel", "", ""], [], [], [612345678, None, " "], [" "], [None, ""]])
    facts = read_file(path)[0]
    assert cells_of(path) == [["tel"], [], [], [612345678]]
    assert (facts.rows, facts.columns) == (4, 1)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_text_in_every_encoding_and_delimiter(tmp_path: Path, encoding: str, delimiter: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(csv_text(PEOPLE, delimiter).encode(encoding))
    facts = read_file(path)[0]
    assert cells_of(path) == PEOPLE_CELLS
    assert (facts.rows, facts.columns, facts.header_row, facts.number_column, facts.name) == (5, 3, 1, 1, "a")


@pytest.mark.parametrize("name", ["a.tsv", "a.TXT", "Listado.de.clientes.XLS"])
def test_text_with_other_extensions(tmp_path: Path, name: str) -> None:
    path = tmp_path / "stored"
    path.write_text(csv_text(PEOPLE, "\t"), encoding="utf-8")
    read_file(path, name)
    assert cells_of(path) == PEOPLE_CELLS


@pytest.mark.parametrize(
    ("text", "cells"),
    [
        ("tel\n612345678\n6,12E+08\n698765432\n", [["tel"], ["612345678"], ["6,12E+08"], ["698765432"]]),
        ("Pérez, Ana;612345678\nRuiz, Leo;698765432\n", [["Pérez, Ana", "612345678"], ["Ruiz, Leo", "698765432"]]),
        ("sep=|\ntel|n\n612345678|1,5\n", [["tel", "n"], ["612345678", "1,5"]]),
        ("Listado\n\nn;tel\n1;612345678\n", [["Listado"], [], ["n", "tel"], ["1", "612345678"]]),
        ('n;tel\n"a\nb";612345678\n', [["n", "tel"], ["a\nb", "612345678"]]),
        ("tel\r\n612345678\r\n", [["tel"], ["612345678"]]),
        ("tel\r612345678\r", [["tel"], ["612345678"]]),
        ("612345678", [["612345678"]]),
    ],
)  # fmt: skip
def test_ambiguous_delimiters(tmp_path: Path, text: str, cells: list[list[str]]) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(text.encode())
    read_file(path)
    assert cells_of(path) == cells


def test_a_stray_quote_swallows_no_row(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('n;tel\n"Ana;612345678\nLuis;698765432\n', encoding="utf-8")
    assert read_file(path)[0].rows == 3
    assert cells_of(path) == [["n", "tel"], ['"Ana', "612345678"], ["Luis", "698765432"]]


def test_another_workbooks_extension_is_read(tmp_path: Path) -> None:
    path = xlsx(tmp_path / "stored", PEOPLE)
    read_file(path, "clientes.xls")
    assert cells_of(path) == PEOPLE_CELLS


def test_header_and_sample_follow_the_chosen_row(tmp_path: Path) -> None:
    path = xlsx(tmp_path / "a.xlsx", [["x"], *PEOPLE, *([["n", 612345678]] * 20)])
    facts = read_file(path)[0]
    sheet = sheet_of(path)
    assert header_of(sheet, 2) == ["Nombre", "Teléfono", "Nota"]
    assert header_of(sheet, 1, width=facts.columns) == ["x", "", ""]
    assert header_of(sheet, 0) == header_of(sheet, 999) == []
    assert sample(sheet, 2)[0] == ["Ana", "612345678", "007"]
    assert len(sample(sheet, 0)) == len(facts.sample) == 10
    assert sample(sheet, 25, width=2) == [["n", "612345678"]]


def test_facts_survive_json(tmp_path: Path) -> None:
    facts = read_file(xlsx(tmp_path / "a.xlsx", PEOPLE))[0]
    assert SheetFacts.from_dict(json.loads(json.dumps(facts.to_dict()))) == facts


def test_a_long_cell_is_cut_at_excels_limit(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"tel\n612345678\n{'x' * 40_000}\n", encoding="utf-8")
    facts = read_file(path)[0]
    assert len(cells_of(path)[2][0]) == 32_767
    assert len(facts.sample[1][0]) == 200


def test_a_failed_reading_leaves_no_files(tmp_path: Path) -> None:
    good = xlsx(tmp_path / "good.xlsx", PEOPLE)
    read_file(good)
    bad = tmp_path / "bad.csv"
    bad.write_text("\n\n ; \n", encoding="utf-8")
    with pytest.raises(Unreadable):
        read_file(bad)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.csv", "good.xlsx", "good.xlsx.sheet-0.jsonl"]


def test_rows_beyond_the_limit_are_only_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("tel\n" + "612345678\n" * 200_000, encoding="utf-8")
    limits = ReadLimits(max_rows=1000, base_output_bytes=0)  # 1 MB of text fits; 200,000 rows would not
    with pytest.raises(Unreadable) as raised:
        read(path, path.name, lambda index: sheet_of(path, index), limits)
    assert (raised.value.problem, raised.value.facts) == (FileProblem.TOO_MANY_ROWS, {"rows": 200_000, "limit": 1000})
