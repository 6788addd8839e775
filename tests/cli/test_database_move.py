"""`db-move`: an installation on SQLite goes on with PostgreSQL, with every row as it was, or stays as it is."""

import fcntl
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask_migrate import upgrade
from sqlalchemy import inspect, select, text

from portal import database_move
from portal.clock import utcnow
from portal.database import db
from portal.jobs import commands
from portal.jobs.attempt.runner import Conditions, run
from portal.jobs.core.retry_backoff import Backoff
from portal.jobs.core.status import Status
from portal.jobs.models import ScrapingJob
from tests import services
from tests.support import cast, scenes
from tests.support.databases import ON_SQLITE

pytestmark = [pytest.mark.postgresql, pytest.mark.slow]
ODD = ["=1+1", "a\tb\\N", 'say "ñ" 😀', ""]


@pytest.fixture(autouse=True)
def in_english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "en_US.UTF-8")


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """SQLite's file of a portal in use: jobs in every status, and what a database may hold that is odd."""
    folder = tmp_path_factory.mktemp("used")
    (folder / "data").mkdir(mode=0o700)
    app = cast.make_app(folder, tables=False, DATABASE_URL=f"sqlite:///{folder}/data/in-use.db")
    with app.app_context():
        upgrade()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LC_ALL", "en_US.UTF-8")
        done = app.test_cli_runner().invoke(args=["seed"])
    assert done.exit_code == 0, done.output
    with app.app_context():
        alice = cast.make_user("alice@example.com")
        job = cast.make_job(app, alice, ["612345678", *ODD, "612345678"])
        failed = scenes.failed(cast.make_job(app, alice, 3), found=1)
        odd = {"answer": '{"b":  1.10, "a": "\\u0000"}', "id": failed.id}
        db.session.execute(text("UPDATE numbers SET answer = :answer WHERE job_id = :id AND no = 1"), odd)
        assert job.id < failed.id < scenes.cancelled(cast.make_job(app, alice, 1)).id
        db.session.commit()
        db.session.remove()
        db.engine.dispose()
    return folder / "data" / "in-use.db"


@pytest.fixture
def empty(postgres_server: str, tmp_path: Path) -> Iterator[Flask]:
    """The portal with an empty PostgreSQL, in another folder."""
    with services.new_database(postgres_server) as url:
        app = cast.make_app(tmp_path, tables=False, DATABASE_URL=url)
        with app.app_context():
            yield app
            db.session.remove()
            db.engine.dispose()


def move(app: Flask, used: Path) -> tuple[int, str]:
    db.session.rollback()
    done = app.test_cli_runner().invoke(args=["db-move", "--from", str(used)])
    return done.exit_code, done.output


def sqlite_rows(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables, by SQLite's own driver."""
    with closing(sqlite3.connect(path)) as database:
        tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
        names = [name for (name,) in database.execute(tables)]
        return {name: database.execute(f"SELECT * FROM {name}").fetchall() for name in names}


def left_in(app: Flask) -> int:
    """How many rows PostgreSQL has, but for its version."""
    names = [name for name in inspect(db.engine).get_table_names() if name != database_move.VERSION]
    with db.engine.connect() as connection:
        return sum(connection.scalar(text(f'SELECT count(*) FROM "{name}"')) or 0 for name in names)


def test_every_row_is_there_and_what_waits_or_failed_goes_on(empty: Flask, used: Path) -> None:
    before = sqlite_rows(used)
    code, output = move(empty, used)
    assert code == 0, output
    assert f"cells: {len(before['cells'])} rows" in output and "Every row is as it was." in output
    assert sqlite_rows(used) == before, "SQLite stays as it is"

    for name, rows in before.items():
        assert db.session.scalar(text(f'SELECT count(*) FROM "{name}"')) == len(rows), name
    texts = db.session.scalars(text("SELECT text FROM cells")).all()
    assert sorted(texts) == sorted(row[4] for row in before["cells"]) and set(ODD) <= set(texts)
    assert '{"b":  1.10, "a": "\\u0000"}' in db.session.scalars(text("SELECT answer::text FROM numbers")).all()

    jobs = list(db.session.scalars(select(ScrapingJob).order_by(ScrapingJob.id)))
    assert {job.status for job in jobs} == set(Status)
    waiting, failed = (job.id for job in jobs[-3:-1])
    last = jobs[-1]
    assert (jobs[-3].status, jobs[-2].status, jobs[-2].processed_numbers) == ("pending", "failed", 1)
    db.session.rollback()
    assert commands.retry(failed, 1, "alice@example.com", utcnow()) is not None
    for job_id in (waiting, failed):
        job = db.session.get_one(ScrapingJob, job_id)
        attempt, _ = job.attempt, db.session.rollback()
        run(job_id, attempt, Conditions(worker="w", lease_seconds=60, backoff=Backoff()))
        assert db.session.get_one(ScrapingJob, job_id).status == "completed"
        db.session.rollback()
    alice = db.session.get_one(ScrapingJob, waiting).user
    assert cast.make_job(empty, alice, 3).id == last.id + 1, "ids go on"


def test_a_database_that_is_not_empty_is_refused(empty: Flask, used: Path) -> None:
    upgrade()
    cast.make_user("bob@example.com")
    code, output = move(empty, used)
    assert code == 1
    assert "The PostgreSQL database is not empty (table users). Create a new one. Nothing was moved." in output
    assert left_in(empty) == 1


def _refused(used: Path, change: str, tmp_path: Path) -> Path:
    """A copy of the file in which somebody has changed something by hand."""
    path = tmp_path / "changed.db"
    path.write_bytes(used.read_bytes())
    with closing(sqlite3.connect(path)) as database:
        database.executescript(f"PRAGMA foreign_keys=OFF; {change}; PRAGMA wal_checkpoint(TRUNCATE)")
    return path


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("UPDATE users SET email = replace(hex(zeroblob(200)), '0', 'a') || id", "PostgreSQL refused a row of users:"),
        ("UPDATE cells SET text = 'a' || char(0) || 'b'", "PostgreSQL refused a row of cells:"),
        ("DELETE FROM documents", "PostgreSQL refused a row of scraping_jobs:"),
        ("CREATE TABLE notes AS SELECT 1 AS note", "has a table that the portal does not know: notes."),
        ("UPDATE alembic_version SET version_num = '0001'", "is of another version of the portal."),
        (
            "INSERT INTO workers (name, kind, host, pid, started_at, seen_at) VALUES "
            "('a', 'sweep', 'b', 1, datetime('now'), datetime('now'))",
            "The portal is running, or was until a moment ago.",
        ),
    ],
)
def test_what_cannot_be_moved_whole_is_not_moved(
    empty: Flask, used: Path, tmp_path: Path, change: str, said: str
) -> None:
    code, output = move(empty, _refused(used, change, tmp_path))
    assert code == 1 and said in output
    assert "alice" not in output and left_in(empty) == 0


@pytest.mark.parametrize(
    ("kept", "changed"),
    [
        ("text", "UPDATE cells SET text = text || ' '"),
        ("answer", """UPDATE numbers SET answer = '{"a": 1}' WHERE answer IS NOT NULL"""),
        ("row", "DELETE FROM events WHERE id = (SELECT max(id) FROM events)"),
        ("moment", "UPDATE users SET created_at = created_at + interval '1 microsecond'"),
    ],
)
def test_a_row_that_arrives_different_ends_the_move(
    empty: Flask, used: Path, monkeypatch: pytest.MonkeyPatch, kept: str, changed: str
) -> None:
    copy = database_move.copy_rows

    def and_change(connection: Any, table: str, *rest: Any) -> None:
        copy(connection, table, *rest)
        if f" {table} " in changed:
            connection.execute(text(changed))

    monkeypatch.setattr(database_move, "copy_rows", and_change)
    code, output = move(empty, used)
    assert (code, "came out different. Nothing was moved." in output) == (1, True), output
    assert left_in(empty) == 0
    if kept == "text":
        monkeypatch.undo()
        assert move(empty, used)[0] == 0, "it can be tried again"


def test_a_running_portal_is_stopped_first(empty: Flask, used: Path) -> None:
    with (Path(empty.config["PORTAL_DATA_DIR"]) / "running.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert move(empty, used) == (1, "Error: The portal is running here. Stop it first.\n")


def test_only_from_sqlite_to_postgresql(app: Flask, empty: Flask, tmp_path: Path) -> None:
    code, output = move(empty, tmp_path / "nothing.db")
    assert code == 1 and f"There is no SQLite database at {tmp_path / 'nothing.db'}." in output
    assert not (tmp_path / "nothing.db").exists()


@ON_SQLITE  # its own kind as a target
def test_a_target_on_sqlite_is_refused(app: Flask, used: Path) -> None:
    code, output = move(app, used)
    assert code == 1 and "DATABASE_URL is not a PostgreSQL database." in output
