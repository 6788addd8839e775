"""The migrations bring an empty database to just what the models say, on both databases, and back."""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask_migrate import downgrade, upgrade
from sqlalchemy import inspect

from portal.application import build
from portal.config import read_settings
from portal.database import db
from tests import services
from tests.support.cast import DEAD_REDIS


@pytest.mark.parametrize("dialect", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def test_the_migrations_give_what_the_models_say(dialect: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    settings = {"PORTAL_DATA_DIR": str(tmp_path), "REDIS_URL": DEAD_REDIS}
    if dialect == "postgresql":
        with services.new_database(request.getfixturevalue("postgres_server")) as url:
            both_ways({**settings, "DATABASE_URL": url})
    else:
        both_ways(settings)


def both_ways(settings: dict[str, str]) -> None:
    app = build(read_settings(settings))
    with app.app_context():
        upgrade()
        with db.engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, db.metadata) == []
        downgrade(revision="base")
        assert set(inspect(db.engine).get_table_names()) <= {"alembic_version"}
        upgrade()
        db.engine.dispose()
