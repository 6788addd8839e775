"""Bulk operations: ten thousand jobs, some of which move meanwhile; stopped, killed, and continued half-way."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import current_app
from flask.testing import FlaskClient
from sqlalchemy import event, func, select, text, update
from werkzeug.test import TestResponse

from portal.accounts import User
from portal.audit import AuditEntry
from portal.database import db
from portal.jobs.admin import bulk, operation_runner, operations
from portal.jobs.admin.bulk import BulkOrder
from portal.jobs.admin.filters import Filters
from portal.jobs.core.bulk_tables import ChosenJob, Operation, OperationState, Verb
from portal.jobs.core.job_tables import Event
from portal.jobs.core.status import Status
from portal.jobs.models import ScrapingJob
from tests.jobs.many import copies
from tests.support import cast, scenes
from tests.support.cast import NOW
from tests.support.databases import ON_BOTH, ON_SQLITE
from tests.support.statements import statements

MakeJob = Callable[..., ScrapingJob]
MANY = 700
A_FEW = 5  # statements more, whose need depends on how full a list is; a loop over the jobs needs thousands
RETRY = BulkOrder(Verb.RETRY, "ada@example.com", "the source is back")


@pytest.fixture
def stopped(alice: User, make_job: MakeJob) -> ScrapingJob:
    """A job that failed for good, with one failed row."""
    return scenes.failed(make_job(alice, 3), final=True)


def count(*where: object) -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(ScrapingJob).where(*where)) or 0  # type: ignore[arg-type]


def fresh(operation: Operation | int) -> Operation:
    db.session.rollback()
    found = operation if isinstance(operation, int) else operation.id
    return db.session.get_one(Operation, found, populate_existing=True)


def test_ten_thousand_cost_a_request_no_more_than_a_thousand(as_ada: FlaskClient, stopped: ScrapingJob) -> None:
    asked = {"all": "1", "status": "failed", "user": "alice", "why": "the source is back"}

    def statements_of_each_request(matching: int) -> dict[str, int]:
        found: dict[str, int] = {}

        def ask(method: str, address: str, **form: object) -> TestResponse:
            with statements() as executed:
                answer = as_ada.open(address, method=method, data=form)
            found[f"{len(found)} {method} {re.sub('[0-9]+', 'n', address)}"] = sum(one.rows for one in executed)
            return answer

        key = str(matching)
        assert ask("GET", "/admin/jobs?status=failed&user=alice").status_code == 200
        assert ask("GET", "/admin/triage").status_code == 200
        assert f'data-to-move="{matching}"' in ask("POST", "/admin/jobs/plan", verb="retry", **asked).text
        begun = ask("POST", "/admin/jobs/retry", key=key, **asked)
        twice = ask("POST", "/admin/jobs/retry", key=key, **asked)
        assert begun.status_code == 303 and begun.location == twice.location, "pressed twice, it is begun once"
        operation_id = int(begun.location.rpartition("/")[2])
        assert fresh(operation_id).chosen == matching
        operation_runner.work(operation_id, clock=lambda: NOW, seconds=0)
        page = ask("GET", begun.location).text
        assert "/admin/jobs?status=failed&amp;user=alice" in page, "the way back keeps the filters"
        assert ask("GET", begun.location + "/live?v=old").status_code == 200
        assert ask("POST", begun.location + "/stop").status_code == 303
        return found

    copies(stopped, 999)
    statements_of_each_request(count(ScrapingJob.status == Status.FAILED))  # the first request fills caches
    few = statements_of_each_request(count(ScrapingJob.status == Status.FAILED))
    copies(stopped, 9_000)
    many = statements_of_each_request(count(ScrapingJob.status == Status.FAILED))
    assert {name: more for name in few if (more := many[name] - few[name]) > A_FEW} == {}


def test_thousands_are_retried_while_five_hundred_move(
    as_ada: FlaskClient, stopped: ScrapingJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`make bench` does the same with 10,000."""
    ids = [stopped.id, *copies(stopped, MANY - 1)]
    asked = {"all": "1", "status": "failed", "why": "the source is back", "key": "one"}
    begun = as_ada.post("/admin/jobs/retry", data=asked)
    running = update(ScrapingJob).where(ScrapingJob.id.in_(ids[100:400]))
    db.session.execute(running.values(status="processing", attempt=2, lease_until=NOW))
    over = update(ScrapingJob).where(ScrapingJob.id.in_(ids[500:700]))
    db.session.execute(over.values(status="completed", processed_numbers=3))
    later = copies(stopped, 5)
    operation_id = int(begun.location.rpartition("/")[2])
    monkeypatch.setattr(operation_runner, "push_job", lambda job_id, now: True)  # Redis is away: its log would be long
    while operation_runner.work(operation_id, clock=lambda: NOW, seconds=0.2):
        assert as_ada.get(begun.location + "/live?v=old").status_code == 200
    done = fresh(operation_id)
    assert (done.state, done.done, done.skipped) == (OperationState.DONE, MANY - 500, 500)
    assert done.skipped_why == {"processing": 300, "completed": 200}
    assert count(ScrapingJob.status == Status.RETRYING, ScrapingJob.round == 2) == MANY - 500
    assert count(ScrapingJob.id.in_(later), ScrapingJob.status == Status.FAILED) == 5, "what comes later is not hit"
    events = select(func.count()).where(Event.kind == "retried", Event.actor == "ada@example.com")
    assert db.session.scalar(events) == MANY - 500, "each was retried once"
    page = as_ada.get(begun.location).text
    assert f'data-done="{MANY - 500}"' in page and 'data-skipped="500"' in page
    assert db.session.scalar(select(func.count()).select_from(ChosenJob)) == 500, "only those passed over are kept"


def test_stopping_half_way_keeps_what_was_done(stopped: ScrapingJob) -> None:
    copies(stopped, 999)
    operation = operations.begin(RETRY, "one", NOW, wanted=Filters())
    operation_runner.work(operation.id, clock=lambda: NOW, seconds=0)
    operation_runner.work(operation.id, clock=lambda: NOW, seconds=0)
    half = fresh(operation)
    assert 0 < half.done < 100 and half.state == OperationState.RUNNING
    assert operations.stop(operation.id, "ada@example.com", NOW)
    assert not operations.stop(operation.id, "ada@example.com", NOW)
    while operation_runner.work(operation.id, clock=lambda: NOW):
        pass
    ended = fresh(operation)
    assert (ended.state, ended.done) == (OperationState.STOPPED, half.done)
    assert count(ScrapingJob.status == Status.RETRYING) == half.done
    assert db.session.scalar(select(func.count()).select_from(ChosenJob)) == 0
    verbs = list(db.session.scalars(select(AuditEntry.verb).order_by(AuditEntry.id)))
    assert verbs == ["operation_begun", "operation_stopped"]


@pytest.mark.parametrize("lost", ["is_active", "is_admin"])
def test_it_stops_when_its_admin_is_deactivated(stopped: ScrapingJob, ada: User, lost: str) -> None:
    copies(stopped, 999)
    operation = operations.begin(RETRY, "one", NOW, wanted=Filters())
    operation_runner.work(operation.id, clock=lambda: NOW, seconds=0)
    operation_runner.work(operation.id, clock=lambda: NOW, seconds=0)
    half = fresh(operation)
    assert 0 < half.done < 100
    setattr(db.session.get_one(User, ada.id), lost, False)
    db.session.commit()
    while operation_runner.work(operation.id, clock=lambda: NOW):
        pass
    ended = fresh(operation)
    assert (ended.state, ended.done) == (OperationState.STOPPED, half.done)
    assert count(ScrapingJob.status == Status.RETRYING) == half.done


def test_one_that_nobody_has_begun_is_stopped_at_once(stopped: ScrapingJob) -> None:
    operation = operations.begin(RETRY, "one", NOW, wanted=Filters())
    assert operations.stop(operation.id, "ada@example.com", NOW)
    assert fresh(operation).state == OperationState.STOPPED
    assert not operation_runner.work(operation.id, clock=lambda: NOW)
    assert count(ScrapingJob.status == Status.RETRYING) == 0


def test_a_batch_cut_by_a_kill_is_done_by_the_next_worker(
    stopped: ScrapingJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    copies(stopped, 59)
    operation = operations.begin(RETRY, "one", NOW, wanted=Filters())
    acted = bulk.act
    calls = 0

    def dies(*args: object) -> str | None:
        nonlocal calls
        calls += 1
        if calls == 30:
            raise KeyboardInterrupt  # in the middle of the second batch
        return acted(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(bulk, "act", dies)
    with pytest.raises(KeyboardInterrupt):
        operation_runner.work(operation.id, clock=lambda: NOW)
    db.session.rollback()
    assert count(ScrapingJob.status == Status.RETRYING) == fresh(operation).done == operation_runner.BATCH
    assert not operation_runner.work(operation.id, clock=lambda: NOW), "its lease is not over"
    assert operation_runner.unpushed(NOW + timedelta(seconds=10)) == []
    later = NOW + timedelta(minutes=2)
    assert operation_runner.unpushed(later) == [operation.id], "the sweep pushes it again"
    while operation_runner.work(operation.id, clock=lambda: later):
        pass
    assert (fresh(operation).done, fresh(operation).skipped) == (60, 0)
    assert count(ScrapingJob.round == 2) == 60


def test_a_late_worker_changes_nothing(stopped: ScrapingJob) -> None:
    copies(stopped, 59)
    operation = operations.begin(RETRY, "one", NOW, wanted=Filters())
    held = operation_runner._claim(operation.id, NOW)
    assert held == 1 and operation_runner._claim(operation.id, NOW + timedelta(minutes=2)) == 2
    assert operation_runner._batch(operation.id, held, NOW) is False
    assert count(ScrapingJob.status == Status.RETRYING) == 0


def test_two_operations_on_the_same_jobs_retry_each_once(stopped: ScrapingJob) -> None:
    copies(stopped, 59)
    first, second = (operations.begin(RETRY, key, NOW, wanted=Filters()) for key in ("one", "two"))
    for operation in (first, second):
        while operation_runner.work(operation.id, clock=lambda: NOW):
            pass
    assert (fresh(first).done, fresh(second).done) == (60, 0)
    assert fresh(second).skipped_why == {"retrying": 60}
    # Also when the first retry has failed again by then: it was another round that was chosen.
    third = operations.begin(RETRY, "three", NOW, job_ids=[stopped.id])
    db.session.execute(update(ScrapingJob).values(status="failed"))
    db.session.commit()
    fourth = operations.begin(RETRY, "four", NOW, job_ids=[stopped.id])
    assert not operation_runner.work(fourth.id, clock=lambda: NOW)
    db.session.execute(update(ScrapingJob).values(status="failed"))
    db.session.commit()
    assert not operation_runner.work(third.id, clock=lambda: NOW)
    assert fresh(third).skipped_why == {"moved_on": 1}


def test_the_worker_chooses_what_does_not_fit_the_request(
    stopped: ScrapingJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operations, "CHOSEN_AT_ONCE", 20)
    copies(stopped, 59)
    operation = operations.begin(RETRY, "one", NOW, wanted=Filters(status=Status.FAILED))
    assert (operation.chosen, operation.choose_after) == (20, stopped.id + 19)
    copies(stopped, 7)
    while operation_runner.work(operation.id, clock=lambda: NOW):
        pass
    assert (fresh(operation).chosen, fresh(operation).done) == (60, 60)


def test_jobs_that_are_done_or_deleted_are_skipped_with_the_reason(
    alice: User, make_job: MakeJob, stopped: ScrapingJob
) -> None:
    full = scenes.failed(make_job(alice, 1), found=1, reasons=(), final=True)
    gone = copies(stopped, 1)[0]
    operation = operations.begin(RETRY, "one", NOW, job_ids=[stopped.id, full.id, gone, 999_999])
    assert operation.chosen == 3
    db.session.execute(update(ScrapingJob).where(ScrapingJob.id == gone).values(deleted_at=NOW))
    db.session.commit()
    while operation_runner.work(operation.id, clock=lambda: NOW):
        pass
    assert fresh(operation).skipped_why == {"gone": 1, "nothing_left": 1}
    assert {(one.job_id, one.name is None) for one in operations.skipped_jobs(fresh(operation))} == {
        (full.id, False),
        (gone, True),
    }
    assert count(ScrapingJob.id == full.id, ScrapingJob.status == Status.FAILED, ScrapingJob.round == 1) == 1


def test_a_job_that_cannot_move_does_not_stop_the_others(stopped: ScrapingJob, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = copies(stopped, 9)[4]
    operation = operations.begin(RETRY, "one", NOW, wanted=Filters())

    retry = ScrapingJob.retry

    def faulty(job_id: int, *args: object, **more: object) -> object:
        if job_id == bad:
            raise ValueError("broken")
        return retry(job_id, *args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(ScrapingJob, "retry", faulty)
    while operation_runner.work(operation.id, clock=lambda: NOW):
        pass
    assert (fresh(operation).done, fresh(operation).skipped_why) == (9, {"fault": 1})


def test_the_sought_number_is_forgotten_with_the_end(alice: User, make_job: MakeJob) -> None:
    job = scenes.failed(make_job(alice, ["612000001", "612000002"]), found=0, final=True)
    other = scenes.failed(make_job(alice, ["612000005"]), found=0, final=True)
    operation = operations.begin(RETRY, "one", NOW, wanted=Filters(e164="+34612000002"), address={"found": "key"})
    while operation_runner.work(operation.id, clock=lambda: NOW):
        pass
    assert "612" not in str(fresh(operation).selection) and fresh(operation).selection == {"address": {"found": "key"}}
    assert [db.session.get_one(ScrapingJob, one.id).status for one in (job, other)] == [Status.RETRYING, Status.FAILED]


def test_each_verb_is_on_the_timeline_with_its_reason(alice: User, make_job: MakeJob, now: datetime) -> None:
    kinds = {"retry": "retried", "time_out": "timeout", "cancel": "cancelled", "limits": "limits_set"}
    for verb in [Verb(name) for name in kinds]:  # `test_skipped_sources` has the one for files with several sources
        jobs = {status: scenes.in_status(make_job(alice, 3), status) for status in Status}
        order = BulkOrder(verb, "ada@example.com", "because", (7, 70) if verb == Verb.LIMITS else None)
        operation = operations.begin(order, verb, now, job_ids=[job.id for job in jobs.values()])
        while operation_runner.work(operation.id, clock=lambda: now):
            pass
        moved = bulk.CAN_MOVE[verb]
        assert fresh(operation).skipped_why == {status.value: 1 for status in set(Status) - moved}
        for status, job in jobs.items():
            told = (Event.job_id == job.id, Event.kind == kinds[verb], Event.actor == "ada@example.com")
            noted = db.session.scalars(select(Event).where(*told)).all()
            assert [one.facts["why"] for one in noted] == (["because"] if status in moved else []), (verb, status)


@ON_SQLITE  # its way to explain a query
def test_the_sweep_reads_only_indexes_of_operations(stopped: ScrapingJob) -> None:
    asked: list[tuple[str, object]] = []

    @event.listens_for(db.engine, "before_cursor_execute")
    def note(connection, cursor, statement, parameters, context, many) -> None:  # type: ignore[no-untyped-def]
        asked.append((statement, parameters))

    operation_runner.unpushed(NOW)
    event.remove(db.engine, "before_cursor_execute", note)
    db.session.commit()
    with db.engine.connect() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {asked[-1][0]}", asked[-1][1]).all()
    assert "USING INDEX ix_operations_under_way" in str(plan)


@ON_BOTH
def test_a_job_that_the_database_refuses_is_skipped(stopped: ScrapingJob, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [stopped.id, scenes.failed(cast.make_job(current_app, stopped.user, 3), final=True).id]
    operation = operations.begin(RETRY, "key", NOW, wanted=Filters(status=Status.FAILED))
    act = bulk.act

    def faulty(order: BulkOrder, job_id: int, *seen: Any) -> str | None:
        if job_id == ids[0]:
            db.session.execute(text("INSERT INTO operations SELECT * FROM operations"))
        return act(order, job_id, *seen)

    monkeypatch.setattr(bulk, "act", faulty)
    operation_runner.work(operation.id, clock=lambda: NOW)
    ended = fresh(operation)
    assert (ended.state, ended.done, ended.skipped_why) == (OperationState.DONE, 1, {bulk.FAULT: 1})
    assert count(ScrapingJob.status == Status.RETRYING) == 1
