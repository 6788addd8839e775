"""What pages read: alice owns the files, bob is another user, ada is the admin."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from flask import Flask

from portal.accounts import User
from portal.database import db
from portal.jobs import commands, queries
from portal.jobs.admin import job_list
from portal.jobs.admin.filters import Filters
from portal.jobs.core.job_tables import SweepState
from portal.jobs.core.status import CellStatus
from portal.jobs.files.file_list import ListFilters, list_files
from portal.jobs.models import ScrapingJob
from portal.sources.base import Outcome
from tests.support import scenes
from tests.support.statements import statements

MakeJob = Callable[..., ScrapingJob]


def test_everybody_finds_their_own_and_an_admin_all(alice: User, bob: User, ada: User, make_job: MakeJob) -> None:
    job = make_job(alice)
    assert queries.find_job(alice, job.id) is job
    assert queries.find_job(bob, job.id) is None
    assert queries.find_job(ada, job.id) is job
    assert queries.find_document(alice, job.document_id) is job.document
    assert queries.find_document(bob, job.document_id) is None
    assert queries.find_document(ada, job.document_id) is job.document
    assert [found.id for found in queries.find_jobs(bob, [job.id])] == []


def test_what_was_deleted_is_found_by_nobody(
    app: object, alice: User, ada: User, make_job: MakeJob, now: datetime
) -> None:
    job = make_job(alice)
    commands.delete(job.id, "alice@example.com", now, app.extensions["storage"])  # type: ignore[attr-defined]
    assert queries.find_job(alice, job.id) is None
    assert queries.find_job(ada, job.id) is None
    assert queries.find_document(alice, job.document_id) is None
    assert not list_files(alice, ListFilters(), now).entries
    assert queries.find_jobs(ada, [job.id]) == []


@pytest.mark.parametrize("number", [0, -1, 2**31, 10**30])
def test_a_number_that_no_job_can_have_finds_nothing(alice: User, number: int) -> None:
    assert queries.find_job(alice, number) is None
    assert queries.find_document(alice, number) is None
    assert queries.find_jobs(alice, [number]) == []


def test_a_lists_queries_do_not_grow_with_its_jobs(alice: User, ada: User, make_job: MakeJob) -> None:
    def asked() -> int:
        db.session.expire_all()
        db.session.rollback()
        with statements() as executed:
            for job in job_list.list_all(Filters()).jobs:
                assert job.user.email
        return len(executed)

    _ = ada.is_admin, ada.id
    db.session.expunge(ada)
    make_job(alice, 1)
    few = asked()
    for _n in range(5):
        make_job(alice, 1)
    assert asked() == few


def test_rows_come_by_outcome_by_number_and_in_pages(alice: User, make_job: MakeJob) -> None:
    job = make_job(alice, ["612 00 00 01", "612000002", "555", "", "612000001"])
    rows = queries.numbers_page(job).rows
    assert [row.row_no for row in rows] == [2, 3, 4, 5, 6]
    assert [row.row_no for row in queries.numbers_page(job, CellStatus.INVALID).rows] == [4]
    assert [row.row_no for row in queries.numbers_page(job, CellStatus.BLANK).rows] == [5]
    assert [row.row_no for row in queries.numbers_page(job, q="+34 612000001").rows] == [2, 6]
    assert [row.row_no for row in queries.numbers_page(job, q="55").rows] == [4]
    assert queries.duplicates(job) == 1


def test_failed_rows_are_counted_by_cause(alice: User, make_job: MakeJob) -> None:
    job = scenes.failed(make_job(alice, 6), reasons=("temporary", "blocked", "temporary"))
    assert queries.failed_causes(job) == [("temporary", 2, True), ("blocked", 1, False)]
    assert queries.failed_causes(make_job(alice, 2)) == []


def test_timeline_and_attempts_are_newest_first(alice: User, make_job: MakeJob) -> None:
    job = scenes.failed(make_job(alice, 3), final=True)
    assert [event.kind for event in queries.timeline(job)] == ["failed", "started", "created"]
    commands.retry(job.id, job.round, "alice@example.com", scenes.NOW)
    db.session.refresh(job)
    scenes.claim(job)
    assert [attempt.attempt for attempt in queries.attempts(job)] == [2, 1]


def test_the_sweep_is_late_after_three_intervals(app: Flask, now: datetime) -> None:
    minute = timedelta(minutes=1)
    assert app.config["SCRAPING_CHECK_INTERVAL"] == 1
    assert queries.last_sweep(now) == queries.LastSweep(None, True)
    db.session.add(SweepState(id=1, began_at=now, ended_at=now))
    db.session.commit()
    assert not queries.last_sweep(now + 3 * minute).late
    assert queries.last_sweep(now + 3 * minute + timedelta(seconds=1)).late


def test_a_pages_version_changes_only_with_what_it_shows(alice: User, make_job: MakeJob, now: datetime) -> None:
    job = make_job(alice, 5)
    ahead = scenes.page_version(job, now)
    assert scenes.page_version(job, now) == ahead
    scenes.claim(job)
    started = scenes.page_version(job, now)
    assert started != ahead
    scenes.answer(job, [], now + timedelta(seconds=1))  # no answer came in: only the lease changed
    db.session.refresh(job)
    assert scenes.page_version(job, now) == started
    scenes.answer(job, [Outcome.FOUND], now + timedelta(seconds=2))
    db.session.refresh(job)
    assert scenes.page_version(job, now) != started
