"""A file of a few numbers at a source that is down: it waits without using a retry, and still comes to an end."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from portal.database import db
from portal.jobs.attempt import number_queue, outage
from portal.jobs.attempt import runner as runner
from portal.jobs.attempt.runner import Conditions
from portal.jobs.core.job_tables import Number
from portal.jobs.core.retry_backoff import Backoff
from portal.jobs.core.status import Status
from portal.jobs.models import ScrapingJob
from tests.support.cast import NOW, mobile
from tests.support.misbehaving import Misbehaving, always, misbehaving, never
from tests.support.recipes import recipe, registered


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Misbehaving]:
    """A source that is down."""
    monkeypatch.setattr(number_queue, "BASE_SECONDS", 0.001)
    with misbehaving() as server, registered(recipe(tmp_path, "json", server.url)):
        server.down = True
        yield server


def run(job: ScrapingJob, now: datetime) -> Status | None:
    given = Conditions(worker="w", lease_seconds=60, backoff=Backoff(base_seconds=60, spread=0), clock=lambda: now)
    ended = runner.run(job.id, job.attempt, given)
    db.session.refresh(job)
    return ended


def test_a_small_file_survives_an_outage_without_a_retry(app, alice, make_job, server: Misbehaving) -> None:
    job, now, waits = make_job(alice, 3, source="json-test"), NOW, []
    while now < NOW + timedelta(minutes=40):
        assert run(job, now) == Status.RETRYING
        waits.append((job.not_before - now).total_seconds() / 60)
        now = job.not_before
    assert waits == [1, 2, 4, 8, 16, 32]
    server.down = False
    assert run(job, now) == Status.COMPLETED
    assert job.retry_count == 0


@pytest.mark.parametrize("how", ["reset", "error500", "error503"])
def test_a_source_that_stays_down_ends_in_a_failure(app, alice, make_job, server: Misbehaving, how: str) -> None:
    server.down, server.plan = False, always(how)
    job, now = make_job(alice, 2, source="json-test"), NOW
    for pause in range(outage.MAX_PAUSES):
        assert run(job, now) == Status.RETRYING, pause
        now = job.not_before
    for retry in range(job.max_retries + 1):
        assert run(job, now) == Status.FAILED, retry
        if job.next_retry_at is not None:
            now = job.next_retry_at
            assert ScrapingJob.retry_when_due(job.id, now)
            db.session.commit()
    assert (job.last_error, job.retry_count, job.next_retry_at) == ("numbers_unanswered", job.max_retries, None)
    assert {row.reason for row in db.session.scalars(select(Number))} == {"temporary"}


def test_pauses_of_the_day_before_do_not_count(app, alice, make_job, server: Misbehaving) -> None:
    job, now = make_job(alice, 2, source="json-test"), NOW
    for _ in range(outage.MAX_PAUSES):
        run(job, now)
        now = job.not_before
    assert run(job, now + timedelta(days=2)) == Status.RETRYING
    assert job.not_before == now + timedelta(days=2, minutes=1)


def test_one_answer_shows_that_the_source_is_there(app, alice, make_job, server: Misbehaving) -> None:
    server.down = False
    server.plan = lambda number, nth: "error500" if number != f"+34{mobile(0)}" else None
    job = make_job(alice, 3, source="json-test")
    assert run(job, NOW) == Status.FAILED
    # What is left has failed while another number was answered: it is not the source that is away.
    server.plan = always("error500")
    assert ScrapingJob.retry_when_due(job.id, NOW + timedelta(hours=1))
    db.session.commit()
    assert run(job, NOW + timedelta(hours=1)) == Status.FAILED
    assert job.retry_count == 1
    server.plan = never


def test_too_many_requests_is_a_word_and_no_silence(app, alice, make_job, server: Misbehaving) -> None:
    server.down = False
    server.plan = lambda number, nth: "limited" if nth == 1 else "error500"
    job = make_job(alice, 2, source="json-test")
    assert run(job, NOW) == Status.FAILED
