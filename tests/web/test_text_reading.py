"""The check page of a text file: its encoding and delimiter are chosen with a preview, and kept in what comes back."""

import re

from flask import Flask
from flask.testing import FlaskClient

from portal.database import db
from portal.documents.models import Document, Reading
from portal.jobs.models import ScrapingJob
from tests.web.check_page import FRAGMENT, read, stored, upload

ENGLISH = {"Accept-Language": "en"}
PEOPLE = "Nombre;Teléfono;Notă\nȘtefan;612345678;a,b\nIon;612345679;țară\n"
CENTRAL = PEOPLE.replace("Ș", "Ş").replace("ț", "ţ").encode("cp1250")


def preview(client: FlaskClient, document_id: int, **choice: str) -> str:
    return client.get(f"/documents/{document_id}/text", query_string=choice, headers=FRAGMENT).text


def chosen(page: str, name: str) -> str:
    (found,) = re.findall(rf'name="{name}">.*?value="([^"]*)" selected', page, re.S)
    return found


def test_what_was_detected_is_selected(app: Flask, as_alice: FlaskClient) -> None:
    document_id = upload(as_alice, "Año;Teléfono\nx;612345678\n".encode("cp850"), "a.csv")
    read(app, document_id)
    page = as_alice.get(f"/documents/{document_id}", headers=ENGLISH).text
    assert "Do letters or columns look wrong?" in page
    assert (chosen(page, "encoding"), chosen(page, "delimiter")) == ("cp850", "semicolon")


def test_a_preview_changes_nothing(app: Flask, as_alice: FlaskClient) -> None:
    document_id = upload(as_alice, CENTRAL, "a.csv")
    read(app, document_id)
    before = db.session.get_one(Document, document_id).storage_key
    assert "Ştefan" in preview(as_alice, document_id, encoding="cp1250")
    assert '<td><span class="clip">Ştefan;612345678;a' in preview(
        as_alice, document_id, encoding="cp1250", delimiter="comma"
    )
    page = as_alice.get(f"/documents/{document_id}/text?encoding=cp1250", headers=ENGLISH).text
    assert "How should this file be read?" in page and "Ştefan" in page  # without JavaScript: a page of its own
    assert "Ştefan" not in preview(as_alice, document_id, encoding="none of these")
    db.session.rollback()
    document = db.session.get_one(Document, document_id)
    assert (document.storage_key, document.state, document.text_choice) == (before, Reading.READY, {})


def test_the_choice_is_kept_and_comes_back(app: Flask, as_alice: FlaskClient) -> None:
    document_id = upload(as_alice, CENTRAL, "a.csv")
    read(app, document_id)
    old = app.extensions["storage"].sheet_path(db.session.get_one(Document, document_id).storage_key, 0)
    answer = as_alice.post(f"/documents/{document_id}/text", data={"encoding": "cp1250", "delimiter": "semicolon"})
    assert (answer.status_code, answer.location) == (303, f"/documents/{document_id}")
    assert not old.exists() and stored(app, document_id) == CENTRAL
    assert "Reading your file" in as_alice.get(f"/documents/{document_id}", headers=ENGLISH).text
    read(app, document_id)
    page = as_alice.get(f"/documents/{document_id}", headers=ENGLISH).text
    assert "Ştefan" in page and chosen(page, "encoding") == "cp1250"
    as_alice.post(f"/documents/{document_id}/jobs", data={"sheet": "0", "column": "1", "header_row": "1"})
    job = db.session.scalars(db.select(ScrapingJob)).one()
    copy = as_alice.get(f"/jobs/{job.id}/results.csv", headers=ENGLISH, buffered=True).data
    lines = copy.split(b"\n")
    assert [line.split(b";")[:3] for line in lines[1:3]] == [line.split(b";") for line in CENTRAL.split(b"\n")[1:3]]


def test_a_started_file_is_not_read_again(app: Flask, as_alice: FlaskClient) -> None:
    document_id = upload(as_alice, CENTRAL, "a.csv")
    read(app, document_id)
    as_alice.post(f"/documents/{document_id}/jobs", data={"sheet": "0", "column": "1", "header_row": "1"})
    key = db.session.get_one(Document, document_id).storage_key
    db.session.rollback()
    assert "was started already" in as_alice.get(f"/documents/{document_id}/text", headers=ENGLISH).text
    as_alice.post(f"/documents/{document_id}/text", data={"encoding": "utf-8"})
    assert db.session.get_one(Document, document_id).storage_key == key
    assert app.extensions["storage"].exists(key)


def test_a_workbook_has_no_such_choice(app: Flask, as_alice: FlaskClient, document_id: int) -> None:
    assert "Do letters" not in as_alice.get(f"/documents/{document_id}", headers=ENGLISH).text
    key = db.session.get_one(Document, document_id).storage_key
    answer = as_alice.post(f"/documents/{document_id}/text")
    assert (answer.status_code, answer.location) == (303, f"/documents/{document_id}")
    assert db.session.get_one(Document, document_id).storage_key == key
    bad = as_alice.post(f"/documents/{document_id}/text", data={"encoding": "rot13"})
    assert bad.status_code == 400
