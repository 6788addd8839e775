"""A paused source: its jobs wait, busy workers hand them back without using a retry, and resuming continues them
all."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from redis import Redis

from portal.database import db
from portal.jobs import dispatch, source_pause
from portal.jobs.attempt import runner
from portal.jobs.attempt.runner import Conditions
from portal.jobs.core.retry_backoff import Backoff
from portal.jobs.core.status import Status
from portal.jobs.health import sources
from portal.jobs.models import ScrapingJob
from portal.jobs.sweep import steps
from portal.sources.base import Answer, SourceBusy
from portal.sources.limits.circuit_breaker import CircuitBreaker
from tests import services
from tests.support.cast import NOW, make_app
from tests.support.sources import CountingSource, found


@pytest.fixture
def app(tmp_path: Path, usual_database: dict[str, str]) -> Iterator[Flask]:
    """The portal with a real Valkey, which the breaker needs."""
    with services.valkey() as url:
        app = make_app(tmp_path, REDIS_URL=url, **usual_database)
        with app.app_context():
            yield app
            db.session.remove()
            db.engine.dispose()
            dispatch.connection().close()


def run(job: ScrapingJob) -> Status | None:
    given = Conditions(worker="w", lease_seconds=60, backoff=Backoff(), clock=lambda: NOW)
    return runner.run(job.id, job.attempt, given)


def test_only_jobs_of_other_sources_are_claimed(app, alice, ada, make_job, counting) -> None:
    job, other = make_job(alice, 3, source="counting"), make_job(alice, 3)
    assert source_pause.pause_source("counting", ada.email, "too dear", NOW)
    assert run(job) is None
    assert run(other) == Status.COMPLETED
    assert (job.status, job.attempt, job.retry_count) == (Status.PENDING, 0, 0)
    assert not counting.calls


def test_the_sweep_pushes_its_jobs_only_after_the_resume(app, alice, ada, make_job, counting) -> None:
    job = make_job(alice, 3, source="counting")
    source_pause.pause_source("counting", ada.email, None, NOW)
    assert list(steps.push_waiting(NOW + timedelta(days=1))) == []
    source_pause.resume_source("counting", ada.email, NOW)
    assert list(steps.push_waiting(NOW + timedelta(days=1))) == [job]
    assert run(job) == Status.COMPLETED


def test_a_push_waits_for_the_resume(app, alice, ada, make_job, counting) -> None:
    job = make_job(alice, 3, source="counting")
    source_pause.pause_source("counting", ada.email, None, NOW)
    assert not dispatch.push_job(job.id, NOW)
    db.session.refresh(job)
    assert (job.generation, job.enqueued_at) == (0, None)
    source_pause.resume_source("counting", ada.email, NOW)
    assert dispatch.push_job(job.id, NOW)


def test_a_busy_worker_hands_back_without_using_a_retry(app, alice, ada, make_job, counting) -> None:
    job = make_job(alice, 10, source="counting")
    with Redis.from_url(app.config["REDIS_URL"]) as redis:
        breaker = CircuitBreaker(redis, "counting")

        def pauses_at_the_fourth(e164: str) -> Answer:
            if sum(counting.calls.values()) == 4:
                source_pause.pause_source("counting", ada.email, None, NOW)
                breaker._asked_at = None  # a second has passed
            breaker.check()
            return found(e164)

        counting.script = pauses_at_the_fourth
        assert run(job) == Status.RETRYING
    assert (job.processed_numbers, job.retry_count) == (3, 0)
    assert job.not_before is not None
    source_pause.resume_source("counting", ada.email, NOW)
    counting.script = found
    assert run(job) == Status.COMPLETED
    assert max(counting.calls.values()) <= 2


def test_resuming_closes_the_breaker_after_a_refusal(app, alice, ada, make_job, counting) -> None:
    with Redis.from_url(app.config["REDIS_URL"]) as redis:
        CircuitBreaker(redis, "counting").trip("credentials")
        assert sources.health("counting", NOW).state == "open"
        assert not source_pause.resume_source("counting", ada.email, NOW)
        CircuitBreaker(redis, "counting").check()
    assert sources.health("counting", NOW).state == "well"


def test_the_pause_outlives_redis(app, ada, make_job, alice, counting) -> None:
    job = make_job(alice, 3, source="counting")
    source_pause.pause_source("counting", ada.email, "too dear", NOW)
    with Redis.from_url(app.config["REDIS_URL"]) as redis:
        redis.flushall()
    assert run(job) is None
    assert sources.health("counting", NOW).state == "paused"


def test_pausing_twice_is_one_pause(app, alice, ada, counting) -> None:
    assert source_pause.pause_source("counting", ada.email, "first", NOW)
    assert not source_pause.pause_source("counting", alice.email, "second", NOW)
    assert sources.health("counting", NOW).pause.why == "first"


def test_the_health_counts_what_came_in_lately(app, alice, make_job, counting: CountingSource) -> None:
    counting.script = lambda e164: found(e164)
    run(make_job(alice, 4, source="counting"))
    waiting = make_job(alice, 2, source="counting")
    seen = sources.health("counting", NOW + timedelta(minutes=30))
    assert (seen.outcomes, seen.waiting, seen.working, seen.state) == ({"found": 4}, 1, 0, "well")
    assert sources.health("counting", NOW + timedelta(hours=2)).outcomes == {}
    assert waiting.status == Status.PENDING


def test_an_open_breaker_uses_no_worker_and_no_retry(app, alice, make_job, counting) -> None:
    def down(e164: str) -> Answer:
        raise SourceBusy("source_down", 30)

    counting.script = down
    job = make_job(alice, 5, source="counting")
    assert run(job) == Status.RETRYING
    assert (job.retry_count, job.not_before) == (0, NOW + timedelta(seconds=30))
