"""The guesses are right for lists as people really have them."""

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest

from portal.documents.reader.country_guess import guess_country
from portal.documents.reader.header_guess import SheetGuess, guess, guess_sheet, number_columns
from portal.phone import parse
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


def facts_of(folder: Path, lines: list[list[Any]], country: str = "ES") -> SheetGuess:
    return guess_sheet(written(folder / "s", lines), country)


ORDERS = [600_000_000 + 97_531 * n for n in range(20)]


@pytest.mark.parametrize(
    ("head", "column"),
    [
        (["Nº pedido", "Telf."], 1), (["Código", "phoneNumber"], 1), (["Handynummer", "Kundennummer"], 0),
        (["Customer ID", "Phone 1 - Value"], 1), (["N° commande", "Portable"], 1), (["Contribuinte", "Telemóvel"], 1),
        (["Cellulare", "Codice cliente"], 0), (["Referència", "Telèfon mòbil"], 1), (["Número", "Tel. contacto"], 1),
        (["Record ID", "Mobile Phone Number"], 1), (["Account Number", "MobilePhone"], 1),
        (["Nº de fax", "Centralita"], 1),
    ],
)  # fmt: skip
def test_a_heading_outranks_a_column_with_more_numbers(tmp_path: Path, head: list[str], column: int) -> None:
    numbers: list[Any] = [f"6{n}{n}345678"[:9] for n in range(10, 28)] + ["no tiene", "pendiente"]
    lines = [list(pair) if column else list(pair)[::-1] for pair in zip(ORDERS, numbers, strict=True)]
    guessed = facts_of(tmp_path, [head, *lines])
    assert (guessed.header_row, guessed.column) == (1, column)
    if "fax" not in head[0]:
        assert guessed.columns == (column,)


@pytest.mark.parametrize(
    ("lines", "header_row"),
    [
        ([["Agenda"], *[[f"Tel. 6{n}1234567 Rosa"[:20]] for n in range(10, 19)], ["611234567 WhatsApp"]], 1),
        ([["611234567 Iker"], ["622345678 (WhatsApp)"], ["633456789 móvil"]], 0),
        ([["Agenda"], ["611234XXX"], ["622345XXX"], ["Número total: 2"]], 1),
        ([["Cliente", "Tel.", 2021, 2022.0, "31/12/2025"], ["Iker", "611234567", 3, 4, 5], ["Eva", "x", 1, 1, 1]], 1),
        ([["Cliente", None, "Nota"], ["Iker", "611234567", "x"], ["Rosa", "622345678", "y"]], 1),
        ([["Cliente", None, "Teléfonos", None], ["Nombre", "NIF", "Trabajo", "Casa"],
          *[["Iker", f"{n}Z", f"6{n}1234567"[:9], f"91{n}12345"[:9]] for n in range(10, 15)]], 2),
        ([*[["Hoja de ruta"]] * 30, ["Cliente", "Tlf."], ["Iker", "611234567"], ["Rosa", "622345678"]], 31),
        ([["Cliente", "Tlf."], ["Iker", "611234567"], ["Cliente", "Tlf."], ["Rosa", "622345678"]], 1),
        ([["Iker", "Calle Luna 3", None], ["Rosa", "Calle Sol 4", "611234567"]], 0),
        ([["Iker", "sin móvil"], ["Rosa", "611234567"], ["Eva", "622345678"]], 0),
    ],
)  # fmt: skip
def test_a_row_with_a_number_is_not_the_heading(tmp_path: Path, lines: list[list[Any]], header_row: int) -> None:
    assert facts_of(tmp_path, lines).header_row == header_row


def test_groups_of_headings_name_the_columns_below_them(tmp_path: Path) -> None:
    lines = [["Cliente", None, "Teléfonos", None], ["Nombre", "Nº socio", "Trabajo", "Casa"]]
    lines += [["Iker", str(ORDERS[n - 10]), f"6{n}1234567"[:9], f"91{n}12345"[:9]] for n in range(10, 18)]
    assert set(facts_of(tmp_path, lines).columns) == {2, 3}


def test_it_lists_all_columns_with_numbers_but_no_copies(tmp_path: Path) -> None:
    """A copy is what the portal's own download adds: the same numbers, written out."""
    lines: list[list[Any]] = [["Cliente", "Fijo", "Móvil", "Nº socio", "Número internacional"]]
    lines += [
        ["Iker", f"91{n}12345"[:9], f"6{n}1234567"[:9], ORDERS[n - 10], f"+346{n}1234567"[:12]] for n in range(10, 20)
    ]
    assert number_columns(written(tmp_path / "s", lines), "ES") == [2, 1]


@pytest.mark.parametrize(
    ("head", "numbers", "country", "rivals"),
    [
        (["Nome", "Telemóvel", "Morada"], ["912345678", "931234567", "961234567"], "PT", {"ES"}),
        (["Nom", "Téléphone", "Ville"], [612345678, 712345678, 145678901], "FR", {"ES"}),
        (["Vorname", "Rufnummer", "Ort"], ["01511 2345678", "030 12345678", "0171 2345678"], "DE", set()),
        (["Nombre", "Celular", "Ciudad"], ["55 1234 5678", "33 1234 5678", "81 1234 5678"], "MX", set()),
        (["Nombre", "Teléfono", "Ciudad"], ["612345678", "912345678", "722345678"], "ES", set()),
        (["First Name", "Phone", "City"], ["912345678", "931234567", "961234567"], "ES", {"PT"}),
        (["Nombre", "Teléfono", "País"], ["912345678", "931234567", "961234567"], "PT", {"ES"}),
        (["Nombre", "Teléfono", "Prefijo"], ["912345678", "931234567", "961234567"], "PT", {"ES"}),
        (["Nombre", "WhatsApp", "Ciudad"], ["+351912345678", "+351931234567", "+351961234567"], "PT", set()),
    ],
)  # fmt: skip
def test_the_country_is_guessed(
    tmp_path: Path, head: list[str], numbers: list[Any], country: str, rivals: set[str]
) -> None:
    third = {"País": "Portugal", "Prefijo": "+351"}.get(head[2], "Ávila")
    guessed = facts_of(tmp_path, [head, *[["Iker", number, third] for number in numbers]])
    assert guessed.country.country == country
    assert rivals <= set(guessed.country.rivals)
    assert rivals or not set(guessed.country.rivals) & {"ES", "PT"}


@pytest.mark.parametrize("names", [("España", "Marruecos", "Irlanda"), ("+34", "+212", "+353"), (34, 212, 353)])
def test_a_column_may_name_the_country_of_each_row(tmp_path: Path, names: tuple[Any, ...]) -> None:
    head = "País" if "España" in names else "Prefijo"
    lines = [["Iker", name, "612345678"] for name in names * 4]
    guessed = facts_of(tmp_path, [["Nombre", head, "Teléfono"], *lines])
    assert (guessed.country_column, guessed.country.country, guessed.column) == (1, "ES", 2)


@pytest.mark.parametrize(
    ("country", "beginnings", "length"),
    [
        ("IT", ("333", "347", "06"), 10), ("MX", ("55", "33", "81"), 10), ("CO", ("300", "315", "601"), 10),
        ("US", ("212", "305", "415"), 10), ("DO", ("809", "829"), 10), ("VE", ("414", "212"), 10),
        ("AR", ("11", "351"), 10), ("EC", ("99", "98"), 9), ("UY", ("99", "91"), 8), ("BO", ("7",), 8),
        ("CR", ("8", "2"), 8), ("PE", ("9",), 9), ("CL", ("93", "96"), 9), ("PT", ("91", "93"), 9), ("PA", ("6",), 8),
    ],
)  # fmt: skip
@pytest.mark.parametrize("languages", [("es",), ("en",), ()])
def test_the_country_is_right_or_one_of_those_that_are_named(
    country: str, beginnings: tuple[str, ...], length: int, languages: tuple[str, ...]
) -> None:
    random = Random(f"{country}{languages}")
    numbers: list[str] = []
    while len(numbers) < 8:
        start = random.choice(beginnings)
        text = start + "".join(random.choices("0123456789", k=length - len(start)))
        if parse(text, country).reason is None:
            numbers.append(text)
    guess = guess_country(numbers, languages, "ES")
    assert country in (guess.country, *guess.rivals), (guess, numbers)
