"""Which worker processes are alive, and whether the portal stands still: nobody looks up numbers or nobody sweeps.

Each process writes a row when it starts and four times a minute, also when idle. A row proves that the process's own
loop runs: a stopped or hung process writes none. RQ's registry is not used: it is lost with Redis. Nothing is decided
here; the queue continues automatically when a worker is back.
"""

import os
import socket
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import structlog
from sqlalchemy import Index, NullPool, String, create_engine, delete, func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Mapped, mapped_column

from portal.database import EnumColumn, Model, UtcDateTime, changed_rows, db, engine_options, only, reading, upsert
from portal.jobs.core.tables import SweepState

log = structlog.get_logger(__name__)

EVERY = timedelta(seconds=15)
SILENT_AFTER = timedelta(seconds=90)  # who has said nothing for so long is not there: six rows were missed
SHOWN = timedelta(hours=1)  # one that went without a word is named for so long
KEPT = timedelta(days=1)


class WorkerKind(StrEnum):
    """What a process is there for."""

    INTAKE = "intake"
    SCRAPE = "scrape"
    SWEEP = "sweep"
    SCHEDULER = "scheduler"


class WorkerProcess(Model):
    """One worker process. `ended_at` is there when it said that it leaves."""

    __tablename__ = "workers"

    name: Mapped[str] = mapped_column(String(120), primary_key=True)
    kind: Mapped[WorkerKind] = mapped_column(EnumColumn(WorkerKind))
    host: Mapped[str] = mapped_column(String(80))
    pid: Mapped[int]
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    doing: Mapped[str | None] = mapped_column(String(60))  # a kind and an id: job 12, document 3; empty: idle
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    __table_args__ = (only("kind", WorkerKind), Index("ix_workers_kind_seen_at", "kind", "seen_at"))


class Reporter:
    """Writes the row of this process. It never raises: a worker works on while nobody can be told of it.

    Its connection is closed after each row. RQ's worker forks, and a fork that inherits an open SQLite connection
    believes that it holds that one's locks.
    """

    def __init__(self, database_url: str, kind: str, now: datetime) -> None:
        self._engine = create_engine(database_url, poolclass=NullPool, **engine_options(database_url))
        self._kind = WorkerKind(kind)
        self._host, self._pid = socket.gethostname()[:80], os.getpid()
        self._name = f"{self._host}:{self._pid}:{kind}"[-120:]
        self._started_at = now
        self._reported: tuple[datetime, str | None] | None = None

    def report(self, now: datetime, doing: str | None = None) -> None:
        """Write the row when it is time for it, or when there is something else to tell. A fork writes none."""
        due = self._reported is None or now - self._reported[0] >= EVERY or doing != self._reported[1]
        if due and os.getpid() == self._pid:
            self._reported = (now, doing)  # also when it fails: a database that is away must not be asked all the time
            self._write(now, doing, None)

    def leave(self, now: datetime) -> None:
        """Say that the process ends."""
        if os.getpid() == self._pid:
            self._write(now, None, now)

    def _write(self, now: datetime, doing: str | None, ended_at: datetime | None) -> None:
        row: dict[str, Any] = {
            "kind": self._kind, "host": self._host, "pid": self._pid, "started_at": self._started_at,
            "seen_at": now, "doing": doing, "ended_at": ended_at,
        }  # fmt: skip
        statement = upsert(WorkerProcess, ("name",), replace=tuple(row), dialect=self._engine.dialect.name)
        try:
            with self._engine.begin() as connection:
                connection.execute(statement.values(name=self._name, **row))
        except SQLAlchemyError as error:
            log.warning("presence not written", error=str(error))


def workers(now: datetime) -> list[WorkerProcess]:
    """Those that are there, and those that went without a word in the last hour; by kind, the newest first."""
    found = select(WorkerProcess).where(WorkerProcess.ended_at.is_(None), WorkerProcess.seen_at > now - SHOWN)
    with reading() as session:
        return list(session.scalars(found.order_by(WorkerProcess.kind, WorkerProcess.seen_at.desc())))


def is_alive(worker: WorkerProcess, now: datetime) -> bool:
    """Whether it has been heard of lately."""
    return worker.ended_at is None and worker.seen_at > now - SILENT_AFTER


def scrape_worker_is_alive(now: datetime) -> bool:
    """Whether a worker for the files' lookups is there."""
    seen = select(WorkerProcess.name).where(
        WorkerProcess.kind == WorkerKind.SCRAPE,
        WorkerProcess.ended_at.is_(None),
        WorkerProcess.seen_at >= now - SILENT_AFTER,
    )
    return db.session.scalar(seen.limit(1)) is not None


def delete_old(now: datetime) -> int:
    """Remove the rows of processes that were not heard of for a day; how many."""
    gone = changed_rows(delete(WorkerProcess).where(WorkerProcess.seen_at < now - KEPT))
    db.session.commit()
    return gone


SWEEPERS = (WorkerKind.SWEEP, WorkerKind.SCHEDULER)
SWEEP_MISSED = timedelta(minutes=2, seconds=30)  # the scheduler steps in for a dead sweep worker after two


def is_stalled(now: datetime, listening_since: datetime, interval: timedelta) -> bool:
    """Whether no scrape worker, or nobody who sweeps, was heard of for a minute and a half.

    Before `listening_since` nobody can be blamed: a portal that was just started has been silent since it was stopped.
    A sweep that no process of ours drives (a cron's) has three intervals' time.
    """
    here = WorkerProcess.ended_at.is_(None)
    scraping = select(func.max(WorkerProcess.seen_at)).where(WorkerProcess.kind == WorkerKind.SCRAPE, here)
    driving = select(func.max(WorkerProcess.seen_at)).where(WorkerProcess.kind.in_(SWEEPERS), here)
    began, ended = (select(func.max(moment)) for moment in (SweepState.began_at, SweepState.ended_at))
    asked = select(*(question.scalar_subquery() for question in (scraping, driving, began, ended)))
    with reading() as session:
        heard: list[datetime | None] = list(session.execute(asked).one())
    scrape_at, driver_at, began_at, ended_at = heard
    swept_at = max([moment for moment in (began_at, ended_at, listening_since) if moment])

    def silent(moment: datetime | None) -> bool:
        return now - max(moment or listening_since, listening_since) > SILENT_AFTER

    driver_is_gone = driver_at is not None and silent(driver_at) and silent(swept_at)
    sweep_is_missed = now - swept_at > max(SWEEP_MISSED, 3 * interval)
    return silent(scrape_at) or driver_is_gone or sweep_is_missed
