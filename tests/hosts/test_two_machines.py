"""Two machines with their own folders, one PostgreSQL, one Valkey and one bucket: everything works at either."""

import io
import os
import shutil
import signal
import time
from collections.abc import Iterator

import openpyxl
import pytest
from lxml import html

from tests.hosts.machines import WORK, Machine, machines
from tests.services import free_port, wait_until
from tests.support.cast import mobile
from tests.support.journal import NAME
from tests.support.preloaded import Preloaded
from tests.support.s3 import S3Server
from tests.support.world import World

pytestmark = [pytest.mark.slow, pytest.mark.postgresql]
Two = tuple[Machine, Machine]


@pytest.fixture(scope="module")
def two(
    forks: Preloaded, postgres_server: str, s3: S3Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Two]:
    with machines(tmp_path_factory.mktemp("machines"), forks, postgres_server, s3, "ab") as (one, other):
        for machine in (one, other):
            machine.start("web", *WORK)
        for machine in (one, other):
            wait_until(lambda machine=machine: machine.missing() == [], 60, f"{machine.name} is ready")
            machine.sign_in()
        yield one, other


@pytest.fixture
def portal(two: Two) -> World:
    return two[0].portal


def workbook(numbers: list[str]) -> bytes:
    book = openpyxl.Workbook()
    for row in [["Nombre", "Teléfono"], *(["Ana", number] for number in numbers)]:
        book.active.append(row)
    book.save(out := io.BytesIO())
    return out.getvalue()


def numbers(first: int, count: int) -> list[str]:
    return [mobile(first + n) for n in range(count)]


def test_every_page_works_at_either_machine_whichever_took_the_file(two: Two, portal: World) -> None:
    mine = numbers(0, 20)
    for first, (taker, other) in enumerate((two, two[::-1])):
        path = taker.upload(f"clientes-{first}.xlsx", workbook(mine))
        checks = [machine.wait_ready(path) for machine in (taker, other)]
        assert all(mine[0] in page for page in checks)
        job_id = other.start_job(path, NAME)
        portal.wait_status(job_id, "completed")
        files = []
        for machine in (taker, other):
            page = machine.get(f"/jobs/{job_id}")
            assert page.ok and f"clientes-{first}.xlsx" in page.text
            live = html.fromstring(page.text).xpath("//@hx-get")[0]
            assert machine.get(live).status_code in (200, 204)
            files.append(machine.get(f"/jobs/{job_id}/results.xlsx"))
            assert machine.get(f"/jobs/{job_id}/results.csv").ok
        assert [answer.status_code for answer in files] == [200, 200]
        rows = [list(openpyxl.load_workbook(io.BytesIO(each.content)).active.values) for each in files]
        assert rows[0] == rows[1] and len(rows[0]) == len(mine) + 1
        assert [str(row[1]) for row in rows[0][1:]] == mine and len(rows[0][1]) > 2


def test_while_the_bucket_is_away_nothing_is_lost(two: Two, portal: World) -> None:
    one, other = two
    path = one.upload("antes.csv", ("Tel\n" + "\n".join(numbers(100, 40))).encode())
    job_id = one.start_job(path, NAME)
    for machine in two:
        machine.doors[2].shut()
    try:
        refused = one.post("/documents", files={"file": ("durante.csv", b"Tel\n612345678\n")})
        assert refused.status_code == 422 and "could not be saved right now" in refused.text
        assert "storage" in (one.missing() or [])
        portal.wait_status(job_id, "completed")  # it needs no file
        shutil.rmtree(other.folder / "fetched")  # whichever of them has read the file
        away = other.get(f"/jobs/{job_id}/results.csv")
        assert away.status_code == 503 and "Nothing is lost" in away.text
        assert other.get(f"/jobs/{job_id}").ok
    finally:
        for machine in two:
            machine.doors[2].open()
    answer = wait_until(lambda: (got := other.get(f"/jobs/{job_id}/results.csv")).ok and got, 20, "the bucket is back")
    assert answer.text.count("612000") == 80
    one.wait_ready(one.upload("despues.csv", b"Tel\n612345678\n"))


def test_a_machine_without_the_bucket_the_key_or_a_recipe_says_so(two: Two) -> None:
    one, _ = two
    lacking = Machine("c", one.portal, one.folder.parent / "c", free_port(), {}, [])
    lacking.environ = {
        **one.environ, "PORTAL_DATA_DIR": str(lacking.folder), "PORTAL_MACHINE": "c",
        "PORTAL_PORT": str(lacking.port), "PUBLIC_URL": lacking.url, "STORAGE_ENDPOINT": "http://127.0.0.1:1",
        "SECRET_KEY": "another one than on all other machines",
    }  # fmt: skip
    lacking.folder.mkdir()
    (process,) = lacking.start("web")
    wait_until(lambda: {"storage", "key"} <= set(lacking.missing() or []), 30, "it says so")
    process.kill(signal.SIGTERM)
    rows = one.portal.query("SELECT name, role FROM hosts ORDER BY name")
    assert rows[:2] == [("a", "all"), ("b", "all")]


SQL = "SELECT no, outcome, attempt, checked_at FROM numbers WHERE job_id = ? ORDER BY no"


@pytest.mark.parametrize("together", [False, True], ids=["a whole attempt", "one share of two"])
def test_a_machine_that_is_cut_off_changes_nothing_when_it_is_back(two: Two, portal: World, together: bool) -> None:
    """Cut off for longer than its lease: its work is done by the other machine."""
    one, other = two
    mine = numbers(5000 if together else 200, 400 if together else 120)

    def workers(job_id: int) -> set[str]:
        found = portal.query("SELECT worker FROM holders WHERE job_id = ?", job_id)
        return {worker.partition(":")[0] for (worker,) in found}

    if not together:  # so that the first machine has the job
        (idle,) = [process for process in other.processes if process.role == "scrape" and process.alive]
        idle.kill()
    path = one.upload(f"corte-{together}.csv", ("Tel\n" + "\n".join(mine)).encode())
    job_id = one.start_job(path, NAME)
    wait_until(lambda: workers(job_id) == ({"a", "b"} if together else {"a"}), 20, "they work")
    wait_until(lambda: portal.job(job_id, "processed_numbers") >= 10, 20, "it is under way")
    one.cut_off()
    if not together:
        other.start("scrape")
    portal.wait_status(job_id, "completed")
    ended = portal.query(SQL, job_id)
    columns = ("status", "attempt", "processed_numbers", "total_numbers", "updated_at")
    seen = portal.job(job_id, *columns)
    assert seen[2:4] == (len(mine), len(mine))
    assert other.get(f"/jobs/{job_id}/results.csv").ok
    one.connect()
    wait_until(lambda: one.missing() == [], 60, "it is back")
    again = one.start_job(one.upload("luego.csv", b"Tel\n612345678\n"), NAME)
    portal.wait_status(again, "completed")
    assert (ended, seen) == (portal.query(SQL, job_id), portal.job(job_id, *columns))
    counted = portal.journal.count()
    assert {counted[f"+34{number}"] for number in mine} <= {1, 2}


ROLLING_ROUNDS = int(os.environ.get("ROLLING_ROUNDS", "0"))  # of everything, as `make chaos` does


def test_a_rolling_restart_costs_no_file_a_retry_and_no_number_a_second_look(two: Two, portal: World) -> None:
    restarted = ["web", "scrape"] if not ROLLING_ROUNDS else ["web", *WORK]
    for round_no in range(max(ROLLING_ROUNDS, 1)):
        jobs, before = [], portal.journal.size()
        for n, machine in enumerate((*two, *two)):
            mine = numbers(1000 + 1000 * round_no + 100 * n, 60)
            path = machine.upload(f"r{round_no}-{n}.csv", ("Tel\n" + "\n".join(mine)).encode())
            jobs.append(machine.start_job(path, NAME))
        for machine, there in (two, two[::-1]):
            old = [process for process in machine.processes if process.alive and process.role in restarted]
            for process in old:
                process.kill(signal.SIGTERM)
            for process in old:
                process.wait_gone(60)
            assert there.get("/").ok, "the other one serves"
            machine.start(*restarted)
            wait_until(lambda machine=machine: machine.missing() == [], 60, "it is ready again")
            assert machine.get("/").ok, "people stay signed in"
        for job_id in jobs:
            portal.wait_status(job_id, "completed")
            assert portal.job(job_id, "retry_count") == 0
        assert set(portal.journal.count(before).values()) == {1}


def test_the_schedulers_of_two_machines_tick_as_one(two: Two, portal: World) -> None:
    interval = 0.02 * 60  # minutes of the world's setting
    seen, began = len(portal.sweeps()), time.monotonic()
    wait_until(lambda: len(portal.sweeps()) >= seen + 3, 20, "it sweeps")
    passed = time.monotonic() - began
    assert len(portal.sweeps()) - seen <= passed / interval + 2
