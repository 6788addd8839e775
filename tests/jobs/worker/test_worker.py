"""The worker as a real process: stopped, killed, frozen, hung, and with Redis away."""

import signal

import pytest

from portal.clock import utcnow
from portal.jobs import commands
from tests.chaos import watching
from tests.services import wait_until
from tests.support import cast
from tests.support.world import World, gone, once_each, send

pytestmark = pytest.mark.slow


def started(place: World, cells: int = 60, **more: str) -> int:
    """A job of alice's that a worker has, with some rows saved already."""
    place.start("scrape", **more)
    job_id = place.make_job(cast.make_user("alice@example.com"), cells)
    wait_until(lambda: place.job(job_id, "processed_numbers") > 0, what="rows are saved")
    return job_id


def horse_of(place: World) -> int:
    horses = [pid for worker in place.of("scrape") for pid in worker.horses()]
    assert len(horses) == 1
    return horses[0]


def ends_of(place: World, job_id: int) -> list[tuple[str, str]]:
    return place.query('SELECT "end", cause FROM attempts WHERE job_id = ? ORDER BY attempt', job_id)


# ── stopped ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_stopped_worker_hands_its_job_back_and_repeats_nothing(place: World) -> None:
    job_id = started(place)
    worker = place.of("scrape")[0]
    worker.kill(signal.SIGTERM)
    worker.wait_gone(10)
    assert place.job(job_id, "status", "retry_count", "attempt") == ("retrying", 0, 1)
    assert ends_of(place, job_id) == [("handed_back", "restart")]
    assert place.query("SELECT count(*) FROM events WHERE job_id = ? AND kind = 'handed_back'", job_id) == [(1,)]
    assert set(place.journal.count()) == place.final(job_id), "what was in flight is saved before it leaves"
    place.start("scrape")
    place.wait_status(job_id, "completed")
    assert once_each(place, 60)
    assert place.job(job_id, "retry_count", "attempt") == (0, 2)


def test_a_stopped_worker_ends_in_ten_seconds_with_a_hung_lookup(place: World) -> None:
    place.hang.touch()
    hung = f"+34{cast.mobile(30)}"
    job_id = started(place, JOURNAL_HANG=hung[3:])
    worker = place.of("scrape")[0]
    wait_until(lambda: place.journal.count()[hung] == 1)
    worker.kill(signal.SIGTERM)
    worker.wait_gone(10)
    assert place.job(job_id, "status", "retry_count") == ("retrying", 0)
    place.hang.unlink()
    place.start("scrape")
    place.wait_status(job_id, "completed")
    counted = place.journal.count()
    assert counted.pop(hung) == 2 and set(counted.values()) == {1}, "only what hung is asked again"


def test_a_worker_stopped_without_redis_hands_its_job_back(place: World) -> None:
    job_id = started(place)
    worker = place.of("scrape")[0]
    place.valkey.stop(signal.SIGKILL)
    worker.kill(signal.SIGTERM)
    worker.wait_gone(10)
    assert place.job(job_id, "status", "retry_count") == ("retrying", 0)
    assert ends_of(place, job_id) == [("handed_back", "restart")]
    assert not worker.logged("Traceback"), "leaving without Redis is no fault of the worker"


def test_a_killed_worker_takes_its_horse_along(place: World) -> None:
    """Supervisor's stopasgroup and killasgroup do not reach the horse: an orphan would go on, and hold the job."""
    place.hang.touch()
    place.start("scrape", JOURNAL_HANG=".")
    place.make_job(cast.make_user("alice@example.com"), 3)
    wait_until(place.journal.read)
    worker, horse = place.of("scrape")[0], horse_of(place)
    worker.kill()
    wait_until(lambda: gone(horse), what="the horse is dead")


# ── frozen, fenced, hung ────────────────────────────────────────────────────────────────────────────────────────────


def snapshot(place: World, job_id: int) -> list[tuple[object, ...]]:
    """Everything that an attempt could change, except the times at which the current one beats."""
    numbers = place.query("SELECT no, outcome, attempt, checked_at FROM numbers WHERE job_id = ?", job_id)
    return [*numbers, *place.query("SELECT * FROM scraping_jobs WHERE id = ?", job_id), *ends_of(place, job_id)]


def frozen_and_overtaken(place: World, **more: str) -> tuple[int, int]:
    """A job whose horse is frozen past its lease until another attempt has claimed it; and that horse."""
    watching.watch(place)
    place.start("scrape", **more)
    job_id = place.make_job(cast.make_user("alice@example.com"), 12)
    wait_until(place.journal.read, what="the first numbers are in flight")
    frozen = horse_of(place)
    send(frozen, signal.SIGSTOP)
    place.start("scrape", **more)
    wait_until(lambda: place.sweep().lost, what="its lease is over")
    wait_until(lambda: place.job(job_id, "status", "attempt") == ("processing", 2), what="another attempt has it")
    return job_id, frozen


def test_a_frozen_attempt_changes_nothing_after_another_completed(place: World) -> None:
    job_id, frozen = frozen_and_overtaken(place)
    place.wait_status(job_id, "completed")
    before = snapshot(place, job_id)
    send(frozen, signal.SIGCONT)
    wait_until(lambda: gone(frozen), what="the frozen one ends by itself")
    assert snapshot(place, job_id) == before


@pytest.mark.parametrize("mutant", ["", "nofence"])
def test_an_attempt_that_wakes_during_another_writes_no_row(place: World, mutant: str) -> None:
    """Without the fence the same check fails: it tests the test."""
    # A lookup takes longer than the new attempt needs to be seen, so the old one wakes before the new one saves.
    job_id, frozen = frozen_and_overtaken(place, JOURNAL_SECONDS="1.2", MUTANT=mutant)
    send(frozen, signal.SIGCONT)
    if mutant:
        wait_until(lambda: watching.late_answers(place) > 0, what="the late write that nobody stops is seen")
        return
    wait_until(lambda: gone(frozen), what="the frozen one ends by itself")
    place.wait_status(job_id, "completed")
    assert watching.late_answers(place) == 0
    assert ends_of(place, job_id) == [("lost", "worker_lost"), ("completed", None)]


def test_a_hung_lookup_of_a_cancelled_job_frees_its_worker(place: World) -> None:
    place.hang.touch()
    place.start("scrape", JOURNAL_HANG=".", JOURNAL_CONCURRENCY="1")  # looked up in the attempt's own thread
    alice = cast.make_user("alice@example.com")
    job_id = place.make_job(alice, 3)
    wait_until(place.journal.read)
    worker, horse = place.of("scrape")[0], horse_of(place)
    commands.cancel(job_id, "alice@example.com", utcnow())
    wait_until(lambda: gone(horse), what="its heartbeat ends the process")
    place.hang.unlink()
    place.wait_status(place.make_job(alice, 3), "completed")
    assert worker.alive and place.job(job_id, "status") == "cancelled"


@pytest.mark.parametrize("how", ["HOLD", "FREEZE", "HANG"])
def test_a_fork_that_never_ends_is_killed_and_the_next_file_is_served(place: World, how: str) -> None:
    """It holds the interpreter, is frozen with SQLite's write lock, or hangs while its job has been taken away."""
    place.hang.touch()
    number, alice = cast.mobile(1), cast.make_user("alice@example.com")
    spans = {"SILENCE_SECONDS": "0.5", "TAKEN_SECONDS": "0.5", "MUTANT": "never_fenced"}
    place.start("scrape", JOURNAL_CONCURRENCY="1", **{f"JOURNAL_{how}": number}, **spans)
    bad = place.make_job(alice, [number])
    wait_until(place.journal.read, what="the number is being looked up")
    stuck = horse_of(place)
    if how == "HANG":
        commands.cancel(bad, "alice@example.com", utcnow())
    wait_until(lambda: gone(stuck), what="the worker kills its fork")
    commands.cancel(bad, "alice@example.com", utcnow())
    place.wait_status(place.make_job(alice, [cast.mobile(2)]), "completed")
    (worker,) = place.of("scrape")
    assert worker.logged("fork killed")


# ── Redis comes and goes ────────────────────────────────────────────────────────────────────────────────────────────


def test_a_job_survives_a_wiped_redis(place: World) -> None:
    job_id = place.make_job(cast.make_user("alice@example.com"), 5)
    assert place.redis.llen("rq:queue:scrape") == 1
    place.redis.flushall()
    assert place.job(job_id, "status", "attempt") == ("pending", 0)
    for role in ("scrape", "sweep", "scheduler"):
        place.start(role)
    place.wait_status(job_id, "completed")
    assert once_each(place, 5)


def test_a_worker_started_before_redis_waits_for_it(place: World) -> None:
    place.valkey.stop()
    worker = place.start("scrape")
    job_id = place.make_job(cast.make_user("alice@example.com"), 5)  # accepted with Redis away
    wait_until(lambda: worker.logged("waiting for redis"))
    place.valkey.start()
    assert place.sweep().pushed == 1
    place.wait_status(job_id, "completed")
    assert worker.alive


def test_a_running_job_completes_without_redis(place: World) -> None:
    job_id = started(place, 200)
    place.valkey.stop(signal.SIGKILL)
    place.wait_status(job_id, "completed")
    assert once_each(place, 200) and place.job(job_id, "attempt") == 1
