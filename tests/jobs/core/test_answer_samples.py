"""Answers that could not be used: three of an attempt are kept for the admin, safe to look at."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from portal.accounts import User
from portal.database import db
from portal.jobs import commands
from portal.jobs.attempt import runner
from portal.jobs.attempt.runner import Conditions
from portal.jobs.core import answer_samples
from portal.jobs.core.job_tables import AnswerSample
from portal.jobs.core.retry_backoff import Backoff
from portal.jobs.core.status import Status
from portal.jobs.models import ScrapingJob
from portal.sources.http.answer_samples import CHARACTERS, cleaned
from portal.sources.http.client import SourceClient
from portal.sources.http.response import SourceResponse
from portal.sources.recipes.filling import FilledRequest
from portal.sources.recipes.model import Request
from portal.sources.recipes.placeholders import MASK
from tests.support.cast import NOW, mobile
from tests.support.recipes import SECRETS, recipe, registered

MakeJob = Callable[..., ScrapingJob]
KEY = SECRETS["TEST_KEY"]
OTHER = "+34699887766"


class Strange(SourceClient):
    """Answers every request with 200 and a body that lacks what the recipe requires."""

    def __init__(self, body: Callable[[FilledRequest], str]) -> None:
        super().__init__(lambda: None)  # type: ignore[arg-type, return-value]
        self.body = body

    def send(self, filled: FilledRequest, request: Request) -> SourceResponse:
        return SourceResponse(200, {"content-type": "application/json"}, self.body(filled).encode())


@pytest.fixture
def run(tmp_path: Path, alice: User, make_job: MakeJob) -> Iterator[Callable[..., ScrapingJob]]:
    """A job of so many numbers, after its first attempt at a source of this kind with strange answers."""

    def running(kind: str, body: Callable[[FilledRequest], str], count: int = 6) -> ScrapingJob:
        made = recipe(tmp_path, kind, "http://127.0.0.1:9", concurrency=2)
        with registered(made, client=Strange(body)):
            job = make_job(alice, count, source=made.name)
            given = Conditions(worker="w", lease_seconds=60, backoff=Backoff(), clock=lambda: NOW)
            assert runner.run(job.id, 0, given) == Status.FAILED
        return job

    yield running


def test_three_are_kept_each_with_its_row_and_no_secret(app: Flask, run: Callable[..., ScrapingJob]) -> None:
    job = run("json", lambda filled: json.dumps({"status": "ok", "for": filled.url[-12:], "key": KEY, "near": OTHER}))
    kept = answer_samples.of_job(job.id)
    assert len(kept) == 3 and len({one.row_no for one in kept}) == 3
    for one in kept:
        assert one.why == "no field operator" and one.status == 200
        assert f"34{mobile((one.row_no or 0) - 2)}" in one.body, "the row's own number is not blanked out"
        assert MASK in one.body and KEY not in one.body and OTHER[3:] not in one.body


def test_of_a_batch_only_the_rows_own_item_is_kept(app: Flask, run: Callable[..., ScrapingJob]) -> None:
    def body(filled: FilledRequest) -> str:
        asked = json.loads(filled.body or b"{}")["numbers"]
        return json.dumps({"results": [{"number": number, "data": {}} for number in asked]})

    for one in answer_samples.of_job(run("many", body).id):
        assert one.body.count("+34") == 1 and one.row_no


def test_an_unreadable_batch_has_no_row_and_no_number(app: Flask, run: Callable[..., ScrapingJob]) -> None:
    job = run("many", lambda filled: f"<h1>Oops</h1> {OTHER} 612 34 56 78")
    (one,) = answer_samples.of_job(job.id)
    assert (one.row_no, one.why) == (None, "not JSON")
    assert "Oops" in one.body and "699" not in one.body and "612" not in one.body


def test_the_one_by_which_the_file_stopped_is_kept_too(app: Flask, run: Callable[..., ScrapingJob]) -> None:
    job = run("many", lambda filled: '{"other": []}', count=60)
    assert job.last_error == "answers_unusable" and len(answer_samples.of_job(job.id)) >= 1


def test_only_admins_see_them_on_the_files_page(
    as_ada: FlaskClient, as_alice: FlaskClient, run: Callable[..., ScrapingJob]
) -> None:
    job = run("json", lambda filled: '{"status": "ok", "said": "<b>strange</b>"}')
    seen = as_ada.get(f"/jobs/{job.id}").get_data(as_text=True)
    assert "The answer does not contain the required field operator." in seen and "&lt;b&gt;strange&lt;/b&gt;" in seen
    assert "strange" not in as_alice.get(f"/jobs/{job.id}").get_data(as_text=True)


def test_they_go_with_the_file(app: Flask, run: Callable[..., ScrapingJob]) -> None:
    job = run("json", lambda filled: "not json")
    assert answer_samples.of_job(job.id)
    commands.delete(job.id, "alice@example.com", NOW, app.extensions["storage"])
    assert db.session.scalar(select(func.count()).select_from(AnswerSample)) == 0


@pytest.mark.parametrize(
    "text", ["tel. 699 88 77 66", "+34 699-887-766", "0034699887766", "(699) 887 766", "699.88.77.66"]
)
def test_other_peoples_numbers_are_blanked_out_in_any_form(text: str) -> None:
    assert not any(digit in cleaned(text, "+34612345678", ()) for digit in "6789")


def test_nothing_is_cut_in_two_and_so_missed() -> None:
    padding = "x" * (CHARACTERS - 6)
    assert "secret" not in cleaned(f"{padding}topsecret!", "", ["topsecret!"])
    assert len(cleaned("y" * 50_000, "", ())) == CHARACTERS
