"""The databases that a test runs on: `pytestmark = ON_BOTH`, or `@ON_BOTH` on one test that takes `app`.

The others run on SQLite; with TEST_DATABASE=postgresql (`make test-postgresql`) on PostgreSQL. That holds for portals
that a test makes itself, and for those of other processes: their settings are `usual()`'s.
"""

import atexit
import os
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from weakref import WeakSet

import psycopg
import pytest
from flask import Flask
from sqlalchemy import Engine, event, make_url

from portal.database import db
from tests.support.postgresql import new_database, postgres

USUAL = os.environ.get("TEST_DATABASE") or "sqlite"
POSTGRESQL = pytest.param("postgresql", marks=pytest.mark.postgresql)

# For tests of the SQL itself.
ON_BOTH = pytest.mark.parametrize("app", ["sqlite", POSTGRESQL], indirect=True)
ON_POSTGRESQL = pytest.mark.parametrize("app", [POSTGRESQL], indirect=True)
# For tests of SQLite's own ways: its file, its one writer.
ON_SQLITE = pytest.mark.parametrize("app", ["sqlite"], indirect=True)


@cache
def server() -> str:
    """The address of this run's PostgreSQL: started by the first test that needs it, stopped when the run ends."""
    running = ExitStack()
    atexit.register(running.close)
    return running.enter_context(postgres())


@contextmanager
def usual() -> Iterator[dict[str, str]]:
    """The settings of a portal with a database of its own, of the kind that TEST_DATABASE names."""
    if USUAL == "sqlite":
        yield {}
    else:
        with new_database(server()) as url:
            yield {"DATABASE_URL": url}
            for connection in _OPEN.pop(make_url(url).database, ()):
                connection.close()  # of an engine that was not disposed of: psycopg would complain in another test


_OPEN: dict[str | None, WeakSet[psycopg.Connection]] = {}  # by database; those of this process


@event.listens_for(Engine, "connect")
def _note(connection: Any, record: object) -> None:
    if isinstance(connection, psycopg.Connection):
        _OPEN.setdefault(connection.info.dbname, WeakSet()).add(connection)


def query(database: str | Path, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    """The rows of an SQL query with `?` for its values, on a connection of our own: to PostgreSQL at this address, or
    to this file of SQLite."""
    if isinstance(database, str):
        with psycopg.connect(database, autocommit=True) as there:
            return there.execute(sql.replace("%", "%%").replace("?", "%s"), values).fetchall()  # type: ignore[arg-type]
    with closing(sqlite3.connect(database, timeout=30)) as file:
        return file.execute(sql, values).fetchall()


def change_beside(statement: str) -> None:
    """Change the portal's database on a connection of our own, as another process would; one that waits for a lock for
    longer than a moment raises."""
    if db.engine.dialect.name == "postgresql":
        options = "-c lock_timeout=200"
        with psycopg.connect(_address(), autocommit=True, options=options) as there:
            there.execute(statement)  # type: ignore[arg-type]
    else:
        with closing(sqlite3.connect(str(db.engine.url.database), timeout=0.2, isolation_level=None)) as file:
            file.execute(statement)


def _address() -> str:
    return db.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)


def write_beside(app: Flask) -> None:
    """Take SQLite's one write lock, as another process would. Raises OperationalError when it is held; on PostgreSQL
    writers do not wait for each other."""
    with app.app_context():
        path = db.engine.url.database if db.engine.dialect.name == "sqlite" else None
    if path is not None:
        with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            other.execute("ROLLBACK")
