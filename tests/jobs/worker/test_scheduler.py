"""The sweep's trigger as real processes: it survives its own death, Redis's, and that of the sweep's worker."""

import itertools
import signal
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from portal.clock import utcnow
from portal.database import db
from portal.jobs.core.job_tables import SweepState
from portal.jobs.core.status import Status
from portal.jobs.dispatch import queue
from portal.jobs.models import ScrapingJob
from portal.jobs.worker.scheduler import SCHEDULE_ID, SweepScheduler
from portal.notices.kinds import NoticeKind
from portal.notices.outbox import write
from tests.services import wait_until
from tests.support import cast
from tests.support.cast import make_user
from tests.support.preloaded import Preloaded
from tests.support.world import World, world

pytestmark = pytest.mark.slow
INTERVAL_SECONDS = 0.9  # rq-scheduler counts in whole seconds: a tick a second
SCHEDULE, LOCK = SweepScheduler.scheduled_jobs_key, SweepScheduler.scheduler_lock_key


@pytest.fixture
def place(tmp_path: Path, forks: Preloaded) -> Iterator[World]:
    with world(
        tmp_path, forks, SCRAPING_CHECK_INTERVAL=str(INTERVAL_SECONDS / 60), LOCK_SECONDS="2", LOOP_SECONDS="0.05"
    ) as place:
        yield place


def ticks(place: World) -> list[float]:
    """When the sweeps began that a worker ran for a message."""
    workers = {process.pid for process in place.processes if process.role == "sweep"}
    return [at for _, parent, at in place.sweeps() if parent in workers]


def swept_here(place: World) -> list[float]:
    """When the sweeps began that a scheduler ran in its own process."""
    schedulers = {process.pid for process in place.processes if process.role == "scheduler"}
    return [at for pid, _, at in place.sweeps() if pid in schedulers]


def wait_more(place: World, count: int, of: object = ticks) -> None:
    """Wait for so many more sweeps."""
    seen = len(of(place))  # type: ignore[operator]
    wait_until(lambda: len(of(place)) >= seen + count, 20, f"{count} more of {of}")  # type: ignore[operator]


def test_two_schedulers_tick_as_one(place: World) -> None:
    place.start("sweep")
    place.start("scheduler"), place.start("scheduler")
    wait_more(place, 9)
    begun = ticks(place)[1:]  # the first waited for its worker to start
    gaps = [after - before for before, after in itertools.pairwise(begun)]
    # A sweep begins when its worker has time, so the first of these may have begun a tick late. Two schedules of their
    # own would need half as long for as many.
    assert sum(gaps) >= (len(gaps) - 1) * INTERVAL_SECONDS, gaps
    assert place.redis.zcard(SCHEDULE) == 1


def test_an_emptied_redis_does_not_end_the_schedule(place: World) -> None:
    place.start("sweep")
    place.start("scheduler")
    wait_more(place, 1)
    place.redis.flushall()
    wait_more(place, 2)


def test_a_killed_schedulers_lock_does_not_last(place: World) -> None:
    place.start("sweep")
    place.start("scheduler", MUTANT="dies_holding_the_lock").wait_gone()
    assert place.redis.exists(LOCK), "it died without the lock: this proves nothing"
    place.start("scheduler")
    wait_more(place, 2)


def test_without_a_worker_the_scheduler_sweeps_itself(place: World) -> None:
    place.start("scheduler")
    wait_until(lambda: place.redis.zscore(SCHEDULE, SCHEDULE_ID))
    lengths = set()
    for _ in range(4):
        due = place.redis.zscore(SCHEDULE, SCHEDULE_ID)
        wait_until(lambda due=due: place.redis.zscore(SCHEDULE, SCHEDULE_ID) > due, what="the next tick")
        lengths.add(place.redis.llen("rq:queue:sweep"))
    assert lengths == {1}
    wait_more(place, 1, swept_here)
    place.start("sweep")
    wait_more(place, 2)


def test_with_redis_away_the_scheduler_sweeps_itself(place: World) -> None:
    place.start("sweep")
    scheduler = place.start("scheduler")
    wait_more(place, 1)
    place.valkey.stop(signal.SIGKILL)
    before = place.query("SELECT ended_at FROM sweep_state")
    wait_more(place, 2, swept_here)
    assert place.query("SELECT ended_at FROM sweep_state") > before
    assert scheduler.alive
    place.valkey.start()
    if not place.of("sweep"):
        place.start("sweep")
    wait_more(place, 2)


def test_the_schedulers_process_sends_the_notices_and_the_sweep_leaves_them_to_it(place: World) -> None:
    place.start("scheduler")
    wait_until(lambda: place.query("SELECT name FROM workers"))
    alice = cast.make_user("alice@example.com")
    write("one", NoticeKind.SOURCE_STOPPED, alice.id, None, {"source": "x"}, utcnow() + timedelta(seconds=2))
    db.session.commit()
    assert place.sweep(5).notified == 0
    wait_until(lambda: place.query("SELECT state FROM notices") == [("sent",)], 20, "it is sent")
    assert place.sweep(200).notified == 0


@pytest.mark.parametrize("waits_for", ["its source", "its retry"])
def test_a_job_that_is_due_does_not_wait_for_the_next_sweep(tmp_path: Path, forks: Preloaded, waits_for: str) -> None:
    with world(tmp_path, forks, SCRAPING_CHECK_INTERVAL="60", LOOP_SECONDS="0.05") as place:
        job = db.session.get_one(ScrapingJob, place.make_job(make_user("carol@example.com"), 3, push=False))
        due = utcnow() + timedelta(seconds=2)
        if waits_for == "its source":
            job.status, job.not_before = Status.RETRYING, due
        else:
            job.status, job.next_retry_at = Status.FAILED, due
        db.session.add(SweepState(id=1, ended_at=utcnow()))  # the next sweep is an hour away
        db.session.commit()
        place.start("scheduler")
        wait_until(lambda: place.redis.llen(queue("scrape").key) == 1, 15, "the job in the queue")
        assert due <= utcnow() <= due + timedelta(seconds=10)
