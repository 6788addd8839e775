"""The page on which the columns of a file are chosen: alice owns the file."""

import csv
import io
import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from flask.testing import FlaskClient
from openpyxl import load_workbook
from werkzeug.test import TestResponse

from portal.accounts import User, set_display
from portal.database import db
from portal.jobs.core.job_tables import Event
from portal.jobs.export import ColumnChoice, columns_of, kept_choice
from portal.jobs.models import ScrapingJob
from tests.support import scenes

MakeJob = Callable[..., ScrapingJob]
IDS = [column.id for column in columns_of(
    ("e164", "national", "line_type", "country", "province", "original_operator", "time_zone")
)]  # fmt: skip
ON = ["status", "line_type", "country"]


@pytest.fixture
def job(alice: User, make_job: MakeJob) -> ScrapingJob:
    return scenes.completed(make_job(alice, 3))


def form(page: str) -> dict[str, Any]:
    """What a browser would send from this page: the columns in order, the ticked ones and the names."""
    inputs = [dict(re.findall(r'([\w-]+)="([^"]*)"', tag)) | {"is": tag} for tag in re.findall(r"<input[^>]*>", page)]
    fields: dict[str, Any] = {"column": [], "on": []}
    for one in inputs:
        name = one.get("name", "")
        if name == "column" or (name == "on" and " checked" in one["is"]):
            fields[name].append(one["value"])
        elif name.startswith("name."):
            fields[name] = unescape(one["value"])
    return fields


def opened(client: FlaskClient, job_id: int) -> dict[str, Any]:
    answer = client.get(f"/jobs/{job_id}/columns")
    assert answer.status_code == 200
    return form(answer.text)


def press(client: FlaskClient, job_id: int, fields: dict[str, Any], **button: str) -> TestResponse:
    return client.post(f"/jobs/{job_id}/columns", data={**fields, **button}, buffered=True)


def headings(content: bytes) -> list[Any]:
    """The first row of a csv or a workbook."""
    if content.startswith(b"PK"):
        return [cell.value for cell in load_workbook(io.BytesIO(content)).worksheets[0][1]]
    return next(csv.reader(io.StringIO(content.decode("utf-8-sig"))))


def downloaded(client: FlaskClient, job_id: int) -> list[Any]:
    return headings(client.get(f"/jobs/{job_id}/results.csv", buffered=True).data)


def test_the_page_shows_the_portals_default(as_alice: FlaskClient, job: ScrapingJob) -> None:
    fields = opened(as_alice, job.id)
    assert fields["column"] == IDS
    assert fields["on"] == [
        "row", "change", "status", "line_type", "country", "province", "original_operator", "reason", "what_to_do",
        "corrected",
    ]  # fmt: skip
    assert fields["name.status"] == "Status"
    assert f'href="/jobs/{job.id}/columns"' in as_alice.get(f"/jobs/{job.id}").text


def test_what_is_saved_comes_in_every_download_until_the_default_is_back(
    as_alice: FlaskClient, alice: User, job: ScrapingJob
) -> None:
    job_id = job.id
    before = downloaded(as_alice, job_id)
    fields = opened(as_alice, job_id) | {"on": ["status", "e164"], "name.status": "¿Qué hay?"}
    fields["column"] = ["e164", *(name for name in IDS if name != "e164")]
    answer = press(as_alice, job_id, fields, do="save")
    assert answer.status_code == 303
    assert "Saved." in as_alice.get(answer.headers["Location"]).text
    again = opened(as_alice, job_id)
    assert (again["column"], again["on"]) == (fields["column"], ["e164", "status"])
    assert downloaded(as_alice, job_id) == ["Teléfono", "International number", "¿Qué hay?"]
    assert press(as_alice, job_id, again, do="default").status_code == 303
    assert downloaded(as_alice, job_id) == before


def test_a_column_is_moved_and_nothing_is_lost_or_saved(as_alice: FlaskClient, alice: User, job: ScrapingJob) -> None:
    job_id = job.id
    fields = opened(as_alice, job_id) | {"on": ON, "name.country": "=1+1", "name.status": "Resultado"}
    presses = [("up:status", 1), ("up:status", 0), ("down:status", 1), ("down:nonsense", 1), ("left:status", 1)]
    for button, place in presses:
        answer = press(as_alice, job_id, fields, move=button)
        assert answer.status_code == 200
        fields = form(answer.text)
        assert fields["column"].index("status") == place and sorted(fields["column"]) == sorted(IDS)
        assert (fields["name.country"], fields["name.status"]) == ("=1+1", "Resultado")
        assert sorted(fields["on"]) == sorted(ON)
    assert kept_choice(alice.id, "offline") is None


def test_a_file_is_downloaded_with_what_is_not_saved(as_alice: FlaskClient, alice: User, job: ScrapingJob) -> None:
    fields = opened(as_alice, job.id) | {"on": ["line_type"], "name.line_type": "Tipo"}
    answer = press(as_alice, job.id, fields, do="download")
    assert answer.status_code == 200 and answer.headers["Content-Disposition"].startswith("attachment")
    assert headings(answer.data) == ["Teléfono", "Tipo"]
    db.session.rollback()
    assert kept_choice(alice.id, "offline") is None
    assert db.session.scalars(db.select(Event.kind).where(Event.job_id == job.id)).all().count("downloaded") == 1


def test_what_is_shown_is_what_will_be_written(as_alice: FlaskClient, job: ScrapingJob) -> None:
    fields = opened(as_alice, job.id) | {"on": ON, "name.status": "<b>Resultado</b>"}
    page = press(as_alice, job.id, fields).text
    table = page[page.index("<table") : page.index("</table>")]
    shown = re.findall(r'<th scope="col"[^>]*><span class="clip">(.*?)</span>', table)
    assert [unescape(text) for text in shown] == headings(press(as_alice, job.id, fields, do="download").data)
    assert table.count('<th scope="row">') == 3 and "Found" in table


@pytest.mark.parametrize(
    ("wrong", "english", "spanish"),
    [
        ({"name.country": ""}, "Write a name", "Escribe un nombre"),
        ({"name.country": "x" * 300}, "300 characters", "300 caracteres"),
        ({"name.country": "=CMD()"}, "for a formula", "por una fórmula"),
        ({"name.country": "a\x07b"}, "cannot be seen", "no se ven"),
        ({"name.country": "Lo mismo", "name.status": " lo  MISMO "}, "a name of its own", "un nombre distinto"),
        ({"on": []}, "at least one", "al menos una"),
        ({"column": [*IDS, "colour"]}, "not complete", "no estaba completa"),
        ({"column": [*IDS, "status"]}, "not complete", "no estaba completa"),
        ({"column": ["status"]}, "not complete", "no estaba completa"),
        ({"column": []}, "not complete", "no estaba completa"),
    ],
)
def test_bad_input_gets_a_sentence_and_loses_nothing(
    as_alice: FlaskClient, alice: User, job: ScrapingJob, wrong: dict[str, Any], english: str, spanish: str
) -> None:
    job_id, alice_id = job.id, alice.id
    good = opened(as_alice, job_id) | {"on": ON, "name.line_type": "Clase"}
    for verb, language, sentence in (("save", "en", english), ("download", "es", spanish)):
        db.session.rollback()
        set_display(alice_id, locale=language)
        answer = press(as_alice, job_id, good | wrong, do=verb)
        assert answer.status_code == 422
        alerts = re.findall(r'role="alert">.*?</(?:p|div)>', unescape(answer.text), re.S)
        assert any(sentence in alert for alert in alerts), alerts
        preview = answer.text[answer.text.index("<table") : answer.text.index("</table>")]
        assert wrong.get("name.country", "=") not in re.findall(r'"clip">(.*?)<', preview)
        fields = form(answer.text)
        assert sorted(fields["column"]) == sorted(IDS)
        sent = {**good, **wrong}
        if "column" not in wrong:
            assert {name: fields[name] for name in sent} == sent
    assert kept_choice(alice_id, "offline") is None


def test_htmx_gets_the_form_alone(as_alice: FlaskClient, job: ScrapingJob) -> None:
    fields = opened(as_alice, job.id) | {"on": []}
    answer = as_alice.post(f"/jobs/{job.id}/columns", data=fields, headers={"HX-Request": "true"})
    assert answer.status_code == 200 and answer.text.lstrip().startswith('<form id="columns"')


def test_an_admin_uses_a_choice_of_her_own(
    as_ada: FlaskClient, as_alice: FlaskClient, alice: User, job: ScrapingJob
) -> None:
    job_id, alice_id = job.id, alice.id
    press(as_ada, job_id, opened(as_ada, job_id) | {"on": ["e164"]}, do="save")
    db.session.rollback()
    assert kept_choice(alice_id, "offline") is None
    assert downloaded(as_ada, job_id) == ["Teléfono", "International number"]
    assert downloaded(as_alice, job_id) == ["Teléfono", "Status"]


def test_the_totals_and_empty_columns_are_kept_too(as_alice: FlaskClient, alice: User, job: ScrapingJob) -> None:
    press(as_alice, job.id, opened(as_alice, job.id) | {"summary": "on", "keep_empty": "on"}, do="save")
    kept = kept_choice(alice.id, "offline")
    assert kept == ColumnChoice(kept.picks if kept else (), with_summary=True, keeps_empty=True)
    page = as_alice.get(f"/jobs/{job.id}/columns").text
    assert re.search(r'name="summary" checked', page) and re.search(r'name="keep_empty" checked', page)
