"""What pages read: alice owns the files, bob is another user, ada is the admin."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import event

from portal.accounts import User
from portal.database import db
from portal.jobs import commands, queries
from portal.jobs.admin import job_list
from portal.jobs.admin.filters import Filters
from portal.jobs.core.job_tables import SweepState
from portal.jobs.core.status import Status
from portal.jobs.models import ScrapingJob
from portal.sources.base import Outcome
from tests.support import scenes

MakeJob = Callable[..., ScrapingJob]


def names(page: queries.Page) -> list[int]:
    return [job.id for job in page.jobs]


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
    assert queries.list_jobs(alice).total == 0
    assert queries.find_jobs(ada, [job.id]) == []


@pytest.mark.parametrize("number", [0, -1, 2**31, 10**30])
def test_a_number_that_no_job_can_have_finds_nothing(alice: User, number: int) -> None:
    assert queries.find_job(alice, number) is None
    assert queries.find_document(alice, number) is None
    assert queries.find_jobs(alice, [number]) == []


def test_the_list_is_newest_first_and_25_a_page(alice: User, bob: User, make_job: MakeJob) -> None:
    ids = [make_job(alice, 1).id for _ in range(27)]
    make_job(bob, 1)
    first = queries.list_jobs(alice)
    assert names(first) == ids[:1:-1]
    assert (first.page, first.pages, first.total) == (1, 2, 27)
    assert names(queries.list_jobs(alice, page=2)) == ids[1::-1]
    assert queries.list_jobs(alice, page=99).page == 2
    assert queries.list_jobs(alice, page=-3).page == 1


def test_the_list_filters_by_status_and_counts_all(alice: User, make_job: MakeJob) -> None:
    done, _waiting = scenes.completed(make_job(alice, 2)), make_job(alice, 2)
    found = queries.list_jobs(alice, status="completed")
    assert names(found) == [done.id]
    assert found.counts["all"] == 2
    assert {word: n for word, n in found.counts.items() if n} == {"all": 2, "completed": 1, "pending": 1}
    assert set(found.counts) == {"all", *Status}
    assert queries.list_jobs(alice, status="no such").total == 2


def test_the_list_searches_names_without_wildcards(alice: User, make_job: MakeJob) -> None:
    job = make_job(alice, 1)
    job.file_name = "100%_Clientes.xlsx"
    db.session.commit()
    make_job(alice, 1)
    for text in ("clientes", "0%", "%_c", " CLIENTES "):
        assert job.id in names(queries.list_jobs(alice, q=text)), text
    assert names(queries.list_jobs(alice, q="0%_C")) == [job.id]
    assert names(queries.list_jobs(alice, q=f"#{job.id}")) == [job.id]
    assert queries.list_jobs(alice, q="\0nothing").total == 0
    assert queries.list_jobs(alice, q="9" * 40).total == 0


def test_an_admins_own_list_has_only_their_own(alice: User, ada: User, make_job: MakeJob) -> None:
    make_job(alice, 1)
    own = make_job(ada, 1)
    assert names(queries.list_jobs(ada)) == [own.id]


def test_a_lists_queries_do_not_grow_with_its_jobs(alice: User, ada: User, make_job: MakeJob) -> None:
    def asked() -> int:
        db.session.expire_all()
        db.session.rollback()
        statements: list[str] = []
        event.listen(db.engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
        for job in job_list.list_all(Filters()).jobs:
            assert job.user.email
        return len(statements)

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
    assert [row.row_no for row in queries.numbers_page(job, "invalid").rows] == [4, 5]
    assert [row.row_no for row in queries.numbers_page(job, q="+34 612000001").rows] == [2, 6]
    assert [row.row_no for row in queries.numbers_page(job, q="55").rows] == [4]
    assert len(queries.numbers_page(job, "no such").rows) == 5
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
