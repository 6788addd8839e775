"""One attempt: what it looks up, what it saves, and how it ends."""

import threading
import time
from collections.abc import Callable
from configparser import RawConfigParser
from datetime import datetime, timedelta
from functools import partial

import pytest
from sqlalchemy import select

from portal.config import ROOT
from portal.database import db
from portal.jobs.attempt import lookup_window, runner, save
from portal.jobs.attempt.runner import Conditions
from portal.jobs.core import ledger
from portal.jobs.core.job_tables import Attempt, AttemptEnd, CellAnswer
from portal.jobs.core.retry_backoff import Backoff
from portal.jobs.core.status import Status
from portal.jobs.lifecycle.retries import REFUSED_SECONDS
from portal.jobs.models import ScrapingJob
from portal.jobs.worker import rq_worker
from portal.notices.models import Notice
from portal.sources.base import FINAL, Answer, Outcome, SourceBusy, SourceStopped
from tests.support.cast import NOW, hold, mobile
from tests.support.misbehaving import misbehaving, never
from tests.support.recipes import recipe, registered
from tests.support.sources import CountingSource, failing, found

BACKOFF = Backoff(base_seconds=100, spread=0)


def given(now: datetime = NOW, **more: object) -> Conditions:
    return Conditions(worker="w", lease_seconds=60, backoff=BACKOFF, clock=lambda: now, **more)  # type: ignore[arg-type]


def rows_of(job: ScrapingJob) -> list[CellAnswer]:
    return list(db.session.scalars(select(CellAnswer).where(CellAnswer.job_id == job.id).order_by(CellAnswer.row_no)))


def test_every_row_gets_an_answer_and_the_sums_agree(alice, make_job, counting: CountingSource) -> None:
    job = make_job(alice, [mobile(1), "", "hola", f"+34 {mobile(2)}", mobile(1)], source="counting")
    assert runner.run(job.id, 0, given()) == Status.COMPLETED
    rows = rows_of(job)
    assert [row.outcome for row in rows] == ["found", "invalid", "invalid", "found", "found"]
    assert job.processed_numbers == job.total_numbers == 5
    assert (job.found_count, job.invalid_count) == (3, 2)
    assert job.completed_at == NOW and job.lease_until is None


def test_a_duplicate_is_looked_up_once_and_filled_in_everywhere(alice, make_job, counting) -> None:
    job = make_job(alice, [mobile(1), f"0034{mobile(1)}", f"+34{mobile(1)}"], source="counting")
    runner.run(job.id, 0, given())
    assert counting.calls == {f"+34{mobile(1)}": 1}
    assert [row.answer for row in rows_of(job)] == [{"seen": f"+34{mobile(1)}"}] * 3
    assert [row.duplicate_of for row in rows_of(job)] == [None, 2, 2]


@pytest.mark.parametrize("concurrency", [1, 8])
def test_a_stopped_attempt_is_resumed_without_repeating(alice, make_job, counting, concurrency: int) -> None:
    job = make_job(alice, 50, source="counting")
    counting.concurrency = concurrency
    stop = threading.Event()

    def stop_at_20(e164: str) -> Answer:
        if sum(counting.calls.values()) >= 20:
            stop.set()
        return found(e164)

    counting.script = stop_at_20
    assert runner.run(job.id, 0, given(stopped=stop.is_set)) == Status.RETRYING
    assert 20 <= job.processed_numbers < 50
    assert job.retry_count == 0
    counting.script = found
    assert runner.run(job.id, 1, given()) == Status.COMPLETED
    assert set(counting.calls.values()) == {1}
    assert len(counting.calls) == 50


def test_a_message_that_comes_twice_starts_one_attempt(alice, make_job, counting) -> None:
    job = make_job(alice, source="counting")
    assert runner.run(job.id, 0, given()) == Status.COMPLETED
    assert runner.run(job.id, 0, given()) is None
    assert set(counting.calls.values()) == {1}


def test_unanswered_rows_leave_the_job_failed_with_a_retry(alice, make_job, counting) -> None:
    bad = f"+34{mobile(1)}"
    counting.script = lambda e164: failing(e164) if e164 == bad else found(e164)
    job = make_job(alice, 3, source="counting")
    assert runner.run(job.id, 0, given()) == Status.FAILED
    assert (job.processed_numbers, job.failed_count) == (2, 1)
    assert job.next_retry_at == NOW + timedelta(seconds=100)
    assert job.last_error == "numbers_unanswered"


def test_a_retry_asks_only_for_what_has_no_answer(alice, make_job, counting) -> None:
    bad = f"+34{mobile(1)}"
    counting.script = lambda e164: failing(e164) if e164 == bad else found(e164)
    job = make_job(alice, 3, source="counting")
    runner.run(job.id, 0, given())
    counting.script = found
    assert ScrapingJob.retry_when_due(job.id, NOW + timedelta(hours=1))
    db.session.commit()
    assert runner.run(job.id, 1, given()) == Status.COMPLETED
    assert counting.calls[bad] == 2
    assert sum(counting.calls.values()) == 4
    assert (job.failed_count, job.found_count) == (0, 3)


def test_a_busy_source_uses_no_retry_and_says_until_when(alice, make_job, counting) -> None:
    def busy(e164: str) -> Answer:
        raise SourceBusy("source_busy", 600)

    counting.script = busy
    job = make_job(alice, source="counting")
    assert runner.run(job.id, 0, given()) == Status.RETRYING
    assert job.not_before == NOW + timedelta(seconds=600)
    assert job.retry_count == 0
    assert runner.run(job.id, 1, given()) is None, "claimed before its time"
    counting.script = found
    assert runner.run(job.id, 1, given(NOW + timedelta(seconds=600))) == Status.COMPLETED


@pytest.mark.parametrize("cause", ["credentials", "no_credit", "blocked"])
def test_a_refusal_makes_the_file_wait_and_notifies_the_admins(alice, ada, make_job, counting, cause: str) -> None:
    def refuse(e164: str) -> Answer:
        raise SourceStopped(cause)

    counting.script = refuse
    job, other = make_job(alice, 100, source="counting"), make_job(alice, 3, source="counting")
    assert runner.run(job.id, 0, given()) == Status.RETRYING
    assert sum(counting.calls.values()) == 1
    assert (job.retry_count, job.not_before) == (0, NOW + timedelta(seconds=REFUSED_SECONDS))
    runner.run(other.id, 0, given())
    told = db.session.scalars(select(Notice)).all()
    assert [(notice.kind, notice.user_id) for notice in told] == [("source_stopped", ada.id)]
    counting.script = found
    assert runner.run(job.id, 1, given(job.not_before)) == Status.COMPLETED


def test_a_changed_page_fails_the_attempt(alice, make_job, counting) -> None:
    def changed(e164: str) -> Answer:
        raise SourceStopped("page_changed")

    counting.script = changed
    job = make_job(alice, 100, source="counting")
    assert runner.run(job.id, 0, given()) == Status.FAILED
    assert job.last_error == "page_changed"


def test_a_source_error_fails_one_number_and_never_the_file(alice, make_job, counting) -> None:
    def breaks(e164: str) -> Answer:
        if e164.endswith("2"):
            raise RuntimeError("boom")
        return found(e164)

    counting.script = breaks
    job = make_job(alice, 10, source="counting")
    assert runner.run(job.id, 0, given()) == Status.FAILED
    assert (job.found_count, job.failed_count) == (9, 1)
    assert {row.reason for row in rows_of(job) if row.outcome == Outcome.FAILED} == {"source_error"}


def test_a_pause_hands_the_job_back_and_it_waits(alice, make_job, counting) -> None:
    job = make_job(alice, 50, source="counting")
    job_id = job.id

    def pausing(saved: int) -> None:
        ScrapingJob.pause(job_id, "alice@example.com", NOW)
        db.session.commit()

    counting.concurrency = 4
    monkey = saving_every_row(pausing)
    with monkey:
        assert runner.run(job.id, 0, given(on_saved=pausing)) == Status.RETRYING
    assert job.paused_at == NOW
    assert 0 < job.processed_numbers < 50
    assert runner.run(job.id, 1, given()) is None
    ScrapingJob.resume(job.id, "alice@example.com", NOW)
    db.session.commit()
    assert runner.run(job.id, 1, given()) == Status.COMPLETED
    assert set(counting.calls.values()) == {1}


def saving_every_row(_: Callable[[int], None]) -> pytest.MonkeyPatch.context:
    patch = pytest.MonkeyPatch()
    patch.setattr(runner, "SAVE_NUMBERS", 1)
    patch.setattr(runner, "SAVES_APART_SECONDS", 0)

    class Undo:
        def __enter__(self) -> None: ...

        def __exit__(self, *_: object) -> None:
            patch.undo()

    return Undo()  # type: ignore[return-value]


def late_worker_writes(job: ScrapingJob) -> bool:
    """Freeze an attempt until it is lost and claimed again, then let it wake and save. True when that changed
    anything."""
    held = ScrapingJob.claim(job.id, 0, NOW, worker="first", lease_seconds=60)
    assert held and held.attempt == 1
    numbers = ledger.waiting(job.id)
    own = hold(held, worker="first")
    later = NOW + timedelta(minutes=5)
    assert ScrapingJob.lose(job.id, 1, later, BACKOFF)
    assert ScrapingJob.claim(job.id, 1, later, worker="second", lease_seconds=60)
    db.session.commit()
    before = [(row.outcome, row.attempt) for row in rows_of(job)]
    db.session.commit()
    late = [save.LookedUp(number, found(e164)) for e164, number in numbers.items()]
    try:
        save.save(own, late, later, 60)
    except save.AttemptTaken:
        pass
    db.session.commit()
    db.session.refresh(job)
    return [(row.outcome, row.attempt) for row in rows_of(job)] != before


def test_a_late_worker_loses(alice, make_job, counting) -> None:
    job = make_job(alice, source="counting")
    assert not late_worker_writes(job)
    assert not ScrapingJob.complete(job.id, 1, NOW) and not ScrapingJob.fail(job.id, 1, "x", NOW, BACKOFF)
    assert job.status == Status.PROCESSING and job.attempt == 2


def test_without_the_fence_a_late_worker_would_win(alice, make_job, counting, monkeypatch) -> None:
    """Tests the test above: it must fail when the fence is taken out."""
    monkeypatch.setattr(ScrapingJob, "held_by", classmethod(lambda cls, job_id, attempt: (cls.id == job_id,)))
    assert late_worker_writes(make_job(alice, source="counting"))


def test_a_worker_lost_after_new_answers_uses_no_retry(alice, make_job, counting) -> None:
    job = make_job(alice, 3, source="counting")
    held = ScrapingJob.claim(job.id, 0, NOW, worker="w", lease_seconds=60)
    assert held
    own = hold(held)
    first = next(iter(ledger.waiting(job.id).items()))
    db.session.commit()
    save.save(own, [save.LookedUp(first[1], found(first[0]))], NOW, 60)
    assert ScrapingJob.lose(job.id, 1, NOW + timedelta(seconds=61), BACKOFF)
    assert (job.status, job.retry_count) == (Status.RETRYING, 0)


def test_a_file_that_kills_its_worker_comes_to_an_end(alice, make_job, counting) -> None:
    job = make_job(alice, 3, source="counting")
    now, attempts = NOW, 0
    while job.status != Status.FAILED:
        assert ScrapingJob.claim(job.id, attempts, now, worker="w", lease_seconds=60)
        attempts += 1
        now += timedelta(seconds=61)
        assert ScrapingJob.lose(job.id, attempts, now, BACKOFF)
        db.session.commit()
    assert attempts == 1 + job.max_retries
    assert job.next_retry_at is None
    ends = db.session.scalars(select(Attempt.end).where(Attempt.job_id == job.id)).all()
    assert ends == [AttemptEnd.LOST] * attempts


@pytest.mark.parametrize(("seconds", "lost"), [(59, False), (60, False), (61, True)])
def test_a_lease_is_over_one_second_after_its_end(alice, make_job, seconds: int, lost: bool) -> None:
    job = make_job(alice)
    ScrapingJob.claim(job.id, 0, NOW, worker="w", lease_seconds=60)
    assert bool(ScrapingJob.lose(job.id, 1, NOW + timedelta(seconds=seconds), BACKOFF)) is lost


def test_only_final_answers_count_as_processed(alice, make_job, counting) -> None:
    counting.script = failing
    job = make_job(alice, 4, source="counting")
    runner.run(job.id, 0, given())
    assert job.processed_numbers == 0 == sum(row.outcome in FINAL for row in rows_of(job))


@pytest.mark.parametrize("concurrency", [1, 4])
def test_slow_answers_in_flight_are_saved_before_a_stop(alice, make_job, monkeypatch, tmp_path, concurrency) -> None:
    """A deploy waits as long as the source's own time limit allows: they are paid for."""
    monkeypatch.setattr(lookup_window, "DRAIN_SECONDS", 0.1)
    stop = threading.Event()

    def slow(number: str, nth: int) -> None:
        stop.set()
        time.sleep(0.4)

    made = partial(recipe, tmp_path, "json", timeout=5, concurrency=concurrency)
    with misbehaving(slow) as server, registered(made(url=server.url)):
        job = make_job(alice, 10, source="json-test")
        assert runner.run(job.id, 0, given(stopped=stop.is_set)) == Status.RETRYING
        db.session.refresh(job)
        assert (job.processed_numbers, job.retry_count) == (sum(server.calls.values()), 0)
        server.plan = never
        assert runner.run(job.id, 1, given()) == Status.COMPLETED
        assert set(server.calls.values()) == {1}


@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_stop_does_not_wait_for_a_source_that_hangs(alice, make_job, monkeypatch, tmp_path, concurrency) -> None:
    monkeypatch.setattr(lookup_window, "LONGEST_DRAIN_SECONDS", 0.3)
    stop = threading.Event()

    def hang(number: str, nth: int) -> str:
        stop.set()
        return "hang"

    with misbehaving(hang) as server:
        with registered(recipe(tmp_path, "json", server.url, timeout=60, concurrency=concurrency)):
            job = make_job(alice, 10, source="json-test")
            assert runner.run(job.id, 0, given(stopped=stop.is_set)) == Status.RETRYING
        assert server.at_once > 0, "it was not waited for"
        db.session.refresh(job)
        assert (job.retry_count, job.processed_numbers) == (0, 0)
        server.closing.set()


def test_whoever_stops_a_worker_waits_longer_than_its_attempt() -> None:
    supervisor = RawConfigParser()
    supervisor.read(ROOT / "deploy" / "supervisord.conf")
    waits = [supervisor.getint(name, "stopwaitsecs") for name in supervisor.sections() if name.startswith("program:")]
    scrape = supervisor.getint("program:scrape", "stopwaitsecs")
    assert lookup_window.LONGEST_DRAIN_SECONDS < rq_worker.LAST_CALL_SECONDS < scrape
    service = (ROOT / "deploy" / "masterfilter.service").read_text()
    (systemd,) = [int(line.partition("=")[2]) for line in service.splitlines() if line.startswith("TimeoutStopSec=")]
    assert max(waits) + scrape + 30 <= systemd  # Valkey, the workers together, the web
