"""Small files on which the guess once went wrong, each for a whole kind."""

import shutil
from pathlib import Path

import pytest

from portal.documents.reader.parent import likeliest_sheet
from tests.documents.sheets import FIXTURES, read_file

CASES = {  # sheet, header row, columns that look like numbers, country, others that fit, column with countries
    "column_order_number_beats_telefono.xlsx": ("Sheet", 2, [0], "ES", [], None),
    "country_pt_as_madrid.xlsx": ("H", 1, [1], "PT", ["ES"], None),
    "header_is_data_row.xlsx": ("Sheet", 1, [0], "ES", [], None),
    "header_with_years.xlsx": ("H", 1, [1], "ES", [], None),
    "prefix_in_other_column.csv": ("prefix_in_other_column", 1, [2], "ES", [], 1),
    "sheet_guess_cover.xlsx": ("Datos", 1, [1], "ES", [], None),
    "prices_as_phones.csv": ("prices_as_phones", 1, [], "ES", [], None),
    "refused_footer_named.xlsx": ("Sheet", 1, [1], "ES", [], None),
    "refused_last_row_named.xlsx": ("Sheet", 1, [0], "ES", [], None),
    "trailing_names.csv": ("trailing_names", 1, [0], "ES", [], None),
}


@pytest.mark.parametrize("name", CASES)
def test_a_case(tmp_path: Path, name: str) -> None:
    sheets = read_file(Path(shutil.copy(FIXTURES / "guesses" / name, tmp_path)))
    facts = likeliest_sheet(sheets)
    assert facts is not None
    found = (facts.name, facts.header_row, facts.likely_columns, facts.country, facts.rival_countries,
             facts.country_column)  # fmt: skip
    assert found == CASES[name]
