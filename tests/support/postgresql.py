"""A real, temporary PostgreSQL for tests. Must not know the portal's tables."""

import os
import pwd
import shutil
import signal
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
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


@contextmanager
def postgres(folder: Path | None = None) -> Iterator[str]:
    """The DATABASE_URL of a new, real PostgreSQL. Starting it takes about two seconds: do so once per session.

    It listens only at a socket, and does not wait for its disk. `folder` is not used, as the user that PostgreSQL runs
    as cannot enter root's folders.
    """
    programs = postgres_programs()
    if programs is None:
        missing("PostgreSQL (initdb, postgres)")
    with short_folder() as home:
        user = _postgres_user()
        if user:
            os.chown(home, user["user"], user["group"])
        cluster = home / "data"
        made = [programs / "initdb", "-D", cluster, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"]
        subprocess.run([str(part) for part in made], check=True, capture_output=True, cwd=home, **user)
        settings = {"listen_addresses": "", "fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with (home / "postgres.log").open("wb") as log:
            server = subprocess.Popen(
                [str(programs / "postgres"), "-D", str(cluster), "-k", str(home), *options],
                stdout=log,
                stderr=log,
                cwd=home,
                preexec_fn=dies_with_us(signal.SIGQUIT),
                **user,
            )
        url = f"postgresql://postgres@/postgres?host={home}"
        try:
            wait_until(lambda: _postgres_answers(url), 30, what=f"PostgreSQL answers at {home}")
            yield url
        finally:
            stop(server, signal.SIGINT)  # "fast" shutdown: closes connections that a test left open


def _postgres_answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


@contextmanager
def new_database(url: str) -> Iterator[str]:
    """The DATABASE_URL of an empty database on the server at `url`, dropped afterwards."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
    try:
        yield url.replace("/postgres?", f"/{name}?")
    finally:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
