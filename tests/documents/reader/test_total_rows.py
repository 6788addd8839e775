"""Total and footer rows are recognised, and left alone unless they have a telephone number."""

from pathlib import Path
from typing import Any

import pytest

from portal.documents.check import check_facts
from portal.documents.choice import SheetChoice
from portal.documents.reader.sheet_file import LeftOut
from portal.documents.reader.total_rows import total_rows
from tests.documents.sheets import read_file, sheet_of, written, xlsx

PEOPLE: list[list[Any]] = [[f"Ana {n}", 612345670 + n, 10] for n in range(8)]
HEAD = ["Nombre", "Teléfono", "Importe"]


@pytest.mark.parametrize(
    "footer",
    [
        ["Total", None, 80], ["TOTAL:", 8], ["Totales"], ["Total general", None, "80,00 €"], ["Suma"],
        [None, "Total", 80], ["Número total: 8"], ["Nº de registros: 8"], ["Página 1 de 3"], ["Page 1 of 3"],
        ["Total clientes: 8"],
        ["Summe", None, 80], ["Generado el 31/01/2026"], ["Fin del listado"], ["Total", 4898765388], ["Recuento", 8],
    ],
)  # fmt: skip
def test_a_row_below_the_list(tmp_path: Path, footer: list[Any]) -> None:
    path = written(tmp_path / "rows", [HEAD, *PEOPLE, [], footer])
    assert total_rows(path, 1, "ES") == [11]


@pytest.mark.parametrize(
    "last",
    [
        ["Total", 912345678], ["Total Energies", "91 234 56 78"], ["Totó Sumalla", None], ["Ana", 612345679, 80],
        ["Total y Asociados", None], ["Media Markt", 612345678], ["Marta Total", 5], ["total: 612345678", None],
    ],
)  # fmt: skip
def test_an_entry_of_the_list_is_none(tmp_path: Path, last: list[Any]) -> None:
    assert total_rows(written(tmp_path / "rows", [HEAD, *PEOPLE, last]), 1, "ES") == []


def test_subtotals_in_between_and_several_at_the_end(tmp_path: Path) -> None:
    lines = [HEAD, *PEOPLE[:3], ["Subtotal Madrid", None, 30], *PEOPLE[3:], ["Total", None, 80], [], ["Página 1 de 1"]]
    assert total_rows(written(tmp_path / "rows", lines), 1, "ES") == [5, 11, 13]


def test_they_are_found_when_a_file_is_read_and_left_out_when_chosen(tmp_path: Path) -> None:
    path = xlsx(tmp_path / "a.xlsx", [HEAD, *PEOPLE, ["Total", 8, 80]])
    (facts,) = read_file(path)
    assert facts.total_rows == [10]
    assert check_facts(sheet_of(path), SheetChoice(0, 1, (1,), "ES")).invalid == 1
    left = check_facts(sheet_of(path), SheetChoice(0, 1, (1,), "ES", left=LeftOut(numbers=frozenset(facts.total_rows))))
    assert (left.total, left.invalid) == (8, 0)
