"""A source that refuses, is down or has reached its limit is skipped: what waits for it goes on to the next one."""

import random
from datetime import timedelta

import pytest
from sqlalchemy import select

from portal.causes import CauseCode
from portal.database import db
from portal.jobs import commands, source_pause
from portal.jobs.attempt import runner
from portal.jobs.core import derived, ledger, steps
from portal.jobs.core.derived import Action
from portal.jobs.core.job_tables import Event, EventKind, Number, Ticket
from portal.jobs.core.status import Status
from portal.jobs.models import ScrapingJob
from portal.jobs.queries import with_source_pauses
from portal.sources.base import Answer, Outcome, SourceStopped
from tests.jobs.attempt.test_steps import asked, calls, counted, given, outcomes, says, then, to_the_end
from tests.support.cast import NOW, mobile
from tests.support.databases import ON_BOTH
from tests.support.random_kills import RandomKills
from tests.support.sources import CountingSource, Script


def refuses_after(source: CountingSource, few: int, letters: str) -> Script:
    """Answers so many numbers in this way, and refuses all others."""
    answers = says(source.name, letters)

    def script(e164: str) -> Answer:
        if len(source.calls) > few:
            del source.calls[e164]
            raise SourceStopped(CauseCode.NO_CREDIT)
        return answers(e164)

    return script


def skip(job: ScrapingJob, seen_round: int | None = None) -> ScrapingJob | None:
    return commands.skip_source(job.id, job.round if seen_round is None else seen_round, "alice@example.com", NOW)


def may_skip(job: ScrapingJob) -> bool:
    db.session.refresh(job)
    return Action.SKIP_SOURCE in derived.actions(with_source_pauses([job])[0])


@ON_BOTH
def test_what_a_source_has_answered_stays_and_the_rest_goes_on(app, alice, make_job) -> None:
    with asked(first="+-", second="+-") as (first, second):
        first.script = refuses_after(first, 4, "+-")
        job = make_job(alice, 10, source="first", then=[then("second")])
        assert runner.run(job.id, 0, given()) == Status.RETRYING and job.wait_cause == CauseCode.NO_CREDIT
        assert may_skip(job)
        assert skip(job) and (job.status, job.step, job.source, job.not_before) == (Status.RETRYING, 2, "second", None)
        assert not may_skip(job)
        assert to_the_end(job) == Status.FAILED and job.last_error == CauseCode.SOURCE_SKIPPED
        assert (calls(first), calls(second)) == ([0, 1, 2, 3], [1, 3, 4, 5, 6, 7, 8, 9])
        assert outcomes(job) == "+-+-+x+x+x" and job.next_retry_at is None and job.retry_count == 0
        assert (
            counted(job) == [(10, 2, 2, 0), (8, 3, 5, 0)]
            and steps.of_job(job)[0].skipped == 6
            and job.skipped_step is None
        )
        assert {row.reason for row in db.session.scalars(select(Number)) if row.outcome == Outcome.FAILED} == {
            CauseCode.SOURCE_SKIPPED
        }


def test_a_retry_asks_the_skipped_source_only_about_what_nobody_found(alice, make_job) -> None:
    with asked(first="+-", second="+-") as (first, second):
        first.script = refuses_after(first, 4, "+-")
        job = make_job(alice, 10, source="first", then=[then("second")])
        runner.run(job.id, 0, given())
        skip(job)
        to_the_end(job)
        first.script = says("first", "-+")
        assert commands.retry(job.id, job.round, "alice@example.com", NOW) and (job.step, job.source) == (1, "first")
        assert to_the_end(job) == Status.COMPLETED and outcomes(job) == "+-+-++++++"
        assert (calls(first), calls(second)) == ([0, 1, 2, 3, 5, 7, 9], [1, 3, 4, 5, 6, 7, 8, 9])
        assert counted(job) == [(10, 5, 2, 0), (8, 3, 5, 0)] and steps.of_job(job)[0].skipped == 3


def test_it_is_skipped_once(alice, make_job) -> None:
    with asked(first="+", second="+", third="+") as (first, _, third):
        first.script = refuses_after(first, 0, "+")
        job = make_job(alice, 4, source="first", then=[then("second"), then("third")])
        runner.run(job.id, 0, given())
        seen = job.round
        assert skip(job, seen) and skip(job, seen) is None and job.step == 2
        events = select(Event).where(Event.job_id == job.id, Event.kind == EventKind.SOURCE_SKIPPED)
        (event,) = db.session.scalars(events)
        assert event.facts == {"source": "first", "then": "second"} and event.actor == "alice@example.com"
        assert to_the_end(job) == Status.COMPLETED and not third.calls


@pytest.mark.parametrize("rule", ["no_answer", "beside"])
def test_it_is_skipped_by_each_rule(alice, make_job, rule: str) -> None:
    """Side by side, each source's answer is wanted: what the second one found is not in its place."""
    with asked(first="+", second="+-") as (first, second):
        first.script = refuses_after(first, 2, "+")
        job = make_job(alice, 6, source="first", then=[then("second", rule)])
        runner.run(job.id, 0, given())
        skip(job)
        assert to_the_end(job) == Status.FAILED
        assert outcomes(job) == {"no_answer": "+++x+x", "beside": "++xxxx"}[rule]
        assert calls(second) == {"no_answer": [2, 3, 4, 5], "beside": [0, 1, 2, 3, 4, 5]}[rule]
        first.script = says("first", "+")
        commands.retry(job.id, job.round, "alice@example.com", NOW)
        assert to_the_end(job) == Status.COMPLETED and outcomes(job) == "++++++"


def test_two_sources_in_trouble_are_skipped_one_after_the_other(alice, make_job) -> None:
    with asked(first="+", second="+", third="+-") as (first, second, third):
        first.script, second.script = refuses_after(first, 0, "+"), refuses_after(second, 1, "-")
        job = make_job(alice, 4, source="first", then=[then("second"), then("third")])
        runner.run(job.id, 0, given())
        skip(job)
        assert runner.run(job.id, job.attempt, given()) == Status.RETRYING
        assert (job.step, job.wait_cause) == (2, CauseCode.NO_CREDIT)
        assert skip(job) and job.step == 3
        assert to_the_end(job) == Status.FAILED and (calls(second), calls(third)) == ([0], [0, 1, 2, 3])
        assert outcomes(job) == "+x+x" and not may_skip(job)  # nothing stands behind the third


def test_a_source_that_is_paused_is_skipped_before_anything_was_asked(alice, make_job) -> None:
    with asked(first="+", second="+-") as (first, second):
        job = make_job(alice, 4, source="first", then=[then("second")], at_once=0)
        assert not may_skip(job)
        source_pause.pause_source("first", "ada@example.com", None, NOW)
        assert may_skip(job) and skip(job)
        assert to_the_end(job) == Status.FAILED and not first.calls and calls(second) == [0, 1, 2, 3]
        assert not may_skip(job)


def test_a_file_that_has_stopped_waiting_goes_on_with_the_next_source(alice, make_job) -> None:
    with asked(first="+", second="+") as (first, second):
        first.script = refuses_after(first, 1, "+")
        job = make_job(alice, 3, source="first", then=[then("second")])
        runner.run(job.id, 0, given())
        assert ScrapingJob.stop_waiting(job.id, NOW + timedelta(days=1), NOW + timedelta(days=2))
        db.session.commit()
        assert job.status == Status.FAILED and may_skip(job) and skip(job)
        assert to_the_end(job) == Status.COMPLETED and calls(second) == [1, 2]


def test_the_automatic_retry_leaves_the_skipped_source_alone(alice, make_job) -> None:
    with asked(first="+", second="+-x") as (first, second):
        first.script = refuses_after(first, 0, "+")
        job = make_job(alice, 6, source="first", then=[then("second")])
        runner.run(job.id, 0, given())
        skip(job)
        assert to_the_end(job) == Status.FAILED and outcomes(job) == "+xx+xx" and job.next_retry_at is not None
        assert job.last_error == CauseCode.NUMBERS_UNANSWERED
        second.script = says("second", "+")
        assert ScrapingJob.retry_when_due(job.id, job.next_retry_at) and job.step == 2
        db.session.commit()
        second.calls.clear()
        assert to_the_end(job) == Status.FAILED and (calls(second), first.calls) == ([2, 5], {})
        assert job.last_error == CauseCode.SOURCE_SKIPPED and job.next_retry_at is None


def test_a_worker_that_dies_while_it_moves_numbers_on_leaves_the_rest_to_the_next(alice, make_job, monkeypatch) -> None:
    monkeypatch.setattr("portal.jobs.attempt.skipped_source.AT_ONCE", 3)
    with asked(first="+", second="+") as (first, second):
        first.script = refuses_after(first, 0, "+")
        job = make_job(alice, 10, source="first", then=[then("second")])
        runner.run(job.id, 0, given())
        skip(job)
        looks = iter([False, True, True])
        assert runner.run(job.id, job.attempt, given(stopped=lambda: next(looks, True))) == Status.RETRYING
        db.session.refresh(job)
        assert job.skipped_step == 1 and len(ledger.waiting(job.id, step=1)) in (4, 7) and not second.calls
        ScrapingJob.claim(job.id, job.attempt, NOW, worker="late", lease_seconds=60)
        db.session.commit()
        assert ScrapingJob.lose(job.id, job.attempt, NOW + timedelta(minutes=5), given().backoff)
        db.session.commit()
        assert (job.step, job.skipped_step) == (2, 1)
        assert to_the_end(job) == Status.COMPLETED and calls(second) == [*range(10)] and job.skipped_step is None


def test_what_the_source_was_paid_for_is_still_fetched_from_it(alice, make_job) -> None:
    with asked(first="+", second="+") as (first, second):
        first.script = refuses_after(first, 0, "+")
        job = make_job(alice, 4, source="first", then=[then("second")])
        runner.run(job.id, 0, given())
        numbers = [f"+34{mobile(1)}", f"+34{mobile(2)}"]
        own = {"job_id": job.id, "source": "first", "version": "", "attempt": 1, "handed_in_at": NOW}
        db.session.add(Ticket(key="one", ticket="t", numbers=numbers, **own))
        db.session.commit()
        assert steps.left_at(job) == 2
        skip(job)
        first.script = says("first", "+")
        assert to_the_end(job) == Status.COMPLETED
        assert (calls(first), calls(second)) == ([1, 2], [0, 3]) and outcomes(job) == "++++"


def test_nothing_is_skipped_where_nothing_holds_the_file_up(alice, make_job, counting) -> None:
    with asked(first="+", second="+") as (first, _):
        job, alone = make_job(alice, 3, source="first", then=[then("second")]), make_job(alice, 3, source="counting")
        assert not may_skip(job) and skip(job) is None and skip(alone) is None
        commands.pause(job.id, "alice@example.com", NOW)
        assert not may_skip(job) and skip(job) is None
        commands.resume(job.id, "alice@example.com", NOW)
        ScrapingJob.claim(job.id, 0, NOW, worker="w", lease_seconds=60)
        db.session.commit()
        assert not may_skip(job) and skip(job) is None
        commands.cancel(job.id, "alice@example.com", NOW)
        assert not may_skip(job) and skip(job) is None and not first.calls


def test_workers_that_die_at_any_commit_lose_nothing_and_leave_true_counts(alice, make_job, monkeypatch) -> None:
    monkeypatch.setattr("portal.jobs.attempt.skipped_source.AT_ONCE", 3)
    kills = RandomKills(random.Random(16), monkeypatch)
    with asked(first="+", second="+-") as (first, second):
        source_pause.pause_source("first", "ada@example.com", None, NOW)
        for _ in range(10):
            second.calls.clear()
            job = make_job(alice, 24, source="first", then=[then("second")])
            assert skip(job)
            kills.commit()
            job = kills.run(job, given())
            assert job.status == Status.FAILED and job.last_error == CauseCode.SOURCE_SKIPPED
            assert outcomes(job) == "+x" * 12 and len(second.calls) == 24 and not first.calls
            kept = counted(job), steps.of_job(job)[0].skipped, job.passed_on
            steps.recount(job)
            assert kept == (counted(job), steps.of_job(job)[0].skipped, job.passed_on)
            assert kept == ([(24, 0, 0, 0), (24, 12, 12, 0)], 24, 0)
            db.session.rollback()
