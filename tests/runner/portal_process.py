"""A whole portal, started with `make run` as a person would, on its own data directory and port."""

import http.client
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from portal.config import ROOT, SETTINGS
from tests.services import free_port, short_folder, wait_until
from tests.support import databases

READY_SECONDS = 90.0  # an idle machine takes some seconds; a busy one ten times that
GONE_SECONDS = 90.0


@dataclass
class Portal:
    """A portal's folder, port and process. `start` may be called again after it was stopped or killed."""

    data_dir: Path
    port: int
    database: dict[str, str] = field(default_factory=dict)  # the setting of one that is not SQLite's
    settings: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """Return an environment without the developer's settings: an empty variable wins over `.env` (= default)."""
        inherited = {name: text for name, text in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
        own = {"PORTAL_DATA_DIR": str(self.data_dir), "PORTAL_PORT": str(self.port), "PORTAL_WORKERS": "1"}
        return {**inherited, **{setting.name: "" for setting in SETTINGS}, **own, **self.database, **self.settings}

    @property
    def output(self) -> str:
        return (self.data_dir / "terminal.txt").read_text()

    def start(self) -> None:
        """Run `make run` in its own process group, as a terminal does, and wait until /readyz succeeds."""
        with (self.data_dir / "terminal.txt").open("wb") as terminal:
            self.process = subprocess.Popen(
                ["make", "run"],
                cwd=ROOT,
                env=self.environment,
                stdout=terminal,
                stderr=terminal,
                start_new_session=True,
            )
        try:
            wait_until(self.ready_or_gone, READY_SECONDS, "the portal is ready")
        except TimeoutError as error:
            raise AssertionError(self.output) from error
        assert self.process.poll() is None, self.output

    def ready_or_gone(self) -> bool:
        return (self.process is not None and self.process.poll() is not None) or self.status("/readyz") == 200

    def status(self, path: str) -> int | None:
        """Return the HTTP status of this path; None without an answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    def query(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """The rows of an SQL query with `?` for its values."""
        return databases.query(self.database.get("DATABASE_URL") or self.data_dir / "masterfilter.db", sql, *values)

    def run(self, *words: str, **changed: str) -> subprocess.CompletedProcess[str]:
        """Run the launcher without make, for a second start or for `ctl`."""
        command = [str(ROOT / ".venv" / "bin" / "python"), "-m", "portal.runner", *words]
        return subprocess.run(
            command, cwd=ROOT, env={**self.environment, **changed}, capture_output=True, text=True, timeout=60
        )

    def states(self) -> dict[str, str]:
        """Return supervisord's state of each program: RUNNING, STARTING, BACKOFF…"""
        lines = [line.split() for line in self.run("ctl", "status").stdout.splitlines()]
        return {words[0]: words[1] for words in lines if len(words) > 1}

    def supervisor(self) -> psutil.Process:
        return psutil.Process(int((self.data_dir / "supervisord.pid").read_text()))

    def living(self) -> list[psutil.Process]:
        """Return the living processes that were started for this data directory, whatever their parent is now."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("PORTAL_DATA_DIR") == str(self.data_dir) and _lives(process):
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def wait_until_gone(self) -> None:
        """Wait until none of them lives. Those that are known are asked first: to look through all processes of the
        machine every time would take as much of its time as the portal's own stop."""
        known: list[psutil.Process] = []

        def gone() -> bool:
            known[:] = [process for process in known if _lives(process)] or self.living()
            return not known

        try:
            wait_until(gone, GONE_SECONDS)
        except TimeoutError as error:
            raise AssertionError(f"still there: {[process.cmdline() for process in self.living()]}") from error
        if self.process is not None:
            self.process.wait(10)

    def end(self) -> None:
        """End whatever the test left running, by pid."""
        for process in self.living():
            try:
                process.send_signal(signal.SIGKILL)
            except psutil.NoSuchProcess:
                continue
        if self.process is not None:
            self.process.wait(10)


def _lives(process: psutil.Process) -> bool:
    """Whether it has not ended, also when nobody has waited for it yet."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@contextmanager
def a_portal(**settings: str) -> Iterator[Portal]:
    """Yield a portal with these settings that is not started yet; nothing of it is left afterwards."""
    with short_folder() as data_dir, databases.usual() as database:
        portal = Portal(data_dir, free_port(), database, settings)
        try:
            yield portal
        finally:
            portal.end()
