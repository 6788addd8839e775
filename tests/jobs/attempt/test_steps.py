"""Several sources for one file: each number goes on with its answer and its cost, and is asked once at each source."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import time, timedelta

import pytest
from sqlalchemy import func, select

from portal import sources
from portal.causes import CauseCode
from portal.database import db
from portal.jobs import commands, repeats
from portal.jobs.attempt import outage, runner
from portal.jobs.attempt.held_shares import HeldShares
from portal.jobs.attempt.outcome import AttemptOutcome
from portal.jobs.attempt.runner import Conditions
from portal.jobs.attempt.save import LookedUp, save
from portal.jobs.core import derived, ledger, steps
from portal.jobs.core.job_tables import Attempt, Number
from portal.jobs.core.repeat_rule import Every, RepeatRule
from portal.jobs.core.retry_backoff import Backoff
from portal.jobs.core.status import Status
from portal.jobs.core.step_tables import JobStep, NextSource, StepRule
from portal.jobs.models import ScrapingJob
from portal.jobs.number_erasure.job_rows import erase_in_job
from portal.jobs.shares import AttemptTaken
from portal.sources import exclusions
from portal.sources.base import Answer, Outcome
from portal.sources.several import FOUND_BY
from tests.support.cast import NOW, hold, mobile
from tests.support.databases import ON_BOTH
from tests.support.sources import CountingSource, Script

BACKOFF = Backoff(base_seconds=100, spread=0)
FOUND, NOT_FOUND, FAILED = Outcome.FOUND, Outcome.NOT_FOUND, Outcome.FAILED
WORDS = {"+": Outcome.FOUND, "-": NOT_FOUND, "x": FAILED, "!": Outcome.INVALID, "r": Outcome.REJECTED}


def given(now=NOW, **more: object) -> Conditions:
    return Conditions(worker="w", lease_seconds=60, backoff=BACKOFF, clock=lambda: now, **more)  # type: ignore[arg-type]


def says(name: str, words: str) -> Script:
    """Answers the nth number of the file by the nth of these letters."""

    def script(e164: str) -> Answer:
        outcome = WORDS[words[int(e164[-2:]) % len(words)]]
        return Answer(outcome, {"seen": name} if outcome == FOUND else {}, "temporary" if outcome == FAILED else None)

    return script


@contextmanager
def asked(**words: str) -> Iterator[list[CountingSource]]:
    """Sources with these names, each of which answers the numbers in this way."""
    made = []
    for name, letters in words.items():
        source = CountingSource(says(name, letters))
        source.name = name
        sources.register(name, lambda source=source: source)
        made.append(source)
    try:
        yield made
    finally:
        for name in words:
            sources.unregister(name)


def then(name: str, rule: str = "not_found", cost_cap: int | None = None) -> NextSource:
    return NextSource(name, StepRule(rule), cost_cap)


def to_the_end(job: ScrapingJob, most: int = 8) -> Status | None:
    """Run attempts for as long as the job is handed back to go on."""
    status = None
    for _ in range(most):
        db.session.refresh(job)
        status = runner.run(job.id, job.attempt, given())
        if status != Status.RETRYING:
            break
    return status


def outcomes(job: ScrapingJob) -> str:
    letters = {outcome: letter for letter, outcome in WORDS.items()} | {Outcome.WAITING: "."}
    rows = db.session.scalars(select(Number).where(Number.job_id == job.id).order_by(Number.no))
    return "".join(letters[row.outcome] for row in rows)


def calls(source: CountingSource) -> list[int]:
    """The numbers that it was asked about, by their place; none was asked about twice."""
    assert set(source.calls.values()) <= {1}
    return sorted(int(e164[-2:]) for e164 in source.calls)


def counted(job: ScrapingJob) -> list[tuple[int, int, int, int]]:
    return [(one.arrived, one.found, one.not_found, one.failed) for one in steps.of_job(job)]


@ON_BOTH
def test_the_next_source_is_asked_only_where_the_one_before_found_nothing(app, alice, make_job) -> None:
    with asked(first="+-r+-", second="-+-++") as (first, second):
        job = make_job(alice, [mobile(n) for n in range(5)], source="first", then=[then("second")])
        assert (job.all_sources, job.step_count, job.source) == ("first,second", 2, "first")
        assert runner.run(job.id, 0, given()) == Status.RETRYING
        assert (job.source, job.step, job.processed_numbers, job.retry_count) == ("second", 2, 2, 0)
        assert job.not_before is None and job.next_retry_at is None and derived.progress(job, NOW).percent == 70
        assert runner.run(job.id, 1, given()) == Status.COMPLETED
        assert outcomes(job) == "++-++" and calls(first) == [0, 1, 2, 3, 4] and calls(second) == [1, 2, 4]
        assert (job.found_count, job.not_found_count, job.processed_numbers, job.passed_on) == (4, 1, 5, 0)
        assert counted(job) == [(5, 2, 2, 0), (3, 2, 1, 0)]
        rows = db.session.scalars(select(Number).where(Number.job_id == job.id).order_by(Number.no)).all()
        assert rows[0].answer == {FOUND_BY: "first", "seen": "first"}
        assert rows[1].answer == {FOUND_BY: "second", "seen@2": "second"}
        assert rows[2].answer is None


def test_a_number_without_an_answer_goes_on_only_by_the_rule_that_says_so(alice, make_job) -> None:
    with asked(first="x-+", second="+++") as (_, second):
        job = make_job(alice, 3, source="first", then=[then("second")])
        assert to_the_end(job) == Status.FAILED
        assert outcomes(job) == "x++" and calls(second) == [1] and job.failed_count == 1
        other = make_job(alice, 3, source="first", then=[then("second", "no_answer")])
        second.calls.clear()
        assert to_the_end(other) == Status.COMPLETED
        assert outcomes(other) == "+++" and calls(second) == [0, 1]


def test_a_retry_asks_what_failed_at_its_own_source_and_no_other(alice, make_job) -> None:
    with asked(first="x-+", second="+x+") as (first, second):
        job = make_job(alice, 3, source="first", then=[then("second")])
        assert to_the_end(job) == Status.FAILED
        assert outcomes(job) == "xx+" and (job.step, job.source) == (2, "second")
        first.script = second.script = says("now", "-++")
        first.calls.clear()
        second.calls.clear()
        retried = ScrapingJob.retry(job.id, job.round, "alice@example.com", NOW)
        assert retried is not None and (retried.step, retried.source) == (1, "first")
        db.session.commit()
        assert to_the_end(job) == Status.COMPLETED
        assert (outcomes(job), calls(first), calls(second)) == ("-++", [0], [0, 1])
        assert counted(job) == [(3, 1, 2, 0), (2, 1, 1, 0)]


def test_side_by_side_each_source_is_asked_about_every_number(alice, make_job) -> None:
    with asked(first="+-+-!", second="-+x-+", third="-----") as every:
        job = make_job(alice, 5, source="first", then=[then("second", "beside"), then("third", "not_found")])
        assert to_the_end(job) == Status.FAILED
        assert [calls(one) for one in every] == [[0, 1, 2, 3, 4], [0, 1, 2, 3, 4], [3]]
        assert outcomes(job) == "++x-+" and (job.step, job.source) == (3, "third")
        every[1].script = says("second", "+")
        every[1].calls.clear()
        ScrapingJob.retry(job.id, job.round, "alice@example.com", NOW)
        db.session.commit()
        assert to_the_end(job) == Status.COMPLETED and calls(every[1]) == [2]
        row = db.session.scalar(select(Number).where(Number.job_id == job.id, Number.no == 3))
        assert row and row.answer == {FOUND_BY: "first,second", "seen": "first", "seen@2": "second"}


def test_a_further_source_after_one_that_is_beside_others_is_asked_about_all(alice, make_job) -> None:
    with asked(first="+-", second="+-", third="+-") as every:
        job = make_job(alice, 2, source="first", then=[then("second"), then("third", "beside")])
        assert to_the_end(job) == Status.COMPLETED
        assert [calls(one) for one in every] == [[0, 1], [1], [0, 1]] and outcomes(job) == "+-"


def test_an_answer_is_saved_with_the_step_behind_it_or_not_at_all(alice, make_job) -> None:
    with asked(first="-", second="+") as _:
        job = make_job(alice, 3, source="first", then=[then("second")])
        ScrapingJob.claim(job.id, 0, NOW, worker="w", lease_seconds=60)
        db.session.commit()
        held = hold(job)
        numbers = ledger.waiting(job.id, step=1)
        ScrapingJob.cancel(job.id, "alice@example.com", NOW)
        db.session.commit()
        looked_up = [LookedUp(number, Answer(NOT_FOUND, cost=10), e164) for e164, number in numbers.items()]
        with pytest.raises(AttemptTaken):
            save(held, looked_up, NOW, 60)
        rows = db.session.scalars(select(Number).where(Number.job_id == job.id)).all()
        assert {(row.step, row.by_step, row.cost) for row in rows} == {(1, None, 0)}
        assert [one.cost for one in steps.of_job(job)] == [0, 0]


def test_an_attempt_that_only_passed_numbers_on_has_saved_something(alice, make_job) -> None:
    with asked(first="-", second="+") as (first, second):
        job = make_job(alice, 40, source="first", then=[then("second")])
        stop = threading.Event()

        def some(e164: str) -> Answer:
            if sum(first.calls.values()) >= 10:
                stop.set()
            return Answer(NOT_FOUND)

        first.script = some
        assert runner.run(job.id, 0, given(stopped=stop.is_set)) == Status.RETRYING
        assert job.processed_numbers == 0 and job.passed_on > 0 and job.step == 1
        later = NOW + timedelta(minutes=5)
        ScrapingJob.claim(job.id, 1, NOW, worker="w", lease_seconds=60)
        db.session.commit()
        e164, number = next(iter(ledger.waiting(job.id, step=1).items()))
        save(hold(job), [LookedUp(number, Answer(NOT_FOUND), e164)], NOW, 60)
        first.calls[e164] += 1
        assert ScrapingJob.lose(job.id, 2, later, BACKOFF) and job.retry_count == 0
        db.session.commit()
        assert to_the_end(job) == Status.COMPLETED
        assert len(calls(first)) == len(calls(second)) == 40


def test_a_repeat_has_the_same_sources(alice, make_job) -> None:
    with asked(first="-+", second="+-"):
        job = make_job(alice, 4, source="first", then=[then("second", "beside", 5)])
        assert to_the_end(job) == Status.COMPLETED and job.source == "second"
        repeat = repeats.set_repeat(job, RepeatRule(Every.DAY, 0, time(9), "Europe/Madrid"), "alice@example.com", NOW)
        (again_id,) = repeats.run_due(repeat.next_at)
        again = db.session.get_one(ScrapingJob, again_id)
        assert (again.source, again.chain) == ("first", "first,second")
        assert [(one.source, one.rule, one.cost_cap) for one in steps.of_job(again)] == [
            ("first", "first", None), ("second", "beside", 5)
        ]  # fmt: skip
        assert to_the_end(again) == Status.COMPLETED
        before = repeats.job_before_of(again)
        assert before is not None and before.id == job.id


def test_a_repeat_keeps_the_limits_of_the_file_and_of_each_source(alice, make_job) -> None:
    with asked(first="-", second="+"):
        job = make_job(alice, 4, source="first", then=[then("second", "beside", 5)], cost_cap=70)
        assert commands.set_cost_cap(job.id, 7, "alice@example.com", NOW, step=2)  # as it was raised on the page
        assert to_the_end(job) == Status.COMPLETED
        repeat = repeats.set_repeat(job, RepeatRule(Every.DAY, 0, time(9), "Europe/Madrid"), "alice@example.com", NOW)
        (again_id,) = repeats.run_due(repeat.next_at)
        again = db.session.get_one(ScrapingJob, again_id)
        assert (again.cost_cap, [one.cost_cap for one in steps.of_job(again)]) == (70, [None, 7])


def test_a_file_whose_source_was_skipped_is_repeated_from_the_first_one_on(alice, make_job) -> None:
    with asked(first="+", second="+") as (first, _):
        job = make_job(alice, 4, source="first", then=[then("second")])
        db.session.execute(db.update(ScrapingJob).values(wait_cause=CauseCode.SOURCE_DOWN))
        db.session.commit()
        assert commands.skip_source(job.id, job.round, "alice@example.com", NOW)
        assert to_the_end(job) == Status.COMPLETED and not first.calls
        repeat = repeats.set_repeat(job, RepeatRule(Every.DAY, 0, time(9), "Europe/Madrid"), "alice@example.com", NOW)
        (again_id,) = repeats.run_due(repeat.next_at)
        again = db.session.get_one(ScrapingJob, again_id)
        assert to_the_end(again) == Status.COMPLETED and len(calls(first)) == 4
        assert repeats.count_since(job, again) == 4, "another source has answered"


def test_the_first_numbers_are_looked_up_at_the_next_source_before_the_pause(alice, make_job) -> None:
    with asked(first="+", second="-+") as (first, second):
        job = make_job(alice, 8, source="first", then=[then("second")], first=3)
        db.session.execute(db.update(ScrapingJob).values(wait_cause=CauseCode.SOURCE_DOWN))
        db.session.commit()
        assert commands.skip_source(job.id, job.round, "alice@example.com", NOW)
        assert runner.run(job.id, 0, given()) == Status.RETRYING
        assert job.paused_at and job.wait_cause == CauseCode.FIRST_READY and job.step == 2
        assert (outcomes(job), calls(second), first.calls) == ("x+x.....", [0, 1, 2], {})
        assert ScrapingJob.resume(job.id, "alice@example.com", NOW)
        db.session.commit()
        assert to_the_end(job) == Status.FAILED and outcomes(job) == "x+x+x+x+" and len(calls(second)) == 8


def test_a_job_with_one_source_has_no_rows_of_steps(alice, make_job, counting) -> None:
    job = make_job(alice, 3, source="counting")
    assert to_the_end(job) == Status.COMPLETED and steps.of_job(job) == [] and job.chain == ""
    assert {row.by_step for row in db.session.scalars(select(Number))} == {None}
    assert db.session.scalar(select(Attempt.attempt).where(Attempt.job_id == job.id)) == 1


def test_an_erased_number_leaves_nothing_of_what_the_sources_said(alice, make_job) -> None:
    with asked(first="-+", second="+") as (_, second):
        job = make_job(alice, 4, source="first", then=[then("second", "beside")])
        assert runner.run(job.id, 0, given()) == Status.RETRYING and job.passed_on == 4
        assert erase_in_job(job.id, f"+34{mobile(1)}", "ada@example.com", NOW) == 1
        row = db.session.scalar(select(Number).where(Number.job_id == job.id, Number.no == 2))
        assert row is not None and (row.answer, row.by_step, row.outcome) == (None, None, Outcome.REJECTED)
        db.session.refresh(job)
        assert (job.passed_on, job.processed_numbers) == (3, 1)
        assert to_the_end(job) == Status.COMPLETED and calls(second) == [0, 2, 3] and outcomes(job) == "+r++"


def test_a_deleted_job_leaves_no_rows_of_its_sources(app, alice, make_job) -> None:
    with asked(first="-+", second="+"):
        job = make_job(alice, 4, source="first", then=[then("second")])
        assert to_the_end(job) == Status.COMPLETED
        assert commands.delete(job.id, "alice@example.com", NOW, app.extensions["storage"])
        assert db.session.scalar(select(func.count()).select_from(JobStep)) == 0


def test_a_number_of_a_source_that_is_silent_waits_also_at_the_second_one(alice, make_job) -> None:
    with asked(first="-", second="x") as (_, second):
        job = make_job(alice, 3, source="first", then=[then("second")])
        assert runner.run(job.id, 0, given()) == Status.RETRYING and job.step == 2
        assert outage.wait_seconds(job.id, NOW, 2) == outage.FIRST_SECONDS
        assert runner.run(job.id, 1, given()) == Status.FAILED and len(second.calls) == 3
        ScrapingJob.retry(job.id, job.round, "alice@example.com", NOW)
        assert outage.wait_seconds(job.id, NOW, 2) is None  # they were judged there


def test_a_corrected_cell_is_asked_from_the_first_source_on(alice, make_job) -> None:
    with asked(first="-+", second="-+") as (first, second):
        job = make_job(alice, [mobile(0), mobile(1), "x"], source="first", then=[then("second")])
        assert to_the_end(job) == Status.COMPLETED and (job.step, counted(job)) == (2, [(2, 1, 1, 0), (1, 0, 1, 0)])
        assert ScrapingJob.correct(job.id, job.round, {(4, 0): f"+34{mobile(2)}"}, "alice@example.com", NOW)
        db.session.commit()
        assert (job.step, job.source) == (1, "first")
        assert to_the_end(job) == Status.COMPLETED and calls(first) == [0, 1, 2] and calls(second) == [0, 2]
        assert counted(job) == [(3, 1, 2, 0), (2, 0, 2, 0)]


@ON_BOTH
def test_two_workers_share_a_source_and_the_last_one_goes_on(app, alice, make_job) -> None:
    with asked(first="-+", second="+") as (first, second):
        job = make_job(alice, 20, source="first", then=[then("second")])
        ScrapingJob.claim(job.id, 0, NOW, worker="one", lease_seconds=60)
        db.session.commit()
        one = HeldShares(hold(job, worker="one"), 60, 10, 2)
        taken = one.take(NOW, group=1, window=5)
        assert 0 < len(taken) < 20
        assert runner.run(job.id, 0, given(), join=True) == Status.PROCESSING and job.step == 1
        looked_up = [LookedUp(number, Answer(NOT_FOUND), e164) for e164, number in taken.items()]
        save(one.holding, looked_up, NOW, 60, lambda _: one.finish([number.no for number in taken.values()]))
        first.calls.update(taken.keys())
        ends = AttemptOutcome(one.holding, given())
        assert ends._end_complete() is None and ends._end_failed("numbers_unanswered") == Status.RETRYING
        db.session.refresh(job)
        assert (job.step, job.source, job.wait_cause) == (2, "second", None)
        assert to_the_end(job) == Status.COMPLETED and len(calls(first)) == 20 and job.found_count == 20
        assert set(second.calls.values()) == {1}


def test_a_number_excluded_between_two_sources_is_not_asked_and_keeps_what_was_found(alice, make_job) -> None:
    with asked(first="-+", second="+") as (_, second):
        job = make_job(alice, 4, source="first", then=[then("second", "beside")])
        assert runner.run(job.id, 0, given()) == Status.RETRYING
        exclusions.add("Robinson", NOW.date(), [f"+34{mobile(0)}", f"+34{mobile(1)}"], "ada@example.com", NOW)
        assert to_the_end(job) == Status.COMPLETED and calls(second) == [2, 3] and outcomes(job) == "r+++"
        assert (job.left_alone_count, job.rejected_count, job.found_count) == (1, 1, 3)


def test_the_first_numbers_are_asked_at_all_sources_before_the_pause(alice, make_job) -> None:
    with asked(first="-+", second="+") as (first, second):
        job = make_job(alice, 8, source="first", then=[then("second")], first=3)
        assert runner.run(job.id, 0, given()) == Status.RETRYING and (job.step, job.paused_at) == (2, None)
        assert runner.run(job.id, 1, given()) == Status.RETRYING
        assert job.paused_at and job.wait_cause == CauseCode.FIRST_READY and (job.step, job.source) == (1, "first")
        assert (calls(first), calls(second), outcomes(job)) == ([0, 1, 2], [0, 2], "+++.....")
        assert ScrapingJob.resume(job.id, "alice@example.com", NOW)
        db.session.commit()
        assert to_the_end(job) == Status.COMPLETED
        assert (calls(first), calls(second)) == ([*range(8)], [0, 2, 4, 6])


def test_the_first_numbers_pause_at_the_first_source_that_knows_them(alice, make_job) -> None:
    with asked(first="+", second="+") as (first, second):
        job = make_job(alice, 8, source="first", then=[then("second")], first=3)
        assert runner.run(job.id, 0, given()) == Status.RETRYING
        assert job.paused_at and job.step == 1 and calls(first) == [0, 1, 2] and not second.calls
