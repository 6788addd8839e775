"""The databases that a test runs on: `pytestmark = ON_BOTH`, or `@ON_BOTH` on one test that takes `app`.

The others run on SQLite; with TEST_DATABASE=postgresql (`make test-postgresql`) on PostgreSQL.
"""

import os
import sqlite3
from contextlib import closing

import pytest
from flask import Flask

from portal.database import db

USUAL = os.environ.get("TEST_DATABASE") or "sqlite"
POSTGRESQL = pytest.param("postgresql", marks=pytest.mark.postgresql)

# For tests of the SQL itself.
ON_BOTH = pytest.mark.parametrize("app", ["sqlite", POSTGRESQL], indirect=True)
ON_POSTGRESQL = pytest.mark.parametrize("app", [POSTGRESQL], indirect=True)
# For tests of SQLite's own ways: its file, its one writer.
ON_SQLITE = pytest.mark.parametrize("app", ["sqlite"], indirect=True)


def write_beside(app: Flask) -> None:
    """Take SQLite's one write lock, as another process would. Raises OperationalError when it is held; on PostgreSQL
    writers do not wait for each other."""
    with app.app_context():
        path = db.engine.url.database if db.engine.dialect.name == "sqlite" else None
    if path is not None:
        with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            other.execute("ROLLBACK")
