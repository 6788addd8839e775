"""Cells that are no numbers are corrected on the check page: all of one reason, or one by one; the file stays as it is,
and its correction comes back beside it."""

import csv
import re
from io import BytesIO, StringIO

import pytest
from flask import Flask
from flask.testing import FlaskClient
from openpyxl import load_workbook

from portal.clock import utcnow
from portal.database import db
from portal.documents.corrections import Correction, correct, corrections_of
from portal.documents.models import Document
from portal.jobs.core.job_tables import CellAnswer
from portal.sources import pause
from tests.jobs.export.exporting import ran
from tests.web.check_page import FRAGMENT, figures, form_of, jobs, read, upload

CLIENTS = """Nombre;Teléfono
Ana;612345678
Luis;6OO123124
Eva;61O123125
Leo;600123126 5
Sam;sin
Ian;-912345644
"""


@pytest.fixture
def document_id(app: Flask, as_alice: FlaskClient) -> int:
    document_id = upload(as_alice, CLIENTS.encode(), "clientes.csv")
    read(app, document_id)
    return document_id


def page_of(client: FlaskClient, document_id: int) -> str:
    return client.get(f"/documents/{document_id}").text


def press(client: FlaskClient, document_id: int, **buttons: str) -> int:
    """What a browser without JavaScript sends; returns the status."""
    action = f"/documents/{document_id}/corrections"
    form = re.search(rf'<form[^>]*action="{action}".*?</form>', page_of(client, document_id), re.S)
    assert form
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form[0]))
    return client.post(action, data={**hidden, **buttons}).status_code


def made(document_id: int) -> dict[tuple[int, int], str]:
    db.session.rollback()
    return corrections_of(document_id, 0)


def test_nothing_is_corrected_until_somebody_asks_for_it(as_alice: FlaskClient, document_id: int) -> None:
    page = page_of(as_alice, document_id)
    assert figures(page) == {"to_look_up": 1, "duplicates": 0, "invalid": 5, "blank": 0}
    assert made(document_id) == {}
    letters = re.search(r'data-fix-group="letters".*?</section>', page, re.S)
    assert letters and "6OO123124</span> → <b>+34600123124" in letters[0]  # before and after


def test_one_button_accepts_the_offers_of_one_reason(as_alice: FlaskClient, document_id: int) -> None:
    assert press(as_alice, document_id, accept="letters") == 303
    assert made(document_id) == {(3, 1): "+34600123124", (4, 1): "+34610123125"}
    assert press(as_alice, document_id, accept="letters") == 303  # a second press finds nothing more
    page = page_of(as_alice, document_id)
    assert figures(page) == {"to_look_up": 3, "duplicates": 0, "invalid": 3, "blank": 0}
    assert 'data-fix-group="letters"' not in page


def test_an_offer_of_two_numbers_is_chosen_by_a_person(as_alice: FlaskClient, document_id: int) -> None:
    press(as_alice, document_id, accept="negative")
    assert made(document_id) == {}
    press(as_alice, document_id, use="7-1-+34912345678")
    press(as_alice, document_id, use="5-1-+34999999999")  # nobody offered this
    assert made(document_id) == {(7, 1): "+34912345678"}


def test_typing_over_a_cell_and_taking_it_back(as_alice: FlaskClient, document_id: int) -> None:
    assert press(as_alice, document_id, **{"cell-6-1": " 611 222 333 ", "cell-5-1": ""}) == 303
    assert made(document_id) == {(6, 1): "+34611222333"}
    page = page_of(as_alice, document_id)
    assert figures(page)["invalid"] == 4 and "+34611222333" in page
    press(as_alice, document_id, take_back="6-1")
    assert made(document_id) == {}
    press(as_alice, document_id, accept="letters")
    press(as_alice, document_id, take_back="all")
    assert made(document_id) == {}


def test_what_is_no_number_is_not_kept_and_says_why(as_alice: FlaskClient, document_id: int) -> None:
    form = {"cell-6-1": "61122", "cell-5-1": "611222333"}
    answer = as_alice.post(f"/documents/{document_id}/corrections", data=form)
    assert answer.status_code == 422
    assert re.search(r'value="61122".*?role="alert"[^>]*>The number has too few digits', answer.text, re.S)
    assert made(document_id) == {(5, 1): "+34611222333"}  # the others are


def test_of_two_tabs_the_first_wins_and_the_second_is_said_so(as_alice: FlaskClient, document_id: int) -> None:
    press(as_alice, document_id, **{"cell-6-1": "611222333"})
    action = f"/documents/{document_id}/corrections"
    late = as_alice.post(action, data={"cell-6-1": "699888777"}, headers=FRAGMENT)
    assert late.status_code == 422
    assert as_alice.post(action, data={"cell-6-1": "611222333"}, headers=FRAGMENT).status_code == 200  # the same again
    assert made(document_id) == {(6, 1): "+34611222333"}


def test_a_cell_that_is_a_number_is_never_written_over(as_alice: FlaskClient, document_id: int) -> None:
    answer = as_alice.post(f"/documents/{document_id}/corrections", data={"cell-2-1": "699888777"})
    assert answer.status_code == 422
    assert made(document_id) == {}


def test_the_job_looks_up_the_corrected_number_and_keeps_the_cell(
    app: Flask, as_alice: FlaskClient, document_id: int
) -> None:
    press(as_alice, document_id, accept="letters", **{"cell-6-1": "612345678"})
    action = f"/documents/{document_id}/jobs"
    as_alice.post(action, data=form_of(page_of(as_alice, document_id), action))
    (job,) = jobs()
    assert (job.total_numbers, job.invalid_count) == (6, 2)
    cells = db.session.scalars(db.select(CellAnswer).where(CellAnswer.job_id == job.id).order_by(CellAnswer.row_no))
    assert [(one.row_no, one.text, one.corrected, one.e164, one.duplicate_of) for one in cells] == [
        (2, "612345678", None, "+34612345678", None),
        (3, "6OO123124", "+34600123124", "+34600123124", None),
        (4, "61O123125", "+34610123125", "+34610123125", None),
        (5, "600123126 5", None, None, None),
        (6, "sin", "+34612345678", "+34612345678", 2),
        (7, "-912345644", None, None, None),
    ]


def test_corrections_go_with_the_document(app: Flask, as_alice: FlaskClient, document_id: int) -> None:
    press(as_alice, document_id, accept="letters")
    document = db.session.get_one(Document, document_id)
    key = document.storage_key
    as_alice.post(f"/documents/{document_id}/delete")
    assert made(document_id), "it can still be restored"
    as_alice.post(f"/trash/document/{document_id}/delete")
    assert made(document_id) == {}
    late = correct(document_id, key, 0, {(3, 1): ("6OO123124", "+34600123124")}, utcnow())
    assert late == set() and made(document_id) == {}  # nor does a slow press bring one back
    assert db.session.query(Correction).count() == 0


@pytest.mark.parametrize("kind", ["xlsx", "csv"])
def test_the_file_comes_back_with_the_originals_and_the_corrections(
    app: Flask, as_alice: FlaskClient, document_id: int, kind: str
) -> None:
    press(as_alice, document_id, accept="letters", **{"cell-6-1": "611 222 333 / 911 222 333"})
    action = f"/documents/{document_id}/jobs"
    as_alice.post(action, data=form_of(page_of(as_alice, document_id), action))
    (job,) = jobs()
    ran(job)
    rows = rows_of(downloaded(as_alice, f"/jobs/{job.id}/results.{kind}"), kind)
    at = rows[0].index("Corrected number")
    assert [(row[1], row[at] or "") for row in rows[1:]] == [
        ("612345678", ""),
        ("6OO123124", "+34600123124"),
        ("61O123125", "+34610123125"),
        ("600123126 5", ""),
        ("sin", "+34611222333 / +34911222333"),
        ("-912345644", ""),
    ]


@pytest.mark.parametrize("columns", ["", "?columns=all"])
def test_without_corrections_there_is_no_such_column(
    app: Flask, as_alice: FlaskClient, document_id: int, columns: str
) -> None:
    action = f"/documents/{document_id}/jobs"
    as_alice.post(action, data=form_of(page_of(as_alice, document_id), action))
    (job,) = jobs()
    address = f"/jobs/{job.id}/results.csv{columns}"
    assert b"Corrected number" not in downloaded(as_alice, address)  # while it runs
    ran(job)
    assert b"Corrected number" not in downloaded(as_alice, address)


def downloaded(client: FlaskClient, address: str) -> bytes:
    with client.get(address) as answer:
        assert answer.status_code == 200
        return answer.data


def rows_of(file: bytes, kind: str) -> list[list[str]]:
    if kind == "csv":
        return [
            [cell.lstrip("'") for cell in row] for row in csv.reader(StringIO(file.decode("utf-8-sig")), delimiter=";")
        ]
    return [[str(cell or "").lstrip("'") for cell in row] for row in load_workbook(BytesIO(file)).worksheets[0].values]


def test_the_page_says_before_the_start_that_the_source_is_away(as_alice: FlaskClient, document_id: int) -> None:
    words = "This source cannot be asked right now"
    assert words not in page_of(as_alice, document_id)
    pause.pause("offline", "ada@example.com", "being mended", utcnow())
    db.session.commit()
    page = page_of(as_alice, document_id)
    assert words in page and "Look up 1 number" in page  # it may be started all the same


def test_of_two_corrections_written_at_once_the_first_stays(app: Flask, document_id: int) -> None:
    key = db.session.get_one(Document, document_id).storage_key
    cell = (6, 1)
    assert correct(document_id, key, 0, {cell: ("sin", "+34611222333")}, utcnow()) == {cell}
    assert correct(document_id, key, 0, {cell: ("sin", "+34699888777")}, utcnow()) == set()
    assert made(document_id) == {cell: "+34611222333"}


def test_reading_the_file_again_forgets_corrections_of_its_old_cells(
    app: Flask, as_alice: FlaskClient, document_id: int
) -> None:
    press(as_alice, document_id, accept="letters")
    as_alice.post(f"/documents/{document_id}/text", data={"encoding": "cp1252", "delimiter": "semicolon"})
    assert made(document_id) == {}
