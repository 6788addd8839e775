"""A real worker is killed while it waits for the answers of its batches: the next one fetches them."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from portal.clock import utcnow
from portal.database import db
from portal.jobs import dispatch
from tests.services import wait_until
from tests.support import cast
from tests.support.misbehaving import Misbehaving, misbehaving
from tests.support.preloaded import Preloaded
from tests.support.recipes import SECRETS, recipe, registered
from tests.support.world import World, gone, send, world

ROWS = 40  # four batches of ten, all of them in flight


@pytest.fixture
def server() -> Iterator[Misbehaving]:
    with misbehaving() as server:
        yield server


@pytest.fixture
def place(tmp_path: Path, forks: Preloaded, server: Misbehaving) -> Iterator[World]:
    folder = tmp_path / "recipes"
    folder.mkdir()
    made = recipe(folder, "poll", server.url, timeout=5)
    settings = {"SOURCES_DIR": str(folder), "SOURCES_ALLOW_PRIVATE": "127.0.0.0/8", **SECRETS}
    with world(tmp_path / "world", forks, **settings) as place, registered(made):
        yield place


def make_job(place: World) -> int:
    alice = cast.make_user("alice@example.com")
    job_id = cast.make_job(place.app, alice, ROWS, source="poll-test", now=utcnow()).id
    dispatch.push_job(job_id, utcnow())
    db.session.rollback()
    return job_id


@pytest.mark.parametrize("who", ["horse", "worker"])
def test_a_worker_killed_while_polling_pays_no_number_twice(place: World, server: Misbehaving, who: str) -> None:
    server.holding = True
    job_id = make_job(place)
    worker = place.start("scrape")
    polled = lambda: {path for method, path, _, _ in list(server.requests) if method == "GET"}  # noqa: E731
    wait_until(lambda: len(polled()) == ROWS / 10, 20, "every batch was handed in and asked after")
    (horse,) = worker.horses()
    if who == "horse":
        send(horse, signal.SIGKILL)
    else:
        worker.kill()
    wait_until(lambda: gone(horse), 5, "the horse is dead")
    assert place.query("SELECT count(*) FROM tickets WHERE job_id = ?", job_id) == [(ROWS / 10,)]
    server.holding = False
    if who == "worker":
        place.start("scrape")
    place.sweep(ahead_seconds=2)  # past the lease
    place.wait_status(job_id, "completed")
    assert place.job(job_id, "attempt", "processed_numbers") == (2, ROWS)
    assert len(server.paid) == ROWS and set(server.paid.values()) == {1}
    assert place.query("SELECT count(*) FROM tickets") == [(0,)]


def test_a_stopped_worker_leaves_its_tickets_to_the_next(place: World, server: Misbehaving) -> None:
    server.holding = True
    job_id = make_job(place)
    worker = place.start("scrape")
    wait_until(lambda: place.query("SELECT count(*) FROM tickets") == [(ROWS / 10,)], 20, "everything is handed in")
    worker.kill(signal.SIGTERM)
    place.wait_status(job_id, "retrying")
    worker.wait_gone(15)
    server.holding = False
    place.start("scrape")
    place.wait_status(job_id, "completed")
    assert place.job(job_id, "retry_count", "processed_numbers") == (0, ROWS)
    assert set(server.paid.values()) == {1}
