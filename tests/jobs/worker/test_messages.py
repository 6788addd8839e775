"""What a message in Redis can make a real worker do, and what not, whoever wrote it."""

import json
import os
import pickle
import zlib
from datetime import timedelta
from pathlib import Path

from rq import Queue, SimpleWorker
from rq.serializers import JSONSerializer
from sqlalchemy import update

from portal.clock import utcnow
from portal.database import db
from portal.jobs.dispatch import (
    EARLIER_ROOM,
    QUEUES,
    ROOM,
    TASKS,
    Message,
    _enqueue,
    push_document,
    push_job,
    push_operation,
    push_trial,
    queue,
)
from portal.jobs.health.hosts import Host
from portal.jobs.health.processes import LONGEST_TASK
from portal.jobs.trials import source_trial
from portal.jobs.worker import tasks
from tests.services import wait_until
from tests.support import cast
from tests.support.world import World, once_each


def test_a_message_that_comes_twice_starts_one_attempt(place: World) -> None:
    job_id = place.make_job(cast.make_user("alice@example.com"), 40)
    for n in range(3):
        assert _enqueue("scrape", "scrape", [job_id, 0], f"copy-{n}")
    workers = [place.start("scrape"), place.start("scrape")]
    place.wait_status(job_id, "completed")
    wait_until(lambda: place.redis.llen("rq:queue:scrape") == 0 and not any(worker.horses() for worker in workers))
    assert place.job(job_id, "attempt") == 1 and place.query("SELECT count(*) FROM attempts") == [(1,)]
    assert once_each(place, 40)


def test_every_task_but_an_attempt_has_a_time_limit(
    tmp_path: Path, valkey: str, usual_database: dict[str, str]
) -> None:
    """An attempt is watched in another way: a file may take days."""
    app = cast.make_app(tmp_path, REDIS_URL=valkey, **usual_database)
    with app.app_context():
        job = cast.make_job(app, cast.make_user("alice@example.com"), 1)
        assert push_job(job.id, utcnow()) and push_document(job.document_id, utcnow())
        assert push_trial("token") and push_operation(1, utcnow())
        limits = {one.func_name.rpartition(".")[2]: one.timeout for name in QUEUES for one in queue(name).jobs}
    assert limits.pop("scrape") == -1
    assert limits.keys() == {"read_document", "try_number", "operate"}
    assert all(0 < seconds < LONGEST_TASK.total_seconds() for seconds in limits.values()), limits


def test_a_message_for_a_source_that_only_another_machine_offers_is_passed_on(
    tmp_path, valkey, monkeypatch, usual_database
) -> None:
    monkeypatch.setattr(tasks, "PASS_ON_SECONDS", 0.0)
    app, now = cast.make_app(tmp_path, REDIS_URL=valkey, **usual_database), utcnow()
    with app.app_context():
        alice = cast.make_user("alice@example.com")
        here, there = cast.make_job(app, alice, 1), cast.make_job(app, alice, 1)
        there.source = "elsewhere"
        facts = {"role": "worker", "disk_free": 1, "disk_total": 1, "key_mark": "k", "missing": [], "skew_seconds": 0}
        db.session.add(Host(name="other", first_seen_at=now, seen_at=now, sources=["elsewhere"], **facts))
        db.session.commit()
        for job in (there, here):
            push_job(job.id, now)
        queue("scrape").empty()
        tasks.scrape(there.id, 0)
        assert (here.status, there.status) == ("completed", "pending")
        assert queue("scrape").job_ids == [f"sj-{there.id}-0-2"], "its own message was used up here"
        tasks.scrape(there.id, 0)
        assert queue("scrape").job_ids == [f"sj-{there.id}-0-2"], "one is enough"
        db.session.execute(update(Host).values(seen_at=now - timedelta(hours=1)))
        db.session.commit()
        queue("scrape").empty()
        tasks.pass_on(now, tasks.look_around(now))
        assert queue("scrape").job_ids == [], "there is no such machine any more"
        db.session.remove()
        db.engine.dispose()


def forge(place: World, message: str, **fields: object) -> None:
    """A message as an attacker with access to Redis alone would write it."""
    scrape = queue("scrape")
    forged = Message.create(f"{ROOM}.scrape", args=[0, 0], id=message, connection=scrape.connection, timeout=-1)
    forged.origin = "scrape"
    forged.save()
    for name, value in fields.items():
        place.redis.hset(forged.key, name, value)  # type: ignore[arg-type]
    place.redis.rpush(scrape.key, message)


class Pickled:
    """Runs a command when pickle reads it."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (self.command,)


def test_a_forged_message_runs_nothing_and_the_next_job_runs(place: World, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    command = f"touch {canary}"

    def named(function: str, instance: object = None) -> bytes:
        return zlib.compress(json.dumps([function, instance, [command], {}]).encode())

    forge(place, "path", data=named("os.system"))
    for n, room in enumerate((ROOM, EARLIER_ROOM, TASKS)):
        forge(place, f"through-{n}", data=named(f"{room}.os.system"))
        forge(place, f"member-{n}", data=named(f"{room}.socket.os.system"))
        forge(place, f"private-{n}", data=named(f"{room}._end_process"))
        forge(place, f"instance-{n}", data=named("scrape", room))
    forge(place, "callback", success_callback_name="os.system", failure_callback_name="os.system")
    forge(place, "pickled", data=zlib.compress(pickle.dumps(Pickled(command))))
    forge(place, "pickled-meta", meta=pickle.dumps(Pickled(command)))
    alice = cast.make_user("alice@example.com")
    job_id = place.make_job(alice, 5)

    worker = place.start("scrape")
    place.wait_status(job_id, "completed")
    assert worker.alive
    assert not canary.exists()
    assert once_each(place, 5)


def test_forged_messages_would_run_on_a_plain_worker(place: World, tmp_path: Path) -> None:
    """Tests the test above: RQ's own job class does what they say."""
    canary = tmp_path / "canary"
    data = zlib.compress(json.dumps(["os.system", None, [f"touch {canary}"], {}]).encode())
    forge(place, "path", data=data)
    plain = Queue("scrape", connection=place.redis, serializer=JSONSerializer)
    SimpleWorker([plain], connection=place.redis, serializer=JSONSerializer).work(burst=True, logging_level="ERROR")
    assert canary.exists()


def test_a_real_worker_tries_a_number(place: World) -> None:
    place.start("intake")
    token = source_trial.start("offline", "+34612345678", "ada@example.com", utcnow())
    wait_until(lambda: source_trial.state_of("offline", token, utcnow()).trial is not None, 20)
    trial = source_trial.state_of("offline", token, utcnow()).trial
    assert trial is not None and trial.answer is not None and trial.answer.fields["line_type"] == "mobile"
