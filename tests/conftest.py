"""The fixtures that every room's tests share."""

import contextvars
import gc
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, has_app_context
from flask.testing import FlaskClient, FlaskCliRunner

from portal import sources
from portal.accounts import User, start_session
from portal.clock import utcnow
from portal.database import db
from portal.jobs.models import ScrapingJob
from tests import services
from tests.support import cast, databases
from tests.support.preloaded import Preloaded, preloaded
from tests.support.processes import write_in_memory
from tests.support.sources import CountingSource
from tests.support.turns import (
    pytest_collection_modifyitems,
    pytest_runtest_protocol,
    pytest_xdist_make_scheduler,
)

__all__ = ["pytest_collection_modifyitems", "pytest_runtest_protocol", "pytest_xdist_make_scheduler"]

write_in_memory()
gc.disable()  # until the tests are collected


def pytest_collection_finish() -> None:
    """Look for garbage seldom, and never in what is loaded for the whole run: each test makes an application, and the
    usual thresholds spend a fifth of the processor's time on looking through all modules again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    gc.enable()


class Browser(FlaskClient):
    """A client that first ends the test's own transaction: on SQLite it would keep the request's writes waiting.

    Each request runs in a context of its own: inside the test's application context, Flask would share `g` with
    every request, and with it who is signed in.
    """

    def open(self, *args: Any, **kwargs: Any) -> Any:
        if not has_app_context():  # already inside: a redirect that is being followed
            return super().open(*args, **kwargs)
        db.session.rollback()
        return contextvars.Context().run(super().open, *args, **kwargs)


class Terminal(FlaskCliRunner):
    """A runner of commands that first ends the test's own transaction, as Browser does."""

    def invoke(self, *args: Any, **kwargs: Any) -> Any:
        db.session.rollback()
        return super().invoke(*args, **kwargs)


@pytest.fixture
def app(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Flask]:
    """The portal inside an application context, with Redis away; on SQLite, unless `support.databases` or
    TEST_DATABASE says so."""
    if getattr(request, "param", databases.USUAL) == "sqlite":
        yield from _inside(cast.make_app(tmp_path))
    else:
        server, tables = map(request.getfixturevalue, ("postgres_server", "postgres_tables"))
        with services.new_database(server, tables) as url:
            yield from _inside(cast.make_app(tmp_path, DATABASE_URL=url))


def _inside(app: Flask) -> Iterator[Flask]:
    app.test_client_class, app.test_cli_runner_class = Browser, Terminal
    with app.app_context():
        yield app
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def usual_database() -> Iterator[dict[str, str]]:
    """The database of an application that the test makes itself: `cast.make_app(tmp_path, **usual_database)`."""
    with databases.usual() as settings:
        yield settings


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    yield databases.server()


@pytest.fixture(scope="session")
def postgres_tables(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The name of a database with all tables and no row: copying it takes a fifth of the time of making them."""
    with services.new_database(postgres_server) as url:
        app = cast.make_app(tmp_path_factory.mktemp("tables"), DATABASE_URL=url)
        with app.app_context():
            name = db.engine.url.database
            db.engine.dispose()
        assert name is not None
        yield name


@pytest.fixture(scope="session")
def forks() -> Iterator[Preloaded]:
    """What real workers are forked from; started by the first test that needs one."""
    with preloaded() as forks:
        yield forks


@pytest.fixture
def now() -> datetime:
    return cast.NOW


@pytest.fixture
def alice(app: Flask) -> User:
    return cast.make_user("alice@example.com")


@pytest.fixture
def bob(app: Flask) -> User:
    return cast.make_user("bob@example.com")


@pytest.fixture
def ada(app: Flask) -> User:
    return cast.make_user("ada@example.com", admin=True)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A browser that nobody has signed in with."""
    return app.test_client()


@pytest.fixture
def runner(app: Flask) -> FlaskCliRunner:
    return app.test_cli_runner()


def _signed_in(app: Flask, user: User) -> FlaskClient:
    """A browser with a session that the form's own verb began. The form has tests of its own."""
    person = User(id=user.id, auth_epoch=user.auth_epoch)
    db.session.rollback()  # on SQLite our own transaction would keep the new session waiting
    client = app.test_client()
    with client.session_transaction() as kept:
        kept.update(_user_id=start_session(person, utcnow()), _fresh=True)  # what Flask-Login keeps
    return client


@pytest.fixture
def as_alice(app: Flask, alice: User) -> FlaskClient:
    return _signed_in(app, alice)


@pytest.fixture
def as_bob(app: Flask, bob: User) -> FlaskClient:
    return _signed_in(app, bob)


@pytest.fixture
def as_ada(app: Flask, ada: User) -> FlaskClient:
    return _signed_in(app, ada)


@pytest.fixture
def make_job(app: Flask) -> Callable[..., ScrapingJob]:
    """make_job(user, 5) or make_job(user, ["612 34 56 78", …], source="counting"): a pending job."""

    def make(user: User, cells: list[object] | int = 5, **more: object) -> ScrapingJob:
        return cast.make_job(app, user, cells, **more)  # type: ignore[arg-type]

    return make


@pytest.fixture
def counting() -> Iterator[CountingSource]:
    """A source named "counting" that answers everything and counts its calls; its script can be changed."""
    source = CountingSource()
    sources.register("counting", lambda: source)
    yield source
    sources.unregister("counting")


@pytest.fixture
def valkey() -> Iterator[str]:
    with services.valkey() as url:
        yield url
