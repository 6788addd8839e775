"""The guesses are right for lists as people really have them."""

import json
from pathlib import Path
from typing import Any

import pytest

from portal.documents.reader.header_guess import guess
from tests.documents.sheets import written

NUMBERS = [[f"61234567{n}"] for n in range(10)]
CLIENTS = [[f"1000{n}", f"Cliente {n}", f"28{n:03d}", f"61234{n:04d}", f"91234{n:04d}"] for n in range(30)]


@pytest.mark.parametrize(
    ("lines", "header_row", "column"),
    [
        (NUMBERS, 0, 0),
        ([["Teléfono"], *NUMBERS], 1, 0),
        ([["contacto"], *NUMBERS], 1, 0),
        ([["Listado de clientes 2026"], ["Teléfono"], *NUMBERS], 2, 0),
        ([["Listado de teléfonos"], [], ["Móvil 1"], *NUMBERS], 3, 0),
        ([["Listado de clientes 2026"], [], ["id", "nombre", "cp", "a", "b"], *CLIENTS], 3, 3),
        ([["id", "nombre", "cp", "fijo", "móvil"], *CLIENTS], 1, 4),
        ([["id", "nombre", "cp", "teléfono", "b"], *CLIENTS], 1, 3),
        ([["Nombre", "Tel"], ["Ana", "no tiene"], ["Luis", "612345678"]], 1, 1),
        ([["Nombre", "Contacto"], ["Ana", "no tiene"], ["Luis", "612345678"]], 1, 1),
        ([["Nombre", "Tel"], ["Ana", None], ["Luis", "612345678"]], 1, 1),
        ([["Nombre", "Telephone"], ["Ann", "020 7946 0958"], ["Lou", "020 7946 0959"]], 1, 1),
        ([["tel"], *[[612345678 + n] for n in range(9)]], 1, 0),
        ([["Ana", "612345678"], ["Luis", "698765432"]], 0, 1),
        ([["Fecha", "Tel"], [{"d": "2026-01-31T00:00:00"}, "612345678"]], 1, 1),
        ([["nombre", "phone"], ["Ana", "x"], ["Luis", "y"]], 1, 1),
        ([[], [], [None, "Móvil", "Nota"], [None, 612345678, "a"]], 3, 1),
        ([["6,12E+08"], ["6,13E+08"], ["612345678"]], 0, 0),
        ([], 0, 0),
    ],
)  # fmt: skip
def test_it_finds_column_and_header(tmp_path: Path, lines: list[list[Any]], header_row: int, column: int) -> None:
    sheet = tmp_path / "s"
    sheet.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    assert guess(sheet, "ES") == (header_row, column)


def test_data_is_not_taken_for_a_header(tmp_path: Path) -> None:
    lines = [["Ana", "612345678"], ["Luis", "no tiene"], ["Eva", "698765432"]]
    assert guess(written(tmp_path / "s", lines), "ES") == (0, 1)
