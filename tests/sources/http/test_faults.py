"""A job at a source that misbehaves on purpose: each fault alone, and all of them together, until the job ends."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from flask_babel import force_locale
from openpyxl import load_workbook
from sqlalchemy import select

from portal.accounts import User
from portal.database import db
from portal.jobs.attempt import number_queue, runner
from portal.jobs.attempt.runner import Conditions
from portal.jobs.core.job_tables import CellAnswer
from portal.jobs.core.retry_backoff import Backoff
from portal.jobs.core.status import Status
from portal.jobs.export import write_export
from portal.jobs.lifecycle.retries import REFUSED_SECONDS
from portal.jobs.models import ScrapingJob
from portal.sources.base import FINAL, Outcome
from portal.sources.http import recipe_doubts, source
from tests.support.cast import NOW, mobile
from tests.support.misbehaving import Misbehaving, always, misbehaving, seeded
from tests.support.recipes import KINDS, SECRETS, recipe, registered

ROWS = 60
IN_FLIGHT = 8
MAX_ATTEMPTS = 12


@pytest.fixture
def server() -> Iterator[Misbehaving]:
    with misbehaving() as server:
        yield server


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the waits between tries, random times of up to 1, 2 and 4 seconds, to hundredths."""
    monkeypatch.setattr(number_queue, "BASE_SECONDS", 0.02)


def given(now: datetime) -> Conditions:
    return Conditions(worker="w", lease_seconds=60, backoff=Backoff(base_seconds=60, spread=0), clock=lambda: now)


def to_the_end(job: ScrapingJob) -> int:
    """Run attempts as the sweep and the workers would, until the job is complete, final, or only an admin can help.
    Returns the number of attempts."""
    now = NOW
    for attempts in range(1, MAX_ATTEMPTS + 1):
        status = runner.run(job.id, job.attempt, given(now))
        db.session.refresh(job)
        if status == Status.COMPLETED or (status == Status.FAILED and job.next_retry_at is None):
            return attempts
        if status == Status.FAILED:
            now = job.next_retry_at + timedelta(seconds=1)
            assert ScrapingJob.retry_when_due(job.id, now)
            db.session.commit()
        else:
            assert status == Status.RETRYING
            if job.not_before is not None:
                if job.not_before - now >= timedelta(seconds=REFUSED_SECONDS):
                    return attempts
                now = job.not_before
    raise AssertionError(f"still {job.status} after {MAX_ATTEMPTS} attempts")


def rows_of(job: ScrapingJob) -> list[CellAnswer]:
    return list(db.session.scalars(select(CellAnswer).where(CellAnswer.job_id == job.id).order_by(CellAnswer.row_no)))


def assert_every_row_is_right(job: ScrapingJob, kind: str) -> None:
    for row in rows_of(job):
        if row.outcome not in FINAL:
            continue
        assert row.e164
        expected = Outcome.NOT_FOUND if row.e164.endswith("7") else Outcome.FOUND
        if row.e164.endswith("9") and kind != "html":
            expected = Outcome.REJECTED
        assert row.outcome == expected, row.e164
        if expected == Outcome.FOUND:
            assert (row.answer or {})["operator"] == f"Op {row.e164[-3:]}", row.e164


# Temporary faults and their shares. None of them may keep a job from completing.
PASSING = {
    "latency": 0.2, "limited": 0.2, "error500": 0.2, "error503": 0.2, "reset": 0.2, "truncated": 0.2, "hang": 0.04,
    "drip": 0.04,
}  # fmt: skip
IN_BATCHES = {"wrong_number": 0.05, "missing": 0.05, "duplicate": 0.05}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fault", PASSING)
def test_a_fault_that_passes_costs_no_answer(
    app, alice: User, make_job, server: Misbehaving, tmp_path: Path, kind: str, fault: str
) -> None:
    # In a batch, a fault of one of ten numbers affects all ten.
    share = PASSING[fault] if kind in ("json", "html") else PASSING[fault] / 10
    server.plan = seeded(1, {fault: share})
    with registered(recipe(tmp_path, kind, server.url)):
        job = make_job(alice, ROWS, source=f"{kind}-test")
        attempts = to_the_end(job)
        assert job.status == Status.COMPLETED
        assert_every_row_is_right(job, kind)
    assert_fair(server, attempts)
    if fault not in ("hang", "drip"):  # the server continues with those after we have left
        assert server.most_at_once <= IN_FLIGHT


def assert_fair(server: Misbehaving, attempts: int) -> None:
    """No number is looked up more often than an attempt may, and none after its answer."""
    assert max(server.calls.values()) <= attempts * source.TRIES
    assert server.asked_again == []


@pytest.mark.parametrize("kind", ["many"])
@pytest.mark.parametrize("fault", IN_BATCHES)
def test_a_wrong_batch_answer_is_given_to_no_other_number(
    app, alice: User, make_job, server: Misbehaving, tmp_path: Path, kind: str, fault: str
) -> None:
    server.plan = seeded(2, {fault: IN_BATCHES[fault]})
    with registered(recipe(tmp_path, kind, server.url)):
        job = make_job(alice, ROWS, source=f"{kind}-test")
        to_the_end(job)
        assert job.status == Status.COMPLETED
        assert_every_row_is_right(job, kind)
    assert "Second" not in {(row.answer or {}).get("operator") for row in rows_of(job)}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", [3, 4])
def test_all_faults_together_cost_no_answer(
    app, alice: User, make_job, server: Misbehaving, tmp_path: Path, kind: str, seed: int
) -> None:
    shares = dict.fromkeys(PASSING, 0.03)
    if kind in ("many", "poll"):
        shares = dict.fromkeys((*PASSING, *IN_BATCHES), 0.004)
    server.plan = seeded(seed, shares)
    with registered(recipe(tmp_path, kind, server.url)):
        job = make_job(alice, ROWS * 2, source=f"{kind}-test")
        attempts = to_the_end(job)
        assert job.status == Status.COMPLETED
        assert_every_row_is_right(job, kind)
    assert_fair(server, attempts)


# Lasting faults, and the cause that the file shows.
LASTING = {
    "wrong_type": "answers_unusable", "changed": "answers_unusable", "endless": "answers_unusable",
    "redirect": "answers_unusable",
    "bad_request": "recipe_broken",
}  # fmt: skip


@pytest.mark.parametrize("kind", ["json", "html", "many"])
@pytest.mark.parametrize("fault", LASTING)
def test_a_fault_that_lasts_ends_in_its_cause(
    app, alice: User, make_job, server: Misbehaving, tmp_path: Path, kind: str, fault: str
) -> None:
    server.plan = always(fault)
    with registered(recipe(tmp_path, kind, server.url)):
        job = make_job(alice, 150, source=f"{kind}-test")
        attempts = to_the_end(job)
    assert (job.status, job.last_error) == (Status.FAILED, LASTING[fault])
    assert attempts == 1 + job.max_retries
    assert job.processed_numbers == 0, "a refusal that may be the recipe's fault is no final answer"
    a_call = 10 if kind == "many" else 1
    assert sum(server.calls.values()) <= attempts * (recipe_doubts.CHANGED_ROWS + 1 + 2 * IN_FLIGHT) * a_call


REFUSALS = {"unauthorized": "credentials", "no_credit": "no_credit", "forbidden": "blocked", "captcha": "blocked"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fault", REFUSALS)
def test_a_refusal_stops_the_source_and_the_file_waits(
    app, alice: User, make_job, server: Misbehaving, tmp_path: Path, kind: str, fault: str
) -> None:
    if fault == "captcha" and kind in ("many", "poll"):
        pytest.skip("the recipe of this kind has no such rule")
    server.plan = always(fault)
    with registered(recipe(tmp_path, kind, server.url)):
        job = make_job(alice, 500, source=f"{kind}-test")
        attempts = to_the_end(job)
    assert (job.status, job.retry_count, attempts) == (Status.RETRYING, 0, 1)
    assert len(server.requests) - (kind == "html") == 2  # two questions judge; a page's robots.txt comes first


def test_a_login_page_instead_of_a_page_is_a_refusal(app, alice: User, make_job, server: Misbehaving, tmp_path) -> None:
    server.plan = always("login")
    with registered(recipe(tmp_path, "html", server.url)):
        job = make_job(alice, 50, source="html-test")
        to_the_end(job)
    assert (job.status, sum(server.calls.values())) == (Status.RETRYING, 2)


def test_credentials_go_only_in_the_header(app, alice, make_job, server, tmp_path, caplog) -> None:
    server.key = SECRETS["TEST_KEY"]
    with registered(recipe(tmp_path, "json", server.url)), caplog.at_level("DEBUG"):
        job = make_job(alice, 5, source="json-test")
        to_the_end(job)
    assert job.status == Status.COMPLETED
    assert SECRETS["TEST_KEY"] not in caplog.text


def test_a_long_rate_limit_frees_the_worker_without_a_retry(app, alice, make_job, server, tmp_path) -> None:
    server.plan = lambda number, nth: "limited_long" if server.finals.total() >= 20 and nth == 1 else None
    with registered(recipe(tmp_path, "json", server.url)):
        job = make_job(alice, ROWS, source="json-test")
        assert runner.run(job.id, 0, given(NOW)) == Status.RETRYING
        assert job.not_before == NOW + timedelta(seconds=900)
        assert (job.retry_count, job.processed_numbers >= 20) == (0, True)
        server.plan = seeded(0, {})
        assert runner.run(job.id, 1, given(job.not_before)) == Status.COMPLETED
    assert server.asked_again == []


def test_one_unanswered_number_does_not_spoil_the_rest(app, alice, make_job, server, tmp_path) -> None:
    bad = f"+34{mobile(5)}"
    server.plan = lambda number, nth: "error500" if number == bad else None
    with registered(recipe(tmp_path, "json", server.url)):
        job = make_job(alice, ROWS, source="json-test")
        attempts = to_the_end(job)
    assert (job.status, job.last_error, job.failed_count) == (Status.FAILED, "numbers_unanswered", 1)
    assert [(row.e164, row.reason) for row in rows_of(job) if row.outcome == Outcome.FAILED] == [(bad, "temporary")]
    assert server.calls[bad] == attempts * source.TRIES
    assert server.asked_again == []


def test_a_few_bad_requests_reject_the_numbers_only(app, alice, make_job, server, tmp_path) -> None:
    bad = {f"+34{mobile(n)}" for n in range(3)}
    server.plan = lambda number, nth: "bad_request" if number in bad else None
    with registered(recipe(tmp_path, "json", server.url)):
        job = make_job(alice, ROWS, source="json-test")
        to_the_end(job)
    assert job.status == Status.COMPLETED
    assert {row.e164 for row in rows_of(job) if row.reason == "rejected"} >= bad
    assert max(server.calls[number] for number in bad) <= 2


def test_the_file_has_the_recipes_labels_and_translated_yes_no(app, alice, make_job, server, tmp_path) -> None:
    with registered(recipe(tmp_path, "json", server.url)):
        job = make_job(alice, 6, source="json-test")
        to_the_end(job)
        out = tmp_path / "out.xlsx"
        with app.test_request_context(), force_locale("en"):
            write_export(job, app.extensions["storage"], out)
        rows = list(load_workbook(out).active.values)
    assert rows[0][:4] == ("Teléfono", "Status", "Operator now", "ported")
    assert rows[1][:4] == (mobile(0), "Found", "Op 000", "yes")
    assert rows[2][3] == "no"


def test_a_stopped_job_continues_where_it_was(app, alice, make_job, server, tmp_path) -> None:
    server.latency = 0.02
    with registered(recipe(tmp_path, "poll", server.url)):
        job = make_job(alice, 200, source="poll-test")
        conditions = replace(given(NOW), stopped=lambda: server.finals.total() >= 50)
        assert runner.run(job.id, 0, conditions) == Status.RETRYING
        assert 50 <= job.processed_numbers < 200 and job.retry_count == 0
        assert runner.run(job.id, 1, given(NOW)) == Status.COMPLETED
    assert server.asked_again == [] and set(server.calls.values()) == {1}, "what was submitted was fetched"
