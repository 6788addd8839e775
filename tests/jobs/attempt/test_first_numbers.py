"""A file of which only the first numbers are looked up until its person has seen the answers, and one that starts
later."""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from portal.accounts import User
from portal.database import db
from portal.jobs import commands, shares, source_pause
from portal.jobs.attempt import runner
from portal.jobs.attempt.runner import Conditions
from portal.jobs.core.derived import Action, Summary, actions, summary_sentence
from portal.jobs.core.retry_backoff import Backoff
from portal.jobs.core.status import Status
from portal.jobs.models import ScrapingJob
from portal.jobs.sweep import overdue
from tests.support.cast import NOW, make_job, mobile
from tests.support.databases import ON_BOTH
from tests.support.sources import CountingSource, failing, found

pytestmark = ON_BOTH
LATER = NOW + timedelta(hours=8)


def given(**more: Any) -> Conditions:
    return Conditions(worker="w", lease_seconds=60, backoff=Backoff(), clock=lambda: NOW, **more)


def job_of(app: Flask, owner: User, cells: Any = 9, **changes: Any) -> ScrapingJob:
    job = make_job(app, owner, cells, source="counting")
    for name, value in changes.items():
        setattr(job, name, value)
    db.session.commit()
    return job


@pytest.mark.parametrize("concurrency", [1, 8])
def test_the_first_numbers_are_looked_up_and_the_others_after_resuming(
    app: Flask, alice: User, counting: CountingSource, concurrency: int
) -> None:
    counting.concurrency = concurrency
    repeated = [mobile(n) for n in (0, 0, *range(1, 9))]
    job = job_of(app, alice, repeated, pause_after=3)
    assert runner.run(job.id, 0, given()) == Status.RETRYING
    db.session.refresh(job)
    assert sorted(counting.calls) == [f"+34{mobile(n)}" for n in range(3)]
    assert job.processed_numbers == 4 and job.retry_count == 0  # the first of them stands in two cells
    assert summary_sentence(job, NOW) == Summary.FIRST_READY and Action.RESUME in actions(job)
    assert commands.resume(job.id, alice.email, NOW)
    assert runner.run(job.id, 1, given()) == Status.COMPLETED
    assert set(counting.calls.values()) == {1} and len(counting.calls) == 9


def test_a_first_number_without_an_answer_keeps_nobody_from_going_on(
    app: Flask, alice: User, counting: CountingSource
) -> None:
    counting.script = lambda e164: failing(e164) if e164.endswith(mobile(1)) else found(e164)
    job = job_of(app, alice, pause_after=3)
    assert runner.run(job.id, 0, given()) == Status.RETRYING
    db.session.refresh(job)
    assert (job.processed_numbers, job.failed_count, job.paused_at) == (2, 1, NOW)
    assert commands.resume(job.id, alice.email, NOW)
    assert runner.run(job.id, 1, given()) == Status.FAILED
    db.session.refresh(job)
    assert (job.processed_numbers, job.failed_count) == (8, 1) and job.next_retry_at is not None


@pytest.mark.parametrize("first", [9, 20])
def test_a_file_with_no_more_numbers_than_that_ends_at_once(
    app: Flask, alice: User, counting: CountingSource, first: int
) -> None:
    job = job_of(app, alice, pause_after=first)
    assert runner.run(job.id, 0, given()) == Status.COMPLETED


def test_no_other_worker_joins_for_numbers_that_wait_for_their_person(
    app: Flask, alice: User, counting: CountingSource
) -> None:
    job = job_of(app, alice, pause_after=2)
    assert ScrapingJob.claim(job.id, 0, NOW, worker="w", lease_seconds=60)
    holding = shares.hold(job, "w", NOW, 60)
    taken = shares.take(holding, 100, NOW, 60)
    db.session.commit()
    assert taken is not None and len(taken.numbers) == 2
    assert shares.join(job.id, 1, NOW, worker="x", lease_seconds=60, most=None) is None
    assert not shares.anything_left(job.id, 1) and shares.pauses_here(job.id, 1)


def test_a_file_starts_at_the_moment_chosen_and_not_because_its_source_is_resumed(
    app: Flask, alice: User, counting: CountingSource
) -> None:
    job = job_of(app, alice, not_before=LATER, wait_cause="starts_later")
    assert summary_sentence(job, NOW) == Summary.STARTS_LATER
    source_pause.pause_source("counting", "ada@example.com", None, NOW)
    source_pause.resume_source("counting", "ada@example.com", NOW)
    assert runner.run(job.id, 0, given()) is None and not overdue.anything_due(LATER - timedelta(seconds=1))
    assert overdue.anything_due(LATER)
    assert runner.run(job.id, 0, Conditions(worker="w", lease_seconds=60, backoff=Backoff(), clock=lambda: LATER))
    assert len(counting.calls) == 9


def test_it_may_be_started_sooner(app: Flask, alice: User, counting: CountingSource) -> None:
    job = job_of(app, alice, not_before=LATER, wait_cause="starts_later")
    assert commands.resume(job.id, alice.email, NOW)
    assert runner.run(job.id, 0, given()) == Status.COMPLETED
