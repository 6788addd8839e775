"""The metrics equal a slow recount, in every time zone, whatever happens to the jobs."""

import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from flask import Flask, current_app
from sqlalchemy import delete, func, select, update

from portal.accounts import User
from portal.database import db
from portal.documents.choice import SheetChoice
from portal.jobs import commands, status_counts
from portal.jobs.core.status import Status
from portal.jobs.metrics import periods
from portal.jobs.metrics.histogram import ERROR
from portal.jobs.metrics.models import HistogramBin, HistogramKind, JobEnd, Metric
from portal.jobs.metrics.periods import Span
from portal.jobs.metrics.queries import by_source, by_time, by_user
from portal.jobs.metrics.summary import NUMBERS, Sums, total
from portal.jobs.models import ScrapingJob
from portal.jobs.status_counts import count_by_status
from portal.jobs.sweep import metrics_backfill, steps
from portal.sources.base import Outcome
from tests.jobs.metrics import recount
from tests.support import cast, databases, scenes
from tests.support.databases import ON_BOTH

# Madrid's clock changes in the night to 29 March 2026, at 01:00 UTC.
BEGIN = datetime(2026, 3, 26, 20, 0, tzinfo=UTC)
HOURS = 96
NOW = BEGIN + timedelta(hours=HOURS)
ZONES = ["Europe/Madrid", "America/Bogota", "Asia/Kathmandu", "Pacific/Chatham", "UTC"]


@pytest.fixture
def portal(app: Flask) -> Flask:
    """The portal with the jobs of some days."""
    _live(app, 8)
    return app


def _live(app: Flask, count: int) -> None:
    """Jobs of two people at two sources that end in every way, at any minute of some days."""
    draw = random.Random(7)
    people = [cast.make_user("alice@example.com"), cast.make_user("bob@example.com")]
    document = {person.id: cast.make_document(app, person, ["x", *map(cast.mobile, range(4))]) for person in people}
    for n in range(count):
        at = BEGIN + timedelta(minutes=draw.randrange(HOURS * 60))
        person = draw.choice(people)
        choice = SheetChoice(0, 1, (0,), "ES")
        job = commands.start(document[person.id], choice, "offline", person, at - timedelta(hours=1), push=False)
        job.source = draw.choice(["offline", "offline", "elsewhere"])
        _play(job, n % 8, at, timedelta(seconds=draw.choice([0, 1, 40, 700, 5000])), app)


def _play(job: ScrapingJob, scene: int, at: datetime, took: timedelta, app: Flask) -> None:
    if scene == 0:
        scenes.claim(job, at)  # still processing
    elif scene == 1:
        scenes.failed(job, at, final=True)
    elif scene == 2:
        scenes.timed_out(job, at)
    elif scene == 3:
        scenes.cancelled(job, at)
    else:
        if scene == 4:
            scenes.failed(job, at - timedelta(minutes=20))  # retried automatically
            ScrapingJob.retry_when_due(job.id, at, at_once=True)
        if scene == 5:
            scenes.failed(job, at - timedelta(minutes=20), final=True)  # retried by a person
            commands.retry(job.id, 1, "alice@example.com", at)
        scenes.claim(job, at)
        scenes.answer(job, [Outcome.FOUND, Outcome.NOT_FOUND, Outcome.FOUND, Outcome.REJECTED], at)
        ScrapingJob.complete(job.id, job.attempt, at + took)
        db.session.commit()
        if scene == 6:
            commands.delete(job.id, "alice@example.com", at + took, app.extensions["storage"])


def spans_of(zone: ZoneInfo) -> list[Span]:
    return [
        periods.last_days(NOW, zone, 7),
        periods.last_hours(NOW - timedelta(hours=20), zone),
        periods.between(date(2026, 3, 28), date(2026, 3, 28), zone),
        periods.between(date(2026, 1, 15), date(2026, 3, 29), zone),  # by months
    ]


def same(sums: Sums | None, slow: recount.Tally | None) -> None:
    sums, slow = sums or Sums(), slow or recount.Tally()
    assert {outcome.value: sums.jobs(outcome) for outcome in Status if sums.jobs(outcome)} == dict(slow.jobs)
    assert {name: sums.of(name) for name in NUMBERS} == {name: slow.numbers[name] for name in NUMBERS}
    assert sums.of("worked_ms", Status.COMPLETED) == pytest.approx(sum(slow.seconds) * 1000, abs=1)


@pytest.mark.parametrize("zone_name", ZONES)
def test_in_every_zone_a_span_is_what_a_recount_says(zone_name: str, life: list[recount.Ended]) -> None:
    zone = ZoneInfo(zone_name)
    for span in spans_of(zone):
        inside = [one for one in life if span.borders[0] <= one.at < span.borders[-1]]
        in_pieces = recount.tally(inside, lambda one, span=span: max(b for b in span.starts if b <= one.at))
        for start, sums in zip(span.starts, by_time(span), strict=True):
            same(sums, in_pieces.get(start))
        at_sources = recount.tally(inside, lambda one: one.source)
        found = by_source(span)
        assert found.keys() == at_sources.keys()
        for source, sums in found.items():
            same(sums, at_sources[source])
            assert dict(sums.spreads[HistogramKind.RETRIES]) == dict(at_sources[source].retries)
        of_people, people = recount.tally(inside, lambda one: one.owner), by_user(span)
        assert people.keys() == of_people.keys()
        for email, sums in people.items():
            same(sums, of_people[email])
        alice = db.session.scalar(select(User.id).where(User.email == "alice@example.com"))
        hers = recount.tally(inside, lambda one: one.source if one.owner == "alice@example.com" else None)
        same(by_source(span, alice, "offline").get("offline"), hers.get("offline"))


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[recount.Ended]]:
    """One history for all zones; no test changes it."""
    with databases.usual() as database, cast.make_app(tmp_path_factory.mktemp("life"), **database).app_context():
        app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
        _live(app, 40)
        yield recount.all_ended()
        db.session.remove()
        db.engine.dispose()


@ON_BOTH
def test_the_sums_equal_a_recount_also_when_backfilled(portal: Flask) -> None:
    span = periods.last_days(NOW, ZoneInfo("Europe/Madrid"), 7)
    ended = recount.all_ended()
    same(total(by_source(span)), recount.tally(ended)["all"])
    day = periods.last_hours(NOW - timedelta(hours=20), ZoneInfo("Asia/Kolkata"))
    inside = [one for one in ended if day.borders[0] <= one.at < day.borders[-1]]
    in_hours = recount.tally(inside, lambda one: max(border for border in day.starts if border <= one.at))
    for start, sums in zip(day.starts, by_time(day), strict=True):
        same(sums, in_hours.get(start))
    for sums in by_time(span):
        assert all(isinstance(value, int) for counted in sums.by_outcome.values() for value in counted.values())
    counted = tables()
    for table in (Metric, HistogramBin, JobEnd):
        db.session.execute(delete(table))
    db.session.execute(update(ScrapingJob).values(ended_at=None, updated_at=ScrapingJob.updated_at))
    db.session.commit()
    assert status_counts.has_uncounted()
    assert count_by_status() == by_status(), "nobody is missing while the counting is behind"
    assert list(metrics_backfill.catch_up(NOW)) == [len(ended)]
    assert not status_counts.has_uncounted()
    assert tables() == counted
    assert count_by_status() == by_status()


def tables() -> list[list[tuple[object, ...]]]:
    """All rows that are not all zero: subtracting leaves some of those."""
    rows = [db.session.execute(select(*table.__table__.c)).all() for table in (Metric, HistogramBin, JobEnd)]
    db.session.commit()
    return [sorted(tuple(map(str, row)) for row in found if row._mapping.get("jobs", 1)) for found in rows]


def by_status() -> dict[Status, int]:
    there = select(ScrapingJob.status, func.count()).where(ScrapingJob.deleted_at.is_(None))
    counted = Counter(dict(map(tuple, db.session.execute(there.group_by(ScrapingJob.status)))))
    return {status: counted[status] for status in Status}


def everything() -> Sums:
    return total(by_source(periods.last_days(cast.NOW + timedelta(days=2), ZoneInfo("UTC"), 7)))


def test_a_job_counts_once_with_its_latest_end(app, alice, make_job) -> None:
    job = scenes.failed(make_job(alice), final=True)
    assert (everything().jobs(Status.FAILED), everything().numbers) == (1, 5)
    commands.retry(job.id, job.round, "alice@example.com", cast.NOW)
    assert everything().jobs() == 0
    scenes.completed(db.session.get_one(ScrapingJob, job.id, populate_existing=True), cast.NOW + timedelta(days=1))
    assert (everything().jobs(Status.COMPLETED), everything().jobs(), everything().numbers) == (1, 1, 5)


def test_an_attempt_before_another_is_not_an_end(app, alice, make_job) -> None:
    scenes.failed(make_job(alice))
    scenes.busy(make_job(alice))
    assert everything().jobs() == 0


def test_deleting_changes_no_figure_but_what_is_there(app, alice, make_job) -> None:
    jobs = [scenes.completed(make_job(alice)), scenes.failed(make_job(alice), final=True), make_job(alice)]
    for job in jobs:
        commands.delete(job.id, "alice@example.com", cast.NOW, app.extensions["storage"])
    counted = everything()
    assert [counted.jobs(status) for status in (Status.COMPLETED, Status.FAILED, Status.CANCELLED)] == [1, 1, 1]
    assert counted.numbers == 15
    assert set(count_by_status().values()) == {0}
    assert set(count_by_status(alice.id).values()) == {0}


def test_a_status_that_was_set_by_hand_is_counted_too(app, alice, make_job) -> None:
    job = scenes.completed(make_job(alice))
    job.status, job.retry_count = Status.FAILED, 3
    job.save()
    assert count_by_status() == by_status()
    assert db.session.get_one(JobEnd, job.id).outcome == Status.FAILED
    db.session.execute(update(ScrapingJob).values(status=Status.PENDING))  # in the database itself, past every rule
    db.session.commit()
    steps.sweep(cast.NOW)
    assert everything().jobs() == 0
    assert count_by_status() == by_status()


def test_times_are_at_most_their_error_away(app, alice, make_job) -> None:
    seconds = [1, 2, 3, 5, 8, 13, 60, 300, 301, 3000, 86_000]
    for took in seconds:
        job = scenes.claim(make_job(alice, 1))
        scenes.answer(job, [Outcome.FOUND])
        ScrapingJob.complete(job.id, job.attempt, cast.NOW + timedelta(seconds=took))
        db.session.commit()
    found = everything()
    assert found.mean_seconds == pytest.approx(sum(seconds) / len(seconds))
    assert found.percentile_seconds(0.5) == pytest.approx(13, rel=ERROR)
    assert found.percentile_seconds(0.95) == pytest.approx(86_000, rel=ERROR)
    assert found.per_minute == pytest.approx(len(seconds) / sum(seconds) * 60)
    assert Sums().percentile_seconds(0.5) is Sums().mean_seconds is Sums().per_minute is None


def test_a_day_is_as_long_as_the_clock_makes_it() -> None:
    madrid = periods.between(date(2026, 3, 28), date(2026, 3, 30), ZoneInfo("Europe/Madrid"))
    lengths = [later - earlier for earlier, later in zip(madrid.quarters, madrid.quarters[1:], strict=False)]
    assert lengths == [96, 92, 96]
    kolkata = periods.between(date(2026, 5, 5), date(2026, 5, 5), ZoneInfo("Asia/Kolkata"))
    assert kolkata.borders[0].astimezone(UTC) == datetime(2026, 5, 4, 18, 30, tzinfo=UTC)
    assert periods.between(date(2026, 1, 1), date(2026, 12, 31), UTC).step == "month"
    for first, last in ((date(2026, 5, 5), date(2026, 5, 4)), (date(2025, 1, 1), date(2026, 12, 31))):
        with pytest.raises(ValueError, match="no such span"):
            periods.between(first, last, UTC)
