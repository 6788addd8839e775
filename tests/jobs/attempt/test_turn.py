"""Turns: a long file gives its worker to other people, and only then."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select

from portal.causes import CauseCode
from portal.database import db
from portal.jobs.attempt import runner
from portal.jobs.attempt.runner import Conditions
from portal.jobs.core.job_tables import Attempt, Event
from portal.jobs.core.retry_backoff import Backoff
from portal.jobs.core.status import Status
from portal.jobs.models import ScrapingJob
from portal.sources.base import Answer
from tests.support.cast import NOW
from tests.support.sources import CountingSource, failing, found

TURN = 180.0
EACH = timedelta(minutes=1)  # a lookup


class Clock:
    now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock(counting: CountingSource, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A clock by which each lookup takes a minute. Every answer is saved at once."""
    monkeypatch.setattr(runner, "SAVE_SECONDS", 0.0)
    clock = Clock()

    def slow(e164: str) -> Answer:
        clock.now += EACH
        return found(e164)

    counting.script = slow
    return clock


def run(job: ScrapingJob, clock: Clock) -> Status | None:
    given = Conditions("w", 60, Backoff(spread=0), clock=clock, turn_seconds=TURN)
    ended = runner.run(job.id, job.attempt, given)
    db.session.refresh(job)
    return ended


def queued(job: ScrapingJob, **changes: Any) -> ScrapingJob:
    """The job as it is in the queue, pushed a minute ago."""
    for name, value in {"enqueued_at": NOW - EACH, **changes}.items():
        setattr(job, name, value)
    db.session.commit()
    return job


def test_a_long_file_gives_way_when_somebody_else_waits(
    app, alice, bob, make_job, counting, clock: Clock, as_alice: FlaskClient
) -> None:
    job = make_job(alice, 10, source="counting")
    queued(make_job(bob, 2))
    ready = []
    while (ended := run(job, clock)) == Status.RETRYING:
        ready.append(job.processed_numbers)
        assert (job.wait_cause, job.not_before, job.retry_count, job.waits_since) == ("turn", None, 0, None)
        assert "It is the turn of other people’s files." in as_alice.get(f"/jobs/{job.id}").get_data(as_text=True)
    assert (ended, ready) == (Status.COMPLETED, [3, 6, 9])
    assert set(counting.calls.values()) == {1}
    assert db.session.scalar(select(func.count()).select_from(Attempt)) == 2, "turns in a row are one line"
    assert db.session.scalar(select(func.count()).select_from(Event).where(Event.job_id == job.id)) <= 6


@pytest.mark.parametrize(
    "other",
    [
        {"enqueued_at": None},
        {"enqueued_at": NOW + 4 * EACH},
        {"paused_at": NOW},
        {"not_before": NOW + 30 * EACH},
        {"deleted_at": NOW},
        "own",
    ],
    ids=["not pushed", "just pushed", "paused", "later", "deleted", "own"],
)
def test_it_keeps_its_worker_while_nobody_else_waits_for_one(
    app, alice, bob, make_job, clock: Clock, other: dict[str, Any] | str
) -> None:
    job = make_job(alice, 5, source="counting")
    queued(make_job(alice, 2)) if other == "own" else queued(make_job(bob, 2), **other)  # type: ignore[arg-type]
    assert run(job, clock) == Status.COMPLETED


def test_a_file_in_which_nothing_comes_in_still_times_out(app, alice, bob, make_job, counting, clock: Clock) -> None:
    job = queued(make_job(alice, 500, source="counting"), timeout_minutes=15, enqueued_at=None)
    queued(make_job(bob, 2))

    def hang(e164: str) -> Answer:
        clock.now += EACH
        raise_out = job.attempt > 6
        assert not raise_out, "it would give way for ever"
        if job_is_timed_out():
            raise KeyboardInterrupt
        return Answer(failing(e164).outcome, reason=CauseCode.NOT_READY)

    def job_is_timed_out() -> bool:
        row = db.session.get_one(ScrapingJob, job.id, populate_existing=True)
        late = row.is_timed_out(clock())
        db.session.rollback()
        return late

    counting.script = hang
    with pytest.raises(KeyboardInterrupt):
        while run(job, clock) == Status.RETRYING:
            pass
    assert clock() < NOW + timedelta(minutes=2 * 15 + 10)
