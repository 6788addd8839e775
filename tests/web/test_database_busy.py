"""Somebody else holds SQLite's lock: pages say so within seconds, and whatever was sent can be sent again."""

import io
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import ExceptionContext, event, func, select

from portal.accounts import User, start_session
from portal.clock import utcnow
from portal.database import db, opening
from portal.documents.models import Document
from portal.jobs.models import ScrapingJob
from tests import services
from tests.support import cast, scenes
from tests.support.databases import ON_SQLITE

LOCKS = ("BEGIN IMMEDIATE", "BEGIN EXCLUSIVE")


@pytest.fixture
def app(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Flask:
    app.config["PROPAGATE_EXCEPTIONS"] = False
    monkeypatch.setattr(opening, "PAGE_BUSY_SECONDS", 0.1)
    return app


@contextmanager
def locked(app: Flask, begin: str) -> Iterator[None]:
    db.session.rollback()
    path = Path(app.config["PORTAL_DATA_DIR"]) / "masterfilter.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute(begin)
        yield
        other.execute("ROLLBACK")


@contextmanager
def waits() -> Iterator[list[object]]:
    """The times that a statement gave up waiting for the lock."""
    seen: list[object] = []

    def note(context: ExceptionContext) -> None:
        seen.append(context.original_exception)

    event.listen(db.engine, "handle_error", note)
    try:
        yield seen
    finally:
        event.remove(db.engine, "handle_error", note)


def upload(client: FlaskClient, job_id: int, document_id: int) -> Any:
    return client.post("/documents", data={"file": (io.BytesIO(b"Tel\n612345678\n"), "clientes.csv")})


def start(client: FlaskClient, job_id: int, document_id: int) -> Any:
    choice = {"sheet": 0, "header_row": 1, "column": 0, "country": "ES", "source": "offline"}
    return client.post(f"/documents/{document_id}/jobs", data=choice)


def retry(client: FlaskClient, job_id: int, document_id: int) -> Any:
    return client.post(f"/jobs/{job_id}/retry", data={"round": 1})


@pytest.mark.parametrize("begin", LOCKS)
@pytest.mark.parametrize("send", [upload, start, retry])
@ON_SQLITE  # its one writer
def test_what_was_sent_meanwhile_can_be_sent_again(
    app: Flask, as_alice: FlaskClient, alice: User, make_job: Any, send: Callable[..., Any], begin: str
) -> None:
    job = scenes.failed(make_job(alice, 3), final=True)
    files = Path(app.config["PORTAL_DATA_DIR"]) / "documents"
    before = {path for path in files.rglob("*") if path.is_file()}
    ids = job.id, job.document_id
    with locked(app, begin), waits() as given_up:
        answer = send(as_alice, *ids)
    assert answer.status_code == 503 and answer.headers["Retry-After"] == "5"
    assert 'data-error="503"' in answer.text and "busy" in answer.text
    assert len(given_up) == 1, "it waits once, not for each statement"
    assert {path for path in files.rglob("*") if path.is_file()} == before
    count = {table: db.session.scalar(select(func.count()).select_from(table)) for table in (Document, ScrapingJob)}
    again = send(as_alice, *ids)
    assert again.status_code == 303
    now = {table: db.session.scalar(select(func.count()).select_from(table)) for table in (Document, ScrapingJob)}
    assert sum(now.values()) - sum(count.values()) == (0 if send is retry else 1)


@pytest.mark.parametrize("begin", LOCKS)
@ON_SQLITE  # its one writer
def test_every_page_answers_during_a_lock(
    app: Flask, as_ada: FlaskClient, ada: User, make_job: Any, begin: str
) -> None:
    job = scenes.failed(make_job(ada, 3))
    pages = ("/", f"/jobs/{job.id}", f"/documents/{job.document_id}", "/account", "/admin/jobs", "/admin/health")
    with locked(app, begin), waits() as given_up:
        answers = {page: as_ada.get(page).status_code for page in (*pages, "/healthz")}
        assert len(given_up) <= len(pages)
    assert set(answers.values()) <= {200, 503}, answers


@ON_SQLITE  # its one writer
def test_an_administrator_is_told_too(app: Flask, as_ada: FlaskClient, ada: User, make_job: Any) -> None:
    job_id = scenes.failed(make_job(ada, 3)).id
    with locked(app, "BEGIN IMMEDIATE"), waits() as given_up:
        answers = [as_ada.get(f"/jobs/{job_id}/results.{kind}") for kind in ("csv", "xlsx")]  # noted on the timeline
        answers.append(retry(as_ada, job_id, 0))
    assert [(answer.status_code, 'data-error="503"' in answer.text) for answer in answers] == [(503, True)] * 3
    assert len(given_up) == 3, "neither the page of the file nor that of the error waits as well"


@ON_SQLITE  # its one writer
def test_the_sentence_comes_in_spanish_and_to_htmx_as_a_message(app: Flask, client: FlaskClient) -> None:
    with locked(app, "BEGIN EXCLUSIVE"):
        spanish = {"Accept-Language": "es", "HX-Request": "true"}
        answer = client.post("/login", data={"email": "a@b.es", "password": "x"}, headers=spanish)
    assert answer.status_code == 503 and answer.text.startswith("<hx-partial")
    assert "El portal está ocupado" in answer.text


@pytest.mark.postgresql
@pytest.mark.slow
def test_pages_say_so_while_postgresql_is_down_and_work_again_after_it(tmp_path: Path) -> None:
    with services.postgres_server() as server:
        app = cast.make_app(tmp_path, DATABASE_URL=server.url)
        app.config["PROPAGATE_EXCEPTIONS"] = False
        with app.app_context():
            token = start_session(cast.make_user("alice@example.com"), utcnow())
            db.session.remove()
        client = app.test_client()
        with client.session_transaction() as kept:
            kept.update(_user_id=token, _fresh=True)
        assert client.get("/").status_code == 200
        server.stop(signal.SIGQUIT)
        for answer in (client.get("/"), client.get("/login"), upload(client, 0, 0)):
            assert (answer.status_code, answer.headers.get("Retry-After")) == (503, "5")
            assert 'data-error="503"' in answer.text
        server.start()
        assert client.get("/").status_code == 200
        assert upload(client, 0, 0).status_code == 303
        with app.app_context():
            db.engine.dispose()
