"""The files that are uploaded: the long list of the first acceptance test, and small ones with a trap each."""

import csv
import datetime
import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from xlsxwriter import Workbook

ROWS = 5000
NUMBER_COLUMN = 2
HEAD = ["Cliente", "Nombre", "Teléfono", "Importe", "Alta", "Nota", "Unidades"]


@dataclass
class Made:
    """A list's rows, and how many there are of each kind, known by how it was made."""

    rows: list[list[Any]]
    different: int
    duplicates: int
    invalid: int
    blank: int

    @property
    def found(self) -> int:
        return self.different + self.duplicates


def mobile(n: int) -> str:
    return f"6{20_000_000 + n}"


def _good(n: int) -> list[Any]:
    """The ways in which people write the same mobile."""
    plain = mobile(n)
    spaced = f"{plain[:3]} {plain[3:5]} {plain[5:7]} {plain[7:]}"
    return [plain, int(plain), f"+34{plain}", f"0034{plain}", spaced, f"  {plain} ", f"+34 {spaced}", float(plain),
            f"0034 {spaced}", f"{plain[:3]}-{plain[3:6]}-{plain[6:]}", f"{plain}.0", f"(+34) {spaced}"]  # fmt: skip


RUBBISH = ("sin teléfono", "555", f"0{mobile(1)}", "6,12E+08", 612345678.5, f"{mobile(1)}/68", "=1+1")


def _cells() -> Iterator[tuple[str, Any]]:
    """A kind and a cell, without end: of twenty, twelve are different numbers, each written in another way."""
    for n in range(10**6):
        for way in range(12):
            yield "different", _good(12 * n + way)[way]
        for back in range(3):  # seen before, and written otherwise
            yield "duplicates", _good(12 * n + back)[(back + 5) % 12]
        yield "blank", None
        yield "blank", "   "
        for which in range(3):
            yield "invalid", RUBBISH[(3 * n + which) % len(RUBBISH)]


def long_list() -> Made:
    """Five thousand rows with columns of every kind around the numbers."""
    kinds = list(islice(_cells(), ROWS))
    first_day = datetime.datetime(2026, 1, 31)  # noqa: DTZ001 - Excel's days have no zone
    rows = [
        [f"{n:05d}", f"Cliente nº {n}", cell, n + 0.25, first_day + datetime.timedelta(days=n % 300), "=1+1", n]
        for n, (_, cell) in enumerate(kinds)
    ]
    return Made(rows, **Counter(kind for kind, _ in kinds))


def xlsx(path: Path, rows: list[list[Any]], sheet: str = "Clientes") -> Path:
    """A workbook of these rows."""
    with _workbook(path) as workbook:
        _fill(workbook, sheet, rows)
    return path


def _workbook(path: Path) -> Workbook:
    """One in which a text is a text: neither a formula nor a number. Written by XlsxWriter, as openpyxl loses cells
    of spaces."""
    return Workbook(path, {"strings_to_formulas": False, "strings_to_numbers": False})


def _fill(workbook: Workbook, name: str, rows: list[list[Any]]) -> Any:
    sheet = workbook.add_worksheet(name)
    day = workbook.add_format({"num_format": "yyyy-mm-dd"})
    for place, row in enumerate(rows):
        for column, value in enumerate(row):
            if isinstance(value, datetime.datetime):
                sheet.write_datetime(place, column, value, day)
            elif value is not None:
                sheet.write(place, column, value)
    return sheet


SMALL = [
    ["Nombre", "Teléfono", "Código"],
    ["Íñigo Muñoz", "612 34 56 78", "007"],
    ["Peña", "+34612345678", "=1+1"],
    ["Ana; con coma,", "0034 912 345 678", "-5"],
    ["Nadie", "", "x"],
    ["Nada", "sin teléfono", "€"],
]  # 2 different, 1 duplicate, 1 blank, 1 invalid


def delimited(path: Path, delimiter: str, encoding: str) -> Path:
    """The small list as a text file of that kind."""
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter).writerows(SMALL)
    path.write_bytes(text.getvalue().encode(encoding))
    return path


def tricky(path: Path) -> Path:
    """Several sheets, of which the second has the numbers; there a title over merged cells, a header in the fourth
    row, hidden rows, and merged cells in the middle."""
    with _workbook(path) as workbook:
        _fill(workbook, "Portada", [["Informe de ventas"]])
        sheet = _fill(workbook, "Contactos", TRICKY)
        sheet.merge_range("A1:C1", TRICKY[0][0])
        sheet.merge_range("A6:A7", TRICKY[5][0])
        sheet.set_row(4, None, None, {"hidden": True})
        sheet.set_row(7, None, None, {"hidden": True})
        _fill(workbook, "Oculta", [["Teléfono"], ["698000000"]]).hide()
    return path


TRICKY: list[list[Any]] = [
    ["Contactos de la campaña", None, None],
    [None, None, None],
    ["Exportado el 3 de mayo", None, None],
    ["Nombre", "Móvil", "Ciudad"],
    ["Ana", "612000001", "Jaén"],
    ["Luis", "612000002", "Cádiz"],
    [None, "612000003", "León"],
    ["Eva", "612000001", "Vigo"],
    ["Leo", None, "Soria"],
]
