"""The check page and confirming: alice owns the file, bob is another user, ada is the admin."""

import re
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from threading import Barrier

import pytest
from flask import Flask
from flask.testing import FlaskClient
from openpyxl import Workbook

from portal.clock import utcnow
from portal.database import db
from portal.documents import intake
from portal.documents.limits import Limits
from portal.documents.models import Document
from portal.jobs.models import ScrapingJob
from tests.support import cast
from tests.support.recipes import recipe, registered

FRAGMENT = {"HX-Request": "true"}


def workbook() -> bytes:
    """A title above the headings, a hidden sheet, a second sheet; 3 to look up, 1 twice, 2 bad, 1 blank."""
    book = Workbook()
    page = book.active
    page.title = "Clientes"
    cells = ["612345678", "+34 612 345 679", "612345678", "555", "", "no tiene", "912345678"]
    for row in [
        ["Listado de clientes"],
        [],
        ["Nombre", "Teléfono"],
        *([f"n{n}", cell] for n, cell in enumerate(cells)),
    ]:
        page.append(row)
    hidden = book.create_sheet("Oculta")
    hidden.sheet_state = "hidden"
    for row in [["tel"], ["612345670"]]:
        hidden.append(row)
    other = book.create_sheet("Proveedores")
    for row in [["Empresa", "Fax", "Phone"], ["x", "91", "915555555"], ["y", "92", "915555556"]]:
        other.append(row)
    book.create_sheet("Vacía")
    memory = BytesIO()
    book.save(memory)
    return memory.getvalue()


def upload(client: FlaskClient, content: bytes | None = None, name: str = "clientes.xlsx") -> int:
    answer = client.post("/documents", data={"file": (BytesIO(content or workbook()), name)})
    return int(answer.location.rsplit("/", 1)[1])


def read(app: Flask, document_id: int) -> None:
    intake.read_document(document_id, app.extensions["storage"], Limits(), utcnow())


def stored(app: Flask, document_id: int) -> bytes:
    key = db.session.get_one(Document, document_id).storage_key
    db.session.rollback()
    return app.extensions["storage"].path(key).read_bytes()


@pytest.fixture
def document_id(app: Flask, as_alice: FlaskClient) -> int:
    """alice's workbook, read and ready."""
    document_id = upload(as_alice)
    read(app, document_id)
    return document_id


def figures(page: str) -> dict[str, int]:
    found = re.findall(r'data-figure="(\w+)"><b>([\d,]+)</b>', page)
    return {name: int(number.replace(",", "")) for name, number in found}


def selected(page: str, name: str) -> str:
    select = re.search(rf'<select id="{name}".*?</select>', page, re.S)
    assert select
    return re.findall(r'<option value="([^"]*)" selected>', select[0])[0]


def form_of(page: str, address: str) -> dict[str, str]:
    """What a browser without JavaScript would send: hidden fields and selects."""
    form = re.search(rf'<form[^>]*action="{address}".*?</form>', page, re.S)
    assert form
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form[0]))
    selects = {name: selected(page, name) for name in re.findall(r'<select id="(\w+)"', form[0])}
    return {**hidden, **selects}


def jobs() -> list[ScrapingJob]:
    db.session.rollback()
    return list(db.session.scalars(db.select(ScrapingJob).order_by(ScrapingJob.id)))


def test_while_it_is_read_the_page_waits_calmly_and_asks_only_for_news(app: Flask, as_alice: FlaskClient) -> None:
    document_id = upload(as_alice)
    page = as_alice.get(f"/documents/{document_id}").text
    assert "Your file is being read" in page
    assert '<noscript><meta http-equiv="refresh"' in page
    (address,) = re.findall(r'hx-get="([^"]*/live[^"]*)"', page)
    assert as_alice.get(address, headers=FRAGMENT).status_code == 204
    read(app, document_id)
    news = as_alice.get(address, headers=FRAGMENT)
    assert news.status_code == 200 and "<html" not in news.text
    assert "every 1s" not in news.text  # the asking has come to its end
    assert figures(news.text)["to_look_up"] == 3


def test_a_file_that_is_read_for_long_is_told_so_once(app: Flask, as_alice: FlaskClient) -> None:
    document_id = upload(as_alice)
    document = db.session.get_one(Document, document_id)
    document.created_at = cast.NOW
    db.session.commit()
    news = as_alice.get(f"/documents/{document_id}/live?v=reading", headers=FRAGMENT)
    assert "longer than usual" in news.text and "every 1s" in news.text
    assert as_alice.get(f"/documents/{document_id}/live?v=reading-slow", headers=FRAGMENT).status_code == 204


def test_a_refused_file_says_what_is_the_matter_and_what_to_do(app: Flask, as_alice: FlaskClient) -> None:
    document_id = upload(as_alice, b"\x89PNG\r\n\x1a\n" + bytes(200), "actually_a_png.xlsx")
    read(app, document_id)
    page = as_alice.get(f"/documents/{document_id}").text
    assert 'role="alert"' in page and "not a spreadsheet" in page and "Upload another file" in page
    answer = as_alice.post(f"/documents/{document_id}/jobs", data={"sheet": "0"})
    assert answer.status_code == 422 and jobs() == []


def test_the_guesses_are_shown_as_guesses_with_their_figures(as_alice: FlaskClient, document_id: int) -> None:
    page = as_alice.get(f"/documents/{document_id}").text
    assert figures(page) == {"to_look_up": 3, "duplicates": 1, "invalid": 2, "blank": 1}
    assert (selected(page, "sheet"), selected(page, "header_row"), selected(page, "column")) == ("0", "3", "1")
    assert (selected(page, "country"), selected(page, "source")) == ("ES", "offline")
    assert page.count(">Guessed<") == 2
    assert "Look up 3 numbers" in page
    assert "Oculta (hidden)" in page and re.search(r'value="3" disabled>\s*Vacía \(empty\)', page)
    bad = re.findall(r'data-label="Row">(\d+)</td>.*?class="long">(.*?)</span>', page)
    assert bad == [("7", "555"), ("9", "no tiene")]
    assert re.search(r'<th scope="row">4</th>\s*<td>.*?n0.*?data-picked><span class="clip">612345678<', page, re.S)


def test_a_change_answers_with_the_part_and_an_address_to_keep(as_alice: FlaskClient, document_id: int) -> None:
    asked = "sheet=0&shown_sheet=0&header_row=3&column=0&country=ES&source=offline"
    part = as_alice.get(f"/documents/{document_id}?{asked}", headers=FRAGMENT)
    assert "<html" not in part.text
    assert figures(part.text) == {"to_look_up": 0, "duplicates": 0, "invalid": 7, "blank": 0}
    assert "no telephone number in this column" in part.text
    kept = part.headers["HX-Replace-Url"]
    assert "shown_sheet" not in kept
    assert figures(as_alice.get(kept).text)["invalid"] == 7


def test_another_sheet_brings_its_own_guesses(as_alice: FlaskClient, document_id: int) -> None:
    page = as_alice.get(f"/documents/{document_id}?sheet=2&shown_sheet=0&header_row=3&column=0&country=ES").text
    assert (selected(page, "header_row"), selected(page, "column")) == ("1", "2")
    assert figures(page)["to_look_up"] == 2


def test_another_header_row_and_country_are_counted_anew(as_alice: FlaskClient, document_id: int) -> None:
    page = as_alice.get(f"/documents/{document_id}?header_row=4").text
    assert figures(page) == {"to_look_up": 3, "duplicates": 0, "invalid": 2, "blank": 1}
    assert selected(page, "column") == "1"
    assert figures(as_alice.get(f"/documents/{document_id}?country=GB").text)["to_look_up"] == 1
    assert "headings" in as_alice.get(f"/documents/{document_id}?header_row=0").text


def test_looking_changes_nothing(app: Flask, as_alice: FlaskClient, document_id: int) -> None:
    before = dict(db.session.get_one(Document, document_id).checks)
    db.session.rollback()
    as_alice.get(f"/documents/{document_id}?country=FR&header_row=5")
    assert db.session.get_one(Document, document_id).checks == before
    assert jobs() == []


def test_confirming_starts_a_job_with_what_stands_in_the_form(as_alice: FlaskClient, document_id: int) -> None:
    action = f"/documents/{document_id}/jobs"
    answer = as_alice.post(action, data=form_of(as_alice.get(f"/documents/{document_id}").text, action))
    (job,) = jobs()
    assert (answer.status_code, answer.location) == (303, f"/jobs/{job.id}")
    assert (job.sheet, job.header_row, job.column, job.country, job.source) == (0, 3, 1, "ES", "offline")
    assert job.total_numbers == 7
    assert "Not started yet" not in as_alice.get("/").text


@pytest.mark.parametrize(
    ("sent", "started"),
    [
        ({}, (0, 3, 1, "ES")),
        ({"sheet": "Clientes", "column": "Teléfono", "country": "ES", "source": "offline"}, (0, 3, 1, "ES")),
        ({"sheet": "proveedores", "column": "phone", "country": "mx"}, (2, 1, 2, "MX")),
        ({"sheet": "2", "column": "1"}, (2, 1, 1, "ES")),
        ({"sheet": "Oculta"}, (1, 1, 0, "ES")),
        ({"header_row": "0", "column": "1"}, (0, 0, 1, "ES")),
        ({"sheet": "Proveedores", "shown_sheet": "0", "column": "Phone"}, (2, 1, 2, "ES")),
    ],
)
def test_a_program_may_say_it_by_position_or_by_name(
    as_alice: FlaskClient, document_id: int, sent: dict[str, str], started: tuple[int, int, int, str]
) -> None:
    assert as_alice.post(f"/documents/{document_id}/jobs", data=sent).status_code == 303
    (job,) = jobs()
    assert (job.sheet, job.header_row, job.column, job.country) == started


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"sheet": "9"}, "no such sheet"),
        ({"sheet": "Vacía"}, "no such sheet"),
        ({"column": "99"}, "no such column"),
        ({"column": "-1"}, "no such column"),
        ({"column": "Fax"}, "no such column"),
        ({"header_row": "99"}, "no such row"),
        ({"header_row": "²"}, "no such row"),
        ({"country": "XX"}, "country is not known"),
        ({"source": "oracle"}, "source is not known"),
    ],
)
def test_a_wrong_choice_is_said_in_words_and_loses_nothing_else(
    as_alice: FlaskClient, document_id: int, wrong: dict[str, str], says: str
) -> None:
    right = {"sheet": "0", "header_row": "2", "column": "0", "country": "PT", "source": "offline"}
    answer = as_alice.post(f"/documents/{document_id}/jobs", data={**right, **wrong})
    assert answer.status_code == 422
    assert re.search(rf'role="alert".*?{says}', answer.text, re.S)
    if "sheet" not in wrong:
        for name in set(right) - set(wrong):
            assert selected(answer.text, name) == right[name]
    assert jobs() == []
    looked = as_alice.get(f"/documents/{document_id}", query_string={**right, **wrong})
    assert looked.status_code == 200 and says in looked.text


def test_without_javascript_another_sheet_is_shown_before_it_is_started(
    as_alice: FlaskClient, document_id: int
) -> None:
    action = f"/documents/{document_id}/jobs"
    sent = {**form_of(as_alice.get(f"/documents/{document_id}").text, action), "sheet": "2"}
    answer = as_alice.post(action, data=sent)
    assert answer.status_code == 303 and answer.location.startswith(f"/documents/{document_id}?sheet=2")
    again = form_of(as_alice.get(answer.location).text, action)
    counted = as_alice.post(action, data={**again, "country": "MX", "recount": "1"})
    assert counted.location.startswith(f"/documents/{document_id}?sheet=2") and "country=MX" in counted.location
    assert jobs() == []
    assert as_alice.post(action, data=again).location == f"/jobs/{jobs()[0].id}"


def test_pressed_twice_it_starts_one_job_and_a_second_run_is_possible(as_alice: FlaskClient, document_id: int) -> None:
    action = f"/documents/{document_id}/jobs"
    sent = form_of(as_alice.get(f"/documents/{document_id}").text, action)
    first, second = (as_alice.post(action, data=sent).location for _ in range(2))
    assert first == second and len(jobs()) == 1
    page = as_alice.get(f"/documents/{document_id}").text
    assert "This file was started before." in page and f'href="{first}"' in page
    assert as_alice.post(action, data=form_of(page, action)).location not in ("", first)
    assert len(jobs()) == 2


def test_a_file_still_being_read_cannot_be_started(app: Flask, as_alice: FlaskClient) -> None:
    document_id = upload(as_alice)
    answer = as_alice.post(f"/documents/{document_id}/jobs", data={"sheet": "0"})
    assert answer.status_code == 422 and jobs() == []


def test_the_same_content_uploaded_before_is_said_with_its_job(
    app: Flask, as_alice: FlaskClient, document_id: int
) -> None:
    job = as_alice.post(f"/documents/{document_id}/jobs").location
    again = upload(as_alice, stored(app, document_id))
    read(app, again)
    page = as_alice.get(f"/documents/{again}").text
    assert "the very same content before" in page and f'href="{job}"' in page and "<time" in page
    assert "the very same content before" not in as_alice.get(f"/documents/{document_id}").text


def test_the_same_content_of_somebody_else_is_not_told(
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


def test_ada_sees_the_check_page_but_only_alice_acts_on_it(
    as_alice: FlaskClient, as_ada: FlaskClient, document_id: int
) -> None:
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


def test_sent_from_several_tabs_at_once_it_starts_one_job(app: Flask, as_alice: FlaskClient, document_id: int) -> None:
    action = f"/documents/{document_id}/jobs"
    sent = form_of(as_alice.get(f"/documents/{document_id}").text, action)
    cookie = as_alice.get_cookie("masterfilter")
    assert cookie
    together = Barrier(4)

    def press(_: int) -> str:
        with app.app_context():
            tab = app.test_client()
            tab.set_cookie("masterfilter", cookie.value)
            together.wait(10)
            return tab.post(action, data=sent).location

    with ThreadPoolExecutor(4) as tabs:
        places = set(tabs.map(press, range(4)))
    assert places == {f"/jobs/{jobs()[0].id}"} and len(jobs()) == 1


def test_a_source_of_a_recipe_says_what_it_is_its_pace_and_what_it_gives(as_alice, alice, app, tmp_path) -> None:
    document = cast.make_document(app, alice, [cast.mobile(1)])
    with registered(recipe(tmp_path, "json", "https://api.example.com", rate="30/min")):
        page = as_alice.get(f"/documents/{document.id}?source=json-test").get_data(as_text=True)
    assert '<option value="json-test" selected>json-test</option>' in page
    assert "Up to 30 numbers a minute." in page
    assert "It gives: Operator now, ported." in page


def test_the_source_of_the_setting_is_chosen_until_the_person_chooses(as_alice, alice, app, tmp_path) -> None:
    document = cast.make_document(app, alice, [cast.mobile(1)])
    app.config["DEFAULT_SOURCE"] = "json-test"
    assert '<option value="offline" selected>' in as_alice.get(f"/documents/{document.id}").get_data(as_text=True)
    with registered(recipe(tmp_path, "json", "https://api.example.com")):
        page = as_alice.get(f"/documents/{document.id}").get_data(as_text=True)
        assert '<option value="json-test" selected>' in page
        page = as_alice.get(f"/documents/{document.id}?source=offline").get_data(as_text=True)
        assert '<option value="offline" selected>' in page
