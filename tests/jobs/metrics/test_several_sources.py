"""A file with several sources counts once; what each source has said of its numbers counts under that source."""

from datetime import timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import delete, update

from portal.database import db
from portal.jobs.core.status import Status
from portal.jobs.metrics import periods, queries
from portal.jobs.metrics.models import Metric, SourceAnswers
from portal.jobs.metrics.summary import Sums, total
from portal.jobs.models import ScrapingJob
from portal.jobs.sweep import metrics_backfill
from portal.sources.several import SEVERAL
from tests.jobs.attempt.test_steps import asked, says, then, to_the_end
from tests.support.cast import NOW, mobile
from tests.support.databases import ON_BOTH

SPAN = periods.last_days(NOW + timedelta(hours=1), ZoneInfo("Europe/Madrid"), 7)


def answers() -> dict[str, tuple[int, int, int]]:
    """By source: files, numbers with an answer, and of these the ones found."""
    return {name: (one.jobs(), one.answered, one.of("found")) for name, one in queries.by_source(SPAN).items()}


def rows(model: type[Metric] | type[SourceAnswers]) -> list[tuple[object, ...]]:
    columns = list(model.__table__.columns)
    found = db.session.execute(db.select(*columns).order_by(*columns)).all()
    return [tuple(row) for row in found if any(row[len(model.__table__.primary_key) :])]


@ON_BOTH
def test_each_source_has_its_answers_and_the_file_counts_once(app, alice, bob, make_job) -> None:
    with asked(first="+--", second="+-"):
        job = make_job(alice, 6, source="first", then=[then("second")])
        assert to_the_end(job) == Status.COMPLETED
        assert to_the_end(make_job(bob, 3, source="first")) == Status.COMPLETED
        assert answers() == {SEVERAL: (1, 6, 4), "first": (1, 9, 3), "second": (0, 4, 2)}
        whole = total(queries.by_source(SPAN))
        assert (whole.jobs(), whole.answered, whole.of("found")) == (2, 9, 5)
        assert sum(piece.of("found") for piece in queries.by_time(SPAN)) == 5
        for source, found in (("first", 3), ("second", 2), (SEVERAL, 4)):
            pieces = queries.by_time(SPAN, source=source)
            assert (total(queries.by_source(SPAN, source=source)).of("found"), sum(p.of("found") for p in pieces)) == (
                found, found
            )  # fmt: skip
        assert answers()["first"] != {name: one.answered for name, one in queries.by_source(SPAN, alice.id).items()}
        assert {name: one.answered for name, one in queries.by_source(SPAN, alice.id).items()} == {
            SEVERAL: 6, "first": 6, "second": 4
        }  # fmt: skip
        assert queries.known_sources() == [SEVERAL, "first", "second"]
        assert queries.all_time(alice.id).answered == 6


def test_a_retry_and_a_correction_take_back_exactly_what_was_counted(app, alice, make_job) -> None:
    with asked(first="+x", second="+") as (first, _):
        job = make_job(alice, [mobile(0), mobile(1), "x"], source="first", then=[then("second", "beside")])
        job.max_retries = 0
        db.session.commit()
        assert to_the_end(job) == Status.FAILED and answers()["first"] == (0, 1, 1)
        assert ScrapingJob.retry(job.id, job.round, "alice@example.com", NOW)
        db.session.commit()
        assert (rows(Metric), rows(SourceAnswers)) == ([], [])
        first.script = says("first", "+")
        assert to_the_end(job) == Status.COMPLETED
        assert answers() == {SEVERAL: (1, 2, 2), "first": (0, 2, 2), "second": (0, 2, 2)}
        kept = rows(SourceAnswers)
        assert ScrapingJob.correct(job.id, job.round, {(4, 0): f"+34{mobile(0)}"}, "alice@example.com", NOW)
        db.session.commit()
        assert answers() == {SEVERAL: (1, 3, 3), "first": (0, 3, 3), "second": (0, 3, 3)}
        assert ScrapingJob.correct(job.id, job.round, {(4, 0): f"+34{mobile(5)}"}, "alice@example.com", NOW) is None
        assert len(rows(SourceAnswers)) == len(kept)


@ON_BOTH
def test_a_file_whose_end_was_not_counted_is_caught_up_with(app, alice, make_job) -> None:
    with asked(first="+--", second="+-"):
        job = make_job(alice, 6, source="first", then=[then("second")])
        assert to_the_end(job) == Status.COMPLETED
        before = rows(Metric), rows(SourceAnswers)
        for table in ("figures", "figure_spreads", "figure_answers", "job_ends"):
            db.session.execute(delete(db.metadata.tables[table]))
        db.session.execute(update(ScrapingJob).values(ended_at=None))
        db.session.commit()
        assert answers() == {}
        assert [*metrics_backfill.catch_up(NOW)] == [1]
        assert (rows(Metric), rows(SourceAnswers)) == before


def test_the_pace_is_that_of_the_files_themselves() -> None:
    sums = Sums()
    sums.by_outcome[Status.COMPLETED].update(jobs=1, found=60, worked_ms=60_000)
    sums.at_source.update(found=600)
    assert (sums.answered, sums.per_minute) == (660, 60)
