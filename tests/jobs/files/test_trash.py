"""The trash: a week to change one's mind, and then it is really gone."""

from datetime import datetime, timedelta
from pathlib import Path

from flask import Flask
from sqlalchemy import func, select

from portal.accounts import User
from portal.database import db
from portal.documents.models import Document
from portal.jobs import commands, queries
from portal.jobs.core.job_tables import Event, EventKind, Number, NumberCell
from portal.jobs.core.status import Status
from portal.jobs.files import naming, trash
from portal.jobs.files.file_list import ListFilters, list_files
from portal.jobs.metrics.models import EVER, EVERYBODY, Metric
from portal.jobs.models import ScrapingJob
from portal.jobs.sweep import steps
from tests.support import cast
from tests.support.cast import NOW, make_document, make_job

ALICE = "alice@example.com"
WEEK = timedelta(days=7)
SECOND = timedelta(seconds=1)


def deleted_jobs() -> int:
    counted = select(func.coalesce(func.sum(Metric.deleted_jobs), 0))
    return db.session.scalar(counted.where(Metric.grain == EVER, Metric.user_id == EVERYBODY)) or 0


def rows_of(job_id: int) -> int:
    return sum(
        db.session.scalar(select(func.count()).where(table.job_id == job_id)) or 0 for table in (Number, NumberCell)
    )


def stored(app: Flask, key: str) -> list[Path]:
    return [path for path in Path(app.config["PORTAL_DATA_DIR"]).rglob(f"*{key}*") if path.is_file()]


def purge(app: Flask, now: datetime) -> list[int]:
    return list(trash.purge_due(now, app.extensions["storage"]))


def test_a_running_job_is_cancelled_and_hidden_and_comes_back_whole(app: Flask, alice: User) -> None:
    job = make_job(app, alice, 3)
    job_id, document_id = job.id, job.document_id
    ScrapingJob.claim(job_id, 0, NOW, worker="w", lease_seconds=60)
    db.session.commit()
    assert trash.put_job(job_id, ALICE, NOW)
    assert trash.put_job(job_id, ALICE, NOW) is None, "it is there already"
    assert queries.find_job(alice, job_id) is None
    assert queries.find_document(alice, document_id) is None, "nobody else needs it"
    assert [one.id for one in trash.contents(alice.id).jobs] == [job_id]
    assert not trash.contents(alice.id).documents, "it comes back with its job"
    assert deleted_jobs() == 1
    assert trash.restore_job(job_id, ALICE, NOW + WEEK - SECOND)
    found = queries.find_job(alice, job_id)
    assert found
    assert (found.status, rows_of(job_id), deleted_jobs()) == (Status.CANCELLED, 6, 0)
    assert queries.find_document(alice, document_id)
    assert trash.restore_job(job_id, ALICE, NOW) is None
    assert commands.retry(job_id, found.round, ALICE, NOW), "it goes on"


def test_what_was_there_for_a_week_is_really_gone(app: Flask, alice: User) -> None:
    job = make_job(app, alice, 3)
    job_id, key = job.id, job.document.storage_key
    naming.name_job(job, naming.Naming.of("", "Private", "mine", job.file_name), ALICE, NOW)
    trash.put_job(job_id, ALICE, NOW)
    swept = steps.sweep(NOW + WEEK - SECOND)
    assert (swept.purged, swept.erased, swept.faults) == (0, 0, 0)
    assert stored(app, key)
    assert rows_of(job_id) == 6
    swept = steps.sweep(NOW + WEEK)
    assert (swept.purged, swept.faults) == (1, 0)
    assert rows_of(job_id) == 0
    assert not stored(app, key)
    assert not trash.contents(alice.id).jobs
    gone = db.session.get_one(ScrapingJob, job_id)
    assert (gone.note, gone.labels, gone.search_text) == ("", [], "")
    assert trash.restore_job(job_id, ALICE, NOW + WEEK) is None
    assert deleted_jobs() == 1
    kinds = set(db.session.scalars(select(Event.kind).where(Event.job_id == job_id)))
    assert kinds >= {EventKind.TRASHED, EventKind.DELETED}
    assert purge(app, NOW + 2 * WEEK) == []


def test_delete_now_leaves_the_document_to_a_job_that_can_be_restored(app: Flask, alice: User) -> None:
    first = make_job(app, alice, 2)
    second = commands.start(first.document, cast.SheetChoice(0, 1, (0,), "ES"), "offline", alice, NOW, push=False)
    ids, key = (first.id, second.id), first.document.storage_key
    storage = app.extensions["storage"]
    trash.put_job(ids[0], ALICE, NOW)
    assert queries.find_document(alice, second.document_id), "the second needs it"
    trash.put_job(ids[1], ALICE, NOW)
    assert trash.purge_job(ids[0], ALICE, NOW, storage)
    assert stored(app, key)
    assert steps.sweep(NOW).erased == 0
    assert trash.restore_job(ids[1], ALICE, NOW)
    assert queries.find_document(alice, db.session.get_one(ScrapingJob, ids[1]).document_id)
    assert trash.purge_job(ids[1], ALICE, NOW, storage) is None, "it is not in the trash"


def test_a_document_that_was_never_started(app: Flask, alice: User) -> None:
    document = make_document(app, alice, ["612345678"])
    document_id, key = document.id, document.storage_key
    now = NOW + timedelta(days=5)
    assert trash.put_document(document_id, now)
    assert trash.put_document(document_id, now) is None
    assert not list_files(alice, ListFilters(), now).entries
    assert [one.id for one in trash.contents(alice.id).documents] == [document_id]
    assert trash.restore_document(document_id, now)
    assert len(list_files(alice, ListFilters(), now).entries) == 1
    trash.put_document(document_id, now)
    assert purge(app, NOW + WEEK) == [document_id], "not kept for longer than without the trash"
    assert not stored(app, key)
    assert db.session.get_one(Document, document_id).sheets == []
    assert trash.restore_document(document_id, now) is None


def test_the_trash_does_not_outlast_the_retention_period(app: Flask, alice: User) -> None:
    alice.retention_days = 2
    job = make_job(app, alice, 1)
    commands.cancel(job.id, ALICE, NOW)
    trash.put_job(job.id, ALICE, NOW + timedelta(days=1))
    assert purge(app, NOW + timedelta(days=2) - SECOND) == []
    assert purge(app, NOW + timedelta(days=2)) == [job.id]


def test_history_leaves_the_trash_alone(app: Flask, alice: User) -> None:
    app.config["HISTORY_DAYS"] = 1
    job = make_job(app, alice, 1)
    trash.put_job(job.id, ALICE, NOW)
    assert steps.sweep(NOW + timedelta(days=3)).faults == 0
    assert trash.restore_job(job.id, ALICE, NOW + timedelta(days=3))


def test_it_is_private_and_what_an_admin_does_is_noted(app: Flask, alice: User, bob: User, ada: User) -> None:
    job = make_job(app, alice, 1)
    trash.put_job(job.id, ada.email, NOW)
    assert trash.job_in_trash(bob, job.id) is None
    assert trash.job_in_trash(alice, job.id)
    assert trash.job_in_trash(ada, job.id)
    assert not trash.contents(ada.id).jobs
