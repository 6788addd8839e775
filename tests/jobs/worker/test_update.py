"""A portal in use is updated from a release before the rooms: its jobs, messages and schedule all complete.

The earlier release is the real one, taken from git and run with its own code on an empty data directory.
"""

import io
import os
import signal
import subprocess
import sys
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask_migrate import upgrade

from portal.application import build
from portal.config import ROOT, SETTINGS, read_settings
from portal.database import db
from portal.jobs.dispatch import connection
from tests import services
from tests.support import databases
from tests.support.preloaded import Preloaded
from tests.support.world import SHORT, Process

EARLIER = "31b772362d34bf114b45e8469bbf95cb1a3d9d7d"  # the last commit in which tasks were named portal.jobs.tasks.*
OLD_PATH = b"portal.jobs.tasks."

# What people did before the update, made by the earlier release's own verbs and pushed to Redis by it.
USED = """
from datetime import timedelta
from io import BytesIO
from flask_migrate import upgrade
from portal.application import build
from portal.clock import utcnow
from portal.config import read_settings
from portal.database import db
from portal.documents.receiving import receive
from portal.jobs import dispatch
from tests.support import cast, scenes

app = build(read_settings())
with app.app_context():
    upgrade()
    now, alice = utcnow(), cast.make_user("alice@example.com")
    waiting, running, failed = (cast.make_job(app, alice, 20, now=now) for _ in range(3))
    assert dispatch.push_job(waiting.id, now)
    assert dispatch.push_job(running.id, now)
    scenes.claim(running, now - timedelta(minutes=3))
    scenes.answer(running, [scenes.Outcome.FOUND] * 5, now - timedelta(minutes=2))
    scenes.failed(failed, now - timedelta(minutes=5), found=3)
    file = BytesIO(b"Telefono\\n612000001\\n612000002\\n")
    document = receive(file, "clientes.csv", alice.id, app.extensions["storage"], 1000, now)
    assert dispatch.push_document(document.id, now)
    db.session.remove()
"""


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The earlier release's code."""
    packed = subprocess.run(["git", "archive", EARLIER], cwd=ROOT, capture_output=True)
    if packed.returncode != 0:
        why = f"commit {EARLIER} is not in this clone, so no update from it can be tried: {packed.stderr.decode()}"
        shallow = subprocess.run(
            ["git", "rev-parse", "--is-shallow-repository"], cwd=ROOT, capture_output=True, text=True
        )
        whole = shallow.stdout.strip() == "false"  # a clone without its history cannot have the commit
        (pytest.fail if whole and os.environ.get("CI") else pytest.skip)(why)
    folder = tmp_path_factory.mktemp("earlier")
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as tar:
        tar.extractall(folder, filter="data")
    return folder


@pytest.fixture
def environ(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The settings of the portal, the same before and after the update, with a Valkey that lives through it."""
    with services.valkey_server() as server, databases.usual() as database:
        own = {"PORTAL_DATA_DIR": str(tmp_path / "data"), "REDIS_URL": server.url, **database}
        yield {**os.environ, **{setting.name: "" for setting in SETTINGS}, **own, **SHORT}


def asked(environ: dict[str, str], query: str) -> list[tuple[object, ...]]:
    return databases.query(environ["DATABASE_URL"] or Path(environ["PORTAL_DATA_DIR"]) / "masterfilter.db", query)


def old_messages() -> list[bytes]:
    """The messages and schedule entries in Redis that name a function by its old path."""
    packed = {key: connection().hget(key, "data") for key in connection().scan_iter("rq:job:*")}
    return [key for key, data in packed.items() if data and OLD_PATH in zlib.decompress(data)]


@pytest.mark.slow
def test_what_waits_runs_or_failed_ends_after_the_update(
    earlier: Path, environ: dict[str, str], tmp_path: Path, forks: Preloaded
) -> None:
    (tmp_path / "data").mkdir(mode=0o700)
    subprocess.run([sys.executable, "-c", USED], cwd=earlier, env=environ, check=True, timeout=60)
    app = build(read_settings({setting.name: environ[setting.name] for setting in SETTINGS if environ[setting.name]}))
    slow = {**environ, "SCRAPING_CHECK_INTERVAL": "1"}  # the earlier scheduler leaves its entry and does not sweep
    with subprocess.Popen(
        [sys.executable, "worker.py", "scheduler"],
        cwd=earlier, env=slow, preexec_fn=services.dies_with_us(signal.SIGKILL),
    ) as scheduler:  # fmt: skip
        try:
            with app.app_context():
                services.wait_until(lambda: len(old_messages()) >= 4, 20, "the old schedule")
        finally:
            scheduler.send_signal(signal.SIGTERM)
    statuses = "SELECT status FROM scraping_jobs ORDER BY id"
    assert asked(environ, statuses) == [("pending",), ("processing",), ("failed",)]

    with app.app_context():
        upgrade()
        db.engine.dispose()
    processes = []
    for role in ("intake", "scrape", "sweep", "scheduler"):
        log = tmp_path / f"{role}.log"
        processes.append(Process(role, forks.fork(role, environ, log), log))
    try:
        services.wait_until(
            lambda: (
                asked(environ, statuses) == [("completed",)] * 3
                and asked(environ, "SELECT state FROM documents WHERE file_name = 'clientes.csv'") == [("ready",)]
            ),
            60,
            f"all end: {asked(environ, statuses)}",
        )
        final = asked(
            environ, "SELECT job_id, count(*) FROM numbers WHERE outcome = 'found' GROUP BY job_id ORDER BY 1"
        )
        assert final == [(1, 20), (2, 20), (3, 20)]
        with app.app_context():
            services.wait_until(lambda: b"rq:job:sweep" not in old_messages(), 20, "the schedule names the new path")
            queues = ("rq:queue:intake", "rq:queue:scrape")
            services.wait_until(lambda: not any(map(connection().llen, queues)), 20, "the last messages are read")
    finally:
        for process in processes:
            process.kill()
        with app.app_context():
            db.engine.dispose()
            connection().close()
