"""A large file starts at once: its first worker opens the ledger, and the next one goes on from there if it dies."""

import os
import signal
import tracemalloc
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from portal.accounts import User
from portal.database import db
from portal.documents import corrections
from portal.documents.choice import SheetChoice
from portal.documents.models import Document
from portal.documents.storage import sheet_part
from portal.jobs import commands, opening
from portal.jobs.attempt.runner import Conditions, run
from portal.jobs.core.job_tables import CellAnswer, Number, NumberCell, Opening
from portal.jobs.core.retry_backoff import Backoff
from portal.jobs.core.status import Status
from portal.jobs.models import ScrapingJob
from portal.jobs.result import builder, kept
from portal.jobs.result.index_file import NewIndex
from portal.jobs.sweep.steps import sweep
from portal.jobs.worker import tasks
from portal.sources.base import Outcome
from tests.support import scenes
from tests.support.cast import NOW, hold, make_document, make_job, mobile
from tests.support.databases import ON_BOTH, ON_SQLITE, write_beside

LEASE = 60
LATER = NOW + timedelta(minutes=10)
CELLS = [
    *map(mobile, range(40)), mobile(3), "", "nada", f"{mobile(50)} / {mobile(7)}", mobile(39),
    *map(mobile, range(60, 90)),
]  # fmt: skip


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "WORKER_ROWS", 10)
    monkeypatch.setattr(opening, "COPIED_ROWS", 10)


def work(job_id: int, now: Any = NOW, **more: Any) -> Status | None:
    attempt = db.session.get_one(ScrapingJob, job_id, populate_existing=True).attempt
    return run(job_id, attempt, Conditions("w", LEASE, Backoff(), clock=lambda: now, **more))


def ledger_of(job_id: int) -> list[tuple[Any, ...]]:
    rows = db.session.execute(
        select(
            CellAnswer.row_no, CellAnswer.place, CellAnswer.text, CellAnswer.number_no, CellAnswer.e164,
            CellAnswer.duplicate_of, CellAnswer.outcome, CellAnswer.reason, CellAnswer.corrected,
        ).where(CellAnswer.job_id == job_id).order_by(CellAnswer.row_no, CellAnswer.place)
    )  # fmt: skip
    cells = select(Number.no, Number.cells, Number.first_row).where(Number.job_id == job_id).order_by(Number.no)
    found = [tuple(row) for row in rows] + [tuple(row) for row in db.session.execute(cells)]
    db.session.rollback()
    return found


def counts(job_id: int) -> tuple[int, ...]:
    job = db.session.get_one(ScrapingJob, job_id, populate_existing=True)
    return job.total_numbers, job.processed_numbers, job.found_count, job.invalid_count


def count(table: Any, job_id: int) -> int:
    return db.session.scalar(select(func.count()).select_from(table).where(table.job_id == job_id)) or 0


def corrected_document(app: Flask, alice: User) -> Document:
    document = make_document(app, alice, CELLS)
    corrections.correct(document.id, document.storage_key, 0, {(44, 0): ("nada", f"+34{mobile(5)}")}, NOW)
    return document


@ON_BOTH
def test_it_is_the_ledger_that_a_small_file_gets(app: Flask, alice: User) -> None:
    document, choice = corrected_document(app, alice), SheetChoice(0, 1, (0,), "ES")
    small, large = (
        commands.start(document, choice, "offline", alice, NOW, push=False, at_once=at_once).id for at_once in (100, 0)
    )
    assert counts(large) == counts(small) == (76, 1, 0, 1)
    assert (count(NumberCell, large), count(Number, large), count(NumberCell, small)) == (0, 0, 76)
    corrections.take_back(document.id, 0, None)  # after the start: what was started counts
    assert work(small) == work(large) == Status.COMPLETED
    assert ledger_of(large) == ledger_of(small)
    assert counts(large) == counts(small) == (76, 76, 75, 1)
    assert count(Opening, large) == 0


@ON_BOTH
@pytest.mark.parametrize("committed", [False, True])
def test_a_worker_that_is_killed_while_it_opens_loses_and_doubles_nothing(
    app: Flask, alice: User, committed: bool
) -> None:
    job_id, whole_id = (make_job(app, alice, CELLS, at_once=at_once).id for at_once in (0, 100))
    db.session.remove()
    db.engine.dispose()
    pid = os.fork()
    if not pid:
        write, finish = opening.write_piece, opening.ledger.write_piece

        def killed(*args: Any, **more: Any) -> bool:
            paused = write(*args, **more)
            if count(NumberCell, job_id) >= 30:
                os.kill(os.getpid(), signal.SIGKILL)
            return paused

        def killed_before(*args: Any) -> None:
            finish(*args)
            if count(NumberCell, job_id) >= 30:
                os.kill(os.getpid(), signal.SIGKILL)

        opening.write_piece = killed if committed else write  # type: ignore[assignment]
        opening.ledger.write_piece = finish if committed else killed_before  # type: ignore[assignment]
        try:
            work(job_id)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
    assert count(NumberCell, job_id) == (30 if committed else 20)
    db.session.rollback()
    sweep(LATER)
    assert work(job_id, LATER) == work(whole_id, LATER) == Status.COMPLETED
    assert ledger_of(job_id) == ledger_of(whole_id)
    assert counts(job_id) == counts(whole_id)


def interrupt(monkeypatch: pytest.MonkeyPatch, act: Any) -> None:
    """Do something after the third piece."""
    write, done = opening.write_piece, []

    def then(*args: Any, **more: Any) -> bool:
        paused = write(*args, **more)
        done.append(paused)
        if len(done) == 3:
            act()
        return paused

    monkeypatch.setattr(opening, "write_piece", then)


@pytest.mark.parametrize("verb", ["cancel", "pause", "restart", "away", "delete"])
def test_what_stops_it_costs_nothing(app: Flask, alice: User, monkeypatch: pytest.MonkeyPatch, verb: str) -> None:
    job = make_job(app, alice, CELLS, at_once=0)
    job_id, email, storage = job.id, alice.email, app.extensions["storage"]
    path = storage.path(job.document.storage_key, sheet_part(0))
    stop: list[bool] = []
    acts: dict[str, Any] = {
        "cancel": lambda: commands.cancel(job_id, email, NOW),
        "pause": lambda: commands.pause(job_id, email, NOW),
        "restart": lambda: stop.append(True),
        "away": lambda: path.rename(path.with_suffix(".away")),
        "delete": lambda: commands.delete(job_id, email, NOW, storage),
    }
    with monkeypatch.context() as patch:
        interrupt(patch, acts[verb])
        if verb == "away":  # before the attempt: what is open stays open
            acts[verb]()
        ended = work(job_id, stopped=lambda: bool(stop))
    assert ended == {"cancel": None, "delete": None}.get(verb, Status.RETRYING)
    if verb == "delete":
        assert (count(NumberCell, job_id), count(Number, job_id), count(Opening, job_id)) == (0, 0, 0)
        return
    assert count(NumberCell, job_id) == (0 if verb == "away" else 40 if verb == "pause" else 30)
    if verb == "away":
        assert db.session.get_one(ScrapingJob, job_id).wait_cause == "file_away"
        path.with_suffix(".away").rename(path)
    if verb == "cancel":
        assert commands.retry(job_id, 1, email, NOW) is not None
    commands.resume(job_id, email, NOW)
    assert work(job_id, LATER) == Status.COMPLETED
    assert counts(job_id) == (76, 76, 74, 2)
    assert db.session.get_one(ScrapingJob, job_id).retry_count == 0


def test_nobody_waits_while_a_sheet_is_looked_through(app: Flask, alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    document_id = make_document(app, alice, CELLS).id
    db.session.commit()
    looked: list[str] = []

    def look_ahead(document: Document, _storage: Any) -> None:
        write_beside(app)
        looked.append(document.file_name)

    monkeypatch.setattr(tasks, "look_ahead", look_ahead)
    tasks.read_document(document_id)
    assert looked == ["clientes.xlsx"]


@ON_SQLITE  # its one writer
def test_nobody_waits_while_a_result_is_prepared(app: Flask, alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    job = scenes.completed(make_job(app, alice, CELLS))
    monkeypatch.setattr(kept, "SMALL", 0)
    written = builder.NewIndex.write

    def write(index: NewIndex, path: Path) -> None:
        write_beside(app)
        written(index, path)

    monkeypatch.setattr(builder.NewIndex, "write", write)
    job_id = job.id
    db.session.remove()
    tasks.prepare_result(job_id)
    index = kept.open_index(db.session.get_one(ScrapingJob, job_id), app.extensions["storage"], make=False)
    assert index is not None and index.facts["duplicates"]
    index.__exit__()


def test_no_correction_is_taken_in_before_the_ledger_is_whole(app: Flask, alice: User) -> None:
    job = make_job(app, alice, CELLS, at_once=0)
    commands.cancel(job.id, alice.email, NOW)
    written = {(44, 0): f"+34{mobile(5)}"}
    assert ScrapingJob.correct(job.id, job.round, written, alice.email, NOW) is None
    db.session.rollback()
    assert db.session.scalar(select(func.count()).where(Number.outcome == Outcome.WAITING)) == 0


def peak_of_opening(app: Flask, alice: User, rows: int) -> int:
    """The most bytes that a process takes while a file of so many rows is started, and opened by a worker."""
    document, choice = make_document(app, alice, [mobile(n) for n in range(rows)]), SheetChoice(0, 1, (0,), "ES")
    tracemalloc.start()
    try:
        job = commands.start(document, choice, "offline", alice, NOW, push=False, at_once=0)
        claimed = ScrapingJob.claim(job.id, 0, NOW, worker="w", lease_seconds=LEASE)
        assert claimed is not None
        holding, rest = hold(claimed), opening.left_to_open(job.id)
        assert rest is not None
        after_row = 0
        for piece in rest.pieces():
            opening.write_piece(holding, after_row, piece, NOW, LEASE, repeated=False)
            after_row = piece.last_row
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_holds_no_rows_of_the_file(app: Flask, alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "WORKER_ROWS", 200)
    app.config["MAX_ROWS"] = 10_000
    peak_of_opening(app, alice, 500)  # what is loaded only once
    few, many = (peak_of_opening(app, alice, rows) for rows in (500, 3500))
    assert (many - few) / 3000 < 200, "bytes for each row of the file"
