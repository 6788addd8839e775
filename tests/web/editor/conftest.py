"""A portal with a real Valkey for the editor of sources."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from portal.application import remember_recipes
from portal.database import db
from portal.jobs import dispatch
from portal.sources import catalogue
from tests import services
from tests.conftest import Browser
from tests.support.cast import make_app
from tests.support.recipes import LOOPBACK


@pytest.fixture
def app(tmp_path: Path, usual_database: dict[str, str]) -> Iterator[Flask]:
    """A portal with a real Valkey, and without a folder of recipes, as it is after its installation."""
    with services.valkey() as url:
        app = make_app(tmp_path, REDIS_URL=url, **usual_database)
        app.test_client_class = Browser
        with app.app_context():
            catalogue.configure(
                dispatch.connection(), tmp_path / "sources", {}, LOOPBACK, keys=app.config["SIGNING_KEYS"]
            )
            app.config["SOURCES_DIR"] = tmp_path / "sources"
            remember_recipes(app)
            yield app
            catalogue.configure(None, tmp_path / "nowhere", {})
            db.session.remove()
            db.engine.dispose()
            dispatch.connection().close()
