"""The disk is full during an upload and a job, and then freed: nobody has to start anything again."""

import os
import time
from io import BytesIO

import pytest
from flask.testing import FlaskClient

from tests.services import wait_until
from tests.support import cast
from tests.support.full_disk import full_disk
from tests.support.world import World

pytestmark = pytest.mark.slow
FULL_SECONDS = 2.5  # longer than the lease of the world, so that beats, presence and sweeps are all missed


def test_an_upload_on_a_full_disk_is_refused_with_a_sentence_and_the_next_one_works(as_alice: FlaskClient) -> None:
    def upload() -> int:
        content = BytesIO(b"telefono\n612345678\n" * 50)
        return as_alice.post("/documents", data={"file": (content, "lista.csv")}).status_code

    folder = as_alice.application.config["PORTAL_DATA_DIR"] / "documents"
    with full_disk([os.getpid()]):
        assert upload() == 422
    assert [path for path in folder.rglob("*") if path.is_file()] == []
    assert upload() == 303


def test_a_full_disk_during_upload_and_job_costs_no_process(place: World) -> None:
    processes = [place.start(role) for role in ("scrape", "sweep", "scheduler", "intake")]
    alice = cast.make_user("alice@example.com")
    job_id = place.make_job(alice, 60)
    wait_until(lambda: place.job(job_id, "processed_numbers") > 0, what="the job runs")
    with full_disk(process.pid for process in processes):
        time.sleep(FULL_SECONDS)
    place.wait_status(job_id, "completed")
    assert [process.role for process in processes if not process.alive] == []
    assert place.job(job_id, "processed_numbers") == 60
    before = place.query("SELECT ended_at FROM sweep_state")
    wait_until(lambda: place.query("SELECT ended_at FROM sweep_state") != before, 20, "the sweep goes on")
    again = place.make_job(alice, 5)
    place.wait_status(again, "completed")
