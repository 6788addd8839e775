"""A refusal about one number, and a refusal of the portal: told apart by asking about another number."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from redis import Redis
from sqlalchemy import select

from portal.database import db
from portal.jobs.attempt import number_queue, runner
from portal.jobs.attempt.runner import Conditions
from portal.jobs.core.job_tables import CellAnswer
from portal.jobs.core.retry_backoff import Backoff
from portal.jobs.core.status import Status
from portal.jobs.models import ScrapingJob
from portal.sources.base import Outcome
from portal.sources.limits.circuit_breaker import CircuitBreaker
from tests.support.cast import NOW, mobile
from tests.support.misbehaving import Misbehaving, misbehaving
from tests.support.recipes import recipe, registered

FAULTS = ["unauthorized", "no_credit", "forbidden"]
ROWS = 30


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Misbehaving]:
    monkeypatch.setattr(number_queue, "BASE_SECONDS", 0.001)
    with misbehaving() as server:
        yield server


class Clock:
    now = NOW

    def __call__(self) -> datetime:
        return self.now


def run(job: ScrapingJob, now: datetime = NOW) -> Status | None:
    given = Conditions("w", 60, Backoff(base_seconds=60, spread=0), clock=lambda: now)
    status = runner.run(job.id, job.attempt, given)
    db.session.refresh(job)
    return status


def outcomes(job: ScrapingJob) -> dict[str, Outcome]:
    rows = db.session.scalars(select(CellAnswer).where(CellAnswer.job_id == job.id))
    return {str(row.e164): row.outcome for row in rows}


def number(n: int) -> str:
    return f"+34{mobile(n)}"


@pytest.mark.parametrize(
    ("fault", "refused"),
    [
        *((fault, refused) for fault in FAULTS for refused in ({0}, {ROWS - 2}, {3, 11, 20})),
        ("forbidden", {0, 1, 12, 13, 14}),
    ],
)
def test_a_refusal_about_a_number_is_that_numbers_rejection(
    app, alice, make_job, server: Misbehaving, tmp_path: Path, valkey: str, fault: str, refused: set[int]
) -> None:
    bad = {number(n) for n in refused}
    server.plan = lambda e164, nth: fault if e164 in bad else None
    clock, redis = Clock(), Redis.from_url(valkey)
    made = recipe(tmp_path, "json", server.url, concurrency=1 if len(bad) > 1 else 8)
    breaker = CircuitBreaker(redis, made.name, clock)
    with registered(made, redis=redis, breaker=breaker):
        job = make_job(alice, ROWS, source=made.name)
        while run(job, clock.now) == Status.RETRYING:  # two side by side may stop the source for a while
            clock.now = job.not_before + timedelta(seconds=1)
            assert clock.now < NOW + timedelta(hours=1)
        assert not breaker.state().is_open
    assert len(bad) > 1 or job.attempt == 1
    assert job.status == Status.COMPLETED
    assert {e164 for e164 in bad if outcomes(job)[e164] == Outcome.REJECTED} == bad
    assert server.asked_again == []


@pytest.mark.parametrize("concurrency", [1, 8])
def test_credit_that_runs_out_rejects_no_number(
    app, alice, make_job, server: Misbehaving, tmp_path: Path, concurrency: int
) -> None:
    server.latency = 0.01
    server.plan = lambda e164, nth: "no_credit" if sum(server.calls.values()) > 10 else None
    made = recipe(tmp_path, "json", server.url, concurrency=concurrency)
    with registered(made):
        job = make_job(alice, ROWS, source=made.name)
        assert run(job) == Status.RETRYING
        assert (job.wait_cause, job.processed_numbers, job.retry_count) == ("no_credit", 10, 0)
        server.plan = lambda e164, nth: None
        assert run(job, job.not_before) == Status.COMPLETED
    refused = [e164 for e164, outcome in outcomes(job).items() if outcome == Outcome.REJECTED]
    assert all(e164.endswith("9") for e164 in refused), "no number is rejected for our own credit"


def test_one_number_alone_stops_no_other_file(
    app, alice, bob, make_job, server: Misbehaving, tmp_path: Path, valkey: str
) -> None:
    server.plan = lambda e164, nth: "forbidden" if e164 == number(0) else None
    made = recipe(tmp_path, "json", server.url)
    with registered(made, redis=Redis.from_url(valkey)):
        job, other = make_job(alice, [mobile(0)], source=made.name), make_job(bob, [mobile(1)], source=made.name)
        assert run(job) == Status.RETRYING
        assert (job.wait_cause, job.processed_numbers) == ("blocked", 0), "it is unknown whose fault it is"
        assert run(other, NOW + timedelta(minutes=2)) == Status.COMPLETED
        assert run(job, job.not_before) == Status.COMPLETED, "the source has answered others since"
    assert outcomes(job) == {number(0): Outcome.REJECTED}


def test_two_refused_numbers_at_the_top_do_not_hold_up_the_rest(
    app, alice, make_job, server: Misbehaving, tmp_path: Path
) -> None:
    bad = {number(0), number(1)}
    server.plan = lambda e164, nth: "forbidden" if e164 in bad else None
    with registered(recipe(tmp_path, "json", server.url, concurrency=1)):
        job = make_job(alice, ROWS, source="json-test")
        assert run(job) == Status.RETRYING
        assert run(job, job.not_before) == Status.COMPLETED
    assert {e164 for e164 in bad if outcomes(job)[e164] == Outcome.REJECTED} == bad
