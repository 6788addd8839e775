"""A large file is opened in pieces: nobody's answers wait for it, and it begins whole or not at all."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Connection, event, func, select
from sqlalchemy.exc import DataError

from portal.accounts import User
from portal.database import db
from portal.documents import check as checking
from portal.documents.choice import SheetChoice
from portal.jobs import commands, opening, queries, starting, uploads
from portal.jobs.core import ledger
from portal.jobs.core.job_tables import Event, Number, NumberCell
from portal.jobs.files.file_list import ListFilters, list_files
from portal.jobs.models import ScrapingJob
from portal.jobs.quotas import quota_of
from portal.jobs.sweep.steps import sweep
from portal.sources.base import Outcome
from tests.support.cast import NOW, make_document, mobile
from tests.support.databases import ON_BOTH, ON_POSTGRESQL, ON_SQLITE, write_beside

CHOICE = SheetChoice(0, 1, (0,), "ES")


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "PIECE_ROWS", 20)
    monkeypatch.setattr(opening, "COPIED_ROWS", 20)


def begin(document: Any, alice: User, **more: Any) -> ScrapingJob:
    return commands.start(document, CHOICE, "offline", alice, NOW, push=False, **more)


def rows_in_a_transaction(app: Flask, alice: User, rows: int) -> int:
    """Start a file of so many rows; the most rows that one transaction wrote."""
    document = make_document(app, alice, [mobile(n) for n in range(rows)])
    written, most = [0], [0]

    def count(connection: Connection, cursor: Any, statement: str, given: Any, context: Any, many: bool) -> None:
        if statement.startswith("INSERT INTO cells"):
            written[0] += len(given) if many else 1

    def ended(connection: Connection) -> None:
        most[0], written[0] = max(most[0], written[0]), 0

    event.listen(db.engine, "before_cursor_execute", count)
    event.listen(db.engine, "commit", ended)
    try:
        begin(document, alice)
    finally:
        event.remove(db.engine, "before_cursor_execute", count)
        event.remove(db.engine, "commit", ended)
    return most[0]


@ON_SQLITE  # its one writer
def test_the_longest_transaction_does_not_grow_with_the_file(app: Flask, alice: User) -> None:
    few, many = (rows_in_a_transaction(app, alice, rows) for rows in (40, 400))
    assert few == many == opening.PIECE_ROWS


@ON_SQLITE  # its one writer
def test_others_can_write_while_a_file_is_parsed_and_between_its_pieces(
    app: Flask, as_alice: Any, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    document_id = make_document(app, alice, [mobile(n) for n in range(100)]).id
    wrote = []

    def somebody_else(when: str) -> None:
        write_beside(app)
        wrote.append(when)

    def parsed(*args: Any, **more: Any) -> Iterator[checking.CheckedCell]:
        for row in checking.cells_of(*args, **more):
            somebody_else("parsed")
            yield row

    monkeypatch.setattr(opening, "cells_of", parsed)
    monkeypatch.setattr(opening.time, "sleep", lambda seconds: somebody_else("pieces"))
    choice = {"sheet": 0, "header_row": 1, "column": 0, "country": "ES", "source": "offline", "begun": 0}
    assert as_alice.post(f"/documents/{document_id}/jobs", data=choice).status_code == 303
    assert (wrote.count("parsed"), wrote.count("pieces")) == (100, 4)


@ON_BOTH
def test_a_start_that_is_killed_shows_nothing_and_is_removed(
    app: Flask, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = make_document(app, alice, [mobile(n) for n in range(50)])
    alice.files_per_day = 1
    db.session.commit()
    document_id, alice_id = document.id, alice.id

    class Killed(BaseException): ...

    def killed(*_: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(starting, "_newer_job", killed)
        patch.setattr(opening, "remove_hidden", killed)
        with pytest.raises(Killed):
            begin(document, alice)
    db.session.rollback()
    assert db.session.scalar(select(func.count()).select_from(Number)) == 50
    assert uploads.jobs_of(document_id) == [] and uploads.jobs_started(document_id) == 0
    assert [one.document.id for one in list_files(alice, ListFilters(), NOW).entries if one.document] == [document_id]
    assert not quota_of(alice_id, NOW).spent
    assert queries.find_job(alice, db.session.scalar(select(ScrapingJob.id)) or 0) is None
    db.session.rollback()
    assert sweep(NOW + timedelta(minutes=59)).left_behind == 0
    assert sweep(NOW + timedelta(minutes=61)).left_behind == 1
    for table in (NumberCell, Number, ScrapingJob, Event):
        assert db.session.scalar(select(func.count()).select_from(table)) == 0
    db.session.rollback()
    assert begin(document, alice).total_numbers == 50


@ON_BOTH
def test_of_two_forms_sent_at_once_one_starts_a_job(app: Flask, alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    document = make_document(app, alice, [mobile(n) for n in range(50)])
    newer_job, other = starting._newer_job, []

    def overtaken(*args: Any) -> int | None:
        monkeypatch.setattr(starting, "_newer_job", newer_job)
        other.append(begin(document, alice, begun=0).id)
        return newer_job(*args)

    monkeypatch.setattr(starting, "_newer_job", overtaken)
    assert begin(document, alice, begun=0).id == other[0]
    assert db.session.scalar(select(func.count()).select_from(Number)) == 50
    assert [job.id for job in uploads.jobs_of(document.id)] == other


def test_a_document_that_is_removed_meanwhile_starts_nothing(
    app: Flask, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = make_document(app, alice, [mobile(n) for n in range(50)])
    document_id, prepare = document.id, opening.AtOnce.prepare

    def removed(*args: Any) -> None:
        prepare(*args)
        assert uploads.discard(document_id, NOW, app.extensions["storage"])

    monkeypatch.setattr(opening.AtOnce, "prepare", removed)
    with pytest.raises(commands.CannotStart):
        begin(document, alice)
    assert db.session.scalar(select(func.count()).select_from(ScrapingJob)) == 0


ODD = ["612 34 56 78\tcasa", "a\nb", "\\N", "\\.", 'say "no"', "", "ñ😀", "612345678"]


@ON_BOTH
def test_what_stands_in_the_cells_is_kept_as_it_is_however_it_is_written(app: Flask, alice: User) -> None:
    """PostgreSQL gets it by COPY, whose text has characters of its own."""
    sent: list[str] = []

    def note(connection: Connection, cursor: Any, statement: str, *_: Any) -> None:
        sent.append(statement)

    job_id = begin(make_document(app, alice, [mobile(1)]), alice).id
    event.listen(db.engine, "before_cursor_execute", note)
    cells = [
        ledger.NewCell(row, 1, 1, text, row % 2 or None, repeats=row > 1, reason=None if row % 2 else "letters",
                       corrected="+34612345678" if row % 3 else None)
        for row, text in enumerate(ODD)
    ]  # fmt: skip
    ledger.write_cells(job_id, cells)
    ledger.write_numbers(job_id, [ledger.NewNumber(2, "+34612345678", 1, 9)])
    db.session.commit()
    event.remove(db.engine, "before_cursor_execute", note)
    kept = db.session.execute(select(NumberCell.__table__).where(NumberCell.column == 1).order_by(NumberCell.row_no))
    assert [dict(row) for row in kept.mappings()] == [{"job_id": job_id, **cell._asdict()} for cell in cells]
    number = db.session.get_one(Number, (job_id, 2))
    assert (number.e164, number.outcome, number.answer) == ("+34612345678", Outcome.WAITING, None)
    assert any(statement.startswith("INSERT") for statement in sent) == (db.engine.dialect.name == "sqlite")


@ON_POSTGRESQL
def test_a_copy_that_is_refused_quotes_no_value(app: Flask, alice: User) -> None:
    job_id = begin(make_document(app, alice, [mobile(1)]), alice).id
    numbers = [ledger.NewNumber(1, "612345678 and much more than fits", 1, 1)]
    with pytest.raises(DataError) as refused:
        ledger.write_numbers(job_id, numbers)
    assert "612345678" not in str(refused.value) and "too long" in str(refused.value)
    db.session.rollback()
    assert db.session.scalar(select(func.count()).select_from(Number)) == 1
