"""A real, temporary PostgreSQL for tests. Must not know the portal's tables."""

import os
import pwd
import shutil
import signal
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from tests.support.processes import dies_with_us, missing, short_folder, stop, wait_until


def postgres_programs() -> Path | None:
    """The folder with `initdb` and `postgres`, of the newest version; None if there is none."""
    found = shutil.which("initdb")
    if found and (Path(found).parent / "postgres").exists():
        return Path(found).parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[4]))
    return versions[-1].parent if versions else None


def _postgres_user() -> dict[str, Any]:
    """PostgreSQL refuses to run as root, so root starts it as another user."""
    if os.getuid() != 0:
        return {}
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    entry = names.get("postgres") or names["nobody"]
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


@dataclass
class PostgresServer:
    """A real server whose cluster is in `home`. It can be stopped as if its machine failed, and started again."""

    home: Path
    settings: dict[str, str]
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"postgresql://postgres@/postgres?host={self.home}"

    def start(self) -> None:
        programs = postgres_programs()
        assert programs
        options = [word for name, value in self.settings.items() for word in ("-c", f"{name}={value}")]
        with (self.home / "postgres.log").open("ab") as log:
            self.process = subprocess.Popen(
                [str(programs / "postgres"), "-D", str(self.home / "data"), "-k", str(self.home), *options],
                stdout=log,
                stderr=log,
                cwd=self.home,
                preexec_fn=dies_with_us(signal.SIGQUIT),
                **_postgres_user(),
            )
        wait_until(lambda: _postgres_answers(self.url), 30, what=f"PostgreSQL answers at {self.home}")

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop it; SIGINT closes connections that a test left open, SIGQUIT cuts everything off at once."""
        if self.process is not None:
            stop(self.process, how)
            self.process = None


@contextmanager
def postgres_server(**settings: str) -> Iterator[PostgresServer]:
    """A new, real PostgreSQL, running. It listens only at a socket, and does not wait for its disk."""
    programs = postgres_programs()
    if programs is None:
        missing("PostgreSQL (initdb, postgres)")
    with short_folder() as home:
        user = _postgres_user()
        if user:
            os.chown(home, user["user"], user["group"])
        made = [programs / "initdb", "-D", home / "data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C"]
        subprocess.run([*map(str, made), "-N"], check=True, capture_output=True, cwd=home, **user)
        server = PostgresServer(home, {"listen_addresses": "", "fsync": "off", "full_page_writes": "off", **settings})
        server.start()
        try:
            yield server
        finally:
            server.stop()


@contextmanager
def postgres(folder: Path | None = None) -> Iterator[str]:
    """The DATABASE_URL of a new, real PostgreSQL. Starting it takes about two seconds: do so once per session.

    `folder` is not used, as the user that PostgreSQL runs as cannot enter root's folders.
    """
    with postgres_server(synchronous_commit="off") as server:
        yield server.url


def _postgres_answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


@contextmanager
def new_database(url: str, template: str = "template0") -> Iterator[str]:
    """The DATABASE_URL of a new database on the server at `url`, dropped afterwards. It is empty, or a copy of the
    database `template`, to which nobody may be connected meanwhile."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    try:
        yield url.replace("/postgres?", f"/{name}?")
    finally:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
