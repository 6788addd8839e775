"""The databases that a test runs on: `pytestmark = ON_BOTH`, or `@ON_BOTH` on one test that takes `app`."""

import pytest

POSTGRESQL = pytest.param("postgresql", marks=pytest.mark.postgresql)

# For tests of the SQL itself. All others run on SQLite only.
ON_BOTH = pytest.mark.parametrize("app", ["sqlite", POSTGRESQL], indirect=True)
ON_POSTGRESQL = pytest.mark.parametrize("app", [POSTGRESQL], indirect=True)
