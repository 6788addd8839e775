"""Which processes are alive: the rows of worker processes, and when the portal reports a standstill."""

import os
import signal
import socket
import subprocess
import sys
from datetime import datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import event, select

from portal.clock import utcnow
from portal.database import db, reading
from portal.jobs import shares
from portal.jobs.core.job_tables import SweepState
from portal.jobs.health import processes as processes_room
from portal.jobs.health.processes import (
    EVERY,
    KEPT,
    SILENT_AFTER,
    SWEEP_MISSED,
    Reporter,
    WorkerKind,
    WorkerProcess,
    alive_workers,
    is_stalled,
)
from portal.jobs.sweep import steps
from tests.services import wait_until
from tests.support import cast, scenes
from tests.support.databases import ON_SQLITE
from tests.support.world import World

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


def reporter(app: Flask, kind: str, now: datetime) -> Reporter:
    return Reporter(app.config["DATABASE_URL"], kind, now)


def rows() -> list[WorkerProcess]:
    db.session.rollback()  # on SQLite, our own transaction would keep the others from writing
    with reading() as session:
        return list(session.scalars(select(WorkerProcess)))


def heard(kind: str, at: datetime, pid: int = 1) -> None:
    """A process of this kind last reported then."""
    db.session.merge(WorkerProcess(name=f"{kind}-{pid}", kind=kind, host="h", pid=pid, started_at=at, seen_at=at))
    db.session.commit()


def swept(at: datetime) -> None:
    db.session.merge(SweepState(id=1, began_at=at, ended_at=at))
    db.session.commit()


def still(now: datetime, since: datetime, interval: timedelta = MINUTE) -> bool:
    db.session.rollback()
    return is_stalled(now, since, interval)


# ── a row ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_process_reports_four_times_a_minute_and_at_each_change(app, now) -> None:
    one = reporter(app, "scrape", now)
    for seconds, doing in ((0, None), (1, None), (14, None), (15, None), (16, "job 7"), (17, "job 7"), (18, None)):
        one.report(now + seconds * SECOND, doing)
        (row,) = rows()
        written = {1: 0, 14: 0, 17: 16}.get(seconds, seconds)
        assert row.seen_at == now + written * SECOND, seconds
    assert row.started_at == now and row.doing is None and row.kind == "scrape"


def test_a_process_that_ends_is_not_shown(app, now) -> None:
    one = reporter(app, "intake", now)
    one.report(now)
    assert [worker.kind for worker in processes_room.workers(now)] == ["intake"]
    one.leave(now + SECOND)
    assert processes_room.workers(now + SECOND) == []


def test_a_process_that_vanished_is_named_for_an_hour(app, now) -> None:
    heard("scrape", now)
    for later, named, there in (
        (SILENT_AFTER - SECOND, 1, True),
        (SILENT_AFTER, 1, False),
        (processes_room.SHOWN, 0, False),
    ):
        found = processes_room.workers(now + later)
        assert len(found) == named
        assert [processes_room.is_alive(worker, now + later) for worker in found] == [there] * named


def test_the_successor_of_a_killed_process_is_not_counted_beside_it(app, now) -> None:
    killed = subprocess.Popen([sys.executable, "-c", ""])
    killed.wait()
    host = socket.gethostname()
    for pid, at, kind in (
        (killed.pid, host, "scrape"),
        (os.getppid(), host, "scrape"),
        (killed.pid, "other", "scrape"),
        (killed.pid, host, "intake"),
    ):
        name = f"{at}:{pid}:{kind}"
        db.session.add(WorkerProcess(name=name, kind=kind, host=at, pid=pid, started_at=now, seen_at=now))
    db.session.commit()
    one = reporter(app, "scrape", now + SECOND)
    one.report(now + SECOND)
    assert alive_workers(WorkerKind.SCRAPE, now + SECOND) == 3, "of four rows, the killed one's counts no more"
    lost = [each for each in processes_room.workers(now + SECOND) if not processes_room.is_alive(each, now + SECOND)]
    assert [(each.pid, each.host, each.kind) for each in lost] == [(killed.pid, host, "scrape")], "and it stays named"


def test_the_sweep_removes_only_rows_of_a_day_ago(app, now) -> None:
    heard("scrape", now - KEPT - SECOND, 1)
    heard("scrape", now - KEPT + MINUTE, 2)
    steps.sweep(now)
    assert [row.pid for row in rows()] == [2]


def test_a_database_that_is_away_does_not_end_the_worker(now, tmp_path) -> None:
    away = Reporter(f"sqlite:///{tmp_path}/not/there.db", "scrape", now)
    away.report(now)
    away.leave(now)


# ── standing still ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_ninety_seconds_without_a_scrape_worker_are_a_standstill(app, now) -> None:
    heard("scrape", now)
    for seconds, banner in ((0, False), (90, False), (91, True)):
        swept(now + seconds * SECOND)
        assert still(now + seconds * SECOND, now - MINUTE) is banner, seconds


def test_one_scrape_worker_of_two_is_enough(app, now) -> None:
    swept(now)
    heard("scrape", now - timedelta(hours=3), 1)
    heard("scrape", now, 2)
    assert not still(now, now - MINUTE)


def test_a_standstill_does_not_count_the_time_before_the_start(app, now) -> None:
    heard("scrape", now - timedelta(days=1))
    assert not still(now, now)
    assert not still(now + SILENT_AFTER, now)
    assert still(now + SILENT_AFTER + SECOND, now)


def test_no_scheduler_and_no_sweep_worker_are_a_standstill(app, now) -> None:
    begun = now - timedelta(hours=1)
    for kind in ("sweep", "scheduler"):
        heard(kind, now)
    swept(now)
    later = now + SILENT_AFTER + SECOND
    heard("scrape", later)
    assert not still(now + SILENT_AFTER, begun)
    assert still(later, begun)
    heard("scheduler", later)
    assert not still(later, begun), "the scheduler sweeps when its worker is away"


def test_a_sweep_that_never_ends_is_a_standstill(app, now) -> None:
    swept(now)
    for later, banner in ((SWEEP_MISSED, False), (3 * MINUTE + SECOND, True)):
        for kind in ("scrape", "sweep", "scheduler"):
            heard(kind, now + later)
        assert still(now + later, now - MINUTE) is banner


def test_a_sweep_by_cron_has_three_intervals_time(app, now) -> None:
    swept(now)
    for minutes, banner in ((44, False), (46, True)):
        heard("scrape", now + minutes * MINUTE)
        assert still(now + minutes * MINUTE, now - MINUTE, 15 * MINUTE) is banner


@ON_SQLITE  # its way to explain a query
def test_the_question_is_one_and_takes_the_index(app, now) -> None:
    asked: list[str] = []
    event.listen(db.engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
    still(now, now)
    asked = [text for text in asked if text.startswith("SELECT")]
    assert len(asked) == 1
    with db.engine.connect() as connection:
        plan = connection.exec_driver_sql(
            "EXPLAIN QUERY PLAN SELECT max(seen_at) FROM workers WHERE kind = 'scrape' AND ended_at IS NULL"
        ).all()
    assert "ix_workers_kind_seen_at" in str(plan)


# ── real processes ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_frozen_workers_are_missed_until_they_are_back(place: World, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = utcnow() - timedelta(hours=1)
    monkeypatch.setattr("portal.jobs.health.processes.SILENT_AFTER", 2 * SECOND)
    place.hang.touch()
    short = {"PRESENCE_SECONDS": "0.2", "JOURNAL_HANG": "."}
    processes = {role: place.start(role, **short) for role in ("intake", "scrape", "sweep", "scheduler")}
    wait_until(lambda: {row.kind for row in rows()} == set(processes), what="all four report")
    assert {row.pid for row in rows()} == {process.pid for process in processes.values()}
    job_id = place.make_job(cast.make_user("alice@example.com"), 3)
    wait_until(lambda: f"job {job_id}" in {row.doing for row in rows()}, what="a worker says what it does")
    wait_until(lambda: not still(utcnow(), begun), what="all is well")
    scraper = processes["scrape"]
    scraper.kill(signal.SIGSTOP)
    wait_until(lambda: still(utcnow(), begun), what="nobody who looks up is heard of")
    scraper.kill(signal.SIGCONT)
    wait_until(lambda: not still(utcnow(), begun), what="it is back")
    place.hang.unlink()
    place.wait_status(job_id, "completed")
    for process in processes.values():
        process.kill(signal.SIGTERM)
    wait_until(lambda: sum(row.ended_at is not None for row in rows()) == 4, 20, "they say that they leave")


def test_a_busy_worker_does_not_write_a_row_for_each_job(app, now) -> None:
    writes: list[str] = []
    one = reporter(app, "scrape", now)
    event.listen(one._engine, "before_cursor_execute", lambda *given: writes.append(given[2]))
    for n in range(100):
        one.report(now + n * timedelta(milliseconds=10))
    assert len([text for text in writes if text.startswith("INSERT")]) == 1
    one.report(now + EVERY)
    assert len([text for text in writes if text.startswith("INSERT")]) == 2


# ── busy with nothing ───────────────────────────────────────────────────────────────────────────────────────────────


def busy_since(app: Flask, at: datetime, now: datetime, doing: str, kind: str = "scrape", pid: int = 1) -> None:
    """A process of this kind does this since then, and has reported now."""
    name = f"{kind}-{pid}"
    row = WorkerProcess(
        name=name, kind=kind, host="h", pid=pid, started_at=at, seen_at=now, doing=doing, doing_since=at
    )
    db.session.merge(row)
    db.session.commit()


def hung(now: datetime) -> list[int]:
    db.session.rollback()
    return [one.pid for one in processes_room.hung(now)]


def test_a_row_says_since_when(app, now) -> None:
    one = reporter(app, "scrape", now)
    for seconds, doing, since in (
        (0, None, None),
        (5, "job 7", 5),
        (30, "job 7", 5),
        (31, "job 8", 31),
        (40, None, None),
    ):
        one.report(now + seconds * SECOND, doing)
        (row,) = rows()
        assert row.doing_since == (None if since is None else now + since * SECOND)


def test_a_worker_whose_job_is_gone_hangs_and_everybody_is_told(app, alice, as_ada, runner, make_job) -> None:
    began, now = utcnow() - 5 * MINUTE, utcnow()
    job = make_job(alice, 3)
    busy_since(app, began, now, f"job {job.id}")
    busy_since(app, began, now, "sweep", "sweep")
    swept(now)
    assert hung(now) == [1] and still(now, began)
    page = as_ada.get("/admin/health").text
    assert "1 not responding" in page and "Restart the workers" in page
    told = runner.invoke(args=["doctor"]).output
    assert f"scrape-1 (job {job.id})" in told
    scenes.claim(job, now)
    assert hung(now) == [] and not still(now, began), "a file may take hours"
    # Another worker has the job by now: the first one is left over.
    busy_since(app, now - MINUTE, now, f"job {job.id}", pid=2)
    assert hung(now) == [1] and not still(now, began), "the second one works"


def test_as_many_workers_as_share_a_file_are_at_work(app, alice, make_job) -> None:
    began, now = utcnow() - 5 * MINUTE, utcnow()
    job = make_job(alice, 3)
    for pid in (1, 2, 3):
        busy_since(app, began + pid * SECOND, now, f"job {job.id}", pid=pid)
    cast.hold(scenes.claim(job, now), now)
    assert shares.join(job.id, job.attempt, now, worker="another", lease_seconds=60, most=None)
    db.session.commit()
    assert hung(now) == [1], "two have a part of it, and the first one is left over"


@pytest.mark.parametrize("minutes", [3, 11])
def test_another_task_may_take_its_time_limit(app, now, minutes: int) -> None:
    busy_since(app, now - minutes * MINUTE, now, "document 3", "intake")
    assert hung(now) == ([1] if minutes > 10 else [])
