"""How soon work goes on after the death of all workers of a file, against the promise: within one lease and one
interval of the sweep.

Measured in calm weather with a worker to spare: in a storm a job may have to wait for a free worker as well.
"""

import random
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from tests.services import new_database, wait_until
from tests.support import cast
from tests.support.postgresql import PostgresServer
from tests.support.preloaded import Preloaded
from tests.support.world import World, world

LEASE_SECONDS = INTERVAL_SECONDS = 4
PROMISE = LEASE_SECONDS + INTERVAL_SECONDS
RATIO = 1.5  # what may be: RQ's and the scheduler's own looks, once a second, weigh more in short spans
AT_ONCE = 2


def ratios(forks: Preloaded, kills: int, seed: int, postgresql: PostgresServer | None = None) -> list[float]:
    """Seconds from each kill -9 of a job's workers to its next saved row, over lease + interval."""
    draw = random.Random(seed)
    spans = {
        "SCRAPING_LEASE_SECONDS": str(LEASE_SECONDS), "SCRAPING_CHECK_INTERVAL": str(INTERVAL_SECONDS / 60),
        "JOURNAL_SECONDS": "0.05", "JOURNAL_CONCURRENCY": "1", "LOG_LEVEL": "WARNING",
        "PORTAL_WORKERS_PER_PERSON": str(AT_ONCE),
    }  # fmt: skip
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="chaos-")))
        spans["DATABASE_URL"] = stack.enter_context(new_database(postgresql.url)) if postgresql else ""
        place = stack.enter_context(world(folder, forks, **spans))
        for role in ["scrape"] * 2 * AT_ONCE + ["sweep", "scheduler"]:
            place.start(role)
        # Of two people, neither of whom may have the other's workers: of what all share a file gets one after seconds.
        owners = [cast.make_user(f"{name}@example.com") for name in ("alice", "bob")]
        jobs = [
            place.make_job(owner, [cast.mobile(n * 10_000 + row) for row in range(4000)])
            for n, owner in zip(range(AT_ONCE), owners, strict=True)
        ]
        measured: list[float] = []
        while len(measured) < kills:
            measured += _round(place, jobs, draw)
        return measured[:kills]


def _round(place: World, jobs: list[int], draw: random.Random) -> list[float]:
    rows = {job_id: place.job(job_id, "processed_numbers") + draw.randint(1, 60) for job_id in jobs}
    wait_until(lambda: all(place.job(job_id, "processed_numbers") > rows[job_id] for job_id in jobs), 60)
    killed = {job_id: _kill_workers_of(place, job_id) for job_id in jobs}
    while len(place.of("scrape")) < 2 * AT_ONCE:
        place.start("scrape")
    gone_on: dict[int, float] = {}

    def all_go_on() -> bool:
        for job_id, (_, before) in killed.items():
            if job_id not in gone_on and place.job(job_id, "processed_numbers") > before:
                gone_on[job_id] = time.monotonic()
        return len(gone_on) == len(killed)

    wait_until(all_go_on, PROMISE * 5, "the killed workers' jobs go on")
    return [(gone_on[job_id] - at) / PROMISE for job_id, (at, _) in killed.items()]


def _kill_workers_of(place: World, job_id: int) -> tuple[float, int]:
    held = "SELECT worker FROM holders WHERE job_id = ? AND attempt = ?"
    horses = {int(name.rsplit(":", 1)[1]) for (name,) in place.query(held, job_id, place.job(job_id, "attempt"))}
    at = time.monotonic()
    for worker in place.of("scrape"):
        if horses & {*worker.horses()}:
            worker.kill()
    return at, int(place.job(job_id, "processed_numbers"))
