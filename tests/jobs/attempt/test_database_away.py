"""A database that is away for a moment: answers in hand are kept, nothing is asked again and no retry is used."""

import signal
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from flask import Flask
from sqlalchemy import Connection, event, select
from sqlalchemy.dialects.postgresql.base import PGDialect

from portal.database import db, opening
from portal.jobs.attempt import database_wait, runner
from portal.jobs.attempt.runner import Conditions
from portal.jobs.core.job_tables import Attempt, Event, Number
from portal.jobs.core.retry_backoff import Backoff
from portal.jobs.core.status import Status
from portal.jobs.models import ScrapingJob
from portal.sources.base import Answer, Outcome
from portal.sources.models import SourceMinute
from tests import services
from tests.support import cast
from tests.support.cast import NOW, mobile
from tests.support.databases import ON_BOTH, ON_SQLITE
from tests.support.misbehaving import misbehaving
from tests.support.recipes import recipe, registered
from tests.support.sources import CountingSource, found

ROWS = 40


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_wait, "FIRST_SECONDS", 0.02)
    monkeypatch.setattr(database_wait, "LONGEST_SECONDS", 0.1)
    monkeypatch.setattr(runner, "SAVE_SECONDS", 0.05)


def given(**more: object) -> Conditions:
    backoff = Backoff(base_seconds=60, spread=0)
    return Conditions(worker="w", lease_seconds=60, backoff=backoff, clock=lambda: NOW, **more)  # type: ignore[arg-type]


def every_number_was_paid_once(job: ScrapingJob, source: CountingSource) -> bool:
    """Whether each number was asked once and saved once, with counters that agree, and without a retry."""
    db.session.rollback()
    db.session.refresh(job)
    rows = db.session.scalars(select(Number).where(Number.job_id == job.id)).all()
    counted = db.session.scalars(select(SourceMinute.n)).all()
    facts = (job.status, job.attempt, job.retry_count, job.processed_numbers, job.found_count, sum(counted))
    assert facts == (Status.COMPLETED, 1, 0, ROWS, ROWS, ROWS)
    assert {row.outcome for row in rows} == {"found"}
    return len(source.calls) == ROWS and set(source.calls.values()) == {1}


@contextmanager
def locked(app: Flask, begin: str = "BEGIN IMMEDIATE") -> Iterator[None]:
    """Another program holds SQLite's write lock."""
    path = Path(app.config["PORTAL_DATA_DIR"]) / "masterfilter.db"
    with closing(sqlite3.connect(path, isolation_level=None, timeout=5, check_same_thread=False)) as other:
        other.execute(begin)
        try:
            yield
        finally:
            other.execute("ROLLBACK")


@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_locked_database_costs_no_answer(
    app: Flask, alice, make_job, counting: CountingSource, monkeypatch, concurrency: int
) -> None:
    monkeypatch.setattr(opening, "BUSY_SECONDS", 0.05)
    asked, over = threading.Event(), threading.Event()

    def somebody_else() -> None:
        asked.wait()
        with locked(app):
            over.wait(0.6)

    counting.concurrency = concurrency
    job = make_job(alice, ROWS, source="counting")
    held = threading.Thread(target=somebody_else)
    held.start()

    def slowly(e164: str) -> Answer:
        asked.set()
        over.wait(0.01)
        return found(e164)

    counting.script = slowly
    assert runner.run(job.id, 0, given()) == Status.COMPLETED
    held.join()
    assert every_number_was_paid_once(job, counting)


@ON_SQLITE
def test_a_full_disk_costs_no_answer(
    app: Flask, alice, make_job, counting: CountingSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite may not grow for a moment, as on a full disk."""
    job = make_job(alice, ROWS, source="counting")
    full = threading.Event()
    pages = [int(db.session.execute(db.text("PRAGMA page_count")).scalar_one())]
    db.session.rollback()

    @event.listens_for(db.engine, "begin")
    def limit(connection: Connection) -> None:
        top = pages[0] if counting.calls and not full.is_set() else 1_000_000
        connection.exec_driver_sql(f"PRAGMA max_page_count={top}")

    monkeypatch.setattr(database_wait.time, "sleep", lambda seconds: full.set())
    counting.script = lambda e164: Answer(Outcome.FOUND, {"seen": e164, "much": "x" * 4000})
    assert runner.run(job.id, 0, given()) == Status.COMPLETED
    assert full.is_set() and every_number_was_paid_once(job, counting)


@pytest.mark.postgresql
@pytest.mark.slow
def test_postgresql_restarted_three_times_in_a_job_costs_no_answer(tmp_path: Path, counting: CountingSource) -> None:
    counting.concurrency = 4
    with services.postgres_server() as server:
        app = cast.make_app(tmp_path, DATABASE_URL=server.url)
        with app.app_context():
            job = cast.make_job(app, cast.make_user("alice@example.com"), ROWS, source="counting")
            job_id, ended = job.id, []
            db.session.rollback()  # nothing of the test's own is open during a restart

            def attempt() -> None:
                with app.app_context():
                    ended.append(runner.run(job_id, 0, given()))

            def slowly(e164: str) -> Answer:
                time.sleep(0.1)
                return found(e164)

            counting.script = slowly
            running = threading.Thread(target=attempt)
            running.start()  # the server dies with the thread that starts it, so that is the test's own
            for seen in (5, 15, 25):
                services.wait_until(lambda seen=seen: sum(counting.calls.values()) >= seen)
                server.stop(signal.SIGQUIT)
                time.sleep(0.3)  # else the server may be back before a save meets it
                server.start()
            running.join(20)
            assert ended == [Status.COMPLETED]
            assert every_number_was_paid_once(job, counting)
            db.session.remove()
            db.engine.dispose()


@contextmanager
def lost_confirmation(nth: int) -> Iterator[list[int]]:
    """The `nth` commit is made, and then reported as failed, as when the connection breaks between the two. Yields the
    number of commits so far."""
    commits, dialect = [0], db.engine.dialect
    plain = dialect.do_commit

    def lose(connection: object) -> None:
        plain(connection)  # type: ignore[arg-type]
        commits[0] += 1
        if commits[0] == nth and isinstance(db.engine.dialect, PGDialect):
            connection.driver_connection.close()  # type: ignore[attr-defined]
            raise psycopg.OperationalError("server closed the connection unexpectedly")
        if commits[0] == nth:
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR
            raise error

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dialect, "do_commit", lose)
        yield commits


@pytest.mark.parametrize("nth", [1, 2, 3, 4, 5, 6])
@ON_BOTH
def test_a_commit_whose_confirmation_is_lost_is_not_made_twice(
    app: Flask, alice, make_job, counting: CountingSource, monkeypatch, nth: int
) -> None:
    """The claim, the reading of the ledger, two saves and the end."""
    monkeypatch.setattr(runner, "SAVE_SECONDS", 60)
    monkeypatch.setattr(runner, "SAVE_NUMBERS", ROWS // 2 + 1)
    monkeypatch.setattr(runner, "SAVES_APART_SECONDS", 0)
    job = make_job(alice, ROWS, source="counting")
    with lost_confirmation(nth) as commits:
        ended = runner.run(job.id, 0, given())
    assert commits[0] >= 5 and ended == Status.COMPLETED
    assert every_number_was_paid_once(job, counting)
    assert len(db.session.scalars(select(Attempt)).all()) == 1
    assert len(db.session.scalars(select(Event).where(Event.kind == "completed")).all()) == 1


@ON_BOTH
def test_a_job_handed_back_in_a_lost_commit_is_pushed(app: Flask, alice, make_job, counting: CountingSource) -> None:
    job = make_job(alice, ROWS, source="counting")
    with lost_confirmation(3) as commits:  # the claim, an empty save and the end
        assert runner.run(job.id, 0, given(stopped=lambda: True)) == Status.RETRYING
    assert commits[0] == 4 and counting.calls == {}


@ON_BOTH
@pytest.mark.parametrize("bad", ["\ud800", "\x00"])
def test_an_answer_that_cannot_be_saved_fails_its_own_row(
    app: Flask, alice, make_job, counting: CountingSource, bad: str
) -> None:
    """SQLite refuses half a character, PostgreSQL the NUL as well: where it is taken, it is saved."""
    poison = f"+34{mobile(7)}"

    def poisoned(e164: str) -> Answer:
        return Answer(Outcome.FOUND, {"seen": bad if e164 == poison else e164}, bad if e164 == poison else None)

    counting.script = poisoned
    job = make_job(alice, ROWS, source="counting")
    ended = runner.run(job.id, 0, given())
    db.session.refresh(job)
    rows = {row.e164: row for row in db.session.scalars(select(Number).where(Number.job_id == job.id))}
    taken = app.config["DATABASE_URL"].startswith("sqlite") and bad == "\x00"
    assert rows.pop(poison).reason == (bad if taken else "source_error")
    assert {row.outcome for row in rows.values()} == {"found"}
    assert ended == (Status.COMPLETED if taken else Status.FAILED)
    assert (job.found_count, job.failed_count) == ((ROWS, 0) if taken else (ROWS - 1, 1))
    assert set(counting.calls.values()) == {1}


@pytest.mark.parametrize("kind", ["poll", "keyed"])  # the second saves its ticket before the request as well
def test_a_ticket_waits_for_the_database(
    app: Flask, alice, make_job, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str
) -> None:
    monkeypatch.setattr(opening, "BUSY_SECONDS", 0.05)
    with misbehaving() as server, registered(recipe(tmp_path, kind, server.url, timeout=5)):
        server.polls_before_ready = 0
        job = make_job(alice, 25, source=f"{kind}-test")
        lock = locked(app)
        released = threading.Timer(0.5, lock.__exit__, (None, None, None))

        def hold(number: str, nth: int) -> None:
            if nth == 1 and not released.is_alive() and not server.paid:
                lock.__enter__()
                released.start()

        server.plan = hold
        assert runner.run(job.id, 0, given()) == Status.COMPLETED
        released.join()
        assert set(server.paid.values()) == {1} and len(server.paid) == 25


def test_a_beat_after_the_hand_back_does_not_end_the_process(
    app: Flask, alice, make_job, counting: CountingSource
) -> None:
    """The process still has to push the job to the next worker."""
    fenced, dialect = [], db.engine.dialect
    plain = dialect.do_commit
    job = make_job(alice, ROWS, source="counting")

    def slowly(connection: Any) -> None:
        plain(connection)
        if threading.current_thread() is threading.main_thread():
            time.sleep(0.1)  # many beats

    conditions = Conditions(
        worker="w", lease_seconds=0.02, backoff=Backoff(base_seconds=60), stopped=lambda: True,
        on_fenced=lambda: fenced.append(True),
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dialect, "do_commit", slowly)
        assert runner.run(job.id, 0, conditions) == Status.RETRYING
    assert not fenced
