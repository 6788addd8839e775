"""A workbook in one of Excel's older formats comes back as xlsx with all its sheets, and people read what it lacks."""

import io
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_babel import force_locale
from openpyxl import Workbook, load_workbook

from portal.accounts import User
from portal.database import db
from portal.documents.models import Document
from portal.jobs.export import export, loss_words, open_download
from portal.jobs.export.copy import workbook_path
from portal.jobs.models import ScrapingJob
from tests.jobs.export.exporting import ran
from tests.jobs.export.sheet_order import faults_of_workbook
from tests.jobs.export.test_in_place import ROWS, content_of, job_of
from tests.support.libreoffice import converted
from tests.support.xlsb import Sheet, write_xlsb
from tests.web.check_page import read, upload

pytestmark = pytest.mark.usefixtures("ranges")
FIXTURES = Path(__file__).parents[2] / "fixtures"
ENGLISH = {"Accept-Language": "en"}
SAID = {
    "en": "It will not have formulas (their results stay), macros, charts",
    "es": "No llevará fórmulas (quedan sus resultados), macros, gráficos",
}


def job_on_fixture(app: Flask, user: User, ending: str) -> ScrapingJob:
    """A finished job on clientes.xls or .xlsb, whose heading is in row 3; a hidden sheet follows."""
    return ran(job_of(app, user, (FIXTURES / f"clientes.{ending}").read_bytes(), f"clientes.{ending}"))


@pytest.mark.parametrize("ending", ["xls", "xlsb"])
def test_all_its_sheets_come_back_with_the_answers_in_the_chosen_one(
    app: Flask, alice: User, as_alice: FlaskClient, ending: str
) -> None:
    job = job_on_fixture(app, alice, ending)
    answer = as_alice.get(f"/jobs/{job.id}/results", headers=ENGLISH, buffered=True)
    assert 'filename="clientes (partial 5 of 6).xlsx"' in answer.headers["Content-Disposition"]  # no "new workbook"
    assert faults_of_workbook(answer.data) == []
    workbook = load_workbook(io.BytesIO(answer.data))
    assert [(sheet.title, sheet.sheet_state) for sheet in workbook] == [("Clientes", "visible"), ("Ocultos", "hidden")]
    sheet: Any = workbook["Clientes"]
    assert [cell.value for cell in sheet[3][:5]] == ["Nombre", "Teléfono", "Alta", "Status", "Line type"]
    assert (sheet["A4"].value, sheet["B4"].value, sheet["D4"].value) == ("Ana", 612345678, "Found")
    assert sheet["C4"].is_date and sheet["C4"].number_format == "mm-dd-yy"
    assert [str(area) for area in sheet.merged_cells.ranges] == ["A1:C1"]
    assert workbook["Ocultos"]["A2"].value == 687654321
    totals = as_alice.get(f"/jobs/{job.id}/results.xlsx?summary", headers=ENGLISH, buffered=True)
    assert load_workbook(io.BytesIO(totals.data)).sheetnames == ["Clientes", "Ocultos", "Summary"]


def test_what_it_will_lack_is_said_before_the_start(app: Flask, alice: User, as_alice: FlaskClient) -> None:
    job = job_on_fixture(app, alice, "xls")
    for page in (f"/documents/{job.document_id}", f"/jobs/{job.id}"):
        assert SAID["en"] in as_alice.get(page, headers=ENGLISH).get_data(as_text=True)
    for language, words in SAID.items():
        with force_locale(language):
            assert words in loss_words(job.document, app.extensions["storage"])


def test_a_selection_keeps_its_number_formats(app: Flask, alice: User, tmp_path: Path) -> None:
    people = [["n", "no tiene", (8002, "00000"), (12.5, '#,##0.00 "€"')]] * 2
    path = write_xlsb(tmp_path / "a.xlsb", [Sheet("Lista", [["Nombre", "Teléfono", "CP", "Saldo"], *people])])
    job = ran(job_of(app, alice, path.read_bytes(), "a.xlsb", header_row=1))
    with force_locale("en"), export(job, app.extensions["storage"], rows="failed") as file:
        sheet: Any = load_workbook(file).active
    assert [cell.number_format for cell in sheet[2][2:4]] == ["00000", '#,##0.00 "€"']


def test_an_xlsx_that_is_called_xls_comes_back_as_it_was(app: Flask, alice: User) -> None:
    job = ran(job_of(app, alice, content_of(ROWS), "clientes.xls"))
    with force_locale("en"), export(job, app.extensions["storage"]) as file:
        workbook = load_workbook(file)
    assert workbook.sheetnames == ["Lista", "Otra"]
    assert workbook["Lista"]["C4"].number_format == "00000"


def test_one_that_could_not_be_converted_comes_back_as_a_new_workbook(
    app: Flask, alice: User, as_alice: FlaskClient
) -> None:
    job = job_on_fixture(app, alice, "xls")
    storage = app.extensions["storage"]
    storage.converted_path(job.document.storage_key).unlink(missing_ok=True)
    storage.path(job.document.storage_key).write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 no workbook")
    with force_locale("en"):
        download = open_download(job, storage)
        assert download.is_replacement
        assert load_workbook(io.BytesIO(b"".join(download.pieces))).sheetnames == ["Clientes"]
        download.close()
    page = as_alice.get(f"/documents/{job.document_id}", headers=ENGLISH).get_data(as_text=True)
    assert "We cannot add columns to this workbook." in page


def test_a_plain_xls_is_read_as_it_is_and_converted_for_what_comes_back(
    app: Flask, as_alice: FlaskClient, tmp_path: Path
) -> None:
    book = Workbook()
    sheet: Any = book.active
    for row in [["Nombre", "Teléfono", "Importe", "CP"], *(["Ana", 612345670 + n, 1081.34, 8002] for n in range(9))]:
        sheet.append(row)
    sheet["C2"].number_format, sheet["D2"].number_format = '#,##0.00 "€"', "00000"
    book.save(tmp_path / "a.xlsx")
    content = converted(tmp_path / "a.xlsx", "xls").read_bytes()
    document_id = upload(as_alice, content, "a.xls")
    read(app, document_id)
    document, storage = db.session.get_one(Document, document_id), app.extensions["storage"]
    path = storage.converted_path(document.storage_key)
    page = as_alice.get(f"/documents/{document_id}", headers=ENGLISH).text
    assert not path.exists()
    assert SAID["en"] in page and "1,081.34 €" in page.replace("\xa0", " ") and "08002" in page
    document = db.session.get_one(Document, document_id)
    assert workbook_path(document, storage) == path
    assert load_workbook(path).active["B3"].value == 612345671


def test_what_was_converted_is_deleted_with_the_file(app: Flask, alice: User) -> None:
    document = job_on_fixture(app, alice, "xls").document
    storage = app.extensions["storage"]
    converted = storage.converted_path(document.storage_key)
    assert workbook_path(document, storage) == converted
    storage.delete(document.storage_key)
    assert list(converted.parent.glob(f"{document.storage_key}*")) == []


def test_a_page_called_xls_comes_back_as_a_workbook_and_that_is_said_before(
    app: Flask, alice: User, as_alice: FlaskClient
) -> None:
    page = "<html><table><tr><th>Nombre<th>Teléfono</tr><tr><td>José<td>612345678</table></html>"
    job = ran(job_of(app, alice, page.encode(), "export.xls", header_row=1))
    with force_locale("en"), export(job, app.extensions["storage"]) as file:
        sheet: Any = load_workbook(file).active
    assert [[cell.value for cell in row[:3]] for row in sheet] == [
        ["Nombre", "Teléfono", "Status"], ["José", 612345678, "Found"],
    ]  # fmt: skip
    said = as_alice.get(f"/documents/{job.document_id}", headers=ENGLISH).get_data(as_text=True)
    assert "You will get a real Excel file" in said
