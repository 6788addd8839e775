"""Files that wait for a source: one of them tries, the others are left alone, and the wait comes to an end."""

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest
import time_machine
from flask import Flask
from flask_babel import force_locale
from redis import Redis
from sqlalchemy import func, insert, literal, select

from portal.clock import utcnow
from portal.database import db
from portal.jobs import commands, source_pause
from portal.jobs.attempt import number_queue, runner
from portal.jobs.attempt.runner import Conditions
from portal.jobs.core.job_tables import Attempt, Event, Number, NumberCell
from portal.jobs.core.retry_backoff import Backoff
from portal.jobs.core.status import Status
from portal.jobs.dispatch import push_job, queue
from portal.jobs.models import ScrapingJob
from portal.jobs.sweep import steps, waiting
from portal.jobs.words.statuses import event_words
from portal.notices.models import Notice
from portal.sources import stats
from portal.sources.base import Outcome, SourceBusy, SourceStopped
from portal.sources.limits.circuit_breaker import CircuitBreaker
from tests import services
from tests.jobs.many import copies
from tests.support import databases
from tests.support.cast import NOW, make_app
from tests.support.databases import ON_BOTH
from tests.support.misbehaving import always, misbehaving, never
from tests.support.recipes import SECRETS, recipe, registered

FILES = int(os.environ.get("WAITING_FILES", "40"))  # `make chaos` runs it with 1,000
PACE = 20  # messages that the workers take in one step of the simulation
STEP = timedelta(minutes=5)


@pytest.fixture
def app(request: pytest.FixtureRequest, tmp_path: Path, valkey: str) -> Iterator[Flask]:
    """The portal with a real Valkey; on SQLite, unless `support.databases` says so."""
    with ExitStack() as stack:
        given = {"REDIS_URL": valkey}
        if getattr(request, "param", databases.USUAL) == "postgresql":
            given["DATABASE_URL"] = stack.enter_context(
                services.new_database(request.getfixturevalue("postgres_server"))
            )
        app = make_app(tmp_path, **given)
        with app.app_context():
            yield app
            db.session.remove()
            db.engine.dispose()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[time_machine.Traveller]:
    monkeypatch.setattr(CircuitBreaker, "clock_moves", True)
    with time_machine.travel(NOW, tick=False) as clock:
        yield clock


def work(limit: int = PACE) -> list[int]:
    """Take so many messages from the queue as a worker would; returns the jobs that it worked on, in order."""
    worked_on = []
    waits = queue("scrape")
    for _ in range(limit):
        if (message := waits.connection.lpop(waits.key)) is None:
            break
        job_id, attempt = map(int, message.decode().split("-")[1:3])
        status = runner.run(job_id, attempt, Conditions("w", 60, Backoff(base_seconds=120, spread=0)))
        if status is not None:
            worked_on.append(job_id)
        if status == Status.RETRYING:
            push_job(job_id, utcnow())
    return worked_on


def rows() -> Counter[str]:
    return Counter(
        {
            table.name: db.session.scalar(select(func.count()).select_from(table)) or 0
            for table in db.metadata.sorted_tables
        }
    )


def many_files(model: ScrapingJob, count: int) -> None:
    ids = copies(model, count - 1)
    for table in (Number, NumberCell):
        columns = [column for column in table.__table__.columns if column.name != "job_id"]
        for job_id in ids:
            same = select(literal(job_id), *columns).where(table.job_id == model.id)
            db.session.execute(insert(table).from_select(["job_id", *(column.name for column in columns)], same))
    db.session.commit()


def test_a_day_at_a_source_that_refuses_everybody(
    app, alice, bob, ada, make_job, counting, tmp_path: Path, monkeypatch, clock
) -> None:
    monkeypatch.setattr(number_queue, "BASE_SECONDS", 0.001)
    with misbehaving(always("forbidden")) as server:
        made = recipe(tmp_path, "json", server.url, concurrency=1)
        with registered(made, redis=Redis.from_url(app.config["REDIS_URL"])):
            many_files(make_job(alice, 2, source=made.name), FILES)
            before, fresh = rows(), None
            while utcnow() < NOW + timedelta(hours=24, minutes=30):
                list(waiting.end_overlong(utcnow()))
                list(steps.push_waiting(utcnow()))
                work()
                if fresh is None and utcnow() >= NOW + timedelta(hours=12):
                    during = rows()
                    fresh = make_job(bob, 3, source="counting", now=utcnow())
                    push_job(fresh.id, utcnow())
                    assert fresh.id in work(2), "a fresh file of another source waits for none of these"
                    assert db.session.get_one(ScrapingJob, fresh.id).status == Status.COMPLETED
                clock.shift(2 * STEP)
    after = rows()
    assert during["attempts"] - before["attempts"] <= FILES, "one row for a file, however often it was tried"
    assert during["events"] - before["events"] <= 2 * FILES
    assert all(after[table] - before[table] <= 4 * FILES for table in after)
    assert len(server.requests) <= 2 * 24 * 6 + 3 * PACE, "one probe every ten minutes, and not one for each file"
    ended = list(db.session.scalars(select(ScrapingJob).where(ScrapingJob.source == made.name)))
    assert {(job.status, job.last_error, job.next_retry_at) for job in ended} == {(Status.FAILED, "blocked", None)}
    notified = select(func.count()).where(Notice.kind == "job_failed", Notice.user_id == alice.id)
    assert db.session.scalar(notified) == FILES


@ON_BOTH
def test_the_others_continue_once_the_source_answers_one(
    app, alice, make_job, tmp_path: Path, monkeypatch, clock
) -> None:
    monkeypatch.setattr(number_queue, "BASE_SECONDS", 0.001)
    with misbehaving(always("forbidden")) as server:
        made = recipe(tmp_path, "json", server.url, concurrency=1)
        with registered(made, redis=Redis.from_url(app.config["REDIS_URL"])):
            jobs = [make_job(alice, 3, source=made.name) for _ in range(6)]
            list(steps.push_waiting(utcnow()))
            work(2)
            clock.shift(STEP)
            list(steps.push_waiting(utcnow()))
            assert work() == [], "while the breaker is open, none is tried"
            server.plan = never
            for _ in range(6):
                clock.shift(STEP)
                list(steps.push_waiting(utcnow()))
                work()
            assert {job.status for job in jobs} == {Status.COMPLETED}
            assert sum(job.attempt for job in jobs) <= 2 + len(jobs), "no attempt was made for nothing"
            assert {job.retry_count for job in jobs} == {0}
            assert {job.waits_since for job in jobs} == {None}


@ON_BOTH
@pytest.mark.parametrize("hours", [2])
@pytest.mark.parametrize("error", [SourceBusy("source_down", 1800), SourceStopped("no_credit")])
def test_a_wait_without_an_answer_comes_to_an_end(
    app, alice, make_job, counting, clock, hours: int, error: Exception
) -> None:
    app.config["SCRAPING_WAIT_HOURS"] = hours

    def refuse(e164: str) -> None:
        raise error

    counting.script = refuse
    job = make_job(alice, 2, source="counting")
    push_job(job.id, utcnow())
    while job.status != Status.FAILED:
        work()
        clock.shift(STEP)
        list(waiting.end_overlong(utcnow()))
        list(steps.push_waiting(utcnow()))
        assert utcnow() < NOW + timedelta(hours=hours, minutes=10), "it waits for ever"
    assert utcnow() >= NOW + timedelta(hours=hours)
    assert (job.last_error, job.next_retry_at, job.retry_count) == (str(error), None, 0)
    attempts = list(db.session.scalars(select(Attempt).where(Attempt.job_id == job.id)))
    assert [attempt.attempt for attempt in attempts] == [job.attempt]
    assert attempts[0].times == job.attempt > 2
    with force_locale("en"):
        lines = [event_words(event) for event in db.session.scalars(select(Event).order_by(Event.id))]
    assert len(lines) == 4 and lines[1].startswith("Attempt 1 started")
    assert lines[2].startswith(f"Tried {job.attempt} times since May 5, 2026, 11:00")
    assert lines[3].startswith("The file had been waiting since May 5, 2026, 11:00")
    assert db.session.scalars(select(Notice.kind).where(Notice.user_id == alice.id)).all() == ["job_failed"]
    assert commands.retry(job.id, job.round, alice.email, utcnow()), "its owner may begin again"


@pytest.mark.parametrize("how", ["paused", "source_paused", "resumed", "answered"])
def test_a_wait_that_somebody_asked_for_or_that_led_somewhere_does_not_end(
    app, alice, ada, make_job, counting, clock, how: str
) -> None:
    job = make_job(alice, 3, source="counting")
    counting.script = lambda e164: (_ for _ in ()).throw(SourceBusy("rate_limited", 900))
    push_job(job.id, utcnow())
    work()
    assert job.waits_since == NOW
    if how in ("paused", "resumed"):
        commands.pause(job.id, alice.email, utcnow())
    if how == "source_paused":
        source_pause.pause_source("counting", ada.email, None, utcnow())
    clock.shift(timedelta(hours=30))
    if how == "resumed":
        commands.resume(job.id, alice.email, utcnow())
    if how == "answered":
        job.wait_cause, job.not_before = "source_down", utcnow() + timedelta(hours=1)
        db.session.commit()
        clock.shift(STEP)
        stats.count("counting", {Outcome.FOUND: 1}, utcnow())
        db.session.commit()
        waiting.release(utcnow())
    assert list(waiting.end_overlong(utcnow())) == []


def test_starting_what_is_due_leaves_no_transaction_open(app, alice, make_job, counting, clock) -> None:
    job = make_job(alice, 3, source="counting")
    job.status, job.not_before = Status.RETRYING, NOW
    db.session.commit()
    steps.start_due(utcnow())
    assert not db.session().in_transaction(), "on SQLite nobody else could write"
    assert work() == [job.id]


@pytest.mark.parametrize("lacks", ["recipe", "key"])
def test_a_worker_that_lacks_the_recipe_or_its_key_lets_the_file_wait(
    app, alice, bob, make_job, tmp_path: Path, clock, lacks: str
) -> None:
    with misbehaving() as server:
        made = recipe(tmp_path, "json", server.url)
        with registered(made, environ={} if lacks == "key" else SECRETS):
            jobs = [make_job(owner, 3, source=made.name) for owner in (alice, bob)]
            if lacks == "key":
                for job in jobs:
                    push_job(job.id, utcnow())
                work()
        if lacks == "recipe":  # a typo in it, or another machine
            for job in jobs:
                push_job(job.id, utcnow())
            work()
        cause = "secret_missing" if lacks == "key" else "source_unknown"
        assert {(job.status, job.wait_cause, job.retry_count) for job in jobs} == {(Status.RETRYING, cause, 0)}
        if lacks == "recipe":
            tried = []
            for _ in range(6):
                clock.shift(STEP)
                list(steps.push_waiting(utcnow()))
                tried.append(len(work()))
            assert max(tried) == 1, "one of them tries whether it is there again"
        with registered(made):
            for _ in range(4):
                clock.shift(STEP)
                list(steps.push_waiting(utcnow()))
                work()
    assert {(job.status, job.retry_count) for job in jobs} == {(Status.COMPLETED, 0)}
