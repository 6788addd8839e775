"""PostgreSQL's connection breaks after a COMMIT and before its confirmation: the page says that it does not know, and
pressing again starts nothing twice and loses nothing."""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from portal.accounts import User
from portal.database import db
from portal.documents.models import Document
from portal.jobs.core.job_tables import Event, Number
from portal.jobs.models import ScrapingJob
from tests.support import scenes
from tests.support.databases import POSTGRESQL

pytestmark = pytest.mark.parametrize("app", [POSTGRESQL], indirect=True)
ROWS = 5


@pytest.fixture
def app(app: Flask) -> Flask:
    app.config["PROPAGATE_EXCEPTIONS"] = False
    return app


@contextmanager
def lost_confirmation(nth: int) -> Iterator[list[int]]:
    """The `nth` commit is made, and the connection is gone before it is confirmed. Yields the number of commits."""
    db.session.rollback()
    commits, dialect = [0], db.engine.dialect
    plain = dialect.do_commit

    def lose(connection: Any) -> None:
        plain(connection)
        commits[0] += 1
        if commits[0] == nth:
            connection.driver_connection.close()
            raise psycopg.OperationalError("server closed the connection unexpectedly")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dialect, "do_commit", lose)
        yield commits


def upload(client: FlaskClient, job_id: int, document_id: int) -> Any:
    return client.post("/documents", data={"file": (io.BytesIO(b"Tel\n612345678\n"), "clientes.csv")})


def start(client: FlaskClient, job_id: int, document_id: int) -> Any:
    choice = {"sheet": 0, "header_row": 1, "column": 0, "country": "ES", "source": "offline", "begun": 1}
    return client.post(f"/documents/{document_id}/jobs", data=choice)


def retry(client: FlaskClient, job_id: int, document_id: int) -> Any:
    return client.post(f"/jobs/{job_id}/retry", data={"round": 1})


def delete(client: FlaskClient, job_id: int, document_id: int) -> Any:
    return client.post(f"/jobs/{job_id}/delete")


def losses(app: Flask) -> list[str]:
    """What must never be: a file that is shown without its rows, a document without its file, a retry made twice."""
    db.session.rollback()
    found = []
    for job in db.session.scalars(select(ScrapingJob).where(ScrapingJob.deleted_at.is_(None))):
        sums = job.processed_numbers + job.failed_count + job.waiting_numbers
        if not job.total_numbers == sums == rows_of(job.id) == ROWS:
            found.append(f"job {job.id} has {rows_of(job.id)} of {job.total_numbers} rows")
        if job.round > 2:
            found.append(f"job {job.id} was retried twice")
    for document in db.session.scalars(select(Document).where(Document.deleted_at.is_(None))):
        if not app.extensions["storage"].path(document.storage_key).is_file():
            found.append(f"document {document.id} has no file")
    db.session.rollback()
    return found


def rows_of(job_id: int) -> int:
    return db.session.scalar(select(func.count()).select_from(Number).where(Number.job_id == job_id)) or 0


@pytest.mark.parametrize("send", [upload, start, retry, delete])
def test_pressing_again_does_nothing_twice(
    app: Flask, as_alice: FlaskClient, alice: User, make_job: Any, send: Callable[..., Any]
) -> None:
    said: set[bool] = set()
    for nth in range(1, 12):
        job = scenes.failed(make_job(alice, ROWS), final=True)
        ids = job.id, job.document_id
        with lost_confirmation(nth) as commits:
            first = send(as_alice, *ids)
        if commits[0] < nth:
            break
        assert losses(app) == []
        if first.status_code == 503:
            assert first.headers["Retry-After"] and "do not know whether that was done" in first.text
            said.add(True)
        again = send(as_alice, *ids)
        assert again.status_code in (303, 404) and losses(app) == []
        jobs = select(func.count()).select_from(ScrapingJob).where(ScrapingJob.document_id == ids[1])
        assert db.session.scalar(jobs.where(ScrapingJob.total_numbers > 0)) == (2 if send is start else 1)
        retried = select(func.count()).select_from(Event).where(Event.job_id == ids[0], Event.kind == "retried")
        assert db.session.scalar(retried) == (1 if send is retry else 0)
    assert said == {True} and nth > 1
