"""A number that stops the process that looks it up is found among those of lost workers, and given up alone."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from portal.causes import CauseCode
from portal.database import db
from portal.jobs import lost_shares, shares
from portal.jobs.attempt import runner
from portal.jobs.attempt.database_wait import roll_back
from portal.jobs.attempt.runner import Conditions
from portal.jobs.core import poison_numbers
from portal.jobs.core.job_tables import Event, EventKind, Number
from portal.jobs.core.retry_backoff import Backoff
from portal.jobs.core.status import Status
from portal.jobs.models import ScrapingJob
from portal.jobs.sweep import steps
from portal.sources.base import Answer, Outcome
from tests.services import wait_until
from tests.support import cast
from tests.support.cast import NOW, hold, mobile
from tests.support.databases import ON_BOTH
from tests.support.misbehaving import misbehaving
from tests.support.preloaded import Preloaded
from tests.support.recipes import recipe, registered
from tests.support.sources import CountingSource, found
from tests.support.world import world

LEASE = timedelta(seconds=61)


class Killed(BaseException):
    """The end of a process: nothing catches it, and nothing is written after it."""


def stops_at(*numbers: int) -> Callable[[str], Answer]:
    deadly = {f"+34{mobile(n)}" for n in numbers}

    def script(e164: str) -> Answer:
        if e164 in deadly:
            raise Killed
        return found(e164)

    return script


def work(job: ScrapingJob, now: datetime, *, join: bool = False) -> None:
    """One worker that may be killed on the way, which the sweep sees when its lease is over."""
    conditions = Conditions("other" if join else "w", 60, Backoff(), clock=lambda: now)
    db.session.refresh(job)
    attempt = job.attempt
    db.session.commit()
    with suppress(Killed):
        runner.run(job.id, attempt - join, conditions, join=join)
    roll_back()


def run_to_the_end(job: ScrapingJob, most: int = 40) -> int:
    """Let workers and sweeps take turns. Returns how many workers were lost."""
    now, lost = NOW, 0
    while job.status not in (Status.COMPLETED, Status.FAILED):
        assert lost < most, "it does not come to an end"
        work(job, now)
        now += LEASE
        lost += len([*steps.take_back_lost(now)])
        db.session.refresh(job)
    return lost


def reasons(job: ScrapingJob) -> dict[int, str]:
    query = select(Number.no, Number.reason).where(Number.job_id == job.id, Number.outcome == Outcome.REJECTED)
    return dict(db.session.execute(query).all())


@ON_BOTH
@pytest.mark.parametrize(("numbers", "deadly", "most"), [(1, 0, 3), (20, 0, 5), (20, 19, 5), (2300, 1500, 6)])
def test_the_number_is_found_and_all_others_are_answered(
    app, alice, make_job, counting: CountingSource, numbers: int, deadly: int, most: int
) -> None:
    counting.script = stops_at(deadly)
    job = make_job(alice, numbers, source="counting")
    assert run_to_the_end(job) <= most
    assert (job.status, job.retry_count) == (Status.COMPLETED, 0)
    assert (job.processed_numbers, job.found_count, job.rejected_count) == (numbers, numbers - 1, 1)
    assert reasons(job) == {deadly + 1: CauseCode.STOPS_WORKER}
    told = db.session.scalars(select(Event.facts).where(Event.kind == EventKind.NUMBER_GIVEN_UP)).all()
    assert [facts["row"] for facts in told] == [deadly + 2]
    assert max(counting.calls.values()) <= most


@ON_BOTH
def test_several_are_found_and_when_each_number_kills_the_file_fails(app, alice, make_job, counting) -> None:
    counting.script = stops_at(3, 4, 17)
    job = make_job(alice, 20, source="counting")
    run_to_the_end(job)
    assert (job.status, job.retry_count, sorted(reasons(job))) == (Status.COMPLETED, 0, [4, 5, 18])
    counting.script = stops_at(*range(100, 120))
    job = make_job(alice, [mobile(n) for n in range(100, 120)], source="counting")
    assert run_to_the_end(job) <= poison_numbers.FREE_LOSSES + 1 + job.max_retries
    assert (job.status, job.last_error, job.next_retry_at) == (Status.FAILED, CauseCode.WORKER_LOST, None)
    assert reasons(job) == {}, "it is not the numbers"


@ON_BOTH
def test_it_is_found_while_another_worker_goes_on_with_the_file(app, alice, make_job, counting) -> None:
    counting.script = stops_at(7)
    job = make_job(alice, 20, source="counting")
    assert ScrapingJob.claim(job.id, 0, NOW, worker="w", lease_seconds=10**6)
    slow = hold(job, NOW, 10**6)
    now, lost = NOW, 0
    while shares.anything_left(job.id, 1):
        work(job, now, join=True)
        now += LEASE
        lost += len([*lost_shares.take_back_lost(now)])
        assert lost < 9
    db.session.refresh(job)
    assert lost <= 5 and reasons(job) == {8: CauseCode.STOPS_WORKER}
    assert (job.status, job.attempt, job.processed_numbers) == (Status.COMPLETED, 1, 20)
    assert not shares.goes_on(slow)


def test_a_worker_that_was_lost_for_another_reason_gives_no_number_up(app, alice, make_job, counting) -> None:
    """Its numbers go in smaller shares once, and count for nothing more."""
    job, killed = make_job(alice, 500, source="counting"), [True]

    def once(e164: str) -> Answer:
        if killed and len(counting.calls) == 300:
            killed.clear()
            raise Killed
        return found(e164)

    counting.script = once
    assert run_to_the_end(job) == 1
    assert (job.status, job.found_count, job.retry_count) == (Status.COMPLETED, 500, 0)


def test_suspects_go_last_and_with_nothing_else_in_hand(app, alice, make_job, counting) -> None:
    job = make_job(alice, 9, source="counting")
    db.session.execute(Number.__table__.update().where(Number.no.in_((3, 4, 8))).values(suspicion=poison_numbers.ALONE))
    held = ScrapingJob.claim(job.id, 0, NOW, worker="w", lease_seconds=60)
    assert held
    holding = hold(held)

    def taken(suspects: bool) -> list[int] | None:
        share = shares.take(holding, 100, NOW, 60, suspects=suspects)
        db.session.commit()
        return [number.no for number in share.numbers.values()] if share else None

    assert [taken(False) for _ in range(4)] == [[1, 2], [5, 6, 7], [9], []]
    assert [taken(True) for _ in range(4)] == [[3], [4], [8], None]


def test_a_suspect_that_the_source_refuses_is_judged_by_the_next_one(app, alice, make_job, tmp_path) -> None:
    """One that goes alone: else it would stop the source for everybody."""
    with misbehaving() as server, registered(recipe(tmp_path, "json", server.url)):
        server.plan = lambda number, nth: "forbidden" if number.endswith(mobile(3)) else None
        job = make_job(alice, 9, source="json-test")
        suspected = Number.__table__.update().where(Number.no.in_((3, 4, 8)))
        db.session.execute(suspected.values(suspicion=poison_numbers.ALONE))
        work(job, NOW)
        assert (job.status, reasons(job)) == (Status.COMPLETED, {4: CauseCode.REJECTED})


@pytest.mark.slow
def test_a_number_that_really_kills_its_process(tmp_path, forks: Preloaded) -> None:
    settings = {"JOURNAL_KILL": "8..$", "JOURNAL_SECONDS": "0.01", "SCRAPING_MAX_RETRIES": "0"}
    with world(tmp_path, forks, **settings) as place:
        job_id = place.make_job(cast.make_user("alice@example.com"), [mobile(n) for n in (*range(30), 800)])
        place.start("scrape")

        def ended() -> bool:
            at_work = any(worker.horses() for worker in place.of("scrape"))
            place.sweep(ahead_seconds=0 if at_work else 2)  # past the lease of a dead one
            return place.job(job_id, "status") in ("completed", "failed")

        wait_until(ended, 60, "the file comes to an end")
        assert place.job(job_id, "status", "retry_count") == ("completed", 0)
        assert place.outcomes(job_id) == {"found": 30, "rejected": 1, "invalid": 0}
