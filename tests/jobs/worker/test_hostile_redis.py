"""What somebody with access to Redis alone can write there stops neither the sweep nor a worker."""

import pickle
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy import text

from portal.clock import utcnow
from portal.database import db
from portal.jobs.worker import scheduler as schedulers
from portal.jobs.worker.scheduler import SweepLoop, SweepScheduler
from tests.services import wait_until
from tests.support import cast
from tests.support.preloaded import Preloaded
from tests.support.world import World, world

SCHEDULE, LOCK = "rq:scheduler:scheduled_jobs", "rq:scheduler:scheduler_lock"
QUEUE, HASH = "rq:queue:sweep", "rq:job:sweep"


def replaced(key: str, value: str = "junk") -> Callable[[Redis], object]:
    """Put a text where something else belongs."""
    return lambda redis: redis.delete(key) and None or redis.set(key, value)


def foreign(message: str, **fields: bytes) -> Callable[[Redis], object]:
    """Schedule another message than the sweep's."""

    def put(redis: Redis) -> None:
        redis.zadd(SCHEDULE, {message: 1})
        if fields:
            redis.hset(f"rq:job:{message}", mapping=fields)

    return put


HOSTILE: dict[str, Callable[[Redis], object]] = {
    "not utf-8": lambda redis: redis.zadd(SCHEDULE, {b"\xff": 1}),
    "no message": foreign("s-gone"),
    "a pickled message": foreign("s-pickle", data=pickle.dumps(print), created_at=b"?"),
    "an id with a line break": foreign("a\nb", data=b"x"),
    "our own, never due": lambda redis: redis.zadd(SCHEDULE, {"sweep": 1e18}),
    "our own, infinitely late": lambda redis: redis.zadd(SCHEDULE, {"sweep": "inf"}),  # type: ignore[dict-item]
    "our own message, unreadable": lambda redis: redis.hset(HASH, mapping={"data": b"\xff", "created_at": b"?"}),
    "our own message, no hash": replaced(HASH),
    "no schedule": replaced(SCHEDULE),
    "no queue": replaced(QUEUE),
    "a lock without end": replaced(LOCK, "mine"),
    "no lock": lambda redis: (redis.delete(LOCK), redis.hset(LOCK, "a", "b")),
    "ten thousand of them": lambda redis: redis.zadd(SCHEDULE, {f"s-{n}": n for n in range(10_000)}),
}


@pytest.fixture
def place(tmp_path: Path, forks: Preloaded) -> Iterator[World]:
    with world(tmp_path, forks, SCRAPING_CHECK_INTERVAL="0.01", LOOP_SECONDS="0.05") as place:
        yield place


def ended_at(place: World) -> object:
    rows = place.query("SELECT ended_at FROM sweep_state")
    return rows[0][0] if rows else None


def test_no_hostile_entry_keeps_the_scheduler_from_queueing_the_sweep(place: World) -> None:
    with place.app.app_context():
        for name, put in HOSTILE.items():
            place.redis.flushall()
            trigger = SweepScheduler(place.redis, 0.05)
            trigger.tick()
            put(place.redis)
            if place.redis.type(QUEUE) == b"list":
                place.redis.delete(QUEUE)
            wait_until(lambda trigger=trigger: ticked(trigger, place.redis), 20, f"{name}: the sweep is queued")
            wait_until(lambda trigger=trigger: only_ours(trigger, place.redis), 20, f"{name}: only our entry is left")


def ticked(trigger: SweepScheduler, redis: Redis) -> bool:
    try:
        trigger.tick()
    except RedisError:
        trigger.repair()  # as the loop does, which also sweeps in its own process
        return False
    return redis.type(QUEUE) == b"list" and redis.lrange(QUEUE, 0, -1) == [b"sweep"]


def only_ours(trigger: SweepScheduler, redis: Redis) -> bool:
    trigger.tick()
    return bool(redis.zrange(SCHEDULE, 0, -1) == [b"sweep"])


@pytest.mark.slow
def test_the_sweep_goes_on_with_rubbish_everywhere_in_redis(place: World) -> None:
    process = place.start("scheduler")
    wait_until(lambda: ended_at(place) is not None)
    for name in ("not utf-8", "no queue", "no lock"):
        HOSTILE[name](place.redis)
    before = ended_at(place)
    wait_until(lambda: ended_at(place) != before, 20, "a sweep has ended")
    assert process.alive


def test_whatever_the_schedule_raises_the_fallback_sweeps(place: World) -> None:
    class Broken:
        def tick(self) -> None:
            raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")

    with place.app.app_context():
        loop = SweepLoop(Broken(), 0.5, utcnow())  # type: ignore[arg-type]
        loop.turn(utcnow())
        assert ended_at(place) is not None


REFUSE = {
    "sqlite": ("CREATE TRIGGER refuse BEFORE UPDATE ON sweep_state BEGIN SELECT RAISE(ABORT, 'disk is full'); END",),
    "postgresql": (
        "CREATE FUNCTION refused() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'disk is full'; END $$",
        "CREATE TRIGGER refuse BEFORE UPDATE ON sweep_state FOR EACH ROW EXECUTE FUNCTION refused()",
    ),
}
ALLOW = {"sqlite": "DROP TRIGGER refuse", "postgresql": "DROP TRIGGER refuse ON sweep_state"}


def test_after_a_refused_flush_the_schedulers_own_sweep_goes_on(place: World) -> None:
    """A full disk, a read-only standby: the session must not stay in its failed transaction."""
    with place.app.app_context():
        place.valkey.stop()
        loop = SweepLoop(SweepScheduler(place.redis, 0.1), 0.1, utcnow())
        loop.turn(utcnow())
        first = ended_at(place)
        for statement in REFUSE[db.engine.dialect.name]:
            db.session.execute(text(statement))
        db.session.commit()
        wait_until(lambda: schedulers.sweep_is_late(utcnow(), 0.1))
        loop.turn(utcnow())
        assert ended_at(place) == first
        assert not db.session().in_transaction(), "else every later sweep would raise"
        with db.engine.begin() as connection:
            connection.execute(text(ALLOW[db.engine.dialect.name]))
        loop.turn(utcnow())
        assert ended_at(place) != first


def test_a_worker_survives_hostile_ids_and_messages(place: World) -> None:
    redis, scrape = place.redis, "rq:queue:scrape"
    worker = place.start("scrape")
    alice = cast.make_user("alice@example.com")
    place.wait_status(place.make_job(alice, 2), "completed")
    redis.hset("rq:job:dated", mapping={"data": b"{}", "created_at": b"never"})
    redis.hset("rq:job:stated", mapping={"data": b"\x00", "status": b"\xff", "timeout": b"x"})
    redis.set("rq:job:text", "no hash")
    redis.set("rq:suspended", 1)
    redis.sadd("rq:workers", b"\xff")
    redis.rpush(f"{scrape}:intermediate", b"\xff")
    redis.rpush(scrape, b"\xff", b"a b\n", b"", "dated", "stated", "text", "gone")
    job = place.make_job(alice, 5)
    place.wait_status(job, "completed")
    wait_until(lambda: redis.llen(scrape) == 0, 20, "they are removed")
    assert b"\xff" not in redis.lrange(f"{scrape}:intermediate", 0, -1)
    redis.delete(scrape)
    redis.set(scrape, "no list")
    again = place.make_job(alice, 5, push=False)
    wait_until(lambda: place.sweep(60) and place.job(again, "status") == "completed", 20, "the queue is mended")
    (key,) = (key for key in redis.smembers("rq:workers") if key != b"\xff")
    redis.publish(f"rq:pubsub:{key.decode().removeprefix('rq:worker:')}", '{"command": "shutdown"}')
    place.wait_status(place.make_job(alice, 5), "completed")
    assert worker.alive and not worker.logged("quitting")
