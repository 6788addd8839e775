"""The admins' list: paging in any order, its counts and its grid, and the indexes that they use."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import product

import pytest
from sqlalchemy import event, text, update

from portal.accounts import User
from portal.database import db
from portal.jobs.admin import job_list, triage
from portal.jobs.admin.filters import Filters
from portal.jobs.admin.job_list import CappedCount, Sort, SortOrder
from portal.jobs.core.status import Status
from portal.jobs.models import ScrapingJob
from portal.web.cursor import from_text, to_text
from tests.jobs.many import copies
from tests.support import scenes
from tests.support.cast import NOW
from tests.support.databases import ON_SQLITE

MakeJob = Callable[..., ScrapingJob]
DAY = timedelta(days=1)


@pytest.fixture
def jobs(alice: User, bob: User, make_job: MakeJob) -> list[int]:
    """A hundred and twenty jobs of every status, with equal and different names, times and progress."""
    models = [scenes.in_status(make_job((alice, bob)[n % 2], 3), status) for n, status in enumerate(Status)]
    ids = [job.id for job in models]
    for n, job in enumerate(models):
        ids += copies(job, 16 + n % 2, file_name=f"lista {n % 3}.xlsx", created_at=NOW - n % 4 * DAY)
    for n, job_id in enumerate(ids):
        changes = update(ScrapingJob).where(ScrapingJob.id == job_id)
        db.session.execute(changes.values(updated_at=NOW - n % 5 * DAY, processed_numbers=n % 4))
    db.session.commit()
    return ids


def walk(wanted: Filters, order: SortOrder) -> list[ScrapingJob]:
    """Every page of the list in turn, each cursor passed through its text."""
    found: list[ScrapingJob] = []
    place = None
    while True:
        page = job_list.list_all(wanted, order, place)
        found += page.jobs
        if page.next is None:
            return found
        place = from_text(to_text(page.next))
        assert place == page.next


def test_paging_finds_every_job_once_and_in_order(jobs: list[int]) -> None:
    keys = {
        Sort.CREATED: lambda job: (job.created_at, job.id), Sort.UPDATED: lambda job: (job.updated_at, job.id),
        Sort.STATUS: lambda job: (job.status, job.created_at, job.id), Sort.NAME: lambda job: (job.file_name, job.id),
        Sort.PROGRESS: lambda job: (100 * job.processed_numbers // job.total_numbers, job.id),
    }  # fmt: skip
    for sort, descending in product(Sort, (True, False)):
        found = walk(Filters(), SortOrder(sort, descending))
        assert sorted(job.id for job in found) == sorted(jobs)
        in_order = sorted(found, key=keys[sort], reverse=descending)
        assert [job.id for job in found] == [job.id for job in in_order], (sort, descending)


def test_new_jobs_push_none_off_the_next_page(jobs: list[int], alice: User) -> None:
    first = job_list.list_all(Filters())
    copies(first.jobs[0], 30, created_at=NOW + DAY)
    second = job_list.list_all(Filters(), after=first.next)
    third = job_list.list_all(Filters(), after=second.next)
    seen = [job.id for page in (first, second, third) for job in page.jobs]
    assert sorted(seen) == sorted(jobs)


def test_what_is_no_place_of_this_list_begins_anew(alice: User, make_job: MakeJob) -> None:
    job = make_job(alice)
    texts = ["", "x", "é", "e30", "W10", "W3siYXQiOiAxfV0", "W3siYXQiOiAiMjAyNi0wMS0wMSJ9XQ", "a" * 9999]
    places: list[tuple[object, ...]] = [("x",), (NOW, "1"), (1, 1), (NOW, 1, 1), (), (2**40, 1), ("a\0", 1)]
    for text_of_it in [*texts, *map(to_text, places)]:
        assert job_list.list_all(Filters(), after=from_text(text_of_it)).jobs == [job], text_of_it


def test_the_counts_are_those_of_the_lists(jobs: list[int]) -> None:
    for wanted in (
        Filters(), Filters(user="alice"), Filters(user="nobody"), Filters(source="offline"), Filters(name="lista 1"),
        Filters(still_open=True), Filters(stopped=True), Filters(cause="no_progress"), Filters(since=NOW - 2 * DAY),
        Filters(until=NOW - DAY, user="bob"), Filters(changed_since=NOW - DAY), Filters(e164="+34612000001"),
    ):  # fmt: skip
        found = Counter(job.status for job in walk(wanted, SortOrder()))
        assert job_list.status_counts(wanted) == {status: CappedCount(found[status]) for status in Status}, wanted
        assert job_list.list_all(wanted).total.n == found.total()
        assert len(walk(replace(wanted, status=Status.FAILED), SortOrder())) == found[Status.FAILED]


def test_a_count_ends_at_its_cap_and_says_so(jobs: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_list, "CAP", 10)
    assert all(not count.more and count.n > 10 for count in job_list.status_counts(Filters()).values())
    counts = job_list.status_counts(Filters(user="a", status=Status.FAILED))
    assert counts[Status.FAILED] == CappedCount(10, True) and all(count.more for count in counts.values())
    ordered = job_list.list_all(Filters(), SortOrder(Sort.PROGRESS))
    assert ordered.order == SortOrder(), "too many to order by what no index has"


def test_a_name_is_looked_for_further_back_on_demand(
    alice: User, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_list, "WINDOW", 20)
    model = make_job(alice)
    old = copies(model, 3, file_name="agujas.xlsx")
    copies(model, 50)
    first = job_list.list_all(Filters(name="aguja"))
    assert (first.jobs, first.more_to_search) == ([], True) and all(count.more for count in first.counts.values())
    assert [job.id for job in walk(Filters(name="aguja"), SortOrder())] == old[::-1]
    assert [job.id for job in job_list.list_all(Filters(name=str(model.id))).jobs] == [model.id], (
        "an id is found at once"
    )


def test_filters_can_be_kept_and_taken_up_again(now: datetime) -> None:
    for wanted in (
        Filters(), Filters(cause=""), Filters(Status.FAILED, "a", "b", "c", "d", 7, "+34", now, now, now, True, True)
    ):  # fmt: skip
        assert Filters.from_json(wanted.as_json()) == wanted
    assert Filters(status=Status.FAILED).only_status and not Filters(cause="").only_status


# ── the grid ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_grids_sums_are_the_lists_totals(alice: User, make_job: MakeJob) -> None:
    models = [
        scenes.failed(make_job(alice, 3), cause="numbers_unanswered"),
        scenes.failed(make_job(alice, 3), cause="blocked", final=True),
        scenes.timed_out(make_job(alice, 3)),
    ]
    for n, ago in enumerate((0.5, 2, 12, 100, 1000)):
        for model in models:
            copies(model, n + 1, updated_at=NOW - timedelta(hours=ago))
    by_hand = copies(models[0], 2, last_error=None, updated_at=NOW)
    db.session.execute(update(ScrapingJob).where(ScrapingJob.id == by_hand[0]).values(deleted_at=NOW))
    db.session.commit()
    for stopped in (False, True):
        grid = triage.grid(NOW, stopped=stopped)
        assert len(grid.rows) == (2 if stopped else 4) and not grid.full
        for span, back in triage.SPANS.items():
            since = NOW - back if back else None
            wanted = Filters(still_open=True, stopped=stopped, changed_since=since)
            assert job_list.list_all(wanted).total == CappedCount(grid.sums[span]), span
            for row in grid.rows:
                assert job_list.list_all(replace(wanted, cause=row.cause)).total == CappedCount(row.counts[span]), (
                    row.cause
                )
    assert triage.grid(NOW).rows[0].counts["24h"] == max(row.counts["24h"] for row in triage.grid(NOW).rows)


# ── the indexes ─────────────────────────────────────────────────────────────────────────────────────────────────────


@ON_SQLITE  # its way to explain a query
def test_no_list_count_or_grid_reads_all_jobs(jobs: list[int]) -> None:
    asked: list[tuple[str, object]] = []

    @event.listens_for(db.engine, "before_cursor_execute")
    def note(connection, cursor, statement, parameters, context, many) -> None:  # type: ignore[no-untyped-def]
        if statement.startswith("SELECT") and "FROM scraping_jobs" in statement:
            asked.append((statement, parameters))

    for order in (
        SortOrder(sort, down) for sort in (Sort.CREATED, Sort.UPDATED, Sort.STATUS, Sort.NAME) for down in (0, 1)
    ):
        job_list.list_all(Filters(), SortOrder(order.sort, bool(order.descending)))
    for wanted in (
        Filters(status=Status.FAILED), Filters(user="alice"), Filters(source="offline"), Filters(e164="+34612000001"),
        Filters(cause="no_progress", changed_since=NOW), Filters(still_open=True), Filters(since=NOW, until=NOW),
        Filters(job_id=3), Filters(stopped=True, cause="blocked"),
    ):  # fmt: skip
        job_list.list_all(wanted, SortOrder(Sort.UPDATED if wanted.still_open or wanted.cause else Sort.CREATED))
    triage.grid(NOW)
    event.remove(db.engine, "before_cursor_execute", note)
    db.session.commit()
    assert len(asked) > 30
    with db.engine.connect() as connection:
        for analysed in (False, True):
            if analysed:
                connection.execute(text("ANALYZE"))
            for statement, parameters in asked:
                plan = [step[3] for step in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)]
                whole = [step for step in plan if step.startswith("SCAN scraping_jobs") and "INDEX" not in step]
                assert not whole, f"{plan} in {statement}"
                sorted_apart = "ORDER BY" in statement and "USE TEMP B-TREE FOR ORDER BY" in plan
                assert not sorted_apart or "numbers" in statement, f"{plan} in {statement}"
