"""Several columns are proposed only when their headings and their cells are of telephones."""

from pathlib import Path

import pytest

from portal.documents.reader.header_guess import guess_sheet
from tests.documents.sheets import written


@pytest.mark.parametrize(
    ("headings", "columns"),
    [
        (["Fijo", "Móvil", "Nota"], [0, 1]),
        (["Teléfono", "Teléfono 2", "Cliente"], [0, 1]),
        (["Tel. casa", "Código", "Tel. trabajo"], [0, 2]),
        (["Teléfono", "Nº de cliente", "Nombre"], []),  # it may well look like a number
        (["Teléfono", "Fax", "Nombre"], []),
        (["Código", "Móvil", "Nombre"], []),  # there is only one
        ([], []),
    ],
)
def test_columns_beside_the_first(tmp_path: Path, headings: list[str], columns: list[int]) -> None:
    people = [[f"91{n:07d}", f"61{n:07d}", f"62{n:07d}"] for n in range(10)]
    sheet = written(tmp_path / "s", [*([headings] if headings else []), *people])
    assert list(guess_sheet(sheet, "ES").ticked) == columns


@pytest.mark.parametrize(("cells", "columns"), [
    (["611111111", None, "622222222 / 633333333", "", "x"], [0, 1]),
    (["x", "no tiene", "611111111", 12], []),
    ([None, None], []),
])  # fmt: skip
def test_half_of_its_cells_must_be_numbers(tmp_path: Path, cells: list[object], columns: list[int]) -> None:
    sheet = written(tmp_path / "s", [["Fijo", "Móvil"], *(["911111111", cell] for cell in cells)])
    assert list(guess_sheet(sheet, "ES").ticked) == columns
