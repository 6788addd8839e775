"""`make run`: one command starts everything, and nothing is left when it ends, however it ends."""

import os
import signal
from collections.abc import Iterator

import pytest

from tests.runner.portal_process import Portal, a_portal
from tests.services import free_port, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def portal() -> Iterator[Portal]:
    with a_portal() as found:
        yield found


def test_everything_starts_and_nothing_is_left(portal: Portal) -> None:
    portal.start()
    assert len(portal.living()) > 6
    portal.supervisor().send_signal(signal.SIGKILL)
    portal.wait_until_gone()

    portal.start()  # remains of the killed portal do not prevent a start
    assert portal.process is not None
    wait_until(lambda: f"Masterfilter is ready: http://127.0.0.1:{portal.port}" in portal.output, 20, "it says so")
    programs = {"valkey", "web", "events", "intake:intake-0", "sweep", "scheduler", "scrape:scrape-0"}

    def all_run() -> bool:
        states = portal.states()
        return {states.get(name) for name in programs} == {"RUNNING"}

    wait_until(all_run, 20, "every program runs")

    # The pages' process hands a stream over to the one that holds them, which asks who it is.
    wait_until(lambda: portal.status("/events?jobs=1") == 302, 30, "streams are held")
    portal.run("ctl", "stop", "events")
    assert portal.status("/events?jobs=1") == 503  # and pages poll meanwhile

    again = portal.run()
    assert (again.returncode, again.stdout) == (1, "")
    assert f"Masterfilter is already running with the data directory {portal.data_dir}." in again.stderr
    with a_portal() as other:
        elsewhere = portal.run(PORTAL_DATA_DIR=str(other.data_dir))
    assert elsewhere.returncode == 1
    assert f"Port {portal.port} on 127.0.0.1 is in use." in elsewhere.stderr
    assert portal.status("/readyz") == 200  # and the running portal is unharmed
    others_may = [path.name for path in portal.data_dir.rglob("*") if path.is_file() and path.stat().st_mode & 0o077]
    assert set(others_may) <= {"terminal.txt"}  # the test's own file

    os.killpg(portal.process.pid, signal.SIGINT)  # what a terminal does on Ctrl-C
    portal.wait_until_gone()
    assert "Traceback" not in portal.output


def test_an_invalid_setting_is_named(portal: Portal) -> None:
    refused = portal.run(PORTAL_PORT="many")
    assert refused.returncode == 1
    assert "PORTAL_PORT is 'many'" in refused.stderr
    assert "Traceback" not in refused.stderr
    refused = portal.run(NOTIFY_URLS="json://127.0.0.1/ nosuch://averysecretkey/room")
    assert refused.returncode == 1
    assert "NOTIFY_URLS: address number 2 does not work" in refused.stderr
    assert "averysecretkey" not in refused.stderr + refused.stdout and portal.living() == []


def test_a_missing_database_prevents_the_start(portal: Portal) -> None:
    nobody = f"postgresql://nobody@127.0.0.1:{free_port()}/nothing"
    refused = portal.run(DATABASE_URL=nobody)
    assert refused.returncode == 1
    assert "The database could not be updated." in refused.stderr
    assert portal.living() == []
