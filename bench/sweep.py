"""The sweep with a million jobs against the sweep with a thousand, on both databases.

Each sweep has the same work: some jobs lost, some silent, some due. Only the number of jobs that ended long ago
differs. A step without its index would read them all; the short round has too few to tell that from noise, so its bound
is wider, and tests/jobs/sweep/test_indexes.py checks the query plans instead.
"""

import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from flask import Flask
from sqlalchemy import text

from bench.measure import SHORT, Goal, seconds
from bench.temporary_portal import NOW, lift_timeout, make_job, numbers, portal
from portal.database import db
from portal.jobs.sweep import steps
from tests.services import new_database, postgres, postgres_programs, valkey

FEW, MANY = 1_000, 100_000 if SHORT else 1_000_000
SWEEPS = 7 if SHORT else 15
WORK = 20  # jobs of each kind that each sweep repairs

_SERIES = {
    "sqlite": "WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < :count) SELECT n FROM s",
    "postgresql": "SELECT n FROM generate_series(1, :count) AS s(n)",
}
_ENDED = ("completed", "completed", "completed", "failed", "cancelled", "timeout")


def goals() -> Iterator[Goal]:
    """Measure one goal a database. Without PostgreSQL on the machine, print that it was skipped."""
    yield _compare("sqlite", "")
    if postgres_programs() is None:
        print("     PostgreSQL is not on this machine: its sweep was not measured")
        return
    with postgres() as server:
        yield _compare("postgresql", server)


def _compare(dialect: str, server: str) -> Goal:
    few = _sweep_seconds(dialect, server, FEW)
    many = _sweep_seconds(dialect, server, MANY)
    detail = f"{many * 1000:.1f} ms with {MANY:,} jobs, {few * 1000:.1f} ms with {FEW:,}"
    return Goal(f"sweep on {dialect}, many jobs / few jobs", many / few, detail, ceiling=3.0 if SHORT else 2.0)


@contextmanager
def _portal(dialect: str, server: str) -> Iterator[Flask]:
    with valkey() as redis_url:
        if dialect == "sqlite":
            with portal(10, REDIS_URL=redis_url) as app:
                yield app
        else:
            with new_database(server) as url, portal(10, REDIS_URL=redis_url, DATABASE_URL=url) as app:
                yield app


def _sweep_seconds(dialect: str, server: str, jobs: int) -> float:
    """Return the median CPU seconds of several sweeps, each with its own lost, silent and due jobs."""
    with _portal(dialect, server) as app:
        model = make_job(app, numbers(3))
        _copy(dialect, model.id, jobs, "completed", spread=True)
        times = []
        for _ in range(SWEEPS):
            _make_work(dialect, model.id)
            times.append(seconds(lambda: steps.sweep(NOW + timedelta(days=1))))
        return statistics.median(times)


def _make_work(dialect: str, model_id: int) -> None:
    _copy(dialect, model_id, WORK, "processing", "lease_until = :past, started_at = :past, attempt = 1")
    _copy(dialect, model_id, WORK, "processing", "lease_until = :future, started_at = :past, attempt = 1")
    _copy(dialect, model_id, WORK, "failed", "next_retry_at = :past")


def _copy(dialect: str, model_id: int, count: int, status: str, changes: str = "", spread: bool = False) -> None:
    """Copy the model's row `count` times inside the database; `spread` gives the copies all final statuses."""
    columns = [column.name for column in db.metadata.tables["scraping_jobs"].columns if column.name != "id"]
    listed = ", ".join(f'"{name}"' for name in columns)
    lift_timeout(dialect)
    db.session.execute(
        text(f"INSERT INTO scraping_jobs ({listed}) SELECT {listed} FROM scraping_jobs, ({_SERIES[dialect]}) AS many "
             "WHERE scraping_jobs.id = :model"),
        {"model": model_id, "count": count},
    )  # fmt: skip
    moments = {"past": NOW - timedelta(hours=1), "future": NOW + timedelta(days=2)}
    plain = dialect == "sqlite"
    values = {name: moment.replace(tzinfo=None) if plain else moment for name, moment in moments.items()}
    newest = "id > (SELECT max(id) FROM scraping_jobs) - :count AND id <> :model"
    if spread:
        cases = " ".join(f"WHEN {n} THEN '{word}'" for n, word in enumerate(_ENDED))
        sets = (
            f"status = CASE id % {len(_ENDED)} {cases} END, ended_at = updated_at"  # as if the metrics had counted them
        )
    else:
        sets = f"status = '{status}'" + (f", {changes}" if changes else "")
    used = {name: value for name, value in values.items() if f":{name}" in sets}
    db.session.execute(
        text(f"UPDATE scraping_jobs SET {sets} WHERE {newest}"), {**used, "count": count, "model": model_id}
    )
    if spread:
        db.session.execute(text("ANALYZE"))
    db.session.commit()
