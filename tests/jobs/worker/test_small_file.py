"""What a file of five rows asks of the database, and that the fork that looks it up compiles none of its SQL."""

from typing import Any

from flask import Flask
from sqlalchemy import event

from portal.accounts import User
from portal.clock import utcnow
from portal.database import db
from portal.jobs.core.status import Status
from portal.jobs.models import ScrapingJob
from portal.jobs.worker import tasks
from portal.jobs.worker.warm_up import warm_up
from tests.support.cast import make_job
from tests.support.databases import ON_BOTH

# Raise neither without need: people wait for small files. One of each is the look at the lists of excluded numbers.
STATEMENTS, TRANSACTIONS = 39, 9
OF_ONE_DIALECT = ("ON CONFLICT", "pg_advisory")


@ON_BOTH
def test_a_small_file_asks_little_of_the_database_and_compiles_nothing(app: Flask, alice: User) -> None:
    job_id = make_job(app, alice, 5).id
    db.session.get_one(ScrapingJob, job_id).enqueued_at = utcnow()
    db.session.commit()
    db.session.remove()
    db.engine.clear_compiled_cache()
    warm_up(app)
    statements, compiled, begun = [], [], []

    def executed(_: Any, __: Any, statement: str, ___: Any, context: Any, ____: Any) -> None:
        if not statement.startswith(("BEGIN", "PRAGMA")):
            statements.append(statement)
            if context.cache_hit.name == "CACHE_MISS" and not any(own in statement for own in OF_ONE_DIALECT):
                compiled.append(statement)

    event.listen(db.engine, "before_cursor_execute", executed)
    event.listen(db.engine, "begin", lambda _: begun.append(1))
    tasks.scrape(job_id, 0)
    transactions = len(begun)
    event.remove(db.engine, "before_cursor_execute", executed)

    assert db.session.get_one(ScrapingJob, job_id).status == Status.COMPLETED
    assert compiled == []
    assert len(statements) <= STATEMENTS and transactions <= TRANSACTIONS
