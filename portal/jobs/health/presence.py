"""Which worker processes are there: each writes a row when it starts and four times a minute, also when idle.

It is read from the database and not from RQ's registry, which goes with Redis and decides nothing. A row proves that
the process's own loop turns: a process that is stopped or hangs writes none.
"""

import os
import socket
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import structlog
from sqlalchemy import Index, NullPool, String, create_engine, delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Mapped, mapped_column

from portal.database import Model, Moment, Word, changed_rows, db, engine_options, only
from portal.opening import reading

log = structlog.get_logger(__name__)

EVERY = timedelta(seconds=15)
QUIET = timedelta(seconds=90)  # who has said nothing for so long is not there: six rows were missed
SHOWN = timedelta(hours=1)  # one that went without a word is named for so long
KEPT = timedelta(days=1)


class WorkerKind(StrEnum):
    """What a process is there for."""

    INTAKE = "intake"
    SCRAPE = "scrape"
    SWEEP = "sweep"
    SCHEDULER = "scheduler"


class Presence(Model):
    """One worker process. `ended_at` is there when it said that it leaves."""

    __tablename__ = "workers"

    name: Mapped[str] = mapped_column(String(120), primary_key=True)
    kind: Mapped[WorkerKind] = mapped_column(Word(WorkerKind))
    host: Mapped[str] = mapped_column(String(80))
    pid: Mapped[int]
    started_at: Mapped[datetime] = mapped_column(Moment)
    seen_at: Mapped[datetime] = mapped_column(Moment)
    doing: Mapped[str | None] = mapped_column(String(60))  # a kind and an id: job 12, document 3; empty: idle
    ended_at: Mapped[datetime | None] = mapped_column(Moment)

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
        self._told: tuple[datetime, str | None] | None = None

    def report(self, now: datetime, doing: str | None = None) -> None:
        """Write the row when it is time for it, or when there is something else to tell. A fork writes none."""
        due = self._told is None or now - self._told[0] >= EVERY or doing != self._told[1]
        if due and os.getpid() == self._pid:
            self._told = (now, doing)  # also when it fails: a database that is away must not be asked all the time
            self._write(now, doing, None)

    def leave(self, now: datetime) -> None:
        """Say that the process ends."""
        if os.getpid() == self._pid:
            self._write(now, None, now)

    def _write(self, now: datetime, doing: str | None, ended_at: datetime | None) -> None:
        dialect = postgresql if self._engine.dialect.name == "postgresql" else sqlite
        row: dict[str, Any] = {
            "kind": self._kind, "host": self._host, "pid": self._pid, "started_at": self._started_at,
            "seen_at": now, "doing": doing, "ended_at": ended_at,
        }  # fmt: skip
        statement = dialect.insert(Presence).values(name=self._name, **row)
        try:
            with self._engine.begin() as connection:
                connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=row))
        except SQLAlchemyError as error:
            log.warning("presence not written", error=str(error))


def workers(now: datetime) -> list[Presence]:
    """Those that are there, and those that went without a word in the last hour; by kind, the newest first."""
    found = select(Presence).where(Presence.ended_at.is_(None), Presence.seen_at > now - SHOWN)
    with reading() as session:
        return list(session.scalars(found.order_by(Presence.kind, Presence.seen_at.desc())))


def is_there(worker: Presence, now: datetime) -> bool:
    """Whether it has been heard of lately."""
    return worker.ended_at is None and worker.seen_at > now - QUIET


def somebody_looks_up(now: datetime) -> bool:
    """Whether a worker for the files' lookups is there."""
    seen = select(Presence.name).where(
        Presence.kind == WorkerKind.SCRAPE, Presence.ended_at.is_(None), Presence.seen_at >= now - QUIET
    )
    return db.session.scalar(seen.limit(1)) is not None


def forget_gone(now: datetime) -> int:
    """Remove the rows of processes that were not heard of for a day; how many."""
    gone = changed_rows(delete(Presence).where(Presence.seen_at < now - KEPT))
    db.session.commit()
    return gone
