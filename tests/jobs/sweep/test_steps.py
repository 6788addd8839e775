"""The sweep: what it repairs, what it leaves alone, and that two at once do no harm."""

import threading
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from portal.database import db
from portal.documents.models import Document, Reading
from portal.jobs import commands
from portal.jobs.attempt import save
from portal.jobs.core import ledger
from portal.jobs.core.job_tables import Event, SweepState
from portal.jobs.core.retry_backoff import Backoff
from portal.jobs.core.status import Status
from portal.jobs.dispatch import queue
from portal.jobs.models import ScrapingJob
from portal.jobs.sweep import overdue, steps
from portal.notices.models import Notice
from tests import services
from tests.support import cast
from tests.support.cast import NOW, hold
from tests.support.databases import ON_BOTH
from tests.support.sources import found

BACKOFF = Backoff(base_seconds=100, spread=0)


def minutes(n: float) -> timedelta:
    return timedelta(minutes=n)


def claimed(job: ScrapingJob, now: datetime = NOW, lease_seconds: float = 10**6) -> ScrapingJob:
    """The job claimed by a worker that beats as long as the test runs."""
    held = ScrapingJob.claim(job.id, job.attempt, now, worker="w", lease_seconds=lease_seconds)
    db.session.commit()
    assert held
    return held


def save_one(job: ScrapingJob, now: datetime) -> None:
    e164, number = next(iter(ledger.waiting(job.id).items()))
    db.session.commit()
    save.save(hold(job, now, 10**6), [save.LookedUp(number, found(e164))], now, 10**6)


def kinds(job: ScrapingJob) -> list[str]:
    return list(db.session.scalars(select(Event.kind).where(Event.job_id == job.id).order_by(Event.id)))


def test_a_job_that_moves_for_three_hours_is_never_touched(alice, make_job) -> None:
    job = claimed(make_job(alice, 10))
    for n in range(9):
        now = NOW + minutes(20 * (n + 1))
        save_one(job, now)
        steps.sweep(now + minutes(19))
    assert job.status == Status.PROCESSING
    assert "timeout" not in kinds(job)


@pytest.mark.parametrize(("seconds", "timed_out"), [(1799, False), (1800, False), (1801, True)])
def test_before_the_first_row_silence_counts_from_the_start(alice, make_job, seconds: int, timed_out: bool) -> None:
    job = claimed(make_job(alice))
    steps.sweep(NOW + timedelta(seconds=seconds))
    assert (job.status == Status.TIMEOUT) is timed_out


@pytest.mark.parametrize(("seconds", "timed_out"), [(1799, False), (1800, False), (1801, True)])
def test_silence_counts_from_the_last_row_that_came_in(alice, make_job, seconds: int, timed_out: bool) -> None:
    job = claimed(make_job(alice))
    save_one(job, NOW + minutes(25))
    steps.sweep(NOW + minutes(25) + timedelta(seconds=seconds))
    assert (job.status == Status.TIMEOUT) is timed_out


@ON_BOTH
def test_two_sweeps_time_a_silent_job_out_once(app: Flask, alice, make_job) -> None:
    job = claimed(make_job(alice))
    late = NOW + minutes(31)
    start = threading.Barrier(2)

    def one() -> None:
        with app.app_context():
            start.wait()
            steps.sweep(late)
            db.session.remove()

    db.session.commit()
    sweeps = [threading.Thread(target=one) for _ in range(2)]
    for thread in sweeps:
        thread.start()
    for thread in sweeps:
        thread.join()
    assert kinds(job).count("timeout") == 1
    assert job.next_retry_at is not None


def test_a_job_completed_after_the_sweeps_look_stays_completed(alice, make_job) -> None:
    job = claimed(make_job(alice, 1))
    late = NOW + minutes(31)
    (seen,) = overdue.silent_jobs(late)
    progress_at = seen.last_progress_at
    save_one(job, late)
    assert ScrapingJob.complete(job.id, 1, late)
    db.session.commit()
    assert ScrapingJob.time_out(job.id, 1, progress_at, late, BACKOFF) is None
    db.session.commit()
    assert job.status == Status.COMPLETED


def test_a_row_saved_after_the_sweeps_look_saves_the_job(alice, make_job) -> None:
    job = claimed(make_job(alice, 2))
    late = NOW + minutes(31)
    (seen,) = overdue.silent_jobs(late)
    progress_at = seen.last_progress_at
    save_one(job, late)
    assert ScrapingJob.time_out(job.id, 1, progress_at, late, BACKOFF) is None
    db.session.commit()
    assert job.status == Status.PROCESSING


@pytest.mark.parametrize(("seconds", "retried"), [(-1, False), (0, True), (1, True)])
def test_a_retry_starts_when_it_is_due_and_not_before(alice, make_job, seconds: int, retried: bool) -> None:
    job = claimed(make_job(alice))
    ScrapingJob.fail(job.id, 1, "numbers_unanswered", NOW, BACKOFF)
    db.session.commit()
    steps.sweep(NOW + timedelta(seconds=100 + seconds))
    assert (job.status == Status.RETRYING) is retried
    assert job.retry_count == int(retried)


def test_a_final_failure_notifies_its_owner_once(alice, make_job) -> None:
    job = make_job(alice)
    now = NOW
    for attempt in range(4):
        claimed(job, now)
        ScrapingJob.fail(job.id, attempt + 1, "numbers_unanswered", now, BACKOFF)
        db.session.commit()
        now += minutes(120)
        steps.sweep(now)
    assert (job.status, job.retry_count, job.next_retry_at) == (Status.FAILED, 3, None)
    assert db.session.scalars(select(Notice.kind).where(Notice.job_id == job.id)).all() == ["job_failed"]


def test_the_sweep_works_without_redis(tmp_path: Path, usual_database: dict[str, str]) -> None:
    """Uploads and starts are accepted, timeouts and final failures happen, and everything resumes automatically."""
    with services.valkey_server() as server:
        app = cast.make_app(tmp_path, REDIS_URL=server.url, SCRAPING_MAX_RETRIES="0", **usual_database)
        with app.app_context():
            alice = cast.make_user("alice@example.com")
            silent = claimed(cast.make_job(app, alice))
            server.stop()
            waiting = [cast.make_job(app, alice) for _ in range(3)]
            assert not any(commands.push_job(job.id, NOW) for job in waiting)
            for n in range(10):
                steps.sweep(NOW + minutes(25 + n))
            assert silent.status == Status.TIMEOUT and silent.next_retry_at is None
            assert db.session.scalar(select(Notice.kind).where(Notice.job_id == silent.id)) == "job_failed"
            assert {job.status for job in waiting} == {Status.PENDING}
            assert {job.enqueued_at for job in waiting} == {None}
            server.start()
            assert steps.sweep(NOW + minutes(36)).pushed == 3
            assert len(queue("scrape").job_ids) == 3
            db.session.remove()
            db.engine.dispose()


def test_only_a_lost_message_is_pushed_again(tmp_path: Path, valkey: str, usual_database: dict[str, str]) -> None:
    app = cast.make_app(tmp_path, REDIS_URL=valkey, **usual_database)
    with app.app_context():
        job = cast.make_job(app, cast.make_user("alice@example.com"))
        assert steps.sweep(NOW).pushed == 1
        assert steps.sweep(NOW + minutes(5)).pushed == 0, "it still waits in the queue"
        queue("scrape").connection.flushall()
        assert steps.sweep(NOW + minutes(10)).pushed == 1
        assert queue("scrape").job_ids == [f"sj-{job.id}-0-2"]
        db.session.remove()
        db.engine.dispose()


def test_a_lost_ring_for_a_job_that_may_be_joined_is_made_up_for(
    tmp_path: Path, valkey: str, usual_database: dict[str, str]
) -> None:
    app = cast.make_app(tmp_path, REDIS_URL=valkey, **usual_database)
    with app.app_context():
        job = claimed(cast.make_job(app, cast.make_user("alice@example.com"), 2))
        hold(job, NOW, 10**6)
        steps.sweep(NOW)
        assert queue("scrape").job_ids == [], "its worker ends it sooner alone"
        job.total_numbers = 10**6
        db.session.commit()
        steps.sweep(NOW + minutes(1))
        steps.sweep(NOW + minutes(2))
        assert [name.rpartition("-")[0] for name in queue("scrape").job_ids] == [f"sj-{job.id}-0-join"]
        db.session.remove()
        db.engine.dispose()


def test_a_job_is_not_pushed_before_its_source_is_due(
    tmp_path: Path, valkey: str, usual_database: dict[str, str]
) -> None:
    app = cast.make_app(tmp_path, REDIS_URL=valkey, **usual_database)
    with app.app_context():
        job = claimed(cast.make_job(app, cast.make_user("alice@example.com")))
        ScrapingJob.hand_back(job.id, 1, "source_busy", NOW, NOW + minutes(10))
        db.session.commit()
        assert steps.sweep(NOW + minutes(9)).pushed == 0
        assert steps.sweep(NOW + minutes(10)).pushed == 1
        assert job.retry_count == 0
        db.session.remove()
        db.engine.dispose()


def test_a_document_that_nobody_reads_is_pushed_again(
    tmp_path: Path, valkey: str, usual_database: dict[str, str]
) -> None:
    app = cast.make_app(tmp_path, REDIS_URL=valkey, **usual_database)
    with app.app_context():
        document = cast.make_document(app, cast.make_user("alice@example.com"), ["1"])
        document.state = Reading.READING
        db.session.commit()
        assert steps.sweep(NOW).documents == 1
        assert steps.sweep(NOW + minutes(2)).documents == 0, "it still waits in the queue"
        queue("intake").connection.flushall()
        assert steps.sweep(NOW + minutes(3)).documents == 1
        assert db.session.get_one(Document, document.id).enqueued_at == NOW + minutes(3)
        db.session.remove()
        db.engine.dispose()


def test_the_sweep_notes_when_it_ended(alice, make_job) -> None:
    steps.sweep(NOW)
    state = db.session.get_one(SweepState, 1)
    assert state.began_at == NOW and state.ended_at is not None


def test_a_deploy_in_the_middle_uses_no_retry(alice, make_job) -> None:
    job = claimed(make_job(alice))
    ScrapingJob.hand_back(job.id, 1, "restart", NOW)
    db.session.commit()
    assert (job.status, job.retry_count, job.next_retry_at) == (Status.RETRYING, 0, None)


def test_fewer_retries_end_a_job_that_has_used_them(alice, make_job) -> None:
    job = claimed(make_job(alice))
    ScrapingJob.fail(job.id, 1, "numbers_unanswered", NOW, BACKOFF)
    ScrapingJob.set_limits(job.id, 0, 30, "ada", NOW)
    db.session.commit()
    assert job.next_retry_at is None
    assert db.session.scalar(select(Notice.kind).where(Notice.job_id == job.id)) == "job_failed"


def test_more_retries_resume_a_failed_job(alice, make_job) -> None:
    job = make_job(alice)
    job.max_retries = 0
    claimed(job)
    ScrapingJob.fail(job.id, 1, "numbers_unanswered", NOW, BACKOFF)
    db.session.commit()
    steps.sweep(NOW + minutes(60))
    assert job.status == Status.FAILED
    ScrapingJob.set_limits(job.id, 2, 30, "ada", NOW + minutes(61))
    db.session.commit()
    steps.sweep(NOW + minutes(62))
    assert (job.status, job.retry_count) == (Status.RETRYING, 1)
