"""How SQLite is opened: four writers who read before they write lose nothing, and a reader does not wait for them."""

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.exc import OperationalError

from portal.database import READ_ONLY, db, engine_options
from portal.database.opening import _open_sqlite
from tests.support.databases import ON_SQLITE
from tests.support.processes import crowd

WRITERS, TURNS = 4, 60


def _count_up(url: str, legacy: bool, start: object) -> None:
    engine = create_engine(url, connect_args={"timeout": 30})
    if legacy:  # the driver's own transactions, which begin at the first write and not at the first read
        event.remove(Engine, "begin", _begin())
        event.listen(engine, "connect", lambda connection, _: setattr(connection, "isolation_level", "DEFERRED"))
    start.wait()  # type: ignore[attr-defined]
    for _ in range(TURNS):
        with engine.begin() as connection:
            n = connection.execute(text("SELECT n FROM tally")).scalar_one()
            connection.execute(text("UPDATE tally SET n = :n"), {"n": n + 1})
    engine.dispose()


def _begin() -> object:
    from portal.database.opening import _on_begin

    return _on_begin


def tally_after(folder: Path, *, legacy: bool) -> int:
    """What the tally stands at after four processes have each counted it up."""
    path = folder / "tally.db"
    connection = sqlite3.connect(path)
    _open_sqlite(connection)
    connection.execute("CREATE TABLE tally (n INTEGER)")
    connection.execute("INSERT INTO tally VALUES (0)")
    connection.close()
    context = crowd()
    start = context.Barrier(WRITERS)
    writers = [context.Process(target=_count_up, args=(f"sqlite:///{path}", legacy, start)) for _ in range(WRITERS)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    connection = sqlite3.connect(path)
    (n,) = connection.execute("SELECT n FROM tally").fetchone()
    connection.close()
    return int(n)


@pytest.mark.slow
def test_four_writers_who_read_before_they_write_lose_nothing(tmp_path: Path) -> None:
    assert tally_after(tmp_path, legacy=False) == WRITERS * TURNS


@pytest.mark.slow
def test_with_the_drivers_own_transactions_they_would(tmp_path: Path) -> None:
    """The test of the test above."""
    assert tally_after(tmp_path, legacy=True) < WRITERS * TURNS


@ON_SQLITE  # its one writer
def test_a_page_reads_while_a_writer_holds_the_lock(app, alice) -> None:
    db.session.commit()
    with db.engine.begin() as writer:
        writer.execute(text("UPDATE users SET is_admin = 1"))
        with db.engine.connect().execution_options(**READ_ONLY) as reader:
            assert reader.execute(text("SELECT is_admin FROM users")).scalar_one() == 0


def test_a_moment_without_a_zone_is_refused(app, alice) -> None:
    from datetime import datetime

    from sqlalchemy.exc import StatementError

    alice.created_at = datetime(2026, 1, 1)  # noqa: DTZ001
    with pytest.raises(StatementError, match="needs a time zone"):
        db.session.flush()
    db.session.rollback()


@ON_SQLITE  # its error for a missing table
def test_an_error_does_not_repeat_what_its_statement_was_given(app) -> None:
    """A number that somebody looks for, or a key, would get into the log by a database that is away or busy."""
    with pytest.raises(OperationalError) as error, db.engine.connect() as connection:
        connection.execute(text("SELECT 1 FROM nowhere WHERE number = :number"), {"number": "+34612000003"})
    assert "nowhere" in str(error.value) and "612000003" not in str(error.value)
    assert engine_options("postgresql+psycopg://somewhere")["hide_parameters"]
