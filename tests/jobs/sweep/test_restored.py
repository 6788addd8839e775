"""A file that waits for its source goes on within a second of what it waits for, not at its time or at the sweep."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import time_machine
from flask import Flask

from portal.clock import utcnow
from portal.database import db
from portal.jobs import source_pause
from portal.jobs.attempt import number_queue, runner
from portal.jobs.attempt.runner import Conditions
from portal.jobs.core.retry_backoff import Backoff
from portal.jobs.core.status import Status
from portal.jobs.dispatch import connection, queue
from portal.jobs.models import ScrapingJob
from portal.jobs.sweep import steps
from portal.sources import catalogue, longest_answer
from portal.sources.limits.circuit_breaker import CircuitBreaker
from portal.sources.recipes.model import Recipe
from portal.sources.trial import try_source
from tests.support.cast import NOW, make_app, mobile
from tests.support.misbehaving import Misbehaving, misbehaving
from tests.support.recipes import LOOPBACK, recipe

SECOND = timedelta(seconds=1)


@pytest.fixture
def app(tmp_path: Path, valkey: str, usual_database: dict[str, str]) -> Iterator[Flask]:
    app = make_app(tmp_path, REDIS_URL=valkey, **usual_database)
    with app.app_context():
        yield app
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[time_machine.Traveller]:
    monkeypatch.setattr(CircuitBreaker, "clock_moves", True)
    monkeypatch.setattr(number_queue, "BASE_SECONDS", 0.001)
    with time_machine.travel(NOW, tick=False) as clock:
        yield clock


@pytest.fixture
def server() -> Iterator[Misbehaving]:
    with misbehaving() as server:
        server.key = "the key"
        yield server


class Place:
    """The folder of recipes, and the file of secrets beside it."""

    def __init__(self, folder: Path, server: Misbehaving, kind: str) -> None:
        self.secrets = folder / "secrets.env"
        (folder / "sources").mkdir()
        self.set("the key")
        self.recipe: Recipe = recipe(folder / "sources", kind, server.url, concurrency=1)
        catalogue.configure(connection(), folder / "sources", {}, LOOPBACK, secrets_file=self.secrets)

    def set(self, key: str) -> None:
        self.secrets.write_text(f"TEST_KEY={key}\n")
        catalogue.ask_again()


@pytest.fixture
def place(app: Flask, tmp_path: Path, server: Misbehaving, request: pytest.FixtureRequest) -> Iterator[Place]:
    yield Place(tmp_path, server, getattr(request, "param", "json"))
    catalogue.configure(None, tmp_path / "nowhere", {})


def attempt(job: ScrapingJob) -> str:
    """One attempt of a job, as a worker makes it."""
    conditions = Conditions("w", 60, Backoff(), clock=utcnow)
    ended = runner.run(job.id, job.attempt, conditions)
    db.session.refresh(job)
    return str(ended)


def rung() -> list[int]:
    """The jobs for which the scheduler's loop rings now."""
    steps.start_due(utcnow())
    waits = queue("scrape")
    messages = [message.decode() for message in waits.connection.lrange(waits.key, 0, -1)]
    waits.connection.delete(waits.key)
    return sorted(int(message.split("-")[1]) for message in messages)


def test_all_files_go_on_once_one_has_shown_that_the_source_is_back(
    app, alice, make_job, place: Place, server: Misbehaving, clock
) -> None:
    jobs = [make_job(alice, [mobile(30 * n + row) for row in range(25)], source="json-test") for n in range(3)]
    server.down = True
    assert {attempt(job) for job in jobs} == {Status.RETRYING}
    assert {job.wait_cause for job in jobs} == {"source_down"} and rung() == []
    server.down = False
    until = max(job.not_before for job in jobs)
    clock.move_to(until + SECOND)
    (first,) = rung()
    assert attempt(db.session.get(ScrapingJob, first)) == Status.COMPLETED
    clock.shift(SECOND)
    others = {job.id for job in jobs} - {first}
    assert set(rung()) == others, "they wait for nothing any more"


@pytest.mark.parametrize("rows", [1, 20])
def test_a_new_key_lets_the_file_go_on_at_once_and_a_wrong_one_once(
    app, alice, make_job, place: Place, server: Misbehaving, clock, rows: int
) -> None:
    place.set("old")
    catalogue.refresh()
    job = make_job(alice, rows, source="json-test")
    assert (attempt(job), job.wait_cause) == (Status.RETRYING, "credentials")
    clock.shift(SECOND)
    assert rung() == [] == rung()
    for key in ("wrong", "the key"):
        place.set(key)
        clock.shift(SECOND)
        assert rung() == [job.id]
        ended = attempt(job)
        assert rung() == [], "a key that was refused is not tried again before its time"
    assert (ended, job.retry_count) == (Status.COMPLETED, 0)


def test_a_try_with_a_new_key_is_sent(app, place: Place, server: Misbehaving, clock) -> None:
    place.set("old")
    assert try_source("json-test", "+34612345670").reason == "credentials"
    CircuitBreaker(connection(), "json-test").trip("credentials")
    assert try_source("json-test", "+34612345670").held
    place.set("the key")
    trial = try_source("json-test", "+34612345670")
    assert trial.answer and trial.answer.outcome == "found"


@pytest.mark.parametrize("place", ["json", "many", "poll"], indirect=True)
def test_a_key_that_is_renewed_in_the_middle_of_a_file_costs_nothing(
    app, alice, make_job, place: Place, server: Misbehaving, clock
) -> None:
    """The source drops the old token the moment the new one is there: a request is under way with the old one."""
    job = make_job(alice, 40, source=place.recipe.name)
    renewed = 0

    def renew(number: str, nth: int) -> None:
        nonlocal renewed
        if server.calls.total() >= 10 * (renewed + 1) and renewed < 3:
            renewed += 1
            server.key = f"token {renewed}"
            place.set(server.key)

    server.plan = renew
    assert attempt(job) == Status.COMPLETED
    assert (renewed, job.retry_count, job.attempt, server.asked_again) == (3, 0, 1, [])


def test_a_source_that_an_admin_resumes_is_asked_within_a_second(
    app, alice, ada, make_job, place: Place, server: Misbehaving, clock
) -> None:
    job = make_job(alice, 25, source="json-test")
    server.key = "another"
    assert (attempt(job), job.wait_cause) == (Status.RETRYING, "credentials")
    clock.shift(SECOND)
    source_pause.resume_source("json-test", ada.email, utcnow())
    clock.shift(SECOND)
    assert rung() == [job.id]


@pytest.mark.parametrize(("fault", "cause"), [("forbidden", "blocked"), ("no_credit", "no_credit")])
def test_two_refused_numbers_hold_nobody_up_once_the_source_answers_another_file(
    app, alice, bob, make_job, place: Place, server: Misbehaving, clock, fault: str, cause: str
) -> None:
    theirs = [make_job(alice, [mobile(row)], source="json-test") for row in (90, 91)]
    job = make_job(bob, 2, source="json-test")
    server.plan = lambda number, nth: fault if number in {f"+34{mobile(0)}", f"+34{mobile(1)}"} else None
    elsewhere = CircuitBreaker(connection(), "json-test")  # of a worker that is in the middle of another file
    elsewhere.check()
    assert (attempt(job), job.wait_cause) == (Status.RETRYING, cause)
    assert (attempt(theirs[0]), theirs[0].wait_cause) == (Status.RETRYING, cause), "nobody asks the source now"
    assert rung() == []

    clock.shift(SECOND / 10)
    elsewhere.check()  # it has not heard of the refusal yet, and asks
    elsewhere.succeeded(answers=True)
    clock.shift(SECOND)
    elsewhere.check()
    assert rung() == [file.id for file in theirs], "the refusal was about some numbers"
    assert attempt(theirs[0]) == Status.COMPLETED
    assert rung() == [], "what was answered may have been asked before the two were refused"

    clock.shift(longest_answer("json-test"))
    assert attempt(theirs[1]) == Status.COMPLETED
    assert rung() == [job.id]
    ended = attempt(job)
    if cause == "blocked":
        assert (ended, job.rejected_count, job.retry_count) == (Status.COMPLETED, 2, 0)
    else:  # who has no credit for two numbers today may have some tomorrow
        assert (ended, job.wait_cause, job.processed_numbers) == (Status.RETRYING, cause, 0)
