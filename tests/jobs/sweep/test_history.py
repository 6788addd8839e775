"""What only grows is deleted after HISTORY_DAYS, on both databases; what is still needed stays."""

import os
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pytest
from sqlalchemy import func, select

from portal import audit
from portal.database import db
from portal.documents.models import Document
from portal.jobs import commands, erasure
from portal.jobs.core.bulk_tables import Operation, OperationState, Verb
from portal.jobs.core.job_tables import AnswerSample, Attempt, Event
from portal.jobs.metrics.models import JobEnd, Metric
from portal.jobs.models import ScrapingJob
from portal.jobs.sweep import steps
from portal.jobs.sweep.history import delete_history
from portal.notices.kinds import NoticeKind
from portal.notices.models import Delivery, Notice
from portal.notices.outbox import write
from tests.support import scenes
from tests.support.cast import NOW
from tests.support.databases import ON_BOTH

LATER = NOW + timedelta(days=366)


def count(table: type) -> int:
    return db.session.scalar(select(func.count()).select_from(table)) or 0


def a_year_of_everything(app, alice, make_job) -> ScrapingJob:
    job = scenes.failed(make_job(alice))
    db.session.add(AnswerSample(job_id=job.id, attempt=1, nth=0, at=NOW, status=200, why="x", body="{}"))
    db.session.add(
        Operation(
            key="k", verb=Verb.RETRY, by="ada", state=OperationState.DONE, up_to_job=1, created_at=NOW, ended_at=NOW
        )
    )
    audit.note("ada@example.com", "paused", "source", "offline", None, NOW)
    write("one.1", NoticeKind.SOURCE_STOPPED, alice.id, None, {}, NOW)
    write("two.1", NoticeKind.SOURCE_STOPPED, alice.id, None, {}, NOW)
    db.session.query(Notice).update({"state": Delivery.SENT})
    first, *rest = db.session.scalars(select(Notice).order_by(Notice.id))
    first.state, first.digest_id = Delivery.FOLDED, rest[-1].id
    db.session.commit()
    folder = app.config["PORTAL_DATA_DIR"] / "mail"
    folder.mkdir(exist_ok=True)
    (folder / "old.eml").write_text("x")
    os.utime(folder / "old.eml", (NOW.timestamp(), NOW.timestamp()))
    return job


@ON_BOTH
def test_everything_older_than_the_days_goes(app, alice, make_job) -> None:
    job = a_year_of_everything(app, alice, make_job)
    commands.delete(job.id, "alice@example.com", NOW, app.extensions["storage"])
    list(erasure.erase_files(NOW, app.extensions["storage"]))
    deleted_sums = db.session.scalar(select(func.sum(Metric.jobs)))
    assert sum(delete_history(NOW + timedelta(days=364))) == 0, "a day before, nothing"
    assert sum(delete_history(LATER)) > 0
    left = [table for table in (Attempt, Event, AnswerSample, Operation, Notice, JobEnd, Document, ScrapingJob,
                                audit.AuditEntry) if count(table)]  # fmt: skip
    assert left == []
    assert list((app.config["PORTAL_DATA_DIR"] / "mail").iterdir()) == []
    assert db.session.scalar(select(func.sum(Metric.jobs))) == deleted_sums, "the statistics stay"


@ON_BOTH
def test_what_is_still_needed_stays(app, alice, make_job) -> None:
    waiting, kept = make_job(alice), scenes.completed(make_job(alice))
    scenes.claim(waiting)
    db.session.add(AnswerSample(job_id=kept.id, attempt=1, nth=0, at=NOW, status=200, why="x", body="{}"))
    write("due.1", NoticeKind.SOURCE_STOPPED, alice.id, None, {}, NOW)
    db.session.commit()
    list(delete_history(LATER))
    assert db.session.scalars(select(Attempt.job_id)).all() == [waiting.id], "a job that runs keeps its attempts"
    assert {job.id for job in db.session.scalars(select(ScrapingJob))} == {waiting.id, kept.id}
    assert "due.1" in db.session.scalars(select(Notice.dedupe)).all()
    assert count(JobEnd) == 1 and count(Document) == 2
    assert count(Event) == count(AnswerSample) == 0, "of a file that stays, only what is younger than the days"


def test_zero_days_keep_all(app, alice, make_job) -> None:
    a_year_of_everything(app, alice, make_job)
    app.config["HISTORY_DAYS"] = 0
    before = count(Event), count(Notice), count(Attempt)
    assert list(delete_history(LATER)) == []
    assert (count(Event), count(Notice), count(Attempt)) == before


# ── stored files ────────────────────────────────────────────────────────────────────────────────────────────────────


def all_files(app) -> set[str]:
    root: Path = app.extensions["storage"].root
    return {path.name for path in root.rglob("*") if path.is_file()}


def aged(path: Path, moment: float) -> None:
    os.utime(path, (moment, moment))


def test_files_without_a_row_are_deleted_after_a_day(app, alice, make_job) -> None:
    """The web process was killed during one upload, and right after another."""
    job, storage = make_job(alice), app.extensions["storage"]
    key = db.session.get_one(Document, job.document_id).storage_key
    mine = storage.path(key)
    mine.parent.mkdir(parents=True, exist_ok=True)
    mine.write_text("mine")
    orphan = storage.path(storage.put(BytesIO(b"612345678")).key)
    part = storage.path(storage.put(BytesIO(b"6")).key)
    part = part.rename(part.with_suffix(".part"))
    for path in (mine, orphan, part):
        aged(path, NOW.timestamp() + 60)

    def swept(after: timedelta) -> set[str]:
        for n in range(256):
            list(erasure.erase_orphans(NOW + after + timedelta(seconds=60 * n), storage))
        return all_files(app)

    assert swept(timedelta(hours=12)) >= {key, orphan.name, part.name}, "it may still be under way"
    assert {name.partition(".")[0] for name in swept(timedelta(days=2))} == {key}
    before_our_time = storage.path(storage.put(BytesIO(b"6")).key)
    aged(before_our_time, NOW.timestamp() - 1e6)
    assert before_our_time.name in swept(timedelta(days=2)), "of an earlier database: not ours to delete"


def test_the_sweep_looks_for_orphans(app, alice, make_job) -> None:
    make_job(alice)
    storage = app.extensions["storage"]
    orphan = storage.path(storage.put(BytesIO(b"6")).key)
    aged(orphan, NOW.timestamp() + 60)
    part = int(orphan.name[:2], 16)
    later = NOW + timedelta(days=2)
    later += timedelta(seconds=60 * ((part - int(later.timestamp() // 60)) % 256))
    assert steps.sweep(later).orphans == 1 and not orphan.exists()


@pytest.mark.parametrize("sees", [True, False])
def test_a_machine_without_the_storage_does_not_say_erased(app, alice, make_job, tmp_path, sees: bool) -> None:
    storage = app.extensions["storage"]
    job = make_job(alice)
    document = db.session.get_one(Document, job.document_id)
    document.storage_key, document.deleted_at = storage.put(BytesIO(b"6")).key, NOW
    path = storage.path(document.storage_key)
    db.session.commit()
    if not sees:
        storage = type(storage)(tmp_path / "another machine")
    list(erasure.erase_files(NOW, storage))
    db.session.refresh(document)
    assert (document.erased_at is not None) == sees == (not path.exists())
