"""Two at once on PostgreSQL, where each waits for the other's rows: both succeed, and no change is lost.

On SQLite a transaction that may write is alone, so none of this can happen there.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, text

from portal.database import db
from portal.documents.choice import SheetChoice
from portal.documents.models import Document
from portal.jobs import commands, opening
from portal.jobs.admin import operation_runner, operations
from portal.jobs.admin.bulk import BulkOrder
from portal.jobs.core.bulk_tables import OperationState, Verb
from portal.jobs.core.job_tables import Number
from portal.jobs.core.status import Status
from portal.jobs.models import ScrapingJob
from portal.jobs.status_counts import has_uncounted
from portal.sources import answer_cache
from portal.sources.base import Answer, Outcome
from tests.services import wait_until
from tests.support import cast, scenes
from tests.support.cast import NOW
from tests.support.databases import ON_POSTGRESQL

pytestmark = ON_POSTGRESQL
WAITING = text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")


@contextmanager
def meanwhile(app: Flask, act: Callable[[], object], *, waits: bool = True) -> Iterator[list[object]]:
    """Another caller, on a connection of its own, runs this beside the block: it has reached the point where it waits
    for us (or its end) when the block begins, and is done when the block ends. Its result is added to the list."""
    said: list[object] = []

    def run() -> None:
        with app.app_context():
            try:
                said.append(act())
            except Exception as error:
                said.append(error)
            finally:
                db.session.remove()

    def stands() -> bool:
        with db.engine.connect() as connection:
            return bool(said) or (waits and connection.scalar(WAITING) == 1)

    other = threading.Thread(target=run, daemon=True)
    other.start()
    wait_until(stands, 10, "the other one waits, or is through")
    yield said
    other.join(20)
    assert not other.is_alive() and not isinstance(said[0], Exception), said


def begin(order: BulkOrder, *jobs: ScrapingJob) -> int:
    operation_id = operations.begin(order, "one", NOW, job_ids=[job.id for job in jobs]).id
    db.session.rollback()
    return operation_id


def test_a_worker_ends_its_job_during_an_operation(app: Flask) -> None:
    alice = cast.make_user("alice@example.com")
    stopped = scenes.failed(cast.make_job(app, alice, 2), final=True)
    held = cast.make_job(app, alice, 2)
    held.max_retries = 0
    scenes.claim(held)
    operation_id = begin(BulkOrder(Verb.LIMITS, "ada@example.com", "more time", (5, 60)), stopped, held)
    job_id, attempt = held.id, held.attempt
    db.session.execute(select(ScrapingJob.id).where(ScrapingJob.id == job_id).with_for_update(key_share=True))
    with meanwhile(app, lambda: operation_runner.work(operation_id, clock=lambda: NOW)) as said:
        assert ScrapingJob.fail(job_id, attempt, "numbers_unanswered", NOW, scenes.BACKOFF) is not None
        db.session.commit()
    assert said == [False]
    operation = db.session.get_one(operations.Operation, operation_id, populate_existing=True)
    assert (operation.state, operation.done) == (OperationState.DONE, 2)
    job = db.session.get_one(ScrapingJob, job_id, populate_existing=True)
    assert (job.status, job.max_retries, job.next_retry_at) == (Status.FAILED, 5, NOW)


def test_two_operations_on_the_same_sources_finish(app: Flask) -> None:
    alice = cast.make_user("alice@example.com")
    jobs = [cast.make_job(app, alice, 1, source=source) for source in ("offline",) * 4]
    for job, source in zip(jobs, ("one", "two", "one", "two"), strict=True):
        job.source = source
    db.session.commit()
    first, *theirs, last = jobs
    operation_id = begin(BulkOrder(Verb.CANCEL, "ada@example.com", "not wanted"), *theirs)
    ids = first.id, last.id
    assert ScrapingJob.cancel(ids[0], "ada@example.com", NOW) is not None
    with meanwhile(app, lambda: operation_runner.work(operation_id, clock=lambda: NOW)) as said:
        assert ScrapingJob.cancel(ids[1], "ada@example.com", NOW) is not None
        db.session.commit()
    assert said == [False] and not has_uncounted()
    assert set(db.session.scalars(select(ScrapingJob.status))) == {Status.CANCELLED}


def test_an_attempt_fails_while_an_admin_changes_the_limits(app: Flask) -> None:
    job = scenes.claim(cast.make_job(app, cast.make_user("alice@example.com"), 2))
    job_id, attempt = job.id, job.attempt

    def fail() -> bool:
        moved = ScrapingJob.fail(job_id, attempt, "numbers_unanswered", NOW, scenes.BACKOFF) is not None
        db.session.commit()
        return moved

    ScrapingJob.set_limits(job_id, 0, 30, "ada@example.com", NOW)
    with meanwhile(app, fail) as said:
        db.session.commit()
    assert said == [True], "else the job would stand as held until its lease is over, and count as lost"
    job = db.session.get_one(ScrapingJob, job_id, populate_existing=True)
    assert (job.status, job.next_retry_at) == (Status.FAILED, None), "by the limits that stand"


def test_a_document_is_started_while_its_only_job_is_deleted(app: Flask) -> None:
    alice = cast.make_user("alice@example.com")
    job = scenes.completed(cast.make_job(app, alice, 2))
    job_id, document, storage = job.id, db.session.get_one(Document, job.document_id), app.extensions["storage"]
    db.session.commit()
    db.session.refresh(document, with_for_update=True)  # as `commands.start` locks it
    with meanwhile(app, lambda: commands.delete(job_id, alice.email, NOW, storage)):
        try:
            started = bool(commands.start(document, SheetChoice(0, 1, (0,), "ES"), "offline", alice, NOW, push=False))
        except commands.CannotStart:  # the deletion came first
            started = False
    db.session.refresh(document)
    is_there = document.deleted_at is None and storage.path(document.storage_key).exists()
    assert is_there == started, "a job without its file, or a file that nobody can start"


def test_a_document_stays_whose_second_job_is_being_started(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    alice = cast.make_user("alice@example.com")
    job = scenes.completed(cast.make_job(app, alice, 2))
    job_id, document, storage = job.id, db.session.get_one(Document, job.document_id), app.extensions["storage"]
    show = opening.AtOnce.show

    def deleted_meanwhile(*args: Any) -> int | None:
        db.session.commit()
        commands.delete(job_id, alice.email, NOW, storage)
        return show(*args)

    monkeypatch.setattr(opening.AtOnce, "show", deleted_meanwhile)
    again = commands.start(document, SheetChoice(0, 1, (0,), "ES"), "offline", alice, NOW, push=False)
    db.session.refresh(document)
    assert document.deleted_at is None and storage.path(document.storage_key).exists(), f"job {again.id} needs it"


@pytest.mark.parametrize("verb", ["delete", "retry"])
def test_other_jobs_end_while_the_rows_of_one_are_changed(app: Flask, verb: str) -> None:
    alice = cast.make_user("alice@example.com")
    job, other = scenes.failed(cast.make_job(app, alice, 2), final=True), cast.make_job(app, alice, 2)
    job_id, seen, other_id, storage = job.id, job.round, other.id, app.extensions["storage"]
    act = {
        "delete": lambda: commands.delete(job_id, alice.email, NOW, storage),
        "retry": lambda: commands.retry(job_id, seen, alice.email, NOW),
    }[verb]
    db.session.commit()
    db.session.execute(select(Number).where(Number.job_id == job_id).with_for_update()).all()  # as if it took long
    with meanwhile(app, act) as said:
        assert ScrapingJob.cancel(other_id, alice.email, NOW) is not None, "it wants the metrics"
        db.session.commit()
    assert said[0] is not None and not has_uncounted()


def test_a_job_that_is_retried_while_it_is_deleted_counts_as_ended(app: Flask) -> None:
    alice = cast.make_user("alice@example.com")
    job = scenes.failed(cast.make_job(app, alice, 2), final=True)
    job_id, storage = job.id, app.extensions["storage"]
    assert ScrapingJob.retry(job_id, job.round, alice.email, NOW) is not None
    with meanwhile(app, lambda: commands.delete(job_id, alice.email, NOW, storage)):
        db.session.commit()
    job = db.session.get_one(ScrapingJob, job_id, populate_existing=True)
    assert job.deleted_at == NOW and (job.status, job.ended_at) == (Status.CANCELLED, NOW)


def test_cached_answers_are_renewed_while_old_ones_are_deleted(app: Flask) -> None:
    answer, months_ago = Answer(Outcome.FOUND, {"a": "b"}), NOW - timedelta(days=90)
    for e164 in ("+34612000009", "+34612000001"):
        answer_cache.remember("api", "v1", {e164: answer}, months_ago)
        db.session.commit()
    answer_cache.remember("api", "v1", {"+34612000001": answer}, NOW)

    def forget() -> int:
        gone = answer_cache.forget("api", NOW - timedelta(days=30))
        db.session.commit()
        return gone

    with meanwhile(app, forget) as said:
        answer_cache.remember("api", "v1", {"+34612000009": answer}, NOW)
        db.session.commit()
    assert said == [1], "what somebody writes at this moment is left to them"
    assert len(answer_cache.known("api", "v1", ["+34612000001", "+34612000009"], NOW, 30)) == 2


def test_the_metrics_are_free_while_an_operation_reopens_its_files(app: Flask) -> None:
    """A file of a million rows takes a minute to reopen; other files end meanwhile, and wait only for the counting."""
    alice = cast.make_user("alice@example.com")
    first, large = (scenes.failed(cast.make_job(app, alice, 2), final=True) for _ in range(2))
    operation_id = begin(BulkOrder(Verb.RETRY, "ada@example.com", "the source is back"), first, large)
    db.session.execute(select(Number).where(Number.job_id == large.id).with_for_update())
    with meanwhile(app, lambda: operation_runner.work(operation_id, clock=lambda: NOW)) as said:
        with db.engine.connect() as other:
            assert other.scalar(text("SELECT pg_try_advisory_xact_lock(5270116)"))
        db.session.rollback()
    assert said == [False] and not has_uncounted()
    assert set(db.session.scalars(select(ScrapingJob.status))) == {Status.RETRYING}
