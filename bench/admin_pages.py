"""The admins' pages with a million jobs against the same pages with 16,000, on both databases; and a bulk operation
over ten thousand jobs, of which five hundred move meanwhile.

The jobs belong to ten people, have every final status and several causes, and are spread over a year, as in a portal
in use. Each page is requested as a browser would, at both portals in turns, and the best round of each counts.
"""

import contextvars
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path

import psutil
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select, text, update
from werkzeug.test import TestResponse

from bench.measure import SHORT, Goal, best_of
from bench.temporary_portal import NOW, lift_timeout, make_job, numbers, portal
from portal.accounts import User
from portal.accounts.passwords import hash_password
from portal.clock import utcnow
from portal.database import db
from portal.jobs.admin import operation_runner, operations
from portal.jobs.admin.bulk import BulkOrder
from portal.jobs.admin.filters import Filters
from portal.jobs.core.bulk_tables import Verb
from portal.jobs.core.status import Status
from portal.jobs.metrics.models import EVER, EVERYBODY, Metric
from portal.jobs.models import ScrapingJob
from tests.services import new_database, postgres, postgres_programs, valkey

# A third of the few is more than triage counts at most (CAP): with fewer, it would have less to do there, and the ratio
# would say how long counting 5,000 rows takes, not whether the page reads more than those.
FEW, MANY = 16_000, 50_000 if SHORT else 1_000_000
# Rounds of a page (more than the first ones only where its goal is missed after them), and requests in each round.
ROUNDS, MOST_ROUNDS, TIMES = (2, 8, 3) if SHORT else (6, 6, 5)
CEILING = 2.5 if SHORT else 1.5
PEOPLE = 10
OPERATION_ROUNDS = 3  # at most
OPERATED, MOVED = (1_000, 50) if SHORT else (10_000, 500)
ADMIN, PASSWORD = "ada@example.com", "brisk walnut ferry 27"

# One page for each filter and sort order of the list, and the triage.
PAGES = {
    "list": "/admin/jobs",
    "list by last change": "/admin/jobs?sort=-updated",
    "list by name": "/admin/jobs?sort=name",
    "list of a status": "/admin/jobs?status=failed",
    "list of a person": "/admin/jobs?user=person7@",
    "list of a cause": "/admin/jobs?cause=blocked",
    "triage": "/admin/triage",
}
_SERIES = {
    "sqlite": "WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < :count) SELECT n FROM s",
    "postgresql": "SELECT n FROM generate_series(1, CAST(:count AS bigint)) AS s(n)",
}
_MINUTES_AGO = {
    "sqlite": "datetime(:now, '-' || (n * :minutes / :count) || ' minutes')",
    "postgresql": "CAST(:now AS timestamptz) - make_interval(mins => CAST(n * :minutes / :count AS integer))",
}
Prepare = Callable[[Flask, str, int], FlaskClient]  # an application, dialect and how many jobs → an admin's client
_CAUSES = ("numbers_unanswered", "blocked", "no_progress", "worker_lost", "source_unknown", "by_admin")


def goals() -> Iterator[Goal]:
    """Measure the pages and the bulk operation."""
    yield from against_few(PAGES, _prepare)
    operated = _operation()
    for _ in range(OPERATION_ROUNDS - 1):  # a second of a processor does less where the machine is crowded
        operated = operated if operated.holds else max(operated, _operation(), key=lambda goal: goal.figure)
    yield operated


def against_few(pages: Mapping[str, str], prepare: Prepare, *, few: int = FEW, many: int = MANY) -> Iterator[Goal]:
    """Measure one goal a page and database: its time with many jobs against its time with few. Without PostgreSQL on
    the machine, print that its pages were skipped."""
    yield from _compare(pages, prepare, "sqlite", "", few, many)
    if postgres_programs() is None:
        print("     PostgreSQL is not on this machine: its pages were not measured")
    else:
        with postgres() as server:
            yield from _compare(pages, prepare, "postgresql", server, few, many)


def _compare(
    pages: Mapping[str, str], prepare: Prepare, dialect: str, server: str, few_jobs: int, many_jobs: int
) -> Iterator[Goal]:
    with ExitStack() as stack:
        sides: dict[str, tuple[Flask, FlaskClient]] = {}
        for side, jobs in (("few", few_jobs), ("many", many_jobs)):
            app = stack.enter_context(_portal(dialect, server))
            sides[side] = app, prepare(app, dialect, jobs)
        for name, path in pages.items():
            for app, client in sides.values():
                page_seconds(app, client, path)  # warm up: one-time work does not count
            timed = {side: partial(page_seconds, *of, path) for side, of in sides.items()}
            best = best_of(ROUNDS, most=MOST_ROUNDS, enough=lambda best: best["many"] / best["few"] <= CEILING, **timed)
            few, many = best["few"], best["many"]
            detail = f"{many * 1000:.1f} ms with {many_jobs:,} jobs, {few * 1000:.1f} ms with {few_jobs:,}"
            yield Goal(f"{name} on {dialect}, many jobs / few jobs", many / few, detail, ceiling=CEILING)


def _prepare(app: Flask, dialect: str, jobs: int) -> FlaskClient:
    make_jobs(app, dialect, jobs)
    return signed_in(app)


@contextmanager
def _portal(dialect: str, server: str) -> Iterator[Flask]:
    if dialect == "sqlite":
        with portal(10) as app:
            yield app
    else:
        with new_database(server) as url, portal(10, DATABASE_URL=url) as app:
            yield app


def page_seconds(app: Flask, client: FlaskClient, path: str) -> float:
    """Measure the CPU seconds of one request, here and in the database's processes. Other programs on the machine do
    not count."""
    with app.app_context():
        began = time.process_time() + _database_seconds()
        for _ in range(TIMES):
            answer = request(client, "GET", path)
            if answer.status_code != 200:
                raise RuntimeError(f"{path}: {answer.status_code}")
        return (time.process_time() + _database_seconds() - began) / TIMES


def _database_seconds() -> float:
    """Return the CPU seconds so far of PostgreSQL's processes that serve us, not of those that tidy up; 0 for SQLite,
    which has no processes."""
    if db.engine.dialect.name == "sqlite":
        return 0.0
    ours = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'"
    with db.engine.connect() as connection:
        return sum(_cpu_seconds(pid) for pid in connection.scalars(text(ours)))


def _cpu_seconds(pid: int) -> float:
    exact = Path(f"/proc/{pid}/schedstat")  # in nanoseconds; psutil's come in hundredths of a second
    if exact.exists():
        return int(exact.read_text().split()[0]) / 1e9
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def request(client: FlaskClient, method: str, path: str, **form: str) -> TestResponse:
    """Send a request outside our application context and transaction, as Browser in the tests' conftest does."""
    db.session.rollback()
    return contextvars.Context().run(client.open, path, method=method, data=form or None)


def make_jobs(app: Flask, dialect: str, jobs: int, days: int = 365, people: int = PEOPLE) -> None:
    """Add so many jobs of so many people, spread over the days, as copies of one."""
    model = make_job(app, numbers(3))
    first = 1000  # explicit ids: the first user has one that PostgreSQL's sequence does not know
    for n in range(people):
        db.session.add(User(id=first + n, email=f"person{n}@example.com", password_hash="-", created_at=NOW))
    db.session.flush()
    ended = ("completed", "completed", "completed", "failed", "cancelled", "timeout")
    statuses = " ".join(f"WHEN {n} THEN '{word}'" for n, word in enumerate(ended))
    causes = " ".join(f"WHEN {n} THEN '{word}'" for n, word in enumerate(_CAUSES))
    values = {
        "status": f"CASE n % {len(ended)} {statuses} END",
        "last_error": f"CASE WHEN n % 6 IN (3, 5) THEN CASE n / 7 % {len(_CAUSES)} {causes} END END",
        "user_id": f"{first} + n % {people}",
        "file_name": "'file ' || (n * 7919 % 1000003) || '.xlsx'",
        "search_text": "'file ' || (n * 7919 % 1000003) || '.xlsx'",
        "created_at": _MINUTES_AGO[dialect],
        "updated_at": _MINUTES_AGO[dialect],
        "ended_at": _MINUTES_AGO[dialect],
        "processed_numbers": "n % 4",
    }
    columns = [column.name for column in db.metadata.tables["scraping_jobs"].columns if column.name != "id"]
    listed = ", ".join(f'"{name}"' for name in columns)
    taken = ", ".join(values.get(name, f'scraping_jobs."{name}"') for name in columns)
    now = utcnow()
    lift_timeout(dialect)
    db.session.execute(
        text(f"INSERT INTO scraping_jobs ({listed}) SELECT {taken} FROM scraping_jobs, ({_SERIES[dialect]}) AS many "
             "WHERE scraping_jobs.id = :model"),
        {"model": model.id, "count": jobs, "minutes": days * 24 * 60,
         "now": now.replace(tzinfo=None).isoformat(" ") if dialect == "sqlite" else now},
    )  # fmt: skip
    kept = dict.fromkeys(("found", "not_found", "invalid", "rejected", "failed", "waiting", "worked_ms"), 0)
    for place, word in enumerate(ended):  # what the metrics would have counted
        where = {"user_id": EVERYBODY, "grain": EVER, "day": 0, "part": 0, "source": f"bench{place}", "outcome": word}
        figures = {**where, **kept, "elapsed_ms": 0, "retries": 0, "deleted_jobs": 0, "jobs": jobs // len(ended)}
        db.session.add(Metric(**figures))
    db.session.commit()
    # As autovacuum would leave it; SQLite has no autovacuum of this kind.
    if dialect == "postgresql":
        with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))


def signed_in(app: Flask) -> FlaskClient:
    app.config.update(TESTING=True, WTF_CSRF_ENABLED=False)
    admin = User(id=2, email=ADMIN, password_hash=hash_password(PASSWORD), is_admin=True, created_at=NOW)
    db.session.add(admin)
    db.session.commit()
    client = app.test_client()
    request(client, "POST", "/login", email=ADMIN, password=PASSWORD)
    return client


def _operation() -> Goal:
    """Retry ten thousand jobs, five hundred of which move meanwhile; the report must be right."""
    with valkey() as redis_url, portal(10, REDIS_URL=redis_url) as app:
        model = make_job(app, numbers(3))
        ScrapingJob.cancel(model.id, "bench", NOW)
        db.session.commit()
        _copies(model.id, OPERATED - 1)
        order = BulkOrder(Verb.RETRY, ADMIN, "bench")
        operation = operations.begin(order, "bench", NOW, wanted=Filters(status=Status.CANCELLED))
        moved = ScrapingJob.id > model.id + OPERATED - 1 - MOVED
        db.session.execute(update(ScrapingJob).where(moved).values(status="processing", attempt=1))
        db.session.commit()
        began = time.process_time()
        while operation_runner.work(operation.id, clock=lambda: NOW + timedelta(minutes=1)):
            pass
        taken = time.process_time() - began
        db.session.refresh(operation)
        retried = db.session.scalar(select(func.count()).where(ScrapingJob.status == Status.RETRYING)) or 0
        right = (operation.done, operation.skipped, retried) == (OPERATED - MOVED, MOVED, OPERATED - MOVED)
    report = "with the right report" if right else "WITH A WRONG REPORT"
    detail = f"{OPERATED:,} jobs in {taken:.1f} s of a processor, {report}"
    return Goal("jobs a second that an operation retries", OPERATED / taken if right else 0.0, detail, floor=100)


def _copies(model_id: int, count: int) -> None:
    columns = [column.name for column in db.metadata.tables["scraping_jobs"].columns if column.name != "id"]
    listed = ", ".join(f'"{name}"' for name in columns)
    sql = f"INSERT INTO scraping_jobs ({listed}) SELECT {listed} FROM scraping_jobs, ({_SERIES['sqlite']}) AS many "
    db.session.execute(text(sql + "WHERE scraping_jobs.id = :model"), {"model": model_id, "count": count})
    db.session.commit()
