"""A machine starts what it is for: the pages, or the work."""

import subprocess
from pathlib import Path

import pytest

from portal.config import ROOT, read_settings
from portal.runner.__main__ import supervisor_variables
from tests.runner.portal_process import READY_SECONDS, a_portal
from tests.services import new_database, wait_until

WORK = {"intake:intake-0", "scrape:scrape-0", "sweep", "scheduler"}


@pytest.mark.parametrize(("role", "pages", "work"), [("all", "true", "true"), ("web", "true", "false"),
                                                     ("worker", "false", "true")])  # fmt: skip
def test_the_role_says_which_programs_start(tmp_path: Path, role: str, pages: str, work: str) -> None:
    shared = {"DATABASE_URL": "postgresql://db/portal", "REDIS_URL": "redis://queue", "SECRET_KEY": "k" * 40}
    given = {"PORTAL_DATA_DIR": str(tmp_path), "PORTAL_ROLE": role, "STORAGE_URL": "/shared", **shared}
    variables = supervisor_variables(read_settings(given))
    assert (variables["RUN_WEB"], variables["RUN_WORK"]) == (pages, work)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.postgresql
def test_a_machine_without_pages_works_and_says_when_it_is_ready(
    postgres_server: str, valkey: str, tmp_path: Path
) -> None:
    with new_database(postgres_server) as url, a_portal() as portal:
        shared = {
            "PORTAL_ROLE": "worker", "PORTAL_MACHINE": "here", "DATABASE_URL": url, "REDIS_URL": valkey,
            "SECRET_KEY": "k" * 40, "STORAGE_URL": str(tmp_path / "shared"), "SCRAPING_CHECK_INTERVAL": "0.02",
        }  # fmt: skip
        refused = portal.run(**{**shared, "REDIS_URL": ""})
        assert refused.returncode == 1 and "REDIS_URL" in refused.stderr
        with (portal.data_dir / "terminal.txt").open("wb") as terminal:
            portal.process = subprocess.Popen(
                [str(ROOT / ".venv" / "bin" / "python"), "-m", "portal.runner"],
                cwd=ROOT, env={**portal.environment, **shared}, stdout=terminal, stderr=terminal,
                start_new_session=True,
            )  # fmt: skip
        ready = "The machine here is ready and takes work."
        wait_until(lambda: ready in portal.output, READY_SECONDS, "it says so")
        listed = [line.split() for line in portal.run("ctl", "status", **shared).stdout.splitlines()]
        states = {words[0]: words[1] for words in listed}
        assert {name for name, state in states.items() if state == "RUNNING"} - {"announce"} == WORK
        assert (states["web"], states["valkey"]) == ("STOPPED", "STOPPED")
        assert portal.status("/readyz") is None
