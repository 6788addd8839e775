"""Confirming a checked file starts its job, once, with the form's choice. alice owns the file."""

import re
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.web.check_page import form_of, jobs, selected, upload


def test_confirming_starts_a_job(as_alice: FlaskClient, document_id: int) -> None:
    action = f"/documents/{document_id}/jobs"
    answer = as_alice.post(action, data=form_of(as_alice.get(f"/documents/{document_id}").text, action))
    (job,) = jobs()
    assert (answer.status_code, answer.location) == (303, f"/jobs/{job.id}")
    assert (job.sheet, job.header_row, job.column, job.country, job.source) == (0, 3, 1, "ES", "offline")
    assert job.total_numbers == 7
    assert f"/documents/{document_id}" not in as_alice.get("/").text


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
def test_a_program_may_use_positions_or_names(
    as_alice: FlaskClient, document_id: int, sent: dict[str, str], started: tuple[int, int, int, str]
) -> None:
    assert as_alice.post(f"/documents/{document_id}/jobs", data=sent).status_code == 303
    (job,) = jobs()
    assert (job.sheet, job.header_row, job.column, job.country) == started


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"sheet": "9"}, "does not have that sheet"),
        ({"sheet": "Vacía"}, "does not have that sheet"),
        ({"column": "99"}, "does not have that column"),
        ({"column": "-1"}, "does not have that column"),
        ({"column": "Fax"}, "does not have that column"),
        ({"header_row": "99"}, "does not have that row"),
        ({"header_row": "²"}, "does not have that row"),
        ({"country": "XX"}, "country is not in the list"),
        ({"source": "oracle"}, "source is not available"),
    ],
)
def test_a_wrong_choice_keeps_the_rest(
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


def test_without_javascript_a_changed_sheet_is_shown_first(as_alice: FlaskClient, document_id: int) -> None:
    action = f"/documents/{document_id}/jobs"
    sent = {**form_of(as_alice.get(f"/documents/{document_id}").text, action), "sheet": "2"}
    answer = as_alice.post(action, data=sent)
    assert answer.status_code == 303 and answer.location.startswith(f"/documents/{document_id}?sheet=2")
    again = form_of(as_alice.get(answer.location).text, action)
    counted = as_alice.post(action, data={**again, "country": "MX", "recount": "1"})
    assert counted.location.startswith(f"/documents/{document_id}?sheet=2") and "country=MX" in counted.location
    assert jobs() == []
    assert as_alice.post(action, data=again).location == f"/jobs/{jobs()[0].id}"


def test_pressed_twice_it_starts_one_job(as_alice: FlaskClient, document_id: int) -> None:
    action = f"/documents/{document_id}/jobs"
    sent = form_of(as_alice.get(f"/documents/{document_id}").text, action)
    first, second = (as_alice.post(action, data=sent).location for _ in range(2))
    assert first == second and len(jobs()) == 1
    page = as_alice.get(f"/documents/{document_id}").text
    assert "You have already started this file." in page and f'href="{first}"' in page
    assert as_alice.post(action, data=form_of(page, action)).location not in ("", first)
    assert len(jobs()) == 2


def test_a_file_still_being_read_cannot_be_started(app: Flask, as_alice: FlaskClient) -> None:
    document_id = upload(as_alice)
    answer = as_alice.post(f"/documents/{document_id}/jobs", data={"sheet": "0"})
    assert answer.status_code == 422 and jobs() == []


def test_several_tabs_start_one_job(app: Flask, as_alice: FlaskClient, document_id: int) -> None:
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
