"""The answer cache: a number is not paid for twice across files, and an answer that was not saved is not cached."""

import csv
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select

from portal import sources
from portal.database import db
from portal.jobs.attempt import runner
from portal.jobs.attempt.runner import Conditions
from portal.jobs.core.job_tables import CellAnswer
from portal.jobs.core.retry_backoff import Backoff
from portal.jobs.core.status import Status
from portal.jobs.models import ScrapingJob
from portal.jobs.sweep import steps
from portal.sources import answer_cache, stats
from portal.sources.base import Answer, Outcome, SourceFacts, SourceStopped
from portal.sources.models import CachedAnswer
from tests.support.cast import NOW, mobile
from tests.support.sources import CountingSource, found


@pytest.fixture
def kept() -> Iterator[CountingSource]:
    """A source whose answers are cached for 30 days."""
    source = CountingSource()
    sources.register("counting", lambda: source, SourceFacts(("seen",), 1, "1", 0.01, cache_days=30))
    yield source
    sources.unregister("counting")


def run(job: ScrapingJob, now: datetime = NOW) -> Status | None:
    given = Conditions(worker="w", lease_seconds=60, backoff=Backoff(base_seconds=100), clock=lambda: now)
    return runner.run(job.id, job.attempt, given)


def count() -> int:
    return db.session.scalar(select(func.count()).select_from(CachedAnswer)) or 0


def test_an_earlier_files_number_is_not_looked_up_again(alice, bob, make_job, kept) -> None:
    assert run(make_job(alice, [mobile(1), mobile(2)], source="counting")) == Status.COMPLETED
    job = make_job(bob, [mobile(2), mobile(3), f"0034{mobile(2)}"], source="counting")
    assert run(job) == Status.COMPLETED
    assert set(kept.calls.values()) == {1}
    rows = list(db.session.scalars(select(CellAnswer).where(CellAnswer.job_id == job.id).order_by(CellAnswer.row_no)))
    assert [row.answer for row in rows] == [{"seen": f"+34{mobile(n)}"} for n in (2, 3, 2)]
    assert job.processed_numbers == job.found_count == job.total_numbers == 3


def test_a_file_that_is_known_altogether_asks_nothing(alice, make_job, kept) -> None:
    for _ in range(2):
        assert run(make_job(alice, 1200, source="counting")) == Status.COMPLETED
    assert sum(kept.calls.values()) == 1200


def test_an_expired_answer_is_looked_up_and_kept_again(alice, make_job, kept) -> None:
    later = NOW + timedelta(days=31)
    run(make_job(alice, 1, source="counting"))
    run(make_job(alice, 1, source="counting"), later)
    run(make_job(alice, 1, source="counting"), later + timedelta(days=20))
    assert sum(kept.calls.values()) == 2


def test_using_a_cached_answer_does_not_renew_it(alice, make_job, kept) -> None:
    for days in (0, 20, 40):
        run(make_job(alice, 1, source="counting"), NOW + timedelta(days=days))
    assert sum(kept.calls.values()) == 2


def test_what_failed_is_not_kept(alice, make_job, kept) -> None:
    kept.script = lambda e164: Answer(Outcome.FAILED, reason="temporary") if e164.endswith("1") else found(e164)
    run(make_job(alice, [mobile(1), mobile(2)], source="counting"))
    assert count() == 1


def test_answers_before_the_source_stopped_are_cached(alice, make_job, kept) -> None:
    def stops(e164: str) -> Answer:
        if sum(kept.calls.values()) > 3:
            raise SourceStopped("page_changed")
        return found(e164)

    kept.script = stops
    assert run(make_job(alice, 10, source="counting")) == Status.FAILED
    assert count() == 3


def test_a_late_worker_keeps_nothing(alice, ada, make_job, kept) -> None:
    job = make_job(alice, 3, source="counting")

    def taken_away(e164: str) -> Answer:
        ScrapingJob.cancel(job.id, ada.email, NOW)
        db.session.commit()
        return found(e164)

    kept.script = taken_away
    assert run(job) is None
    assert count() == 0


def test_a_source_without_a_cache_is_asked_each_time(alice, make_job, counting) -> None:
    for _ in range(2):
        run(make_job(alice, 2, source="counting"))
    assert sum(counting.calls.values()) == 4
    assert count() == 0


def test_a_row_says_when_the_source_was_really_asked(as_alice, alice, bob, make_job, kept) -> None:
    run(make_job(bob, [mobile(1)], source="counting"))
    later = NOW + timedelta(days=20)
    job = make_job(alice, [mobile(1), mobile(2), f"0034{mobile(1)}"], source="counting")
    run(job, later)
    rows = list(db.session.scalars(select(CellAnswer).where(CellAnswer.job_id == job.id).order_by(CellAnswer.row_no)))
    assert [row.checked_at for row in rows] == [NOW, later, NOW]
    seen = as_alice.get(f"/jobs/{job.id}").get_data(as_text=True)
    assert seen.count("Saved answer:") == 2
    with as_alice.get(f"/jobs/{job.id}/results.csv?columns=status,checked_at") as file:
        checked = [line[-1] for line in list(csv.reader(file.text.splitlines()))[1:]]
    assert [text[:10] for text in checked] == ["2026-05-05", "2026-05-25", "2026-05-05"]


def test_a_kept_answer_is_no_sign_of_how_the_source_is(alice, make_job, kept) -> None:
    run(make_job(alice, 3, source="counting"))
    run(make_job(alice, 5, source="counting"), NOW + timedelta(days=1))
    assert stats.since(["counting"], NOW + timedelta(hours=1)) == {"counting": {"found": 2}}


def test_the_sweep_deletes_only_expired_answers(alice, make_job, kept) -> None:
    run(make_job(alice, 4, source="counting"))
    answer_cache.remember("gone", "1", {"+34612000001": found("+34612000001")}, NOW)
    db.session.commit()
    assert steps.sweep(NOW + timedelta(days=29)).forgotten == 0
    assert steps.sweep(NOW + timedelta(days=31)).forgotten == 4
    assert count() == 1, "an unknown source's answers stay longer"
    assert steps.sweep(NOW + timedelta(days=91)).forgotten == 1


def test_one_pass_forgets_so_many_and_the_next_goes_on(alice, make_job, kept) -> None:
    run(make_job(alice, 7, source="counting"))
    later = NOW + timedelta(days=31)
    assert [answer_cache.forget_old(later, limit=3) for _ in range(4)] == [3, 3, 1, 0]


def test_switching_the_cache_off_deletes_its_answers(alice, make_job, kept) -> None:
    run(make_job(alice, 2, source="counting"))
    sources.register("counting", lambda: kept, SourceFacts(("seen",), 1, "1", 0.01))
    assert steps.sweep(NOW + timedelta(minutes=1)).forgotten == 2
