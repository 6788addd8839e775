"""On which databases a test runs: `pytestmark = ON_BOTH`, or `@ON_BOTH` on one test that takes `app`."""

import pytest

POSTGRESQL = pytest.param("postgresql", marks=pytest.mark.postgresql)

# Where the SQL is what is tested. All others are about what follows from it, and run on SQLite alone.
ON_BOTH = pytest.mark.parametrize("app", ["sqlite", POSTGRESQL], indirect=True)
ON_POSTGRESQL = pytest.mark.parametrize("app", [POSTGRESQL], indirect=True)
