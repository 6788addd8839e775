"""The check page: alice owns the file, bob is another user, ada is the admin."""

import re
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal.database import db
from portal.documents.models import Document
from tests.support import cast
from tests.support.recipes import recipe, registered
from tests.web.check_page import FRAGMENT, figures, jobs, read, selected, stored, upload


def test_the_page_polls_while_the_file_is_read(app: Flask, as_alice: FlaskClient) -> None:
    document_id = upload(as_alice)
    page = as_alice.get(f"/documents/{document_id}").text
    assert "Reading your file" in page
    assert '<noscript><meta http-equiv="refresh"' in page
    (address,) = re.findall(r'hx-get="([^"]*/live[^"]*)"', page)
    assert as_alice.get(address, headers=FRAGMENT).status_code == 204
    read(app, document_id)
    news = as_alice.get(address, headers=FRAGMENT)
    assert news.status_code == 200 and "<html" not in news.text
    assert "every 1s" not in news.text  # the asking has come to its end
    assert figures(news.text)["to_look_up"] == 3


def test_slow_reading_is_mentioned_once(app: Flask, as_alice: FlaskClient) -> None:
    document_id = upload(as_alice)
    document = db.session.get_one(Document, document_id)
    document.created_at = cast.NOW
    db.session.commit()
    news = as_alice.get(f"/documents/{document_id}/live?v=reading", headers=FRAGMENT)
    assert "longer than usual" in news.text and "every 1s" in news.text
    assert as_alice.get(f"/documents/{document_id}/live?v=reading-slow", headers=FRAGMENT).status_code == 204


def test_a_refused_file_says_what_to_do(app: Flask, as_alice: FlaskClient) -> None:
    document_id = upload(as_alice, b"\x89PNG\r\n\x1a\n" + bytes(200), "actually_a_png.xlsx")
    read(app, document_id)
    page = as_alice.get(f"/documents/{document_id}").text
    assert 'role="alert"' in page and "not a spreadsheet" in page and "Upload another file" in page
    answer = as_alice.post(f"/documents/{document_id}/jobs", data={"sheet": "0"})
    assert answer.status_code == 422 and jobs() == []


def test_guesses_are_marked_and_counted(as_alice: FlaskClient, document_id: int) -> None:
    page = as_alice.get(f"/documents/{document_id}").text
    assert figures(page) == {"to_look_up": 3, "duplicates": 1, "invalid": 2, "blank": 1}
    assert (selected(page, "sheet"), selected(page, "header_row"), selected(page, "column")) == ("0", "3", "1")
    assert (selected(page, "country"), selected(page, "source")) == ("ES", "offline")
    assert page.count(">Detected<") == 2
    assert "Look up 3 numbers" in page
    assert "Oculta (hidden)" in page and re.search(r'value="3" disabled>\s*Vacía \(empty\)', page)
    bad = re.findall(r'data-label="Row">(\d+)</td>.*?class="long">(.*?)</span>', page)
    assert bad == [("7", "555"), ("9", "no tiene")]
    assert re.search(r'<th scope="row">4</th>\s*<td>.*?n0.*?data-picked><span class="clip">612345678<', page, re.S)


def test_a_change_returns_a_fragment_and_address(as_alice: FlaskClient, document_id: int) -> None:
    asked = "sheet=0&shown_sheet=0&header_row=3&column=0&country=ES&source=offline"
    part = as_alice.get(f"/documents/{document_id}?{asked}", headers=FRAGMENT)
    assert "<html" not in part.text
    assert figures(part.text) == {"to_look_up": 0, "duplicates": 0, "invalid": 7, "blank": 0}
    assert "no telephone numbers to look up" in part.text
    kept = part.headers["HX-Replace-Url"]
    assert "shown_sheet" not in kept
    assert figures(as_alice.get(kept).text)["invalid"] == 7


def test_another_sheet_brings_its_own_guesses(as_alice: FlaskClient, document_id: int) -> None:
    page = as_alice.get(f"/documents/{document_id}?sheet=2&shown_sheet=0&header_row=3&column=0&country=ES").text
    assert (selected(page, "header_row"), selected(page, "column")) == ("1", "2")
    assert figures(page)["to_look_up"] == 2


def test_another_header_row_and_country_are_counted(as_alice: FlaskClient, document_id: int) -> None:
    page = as_alice.get(f"/documents/{document_id}?header_row=4").text
    assert figures(page) == {"to_look_up": 3, "duplicates": 0, "invalid": 2, "blank": 1}
    assert selected(page, "column") == "1"
    assert figures(as_alice.get(f"/documents/{document_id}?country=GB").text)["to_look_up"] == 1
    assert "headings" in as_alice.get(f"/documents/{document_id}?header_row=0").text


def test_the_page_changes_nothing(app: Flask, as_alice: FlaskClient, document_id: int) -> None:
    before = dict(db.session.get_one(Document, document_id).checks)
    db.session.rollback()
    as_alice.get(f"/documents/{document_id}?country=FR&header_row=5")
    assert db.session.get_one(Document, document_id).checks == before
    assert jobs() == []


def test_earlier_upload_of_the_same_content_is_linked(app: Flask, as_alice: FlaskClient, document_id: int) -> None:
    job = as_alice.post(f"/documents/{document_id}/jobs").location
    again = upload(as_alice, stored(app, document_id))
    read(app, again)
    page = as_alice.get(f"/documents/{again}").text
    assert "a file with the same content" in page and f'href="{job}"' in page and "<time" in page
    assert "a file with the same content" not in as_alice.get(f"/documents/{document_id}").text


def test_bobs_upload_of_the_same_content_is_not_mentioned(
    app: Flask, as_alice: FlaskClient, as_bob: FlaskClient, document_id: int
) -> None:
    his = upload(as_bob, stored(app, document_id))
    read(app, his)
    assert "content before" not in as_bob.get(f"/documents/{his}").text


@pytest.mark.parametrize(
    ("method", "address"),
    [("GET", ""), ("GET", "/live"), ("GET", "/live?v=ready"), ("POST", "/delete"), ("POST", "/jobs")],
)
def test_bob_gets_404_for_every_address_of_alices_document(
    as_alice: FlaskClient, as_bob: FlaskClient, document_id: int, method: str, address: str
) -> None:
    for headers in ({}, FRAGMENT):
        answer = as_bob.open(f"/documents/{document_id}{address}", method=method, headers=headers)
        assert answer.status_code == 404 and "clientes.xlsx" not in answer.text
    assert jobs() == []
    assert as_alice.get(f"/documents/{document_id}").status_code == 200


def test_ada_sees_the_page_but_only_alice_acts(as_alice: FlaskClient, as_ada: FlaskClient, document_id: int) -> None:
    page = as_ada.get(f"/documents/{document_id}").text
    assert "clientes.xlsx" in page and "Look up 3 numbers" not in page
    for action in ("delete", "jobs"):
        assert as_ada.post(f"/documents/{document_id}/{action}").status_code == 404
    assert jobs() == []
    assert as_alice.get(f"/documents/{document_id}").status_code == 200


def test_a_file_whose_rows_are_gone_says_so(app: Flask, as_alice: FlaskClient, document_id: int) -> None:
    key = db.session.get_one(Document, document_id).storage_key
    db.session.rollback()
    Path(app.extensions["storage"].sheet_path(key, 0)).unlink()
    page = as_alice.get(f"/documents/{document_id}?header_row=2")
    assert page.status_code == 200 and "Upload it again" in page.text
    assert as_alice.post(f"/documents/{document_id}/jobs", data={"header_row": "2"}).status_code == 422


def test_a_recipe_describes_its_source(as_alice, alice, app, tmp_path) -> None:
    document = cast.make_document(app, alice, [cast.mobile(1)])
    with registered(recipe(tmp_path, "json", "https://api.example.com", rate="30/min")):
        page = as_alice.get(f"/documents/{document.id}?source=json-test").get_data(as_text=True)
    assert '<option value="json-test" selected>json-test</option>' in page
    assert "Up to 30 numbers a minute." in page
    assert "You get: Operator now, ported." in page


def test_the_default_source_is_preselected(as_alice, alice, app, tmp_path) -> None:
    document = cast.make_document(app, alice, [cast.mobile(1)])
    app.config["DEFAULT_SOURCE"] = "json-test"
    assert '<option value="offline" selected>' in as_alice.get(f"/documents/{document.id}").get_data(as_text=True)
    with registered(recipe(tmp_path, "json", "https://api.example.com")):
        page = as_alice.get(f"/documents/{document.id}").get_data(as_text=True)
        assert '<option value="json-test" selected>' in page
        page = as_alice.get(f"/documents/{document.id}?source=offline").get_data(as_text=True)
        assert '<option value="offline" selected>' in page


def test_an_offered_number_is_shown_and_not_looked_up(app: Flask, as_alice: FlaskClient) -> None:
    cells = ("600123123 (Juan)", "447911123456", "911234567/68", "-912345644", "612345.67")
    document_id = upload(as_alice, "\n".join(("Teléfono", *cells)).encode(), "clientes.csv")
    read(app, document_id)
    page = as_alice.get(f"/documents/{document_id}?column=0&header_row=1&country=ES").text
    assert figures(page) == {"to_look_up": 1, "duplicates": 0, "invalid": 4, "blank": 0}
    sentences = (
        "Write it with + and its country code. We can read: +447911123456.",
        "with / between them. We can read: +34911234567 · +34911234568.",
        "enter the telephone number again. We can read: +34912345678 · +34912345644.",
        "Write the telephone number without a decimal point.",
    )
    assert [sentence for sentence in sentences if sentence.partition(" We can read")[0] not in page] == []
    offered = ("+447911123456", "+34911234567", "+34911234568", "+34912345678", "+34912345644")
    assert [number for number in offered if f"Use {number}<" not in page] == []

    chosen = {"sheet": "0", "header_row": "1", "column": "0", "country": "ES", "source": "offline"}
    job = as_alice.post(f"/documents/{document_id}/jobs", data=chosen).location
    assert [one.total_numbers - one.invalid_count for one in jobs()] == [1]
    rows, file = as_alice.get(f"{job}?outcome=invalid").text, as_alice.get(f"{job}/results.csv").text
    assert [sentence for sentence in sentences if sentence not in rows] == []
    assert [sentence for sentence in sentences if sentence not in file] == []
