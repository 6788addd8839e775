"""A list of excluded numbers from a file: read as an upload is, by the confined process, and not kept."""

import io
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from portal.accounts import User
from portal.database import db
from portal.sources import exclusions
from portal.sources.exclusions import ExcludedNumber, ExclusionList
from tests.jobs.number_erasure.test_number_erasure import left
from tests.support.cast import mobile
from tests.support.databases import ON_BOTH

FIXTURES = Path(__file__).parents[2] / "fixtures"
ROWS = [["Nº cliente", "Nombre", "Teléfono", "Importe"]] + [
    [1000 + n, f"Ana {n}", int(mobile(n)), 12.5 * n] for n in range(8)
]


def workbook() -> bytes:
    book = openpyxl.Workbook()
    book.active.append(["Notas"])
    page = book.create_sheet("Bajas")
    for row in [*ROWS, [1, "Luis", "no tiene", 1], [2, "Eva", None, 1], [3, "Eva", "612 000 00", 1]]:
        page.append(row)
    book.save(memory := io.BytesIO())
    return memory.getvalue()


def text(encoding: str = "cp1252") -> bytes:
    return "\r\n".join(";".join(map(str, row)) for row in ROWS).encode(encoding)


def add(client: FlaskClient, content: bytes, name: str, **more: str) -> tuple[int, str]:
    """Add a list from a file; the status, and the page that follows."""
    form = {"name": name, "dated": "2026-11-12", "file": (io.BytesIO(content), name), **more}
    answer = client.post("/admin/exclusions", data=form)
    return answer.status_code, client.get("/admin/exclusions").text if answer.status_code == 303 else answer.text


@ON_BOTH
def test_a_workbook_of_several_columns_and_sheets_is_a_list(app: Flask, as_ada: FlaskClient, ada: User) -> None:
    status, page = add(as_ada, workbook(), "bajas.xlsx")
    assert status == 303, page
    assert "8 numbers were added" in page and "The column “Teléfono” of the sheet “Bajas” was read." in page
    assert "2 rows were left out." in page and "Row 10:" in page and "Row 12:" in page and "Row 11" not in page
    asked = [f"+34{mobile(n)}" for n in range(9)]
    assert set(exclusions.excluded_among(asked, "counting")) == set(asked[:8])
    assert left(app, mobile(3)) == []  # the file is not kept


@pytest.mark.parametrize(
    ("name", "content", "numbers"),
    [
        ("lista.csv", text, 8),
        ("lista.csv", lambda: text("utf-16"), 8),
        ("lista.txt", lambda: "\n".join(mobile(n) for n in range(5)).encode(), 5),
        ("LISTA", lambda: "\n".join(mobile(n) for n in range(5)).encode(), 5),
        ("clientes.ods", (FIXTURES / "clientes.ods").read_bytes, 0),
        ("clientes.xls", (FIXTURES / "clientes.xls").read_bytes, 0),
        ("clientes.xlsb", (FIXTURES / "clientes.xlsb").read_bytes, 0),
    ],
)
def test_every_kind_of_file_is_a_list(
    as_ada: FlaskClient, name: str, content: Callable[[], bytes], numbers: int
) -> None:
    status, page = add(as_ada, content(), name)
    assert status == 303, page
    kept = db.session.scalar(select(func.count()).select_from(ExcludedNumber)) or 0
    assert kept == numbers or (not numbers and kept > 1)


def test_what_is_pasted_beside_a_file_is_added_to_it(as_ada: FlaskClient) -> None:
    status, page = add(as_ada, text(), "lista.csv", numbers=f"Ana;{mobile(20)}\nnadie\n\nninguno")
    assert status == 303 and "9 numbers were added" in page
    assert "2 lines were left out" in page and "lines 2, 4" in page


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("lista.xlsx", lambda: (FIXTURES / "con_clave_xlsx.bin").read_bytes(), "protected with a password"),
        ("lista.xlsx", lambda: workbook()[:2000], "damaged"),
        ("lista.pdf", lambda: b"%PDF-1.7\n" + bytes(range(256)) * 20, "not a spreadsheet"),
        ("lista.csv", lambda: b"", "empty"),
        ("lista.csv", lambda: b"Nombre;Edad\nAna;33\nLuis;44\n", "No telephone number was found there."),
    ],
)
def test_a_file_that_is_no_list_is_explained(
    as_ada: FlaskClient, name: str, content: Callable[[], bytes], words: str
) -> None:
    status, page = add(as_ada, content(), name)
    assert status == 422 and words in page and "lista" in page
    assert not db.session.scalars(select(ExclusionList)).all()


def test_a_file_that_is_too_large_is_explained(as_ada: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portal.web.admin.exclusions.MOST_BYTES", 100)
    assert add(as_ada, text(), "lista.csv")[0] == 422
