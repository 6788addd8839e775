"""Numbers without a file: a pasted list becomes a document, one number is looked up and answered in place."""

import re
from datetime import timedelta
from html import unescape
from pathlib import Path

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from flask_babel import force_locale
from sqlalchemy import select

from portal.clock import utcnow
from portal.config import LOCALES
from portal.database import db
from portal.documents.typed import pasted_file
from portal.documents.words import typed_reason_words
from portal.jobs.attempt.runner import Conditions, run
from portal.jobs.core.retry_backoff import Backoff
from portal.jobs.models import ScrapingJob
from portal.phone.reasons import Reason
from tests.documents.sheets import cells_of, read_file
from tests.web.check_page import FRAGMENT, read


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("611234567\n622345678\n", [["611234567"], ["622345678"]]),
        ("611234567; +34 622 345 678, 633456789", [["611234567"], ["+34 622 345 678"], ["633456789"]]),
        ("Nombre\tTlf\nIker\t611234567\nRosa", [["Nombre", "Tlf"], ["Iker", "611234567"], ["Rosa"]]),
        ('López, Ana "la de Vigo" 611234567', [['López, Ana "la de Vigo" 611234567']]),
        ("=1+1\r\n\r\n611234567\r\n", [["=1+1"], [], ["611234567"]]),
        (" \n\t\n", None),
    ],
)
def test_a_pasted_text_becomes_rows(tmp_path: Path, text: str, rows: list[list[str]] | None) -> None:
    content = pasted_file(text)
    if content is None:
        assert rows is None
        return
    path = tmp_path / "pasted.csv"
    path.write_bytes(content)
    read_file(path)
    assert cells_of(path) == rows


def test_a_pasted_list_goes_the_way_of_an_upload(app: Flask, as_alice: FlaskClient) -> None:
    answer = as_alice.post("/documents/pasted", data={"numbers": "611234567\n622345678\n611234567\nno"})
    assert answer.status_code == 303
    read(app, int(answer.location.rsplit("/", 1)[1]))
    page = as_alice.get(answer.location).text
    assert "Pasted numbers.csv" in page
    assert "Look up 2 numbers" in page


def test_nothing_pasted_is_said_beside_the_box(as_alice: FlaskClient) -> None:
    answer = as_alice.post("/documents/pasted", data={"numbers": " \n "})
    assert answer.status_code == 422
    assert "Paste your numbers first" in answer.text


def looked_up(client: FlaskClient, text: str) -> str:
    return client.post("/lookups", data={"number": text}).location


def test_one_number_is_a_job_and_its_answer_is_on_the_page(app: Flask, as_alice: FlaskClient) -> None:
    address = looked_up(as_alice, "612 345 678")
    job_id = int(address.rsplit("/", 1)[1])
    waiting = as_alice.get(address).text
    assert "Looking up +34612345678" in waiting
    assert 'http-equiv="refresh"' in waiting  # without JavaScript
    with time_machine.travel(utcnow() + timedelta(seconds=10), tick=False):
        assert "under “Number ending in 678.csv”" in unescape(as_alice.get(address, headers=FRAGMENT).text)
    run(job_id, 0, Conditions("worker", 60, Backoff()))
    done = as_alice.get(address, headers=FRAGMENT).text
    assert "hx-get" not in done
    assert re.search(r"<dt>[^<]*type</dt>\s*<dd[^>]*>mobile", done)
    assert "Number ending in 678.csv" in as_alice.get("/").text


def test_the_same_number_within_a_minute_is_asked_once(app: Flask, as_alice: FlaskClient, as_bob: FlaskClient) -> None:
    first = looked_up(as_alice, "612345678")
    assert looked_up(as_alice, "+34 612 345 678") == first
    assert looked_up(as_bob, "612345678") != first
    with time_machine.travel(utcnow() + timedelta(minutes=2), tick=False):
        assert looked_up(as_alice, "612345678") != first


@pytest.mark.parametrize("text", ["", "555", "612345678 / 622345678", "612345XXX"])
def test_what_is_not_one_number_costs_nothing(app: Flask, as_alice: FlaskClient, text: str) -> None:
    for headers, status in (({}, 422), (FRAGMENT, 200)):
        answer = as_alice.post("/lookups", data={"number": text}, headers=headers)
        assert answer.status_code == status
        assert 'role="alert"' in answer.text
    assert db.session.scalar(select(ScrapingJob)) is None


@pytest.mark.parametrize("reason", Reason)
def test_what_is_said_of_a_typed_number_speaks_of_no_cell(app: Flask, reason: Reason) -> None:
    for locale in LOCALES:
        with app.test_request_context(), force_locale(locale):
            assert not re.search(r"(?i)cell|celda|column|file|archivo", typed_reason_words(reason, ["+34612345678"]))


def test_the_answer_is_in_place_with_javascript(as_alice: FlaskClient) -> None:
    answer = as_alice.post("/lookups", data={"number": "612345678"}, headers=FRAGMENT)
    assert answer.status_code == 200
    assert re.search(r'hx-get="/lookups/\d+" hx-trigger="every 1s"', answer.text)
