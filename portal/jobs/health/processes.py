"""Which worker processes are alive, and whether the portal is stalled: no process looks up numbers, or none sweeps.

Each process writes a row when it starts and four times a minute, also when idle. A row proves that the process's own
loop runs: a stopped or hung process writes none. RQ's registry is not used: it is lost with Redis. Nothing is decided
here; the queue continues automatically when a worker is back.
"""

import os
import socket
from collections import Counter
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import structlog
from sqlalchemy import Connection, Index, NullPool, String, and_, create_engine, delete, func, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Mapped, mapped_column

from portal import clock
from portal.database import (
    EnumColumn,
    Model,
    UtcDateTime,
    changed_rows,
    db,
    engine_options,
    enum_check,
    reading,
    upsert,
)
from portal.database_clock import measure_clock
from portal.jobs.core.job_tables import SweepState
from portal.jobs.core.share_tables import Holder
from portal.jobs.core.status import Status
from portal.jobs.models import ScrapingJob

log = structlog.get_logger(__name__)

EVERY = timedelta(seconds=15)
SILENT_AFTER = timedelta(seconds=90)  # a process silent for so long is lost: it missed six rows
SHOWN = timedelta(hours=1)  # how long a lost process stays on the page
KEPT = timedelta(days=1)


class WorkerKind(StrEnum):
    """What a process does."""

    INTAKE = "intake"
    SCRAPE = "scrape"
    SWEEP = "sweep"
    SCHEDULER = "scheduler"


class WorkerProcess(Model):
    """One worker process. `ended_at` is set when it ended in an orderly way."""

    __tablename__ = "workers"

    name: Mapped[str] = mapped_column(String(120), primary_key=True)
    kind: Mapped[WorkerKind] = mapped_column(EnumColumn(WorkerKind))
    host: Mapped[str] = mapped_column(String(80))
    pid: Mapped[int]
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    doing: Mapped[str | None] = mapped_column(String(60))  # a kind and an id: job 12, document 3; empty: idle
    doing_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    skew_seconds: Mapped[float | None]  # how far its machine's clock is ahead of the database's

    __table_args__ = (enum_check("kind", WorkerKind), Index("ix_workers_kind_seen_at", "kind", "seen_at"))


class Reporter:
    """Writes the row of this process. It never raises: a worker continues even when it cannot report.

    Its connection is closed after each row. RQ's worker forks, and a fork that inherits an open SQLite connection
    believes that it holds that one's locks.
    """

    def __init__(self, database_url: str, kind: str, now: datetime, machine: str = "") -> None:
        engine = create_engine(database_url, poolclass=NullPool, **engine_options(database_url))
        # Not longer: the worker looks after its fork meanwhile, which may be what holds SQLite's lock.
        self._engine = engine.execution_options(busy_seconds=2.0)
        self._kind = WorkerKind(kind)
        self._host, self._pid = (machine or socket.gethostname())[:80], os.getpid()
        self._name = f"{self._host}:{self._pid}:{kind}"[-120:]
        self._started_at = now
        self._reported: tuple[datetime, str | None] | None = None
        self._doing_since: datetime | None = None

    def report(self, now: datetime, doing: str | None = None) -> None:
        """Write the row when it is due, or when the activity changed. A fork writes none."""
        due = self._reported is None or abs(now - self._reported[0]) >= EVERY or doing != self._reported[1]
        if due and os.getpid() == self._pid:
            is_first = self._reported is None
            if self._reported is None or doing != self._reported[1]:
                self._doing_since = now if doing else None
            # Also when it fails, so that a database that is away is not asked all the time.
            self._reported = (now, doing)
            self._write(now, doing, None, is_first=is_first)

    def leave(self, now: datetime) -> None:
        """Record that the process ends."""
        if os.getpid() == self._pid:
            self._write(now, None, now)

    def _write(self, now: datetime, doing: str | None, ended_at: datetime | None, *, is_first: bool = False) -> None:
        row: dict[str, Any] = {
            "kind": self._kind, "host": self._host, "pid": self._pid, "started_at": self._started_at,
            "seen_at": now, "doing": doing, "doing_since": self._doing_since if doing else None, "ended_at": ended_at,
            "skew_seconds": 0.0,
        }  # fmt: skip
        statement = upsert(WorkerProcess, ("name",), replace=tuple(row), dialect=self._engine.dialect.name)
        try:
            with self._engine.begin() as connection:
                measure_clock(connection)
                row["skew_seconds"] = clock.skew_seconds()
                if is_first:
                    self._silence_killed(connection, now)
                connection.execute(statement.values(name=self._name, **row))
        except SQLAlchemyError as error:
            log.warning("presence not written", error=str(error))

    def _silence_killed(self, connection: Connection, now: datetime) -> None:
        """Let processes of this kind on this machine that were killed count as lost at once: until then their
        successors and they would count together, and one person's files be given too many workers."""
        since = now - SILENT_AFTER
        of_ours = (WorkerProcess.kind == self._kind, WorkerProcess.host == self._host, WorkerProcess.seen_at > since)
        there = select(WorkerProcess.name, WorkerProcess.pid).where(*of_ours, WorkerProcess.ended_at.is_(None))
        killed = [name for name, pid in connection.execute(there) if not _exists(pid)]
        connection.execute(update(WorkerProcess).where(WorkerProcess.name.in_(killed)).values(seen_at=since))


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # of another user
    return True


def workers(now: datetime) -> list[WorkerProcess]:
    """Return the processes that are alive or were lost in the last hour; by kind, newest first."""
    found = select(WorkerProcess).where(WorkerProcess.ended_at.is_(None), WorkerProcess.seen_at > now - SHOWN)
    with reading() as session:
        return list(session.scalars(found.order_by(WorkerProcess.kind, WorkerProcess.seen_at.desc())))


def is_alive(worker: WorkerProcess, now: datetime) -> bool:
    """Return whether it reported recently."""
    return worker.ended_at is None and worker.seen_at > now - SILENT_AFTER


def machine_skews(now: datetime) -> dict[str, float]:
    """Return how many seconds each machine's clock is ahead of the database's, as its workers last saw it."""
    alive = [worker for worker in workers(now) if is_alive(worker, now) and worker.skew_seconds is not None]
    return {worker.host: worker.skew_seconds or 0.0 for worker in sorted(alive, key=lambda worker: worker.seen_at)}


HUNG_AFTER = timedelta(minutes=2)  # busy for so long with a job that it no longer has
LONGEST_TASK = timedelta(minutes=10)  # reading a file, a trial, an operation: their time limits are shorter


def hung(now: datetime) -> list[WorkerProcess]:
    """Return the living processes that are busy with nothing: with a job that no attempt of theirs holds, or with
    another task beyond its time limit. Their watchdog should have ended it; until somebody does, they take no work."""
    busy = (WorkerProcess.ended_at.is_(None), WorkerProcess.seen_at > now - SILENT_AFTER)
    long = select(WorkerProcess).where(*busy, WorkerProcess.doing_since < now - HUNG_AFTER)
    with reading() as session:
        # The latest first: when more are busy with one job than hold it, the leases are the later ones'.
        suspects = list(session.scalars(long.order_by(WorkerProcess.doing_since.desc())))
        ids = [job_id for one in suspects if (job_id := _job_of(one))]
        held = (ScrapingJob.status == Status.PROCESSING, ScrapingJob.lease_until > now - SILENT_AFTER)
        own = and_(Holder.job_id == ScrapingJob.id, Holder.attempt == ScrapingJob.attempt)
        at_work = select(ScrapingJob.id, func.count(Holder.token)).outerjoin(
            Holder, and_(own, Holder.lease_until > now - SILENT_AFTER)
        )
        at_work = at_work.where(ScrapingJob.id.in_(ids), *held).group_by(ScrapingJob.id)
        holders: dict[int, int] = {job_id: max(1, n) for job_id, n in session.execute(at_work)} if ids else {}
        recent = select(WorkerProcess.doing).where(*busy, WorkerProcess.doing_since >= now - HUNG_AFTER)
        taken = Counter(session.scalars(recent) if ids else ())
    found = []
    for one in suspects:
        job_id = _job_of(one)
        if job_id is None:
            idle = one.doing_since is not None and now - one.doing_since > LONGEST_TASK
        else:
            idle = taken[one.doing] >= holders.get(job_id, 0)
            taken[one.doing] += not idle
        if idle:
            found.append(one)
    return found


def _job_of(worker: WorkerProcess) -> int | None:
    kind, _, number = (worker.doing or "").partition(" ")
    return int(number) if kind == "job" and number.isdecimal() else None


def scrape_worker_is_alive(now: datetime) -> bool:
    """Return whether a worker that looks up numbers is alive."""
    return is_kind_alive(WorkerKind.SCRAPE, now)


def alive_workers(kind: WorkerKind, now: datetime) -> int:
    """Count the processes of this kind that have reported recently."""
    alive = (WorkerProcess.kind == kind, WorkerProcess.ended_at.is_(None), WorkerProcess.seen_at > now - SILENT_AFTER)
    with reading() as session:
        return session.scalar(select(func.count()).select_from(WorkerProcess).where(*alive)) or 0


def is_kind_alive(kind: WorkerKind, now: datetime) -> bool:
    """Return whether a process of this kind has reported recently."""
    seen = select(WorkerProcess.name).where(
        WorkerProcess.kind == kind,
        WorkerProcess.ended_at.is_(None),
        WorkerProcess.seen_at > now - SILENT_AFTER,
    )
    return db.session.scalar(seen.limit(1)) is not None


def delete_old(now: datetime) -> int:
    """Delete the rows of processes that have not reported for a day; returns how many."""
    gone = changed_rows(delete(WorkerProcess).where(WorkerProcess.seen_at < now - KEPT))
    db.session.commit()
    return gone


SWEEPERS = (WorkerKind.SWEEP, WorkerKind.SCHEDULER)
SWEEP_MISSED = timedelta(minutes=2, seconds=30)  # the scheduler steps in for a dead sweep worker after two


def is_stalled(now: datetime, listening_since: datetime, interval: timedelta) -> bool:
    """Return whether no scrape worker, or no process that sweeps, has reported for 90 seconds, or all scrape workers
    hang.

    Silence before `listening_since` does not count: a portal just started was silent while it was stopped. A sweep that
    is run by cron instead of our processes has three intervals.
    """
    here = WorkerProcess.ended_at.is_(None)
    scraping = select(func.max(WorkerProcess.seen_at)).where(WorkerProcess.kind == WorkerKind.SCRAPE, here)
    driving = select(func.max(WorkerProcess.seen_at)).where(WorkerProcess.kind.in_(SWEEPERS), here)
    began, ended = (select(func.max(moment)) for moment in (SweepState.began_at, SweepState.ended_at))
    long_busy = select(func.count()).where(
        WorkerProcess.kind == WorkerKind.SCRAPE, WorkerProcess.seen_at > now - SILENT_AFTER, here,
        WorkerProcess.doing_since < now - HUNG_AFTER,
    )  # fmt: skip
    asked = select(*(question.scalar_subquery() for question in (scraping, driving, began, ended, long_busy)))
    with reading() as session:
        scrape_at, driver_at, began_at, ended_at, busy = session.execute(asked).one()
    swept_at = max([moment for moment in (began_at, ended_at, listening_since) if moment])

    def silent(moment: datetime | None) -> bool:
        return now - max(moment or listening_since, listening_since) > SILENT_AFTER

    driver_is_gone = driver_at is not None and silent(driver_at) and silent(swept_at)
    sweep_is_missed = now - swept_at > max(SWEEP_MISSED, 3 * interval)
    return silent(scrape_at) or driver_is_gone or sweep_is_missed or (busy > 0 and _all_hang(now))


def _all_hang(now: datetime) -> bool:
    """Whether every living scrape worker is busy with nothing."""
    stuck = {one.name for one in hung(now) if one.kind == WorkerKind.SCRAPE}
    alive = [one for one in workers(now) if one.kind == WorkerKind.SCRAPE and is_alive(one, now)] if stuck else []
    return bool(stuck) and all(one.name in stuck for one in alive)
