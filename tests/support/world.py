"""A world of real processes with its own data directory: Valkey, workers, schedulers. Tests kill them by their pid.

A test reads the database with its own SQL (`query`), and the journal, so that its result does not depend on the
program. Every process dies with the test run. Must not know any test.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
from flask import Flask
from redis import Redis

from portal import sources
from portal.accounts import User
from portal.clock import utcnow
from portal.config import SETTINGS
from portal.database import db
from portal.jobs import dispatch
from portal.jobs.sweep import steps
from tests import services
from tests.support import cast, databases, journal
from tests.support.journal import FACTS, NAME
from tests.support.preloaded import Preloaded

SHORT = {"SCRAPING_LEASE_SECONDS": "1", "SCRAPING_CHECK_INTERVAL": "0.02", "SCRAPING_RETRY_SECONDS": "1"}


@dataclass
class Process:
    """One process of the world, with its role."""

    role: str
    pid: int
    log: Path

    @property
    def alive(self) -> bool:
        return not gone(self.pid)

    def horses(self) -> list[int]:
        """The forks in which a worker is working."""
        try:
            return [child.pid for child in psutil.Process(self.pid).children() if not gone(child.pid)]
        except psutil.NoSuchProcess:
            return []

    def kill(self, how: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal; after SIGKILL, also wait until the process ends."""
        send(self.pid, how)
        if how == signal.SIGKILL:
            self.wait_gone()

    def wait_gone(self, seconds: float = 10.0) -> None:
        services.wait_until(lambda: not self.alive, seconds, f"{self.role} {self.pid} ends")

    def logged(self, words: str) -> bool:
        return self.log.exists() and words in self.log.read_text(errors="replace")


@dataclass
class World:
    """The processes and what they share."""

    folder: Path
    valkey: services.ValkeyServer
    app: Flask
    settings: dict[str, str]
    forks: Preloaded
    processes: list[Process] = field(default_factory=list)

    @property
    def journal(self) -> journal.Journal:
        return journal.Journal(self.folder / "journal.txt")

    @property
    def hang(self) -> Path:
        """While this file exists, numbers of JOURNAL_HANG get no answer."""
        return self.folder / "journal.hang"

    @property
    def database(self) -> Path:
        return Path(self.app.config["PORTAL_DATA_DIR"]) / "masterfilter.db"

    @property
    def postgresql_url(self) -> str:
        """The address of the PostgreSQL database; empty on SQLite."""
        url = self.settings.get("DATABASE_URL", "")
        return url if url.startswith("postgresql") else ""

    @property
    def clock(self) -> Path:
        """The seconds by which the clock of every process is ahead."""
        return self.folder / "clock.txt"

    @property
    def redis(self) -> Redis:
        with self.app.app_context():
            return dispatch.connection()

    def start(self, role: str, **more: str) -> Process:
        """Start a worker with this role. `more` are environment variables for this one only."""
        log = self.folder / f"{role}-{len(self.processes)}.log"
        own = {
            "PORTAL_DATA_DIR": str(self.app.config["PORTAL_DATA_DIR"]), "REDIS_URL": self.valkey.url,
            "CLOCK_FILE": str(self.clock), "JOURNAL_FILE": str(self.journal.path),
            "SWEEPS_FILE": str(self.folder / "sweeps.txt"),
        }  # fmt: skip
        # Every setting is given, so that neither a `.env` nor the environment of the run matters.
        environ = {**os.environ, **{setting.name: "" for setting in SETTINGS}, **own, **self.settings, **more}
        process = Process(role, self.forks.fork(role, environ, log), log)
        self.processes.append(process)
        return process

    def of(self, role: str) -> list[Process]:
        return [process for process in self.processes if process.role == role and process.alive]

    def make_job(self, owner: User, cells: int | list[Any], *, push: bool = True) -> int:
        """Make a job of the journal as the page does, push it, and return its id."""
        job_id = cast.make_job(self.app, owner, cells, source=NAME, now=utcnow()).id
        if push:
            dispatch.push_job(job_id, utcnow())
        db.session.rollback()
        return job_id

    def sweep(self, ahead_seconds: float = 0.0) -> steps.SweepReport:
        """Run one sweep in the test itself, as if so many seconds had passed."""
        return steps.sweep(utcnow() + timedelta(seconds=ahead_seconds))

    def query(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """The rows of an SQL query with `?` for its values, on a connection of our own."""
        return databases.query(self.postgresql_url or self.database, sql, *values)

    def job(self, job_id: int, *columns: str) -> Any:
        """One column of a job, or several as a tuple."""
        row = self.query(f"SELECT {', '.join(columns)} FROM scraping_jobs WHERE id = ?", job_id)[0]
        return row if len(columns) > 1 else row[0]

    def outcomes(self, job_id: int) -> dict[str, int]:
        """How many cells of a job have each outcome."""
        counted = "SELECT outcome, sum(cells) FROM numbers WHERE job_id = ? GROUP BY outcome"
        found = {outcome: int(cells) for outcome, cells in self.query(counted, job_id)}
        without = self.query("SELECT count(*) FROM cells WHERE job_id = ? AND number_no IS NULL", job_id)[0][0]
        return {**found, "invalid": found.get("invalid", 0) + without}

    def final(self, job_id: int) -> set[str]:
        """The numbers of a job that have a final answer."""
        return {e164 for (e164,) in self.query(
            "SELECT e164 FROM numbers WHERE job_id = ? AND outcome NOT IN ('waiting', 'failed')",
            job_id,
        )}  # fmt: skip

    def wait_status(self, job_id: int, *wanted: str, seconds: float = 30.0) -> str:
        """Wait until the job has one of these statuses, and return it."""
        try:
            services.wait_until(lambda: self.job(job_id, "status") in wanted, seconds)
        except TimeoutError as error:
            seen = self.job(job_id, "status", "attempt", "processed_numbers", "retry_count", "last_error")
            raise TimeoutError(f"job {job_id} is not {wanted} within {seconds} s: {seen}") from error
        return str(self.job(job_id, "status"))

    def sweeps(self) -> list[tuple[int, int, float]]:
        """Every sweep that ended: its process, the parent process, and when it began."""
        path = self.folder / "sweeps.txt"
        lines = path.read_text().splitlines() if path.exists() else []
        return [(int(pid), int(parent), float(at)) for pid, parent, at in map(str.split, lines)]

    def end(self) -> None:
        for process in self.processes:
            for pid in process.horses():
                send(pid, signal.SIGCONT)
            process.kill()
        self.valkey.stop(signal.SIGKILL)


@contextmanager
def world(folder: Path, forks: Preloaded, **settings: str) -> Iterator[World]:
    """A world with its tables and its Valkey and no worker yet, in an application context. DATABASE_URL, an empty
    database of PostgreSQL, takes the place of the usual one."""
    folder.mkdir(parents=True, exist_ok=True)
    with services.valkey_server() as server, databases.usual() as database:
        settings = {**SHORT, **database, **settings}
        given = {name: text for name, text in settings.items() if any(name == setting.name for setting in SETTINGS)}
        app = cast.make_app(folder, REDIS_URL=server.url, **given)
        sources.register(NAME, lambda: None, FACTS)  # type: ignore[arg-type, return-value]
        made = World(folder, server, app, settings, forks)
        with app.app_context():
            try:
                yield made
            finally:
                made.end()
                db.session.remove()
                db.engine.dispose()
                dispatch.connection().close()
                sources.unregister(NAME)


def once_each(place: World, count: int) -> bool:
    """Whether so many numbers were looked up, each once."""
    counted = place.journal.count()
    return len(counted) == count and set(counted.values()) == {1}


def send(pid: int, number: signal.Signals) -> None:
    """Send a signal to one process, which may have ended already."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def gone(pid: int) -> bool:
    """Whether a process has ended; a zombie counts as ended."""
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True
