"""Prepares a worker for its first job: the forks find the SQL of a job compiled, as they find all modules imported.

A fork begins with what its worker knows and takes what it learns with it: compiling the statements of a job anew in
each cost more than half of the processor's time of a file of five rows. Which statements these are is written nowhere
but in the code that makes them. So the worker runs a job of one number, in a small database of its own that it deletes
afterwards, and compiles what it has seen for the portal's database, where nothing is read or written.
"""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, cast

import structlog
from flask import Flask, current_app
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.exc import CompileError
from sqlalchemy.sql import compiler

from portal.accounts import User
from portal.clock import utcnow
from portal.database import Base, db, engine_options
from portal.documents.models import Document, Reading
from portal.jobs.attempt import save
from portal.jobs.core.job_tables import Number
from portal.jobs.core.status import Status
from portal.jobs.models import ScrapingJob
from portal.jobs.worker import tasks

log = structlog.get_logger(__name__)

NUMBER = "+34600000000"  # looked up offline


def warm_up(app: Flask) -> None:
    """Compile the statements of a job. If that fails, jobs are only slower."""
    try:
        with app.app_context():
            save.prepare(db.engine.dialect)
            _run_a_job(partial(_compile, db.engine))
    except Exception:
        log.warning("the first job of each fork will be slower", exc_info=True)


def _compile(engine: Engine, _: Any, statement: Any, several: Any, one: Any, options: Any) -> None:
    """Compile a statement that another engine is about to execute, as this one would, and keep it where this one looks
    for it. Not later: executing a statement changes by which key its compiled form is found."""
    if not hasattr(statement, "_compile_w_cache"):  # text
        return
    values = several or ([one] if one else [])
    with suppress(AttributeError, CompileError):  # one of SQLite's own, such as an upsert
        statement._compile_w_cache(
            engine.dialect,
            compiled_cache=options.get("compiled_cache", engine._compiled_cache),
            column_keys=sorted(values[0]) if values else [],
            for_executemany=len(values) > 1,
            linting=engine.dialect.compiler_linting | compiler.WARN_LINTING,
        )


def _run_a_job(before_execute: Callable[..., None]) -> None:
    with _other_database() as engine:
        job_id = _make_job(utcnow())
        event.listen(engine, "before_execute", before_execute)
        tasks.scrape(job_id, 0)
        job = db.session.get(ScrapingJob, job_id, populate_existing=True)
        if job is None or job.status != Status.COMPLETED:
            log.warning("the job that warms the worker up did not end", status=str(job and job.status))


def _make_job(now: datetime) -> int:
    db.session.add(User(id=1, email="-", password_hash="-", created_at=now))  # noqa: S106
    file = {"user_id": 1, "file_name": "-", "storage_key": "-", "sha256": "-", "size_bytes": 0, "created_at": now}
    db.session.add(Document(id=1, state=Reading.READY, sheets=[], **file))
    db.session.flush()
    job = ScrapingJob(document_id=1, user_id=1, file_name="-", total_numbers=1, enqueued_at=now)
    db.session.add(job)
    db.session.flush()
    db.session.add(Number(job_id=job.id, no=1, e164=NUMBER, cells=1, first_row=2))
    db.session.commit()
    return job.id


class _Silent:
    """Announces nothing: no page is open for the job."""

    def announce(self, _: object) -> None:
        pass


@contextmanager
def _other_database() -> Iterator[Engine]:
    """Let everything in this application context use an empty database in a file that is deleted afterwards."""
    engines, extensions = cast("dict[str | None, Engine]", db.engines), current_app.extensions
    ours, announcer = engines[None], extensions.get("announcer")
    with tempfile.TemporaryDirectory(prefix="masterfilter-") as folder:
        url = f"sqlite:///{Path(folder) / 'warm.db'}"
        engine = create_engine(url, **engine_options(url))
        Base.metadata.create_all(engine)
        engines[None], extensions["announcer"] = engine, _Silent()
        try:
            yield engine
        finally:
            engines[None] = ours
            extensions["announcer"] = announcer
            db.session.remove()
            engine.dispose()
