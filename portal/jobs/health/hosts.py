"""The machines on which the portal runs: each reports what it is for, its disk, its clock and what it lacks.

A machine lacks something when it differs from the others: a key that cannot read what the oldest of them signs, or a
source that another one offers. Where all are alike nothing is missing: what is wrong with all of them, `checks` says.
"""

import hashlib
import hmac
import shutil
import threading
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import structlog
from flask import Flask
from sqlalchemy import JSON, BigInteger, NullPool, String, create_engine, delete, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Mapped, mapped_column

from portal import clock
from portal.clock import utcnow
from portal.database import Model, UtcDateTime, changed_rows, db, engine_options, reading, upsert
from portal.database_clock import measure_clock
from portal.documents.storage import Storage
from portal.jobs.erasure import forget_copies
from portal.jobs.health.processes import EVERY, KEPT, SHOWN, SILENT_AFTER
from portal.sources import catalogue

log = structlog.get_logger(__name__)

COPIES_EVERY = timedelta(minutes=10)  # in which this machine's copies of deleted files are deleted
LOOK_SECONDS = 5.0  # between two looks whether a report is due
MARK_PURPOSE = b"masterfilter: mark of the key"


class Host(Model):
    """One machine, by the name in PORTAL_MACHINE."""

    __tablename__ = "hosts"

    name: Mapped[str] = mapped_column(String(80), primary_key=True)
    role: Mapped[str] = mapped_column(String(10))  # web, worker or all
    first_seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    disk_free: Mapped[int] = mapped_column(BigInteger)  # bytes
    disk_total: Mapped[int] = mapped_column(BigInteger)
    skew_seconds: Mapped[float | None]  # how far its clock is ahead of the database's
    key_mark: Mapped[str] = mapped_column(String(16))  # of its SECRET_KEY, which it does not give away
    sources: Mapped[list[str]] = mapped_column(JSON)  # that it offers
    missing: Mapped[list[str]] = mapped_column(JSON)  # parts that `missing_here` names


def hosts(now: datetime) -> list[Host]:
    """Return the machines that were seen in the last hour, by name."""
    with reading() as session:
        return list(session.scalars(select(Host).where(Host.seen_at > now - SHOWN).order_by(Host.name)))


def is_alive(host: Host, now: datetime) -> bool:
    """Return whether it reported recently."""
    return host.seen_at > now - SILENT_AFTER


def key_mark(key: str) -> str:
    """Return a short text that two machines have in common only when they have the same key."""
    return hmac.new(key.encode(), MARK_PURPOSE, hashlib.sha256).hexdigest()[:16]


def has_others_key(settings: Mapping[str, Any], now: datetime) -> bool:
    """Return whether this machine can read what the oldest living one signs: it has that one's key, be it as an earlier
    one. True when it is alone."""
    others = _others(settings, now)
    oldest = min(others, key=lambda host: (host.first_seen_at, host.name), default=None)
    own = next((host for host in hosts(now) if host.name == settings["PORTAL_MACHINE"]), None)
    if oldest is None or (own is not None and (own.first_seen_at, own.name) < (oldest.first_seen_at, oldest.name)):
        return True
    return oldest.key_mark in {key_mark(key) for key in settings["SIGNING_KEYS"]}


def shares_files(settings: Mapping[str, Any], now: datetime) -> bool:
    """Return whether the other living machines can see the files that this one stores. True when it is alone."""
    return bool(settings["STORAGE_URL"]) or not _others(settings, now)


def sources_missing(settings: Mapping[str, Any], now: datetime) -> list[str]:
    """Return the sources that another living machine offers and this one cannot, by name."""
    offered = {name for host in _others(settings, now) for name in host.sources}
    if not offered - set(_offered()):
        return []
    catalogue.refresh_now()  # the other machine may just have got it
    return sorted(offered - set(_offered()))


def missing_here(storage: Storage, settings: Mapping[str, Any], now: datetime) -> list[str]:
    """Return what this machine lacks to do its work: `storage`, `key`, `recipes`."""
    missing = []
    try:
        storage.check()
        is_stored = shares_files(settings, now)
    except OSError:
        is_stored = False
    if not is_stored:
        missing.append("storage")
    if not has_others_key(settings, now):
        missing.append("key")
    if sources_missing(settings, now):
        missing.append("recipes")
    return missing


def delete_old(now: datetime) -> int:
    """Delete the rows of machines that have not reported for a day; returns how many. Commits."""
    gone = changed_rows(delete(Host).where(Host.seen_at < now - KEPT))
    db.session.commit()
    return gone


class HostReporter:
    """Reports this machine four times a minute, and deletes its copies of deleted files. It never raises."""

    def __init__(self, app: Flask, now: datetime) -> None:
        self._settings: Mapping[str, Any] = app.config
        self._storage: Storage = app.extensions["storage"]
        url = app.config["DATABASE_URL"]
        self._engine = create_engine(url, poolclass=NullPool, **engine_options(url)).execution_options(busy_seconds=2.0)
        self._reported_at: datetime | None = None
        self._forgot_at = now
        self._trouble = ""

    def tick(self, now: datetime) -> None:
        """Do what is due. Needs an application context."""
        try:
            if self._reported_at is None or abs(now - self._reported_at) >= EVERY:
                self._reported_at = now  # also when it fails, so that a database that is away is not asked all the time
                self._report(now)
            if now - self._forgot_at >= COPIES_EVERY:
                self._forgot_at = now
                forget_copies(now, self._storage)
            self._trouble = ""
        except (SQLAlchemyError, OSError) as error:
            if self._trouble != (trouble := type(error).__name__):
                log.warning("this machine is not reported", error=trouble)
            self._trouble = trouble

    def _report(self, now: datetime) -> None:
        catalogue.refresh()
        usage = shutil.disk_usage(self._settings["PORTAL_DATA_DIR"])
        row = {
            "role": self._settings["PORTAL_ROLE"], "seen_at": now, "disk_free": usage.free, "disk_total": usage.total,
            "skew_seconds": 0.0, "key_mark": key_mark(self._settings["SECRET_KEY"]), "sources": _offered(),
            "missing": missing_here(self._storage, self._settings, now),
        }  # fmt: skip
        statement = upsert(Host, ("name",), replace=tuple(row), dialect=self._engine.dialect.name)
        with self._engine.begin() as connection:
            measure_clock(connection)
            row["skew_seconds"] = clock.skew_seconds()
            name = self._settings["PORTAL_MACHINE"]
            connection.execute(statement.values(name=name, first_seen_at=now, **row))


def report_in_background(app: Flask) -> threading.Thread:
    """Report this machine from a thread of this process, as long as it lives. Not in a process that forks."""

    def loop() -> None:
        pause = threading.Event()
        reporter = HostReporter(app, utcnow())
        while True:
            with app.app_context():
                reporter.tick(utcnow())
            pause.wait(LOOK_SECONDS)

    thread = threading.Thread(target=loop, name="host", daemon=True)
    thread.start()
    return thread


def _others(settings: Mapping[str, Any], now: datetime) -> list[Host]:
    return [host for host in hosts(now) if host.name != settings["PORTAL_MACHINE"] and is_alive(host, now)]


def _offered() -> list[str]:
    return sorted(one.name for one in catalogue.recipe_files() if one.usable)
