"""Two machines with their own folders, one PostgreSQL, one Valkey and one bucket: everything works at either."""

import io
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


def test_a_machine_that_is_cut_off_changes_nothing_when_it_is_back(two: Two, portal: World) -> None:
    one, other = two
    (idle,) = [process for process in other.processes if process.role == "scrape" and process.alive]
    idle.kill()  # so that the first machine has the job
    job_id = one.start_job(one.upload("corte.csv", ("Tel\n" + "\n".join(numbers(200, 120))).encode()), NAME)
    wait_until(lambda: portal.job(job_id, "processed_numbers") >= 10, 20, "it works")
    assert portal.job(job_id, "worker").startswith("a:")
    one.cut_off()
    other.start("scrape")
    portal.wait_status(job_id, "completed")
    assert portal.job(job_id, "worker", "attempt")[1] >= 2
    ended = portal.query("SELECT no, outcome, attempt, checked_at FROM numbers WHERE job_id = ? ORDER BY no", job_id)
    seen = portal.job(job_id, "status", "attempt", "processed_numbers", "total_numbers", "updated_at")
    assert seen[2:4] == (120, 120)
    assert other.get(f"/jobs/{job_id}/results.csv").ok
    one.connect()
    wait_until(lambda: one.missing() == [], 60, "it is back")
    again = one.start_job(one.upload("luego.csv", b"Tel\n612345678\n"), NAME)
    portal.wait_status(again, "completed")
    assert ended == portal.query(
        "SELECT no, outcome, attempt, checked_at FROM numbers WHERE job_id = ? ORDER BY no", job_id
    )
    assert seen == portal.job(job_id, "status", "attempt", "processed_numbers", "total_numbers", "updated_at")
    counted = portal.journal.count()
    assert all(counted[f"+34{number}"] <= 2 for number in numbers(200, 120))
    assert sum(counted[f"+34{number}"] > 1 for number in numbers(200, 120)) <= 60, "what one lease is long"


def test_a_rolling_restart_costs_no_file_a_retry_and_no_number_a_second_look(two: Two, portal: World) -> None:
    one, other = two
    jobs, before = [], portal.journal.size()
    for n, machine in enumerate((one, other, one, other)):
        content = "Tel\n" + "\n".join(numbers(1000 + 100 * n, 60))
        jobs.append(machine.start_job(machine.upload(f"r{n}.csv", content.encode()), NAME))
    for machine in (one, other):
        old = [process for process in machine.processes if process.alive]
        for process in old:
            process.kill(signal.SIGTERM)
        for process in old:
            process.wait_gone(30)
        there = other if machine is one else one
        assert there.get("/").ok, "the other one serves"
        machine.start("web", *WORK)
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
