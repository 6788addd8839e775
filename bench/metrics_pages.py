"""The metrics pages with a million jobs against the same pages with 16,000, on both databases, and how fast jobs that
ended before there were metrics are counted. The jobs are the same as in the bench of the admins' pages.
"""

from collections.abc import Iterator

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import delete, text, update

from bench import admin_pages
from bench.measure import SHORT, Goal, seconds
from portal.clock import utcnow
from portal.database import db
from portal.jobs.metrics.models import DAY, EVER, EVERYBODY, HOUR, QUARTER, Metric
from portal.jobs.models import ScrapingJob
from portal.jobs.sweep import metrics_backfill

DAYS = 40  # few and many jobs ended in the same span, so that the charts have equally much to draw
PAGES = {
    "figures of 7 days": "/admin/metrics",
    "figures of 30 days": "/admin/metrics?range=30d",
    "figures of 24 hours": "/admin/metrics?range=24h",
    "counters": "/admin/metrics/live",
    "own figures": "/figures?range=30d",
}
_EPOCH = {
    "sqlite": "CAST(strftime('%s', ended_at) AS integer)",
    "postgresql": "CAST(extract(epoch FROM ended_at) AS integer)",
}
_GRAINS = (
    (EVER, "0", "0"),
    (DAY, "{epoch} / 86400", "0"),
    (HOUR, "{epoch} / 86400", "{epoch} % 86400 / 3600"),
    (QUARTER, "{epoch} / 86400", "{epoch} % 86400 / 900"),
)


def goals() -> Iterator[Goal]:
    """Measure the pages, and how fast old jobs are counted."""
    yield from admin_pages.against_few(PAGES, _prepare)
    yield _counting()


def _prepare(app: Flask, dialect: str, jobs: int) -> FlaskClient:
    admin_pages.make_jobs(app, dialect, jobs, DAYS)
    _sum_up(dialect)
    return admin_pages.signed_in(app)


def _sum_up(dialect: str) -> None:
    """Compute the sums of these jobs inside the database: counting a million one by one takes minutes."""
    db.session.execute(delete(Metric))
    for whose in (str(EVERYBODY), "user_id"):
        for grain, day, part in _GRAINS:
            place = f"{whose}, {grain}, {day}, {part}, source".format(epoch=_EPOCH[dialect])
            ended = "FROM scraping_jobs WHERE ended_at IS NOT NULL"
            db.session.execute(
                text(f"INSERT INTO figures SELECT {place}, status, count(*), sum(processed_numbers), 0, 0, 0, "
                     f"sum(total_numbers - processed_numbers), 0, sum(id % 4001) * 1000, 0, 0, 0 {ended} "
                     "GROUP BY 1, 2, 3, 4, 5, 6")
            )  # fmt: skip
            for kind, place_in_spread in (("time", "60 + id % 7919 * 31 % 90"), ("retries", "id % 4")):
                db.session.execute(
                    text(f"INSERT INTO figure_spreads SELECT {place}, '{kind}', {place_in_spread}, count(*) {ended} "
                         "AND status = 'completed' GROUP BY 1, 2, 3, 4, 5, 6, 7")
                )  # fmt: skip
    db.session.commit()
    if dialect == "postgresql":
        with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))


def _counting() -> Goal:
    """Let the sweep's step count jobs of an older version, each with one attempt."""
    count = 1_000 if SHORT else 20_000
    with admin_pages._portal("sqlite", "") as app:
        admin_pages.make_jobs(app, "sqlite", count)
        db.session.execute(delete(Metric))
        db.session.execute(update(ScrapingJob).values(ended_at=None, updated_at=ScrapingJob.updated_at))
        db.session.execute(
            text('INSERT INTO attempts (job_id, attempt, started_at, ended_at, "end", processed_before) '
                 "SELECT id, 1, created_at, datetime(created_at, '+' || (id % 4001) || ' seconds'), 'completed', 0 "
                 "FROM scraping_jobs")
        )  # fmt: skip
        db.session.commit()
        taken = seconds(lambda: all(iter(lambda: any(metrics_backfill.catch_up(utcnow())), False)))
    return Goal(
        "old jobs counted a second", count / taken, f"{count:,} jobs in {taken:.1f} s of a processor", floor=500
    )
