"""The first page and the upload: alice owns the file, bob is another user."""

import re
from io import BytesIO

import openpyxl
import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal.accounts import User
from portal.database import db
from portal.documents.models import Document, Reading
from portal.jobs.models import ScrapingJob
from tests.support import cast

CSV = b"Nombre;Telefono\nAna;612345678\n"


def send(client: FlaskClient, content: bytes | None = CSV, name: str = "clientes.csv", **headers: str):
    data = {} if content is None else {"file": (BytesIO(content), name)}
    return client.post("/documents", data=data, content_type="multipart/form-data", headers=headers)


def documents() -> list[Document]:
    db.session.rollback()
    return list(db.session.scalars(db.select(Document).order_by(Document.id)))


def alert_of(page: str) -> str:
    found = re.search(r'role="alert".*?</svg>(.*?)</div>\s*</div>', page, re.S)
    assert found, "no alert on the page"
    return " ".join(re.sub(r"<[^>]+>", " ", found[1]).split())


def stored_files(app: Flask) -> int:
    return sum(path.is_file() for path in app.extensions["storage"].root.rglob("*"))


def test_the_first_visit_offers_an_example(as_alice: FlaskClient) -> None:
    page = as_alice.get("/").text
    assert "You get your file back" in page
    assert 'href="/example.xlsx"' in page
    assert "5,000 rows" in page and "20 MB" in page
    assert "jobs-list" not in page


def test_the_example_is_a_workbook_of_text_cells(as_alice: FlaskClient) -> None:
    answer = as_alice.get("/example.xlsx")
    sheet = openpyxl.load_workbook(BytesIO(answer.data)).worksheets[0]
    column = [sheet.cell(row, 2).value for row in range(1, sheet.max_row + 1)]
    assert column[0] == "Phone" and "0034 931 234 567" in column and "+34 912 345 678" in column
    assert all(cell is None or isinstance(cell, str) for cell in column)


def test_an_upload_leads_to_its_check_page(app: Flask, as_alice: FlaskClient, alice: User) -> None:
    answer = send(as_alice)
    (document,) = documents()
    assert (answer.status_code, answer.location) == (303, f"/documents/{document.id}")
    assert (document.user_id, document.state, document.file_name) == (alice.id, Reading.READING, "clientes.csv")
    assert app.extensions["storage"].path(document.storage_key).read_bytes() == CSV
    assert document.size_bytes == len(CSV)


def test_the_upload_script_gets_the_next_address(as_alice: FlaskClient) -> None:
    answer = send(as_alice, **{"HX-Request": "true"})
    assert answer.status_code == 200
    assert answer.headers["HX-Redirect"] == f"/documents/{documents()[0].id}"


@pytest.mark.parametrize(
    ("content", "name", "says"),
    [
        (None, "", "Choose a file first"),
        (CSV, "", "Choose a file first"),
        (b"\x89PNG", "photo.png", "not a spreadsheet"),
        (CSV, "clientes", "not a spreadsheet"),
        (b"", "clientes.xlsx", "The file is empty"),
    ],
)
def test_a_refused_upload_says_why(
    app: Flask, as_alice: FlaskClient, alice: User, content: bytes | None, name: str, says: str
) -> None:
    cast.make_job(app, alice)
    before = stored_files(app)
    answer = send(as_alice, content, name)
    assert answer.status_code == 422
    assert says in alert_of(answer.text)
    assert "clientes.xlsx" in answer.text  # her job is still in the list
    in_place = send(as_alice, content, name, **{"HX-Request": "true"})
    assert in_place.status_code == 422
    assert says in alert_of(in_place.text + "</div>") and "<html" not in in_place.text
    assert len(documents()) == 1 and stored_files(app) == before


def test_a_too_large_file_is_refused(app: Flask, as_alice: FlaskClient) -> None:
    app.config["MAX_UPLOAD_MB"] = 0.25
    app.config["MAX_CONTENT_LENGTH"] = 300_000
    for size in (256 * 1024 + 1, 400_000):  # just over the file's limit, and over what a request may have
        answer = send(as_alice, b"6" * size)
        assert answer.status_code == 422
        assert "larger than 0.25 MB" in alert_of(answer.text)
    assert documents() == [] and stored_files(app) == 0


def test_a_stranger_with_a_huge_file_goes_to_the_login(app: Flask, client: FlaskClient) -> None:
    app.config["MAX_CONTENT_LENGTH"] = 1024
    answer = send(client, b"6" * 5000)
    assert answer.status_code == 302 and answer.location.startswith("/login")


def test_the_name_loses_path_and_invisible_characters(as_alice: FlaskClient) -> None:
    send(as_alice, name="/home/alice/mi\u202e lista\x07.csv")
    assert documents()[0].file_name == "mi lista.csv"
    assert "mi lista.csv" in as_alice.get("/").text


def test_a_name_is_shown_as_text(as_alice: FlaskClient) -> None:
    send(as_alice, name="<img src=x>.csv")
    assert "<img" not in as_alice.get("/").text
    assert "&lt;img src=x&gt;.csv" in as_alice.get("/").text


def test_unstarted_files_are_listed_until_removed(app: Flask, as_alice: FlaskClient) -> None:
    send(as_alice)
    (document,) = documents()
    page = as_alice.get("/").text
    assert "Not started" in page and f'href="/documents/{document.id}"' in page
    answer = as_alice.post(f"/documents/{document.id}/delete")
    assert (answer.status_code, answer.location) == (303, "/")
    assert "clientes.csv is in the trash." in as_alice.get("/").text
    assert as_alice.get(f"/documents/{document.id}").status_code == 404
    assert as_alice.post(f"/trash/document/{document.id}/delete").status_code == 303
    assert stored_files(app) == 0


def test_a_started_document_is_not_removed(app: Flask, as_alice: FlaskClient, alice: User) -> None:
    job = cast.make_job(app, alice)
    as_alice.post(f"/documents/{job.document_id}/delete")
    assert "so it was not removed" in as_alice.get("/").text
    assert documents()[0].deleted_at is None
    assert app.extensions["storage"].exists(documents()[0].storage_key)


def test_the_list_is_filtered_by_status_name_and_page(app: Flask, as_alice: FlaskClient, alice: User) -> None:
    for _ in range(27):
        cast.make_job(app, alice, 1)
    job = db.session.scalars(db.select(ScrapingJob)).first()
    as_alice.post(f"/jobs/{job.id}/name", data={"name": "Verano"})
    assert "Verano.xlsx" in as_alice.get("/?q=VERANO").text
    assert "Verano.xlsx" not in as_alice.get("/").text  # the oldest is on page 2
    assert "Verano.xlsx" in as_alice.get("/?page=2").text
    assert as_alice.get("/?status=pending").text.count('data-status="pending"') == 2 * 25
    nothing = as_alice.get("/?status=failed&q=verano").text
    assert "No file with “verano” in its name, note, labels or sheet has this status." in nothing
    assert as_alice.get("/?status=nonsense&page=x").status_code == 200


def test_a_filter_asks_only_for_the_list(app: Flask, as_alice: FlaskClient, alice: User) -> None:
    cast.make_job(app, alice, 1)
    part = as_alice.get("/?q=clientes", headers={"HX-Request": "true"})
    assert "<html" not in part.text and 'data-status="pending"' in part.text
    back = as_alice.get("/?q=clientes", headers={"HX-Request": "true", "HX-History-Restore-Request": "true"})
    assert "<html" in back.text
    assert "HX-Request" in part.headers["Vary"]


def test_bob_sees_nothing_of_alice(app: Flask, as_bob: FlaskClient, alice: User) -> None:
    cast.make_job(app, alice)
    assert "clientes.xlsx" not in as_bob.get("/").text


@pytest.mark.parametrize("address", ["/", "/example.xlsx", "/documents/1", "/documents/1/live"])
def test_a_stranger_goes_to_the_login(client: FlaskClient, address: str) -> None:
    answer = client.get(address)
    assert answer.status_code == 302 and answer.location.startswith("/login")


@pytest.mark.parametrize("address", ["/documents/1/jobs", "/documents/1/delete", "/jobs/delete", "/jobs/download"])
def test_actions_are_for_people_who_are_signed_in_and_never_for_a_get(
    client: FlaskClient, as_alice: FlaskClient, address: str
) -> None:
    answer = client.post(address)
    assert answer.status_code == 302 and answer.location.startswith("/login")
    assert as_alice.get(address).status_code == 405


@pytest.mark.parametrize("charset", ["utf-8", "latin-1", "cp1252"])
def test_a_name_is_shown_as_it_was_sent(app: Flask, as_alice: FlaskClient, charset: str) -> None:
    """Browsers send UTF-8; a program on an old Windows sends its own encoding and says so nowhere."""
    app.config["WTF_CSRF_ENABLED"] = True
    token = re.search(r'name="csrf_token" value="([^"]+)"', as_alice.get("/").text)
    assert token
    name = "Año – niños.csv" if charset == "cp1252" else "Año de niños.csv"
    head = f'--b\r\nContent-Disposition: form-data; name="csrf_token"\r\n\r\n{token[1]}\r\n--b\r\n'
    file = f'Content-Disposition: form-data; name="file"; filename="{name}"\r\nContent-Type: text/csv\r\n\r\n'
    body = head.encode() + file.encode(charset) + CSV + b"\r\n--b--\r\n"
    answer = as_alice.post("/documents", data=body, content_type="multipart/form-data; boundary=b")
    assert answer.status_code == 303, alert_of(answer.text)
    assert [document.file_name for document in documents()] == [name]
    assert name in as_alice.get(answer.location).text
