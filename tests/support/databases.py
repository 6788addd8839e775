"""The databases that a test runs on: `pytestmark = ON_BOTH`, or `@ON_BOTH` on one test that takes `app`.

The others run on SQLite; with TEST_DATABASE=postgresql (`make test-postgresql`) on PostgreSQL.
"""

import os

import pytest

USUAL = os.environ.get("TEST_DATABASE") or "sqlite"
POSTGRESQL = pytest.param("postgresql", marks=pytest.mark.postgresql)

# For tests of the SQL itself.
ON_BOTH = pytest.mark.parametrize("app", ["sqlite", POSTGRESQL], indirect=True)
ON_POSTGRESQL = pytest.mark.parametrize("app", [POSTGRESQL], indirect=True)
# For tests of SQLite's own ways: its file, its one writer.
ON_SQLITE = pytest.mark.parametrize("app", ["sqlite"], indirect=True)
