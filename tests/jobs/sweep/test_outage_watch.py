"""Chat notices that no job's verb sends: no worker takes files, one does again, a source works again."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from flask import Flask

from portal.accounts import User
from portal.database import db
from portal.jobs.health.processes import WorkerKind, WorkerProcess
from portal.jobs.models import ScrapingJob
from portal.jobs.notify import send
from portal.jobs.sweep.outage_watch import GRACE, watch
from portal.notices.models import Channel, Delivery, Notice
from portal.notices.outbox import due_notices

MakeJob = Callable[..., ScrapingJob]
MINUTE = timedelta(minutes=1)


@pytest.fixture
def _rooms(app: Flask) -> None:
    app.config["NOTIFY_URLS"] = ("json://127.0.0.1:1/",)


def announced() -> list[str]:
    db.session.rollback()
    query = db.session.query(Notice).filter_by(channel=Channel.CHAT).order_by(Notice.id)
    return [notice.kind for notice in query]


def beat(now: datetime) -> None:
    """A scrape worker reports that it is alive."""
    worker = WorkerProcess(
        name="w", kind=WorkerKind.SCRAPE, host="here", pid=1, started_at=now, seen_at=now, doing=None, ended_at=None
    )
    db.session.merge(worker)
    db.session.commit()


def claim(job: ScrapingJob, now: datetime) -> None:
    assert ScrapingJob.claim(job.id, job.attempt, now, worker="w", lease_seconds=60)
    beat(now)


def mark_sent(now: datetime) -> None:
    """Mark the notices due by now as sent."""
    for seen in due_notices(now, 50):
        db.session.query(Notice).filter_by(id=seen.id).update({"state": Delivery.SENT, "tries": 1})
    db.session.commit()


@pytest.mark.usefixtures("_rooms")
def test_missing_workers_are_announced_once_and_their_return_too(make_job: MakeJob, alice: User, now: datetime) -> None:
    job = make_job(alice, 2)
    for minute in range(20):
        list(watch(now + minute * MINUTE))
        assert (due_notices(now + minute * MINUTE, 50) != []) == (minute * MINUTE == GRACE)
        mark_sent(now + minute * MINUTE)
    assert announced() == ["workers_away"]
    claim(job, now + 20 * MINUTE)
    for minute in range(20, 23):
        beat(now + minute * MINUTE)
        list(watch(now + minute * MINUTE))
    assert announced() == ["workers_away", "workers_back"]


@pytest.mark.usefixtures("_rooms")
def test_a_job_that_waits_for_a_moment_is_not_announced(make_job: MakeJob, alice: User, now: datetime) -> None:
    job = make_job(alice, 2)
    list(watch(now))
    assert announced() == ["workers_away"]  # held
    claim(job, now + MINUTE)
    list(watch(now + MINUTE))
    assert announced() == []


@pytest.mark.usefixtures("_rooms")
def test_idle_or_waiting_workers_are_not_missing(make_job: MakeJob, alice: User, now: datetime) -> None:
    paused, later = make_job(alice, 1), make_job(alice, 1)
    paused.paused_at, later.not_before = now, now + timedelta(hours=1)
    db.session.commit()
    list(watch(now))
    assert announced() == []


@pytest.mark.usefixtures("_rooms")
def test_a_long_queue_does_not_mean_missing_workers(make_job: MakeJob, alice: User, now: datetime) -> None:
    make_job(alice, 1)
    claim(make_job(alice, 1), now)
    list(watch(now))
    assert announced() == []


@pytest.mark.usefixtures("_rooms")
def test_a_file_that_waits_for_an_idle_worker_is_not_announced(make_job: MakeJob, alice: User, now: datetime) -> None:
    make_job(alice, 1)
    beat(now)
    list(watch(now + MINUTE))
    assert announced() == []
    list(watch(now + 2 * MINUTE))
    assert announced() == ["workers_away"], "it has said nothing for too long"


def test_without_a_room_nobody_looks(make_job: MakeJob, alice: User, now: datetime) -> None:
    make_job(alice, 1)
    assert list(watch(now)) == []
    assert announced() == []


@pytest.mark.usefixtures("_rooms")
def test_a_source_is_back_when_a_later_file_completes(make_job: MakeJob, alice: User, now: datetime) -> None:
    before, after = make_job(alice, 1), make_job(alice, 1)
    after.paused_at = now  # no worker may take it yet
    claim(before, now)
    send.source_stopped("offline", "credentials", now + MINUTE)
    db.session.commit()
    for job, at in ((before, now + 2 * MINUTE), (after, now + 3 * MINUTE)):
        if job is after:
            job.paused_at = None
            claim(after, at)
        list(watch(at))
        assert announced() == ["source_stopped"]
        job = db.session.get_one(ScrapingJob, job.id)
        job.processed_numbers = job.total_numbers
        db.session.flush()
        assert ScrapingJob.complete(job.id, 1, at)
        db.session.commit()
    for minute in (4, 5):
        list(watch(now + minute * MINUTE))
    assert announced() == ["source_stopped", "source_back"]
    # A second stop on the same day is announced again.
    send.source_stopped("offline", "credentials", now + 6 * MINUTE)
    send.source_stopped("offline", "credentials", now + 7 * MINUTE)
    db.session.commit()
    assert announced() == ["source_stopped", "source_back", "source_stopped"]
