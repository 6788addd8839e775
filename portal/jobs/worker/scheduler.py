"""Triggers the sweep with a hardened rq-scheduler. It decides nothing: two schedulers, or none for a day, do no harm.

Unhardened, rq-scheduler loses its schedule for ever when it is killed between two commands or Redis is emptied, queues
ten ticks behind a slow one, deletes another scheduler's lock, and ends with Redis.
"""

import contextlib
import signal
import threading
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from flask import Flask
from redis import Redis
from rq.job import Job
from rq_scheduler import Scheduler
from sqlalchemy.exc import SQLAlchemyError

from portal.clock import utcnow
from portal.database import db
from portal.jobs.core.job_tables import SweepState
from portal.jobs.dispatch import KEPT_SECONDS, ROOM, Message, connection, queue, remove_wrong_types, types_of_queue
from portal.jobs.health.hosts import HostReporter
from portal.jobs.health.processes import Reporter
from portal.jobs.sweep import steps
from portal.jobs.worker.notice_sender import NoticeSender
from portal.redis_client import prefix_of

log = structlog.get_logger(__name__)

SCHEDULE_ID = "sweep"  # the fixed id of the schedule in Redis
LOOP_SECONDS = 1.0
LOCK_SECONDS = 10
NO_END = -1  # Redis's answer for a key that never expires
ROOM_FOR_OTHERS = 5000  # entries that one look removes
FORGOTTEN_SECONDS = 86_400  # an entry that is due for longer is not ours
RELEASE = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0"


class SweepScheduler(Scheduler):
    """rq-scheduler with one schedule that it never loses, and a lock that only its holder releases."""

    job_class = Message

    def __init__(self, redis: Redis, interval_seconds: float) -> None:
        super().__init__(queue=queue("sweep"), interval=LOOP_SECONDS, connection=redis, job_class=Message)
        prefix = prefix_of(redis)
        self.scheduled_jobs_key = prefix + Scheduler.scheduled_jobs_key
        self.scheduler_lock_key = prefix + Scheduler.scheduler_lock_key
        self.message = prefix + SCHEDULE_ID
        self.interval_seconds = interval_seconds
        self.token = uuid.uuid4().hex

    def ensure(self) -> None:
        """Register the sweep if it is not registered, or at a time that is not ours: at the first start, after Redis
        has lost it, or when somebody has moved it."""
        now = utcnow().timestamp()
        due = self.connection.zscore(self.scheduled_jobs_key, SCHEDULE_ID)
        if due is None or not now - FORGOTTEN_SECONDS < due < now + 2 * self.interval_seconds + 1:
            self.connection.zadd(self.scheduled_jobs_key, {SCHEDULE_ID: now})

    def acquire_lock(self) -> bool:
        self._lock_acquired = bool(self.connection.set(self.scheduler_lock_key, self.token, ex=LOCK_SECONDS, nx=True))
        return self._lock_acquired

    def remove_lock(self) -> None:
        if self._lock_acquired:
            self.connection.eval(RELEASE, 1, self.scheduler_lock_key, self.token)
            self._lock_acquired = False

    def enqueue_jobs(self) -> list[Job]:
        """Queue the sweep when it is due. Nothing else in the schedule is read: it is removed."""
        others = [member for member in self.connection.zrange(self.scheduled_jobs_key, 0, ROOM_FOR_OTHERS)
                  if member != SCHEDULE_ID.encode()]  # fmt: skip
        if others:
            self.connection.zrem(self.scheduled_jobs_key, *others)
        due = self.connection.zscore(self.scheduled_jobs_key, SCHEDULE_ID)
        if due is None or due > utcnow().timestamp():
            return []
        return [self._enqueue_sweep()]

    def _enqueue_sweep(self) -> Job:
        """Queue a tick, unless the previous one still waits for a worker: then only its time moves on. The message is
        always written anew, because the one in Redis may be of an earlier release, or somebody else's."""
        waiting = queue("sweep")
        message = Message.create(
            f"{ROOM}.sweep", id=self.message, connection=self.connection, timeout=60, result_ttl=KEPT_SECONDS,
            failure_ttl=KEPT_SECONDS, origin=waiting.name,
        )  # fmt: skip
        if self.connection.lpos(waiting.key, message.id) is None:
            self.connection.delete(message.key)
            waiting.enqueue_job(message)
        due = utcnow() + timedelta(seconds=self.interval_seconds)
        self.connection.zadd(self.scheduled_jobs_key, {SCHEDULE_ID: due.timestamp()})
        return message

    def tick(self) -> None:
        """Check the schedule once. Raises RedisError when Redis is away."""
        self.ensure()
        if self.acquire_lock():
            try:
                self.enqueue_jobs()
            finally:
                self.remove_lock()
        elif self.connection.ttl(self.scheduler_lock_key) == NO_END:
            self.connection.delete(self.scheduler_lock_key)  # a lock without an end is nobody's

    def repair(self) -> None:
        """Delete what holds another type than it should. Raises RedisError."""
        types = {self.scheduled_jobs_key: b"zset", self.scheduler_lock_key: b"string"}
        remove_wrong_types(self.connection, {**types, **types_of_queue(queue("sweep"))})


def sweep_is_late(now: datetime, interval_seconds: float) -> bool:
    """Whether no sweep has ended for two intervals."""
    state = db.session.get(SweepState, 1)
    ended = state.ended_at if state else None
    db.session.rollback()
    # An end in the future: the clock was set back, and nothing is known of the time since.
    return ended is None or abs(now - ended) > timedelta(seconds=2 * interval_seconds)


class SweepLoop:
    """What the scheduler's process does once a second. No error ends it: it is logged once, until it is over."""

    def __init__(self, scheduler: SweepScheduler, interval_seconds: float, started: datetime) -> None:
        self.scheduler = scheduler
        self.interval_seconds = interval_seconds
        self.started = started
        self._troubles: dict[str, str] = {}

    def turn(self, now: datetime) -> None:
        """Queue the sweep when it is due; sweep here when none has ended for two intervals; start what is due now."""
        ticked = self._try("tick", self.scheduler.tick)
        if not ticked:
            with contextlib.suppress(Exception):
                self.scheduler.repair()
        # After a start, give the worker time to run the sweep first.
        starting = (now - self.started).total_seconds() < min(self.interval_seconds, 10)
        self._try("sweep", lambda: self._sweep_if_late(starting=starting and ticked))
        if ticked:  # without Redis nothing can be started, and the sweep would try it again
            self._try("due", lambda: steps.start_due(utcnow()))

    def _sweep_if_late(self, *, starting: bool) -> None:
        now = utcnow()
        if sweep_is_late(now, self.interval_seconds) and not starting:
            steps.sweep(now)

    def _try(self, part: str, action: Callable[[], object]) -> bool:
        """Run it, and return whether it raised nothing. An error is logged when it is another than the last one."""
        try:
            action()
        except Exception as error:  # of Redis, of the database, of whatever was written there
            # After a refused flush the session accepts nothing until it is rolled back: no sweep would ever run again.
            with contextlib.suppress(SQLAlchemyError):
                db.session.rollback()
            if self._troubles.get(part) != (trouble := type(error).__name__):
                log.warning("the scheduler goes on", part=part, error=repr(error)[:300])
            self._troubles[part] = trouble
            return False
        self._troubles.pop(part, None)
        return True


def run_scheduler(app: Flask) -> None:
    """Trigger the sweep until stopped; sweep in this process while Redis or the sweep's worker is away."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with app.app_context():
        interval_seconds = app.config["SCRAPING_CHECK_INTERVAL"] * 60
        started = utcnow()
        loop = SweepLoop(SweepScheduler(connection(), interval_seconds), interval_seconds, started)
        reporter = Reporter(app.config["DATABASE_URL"], "scheduler", started, app.config["PORTAL_MACHINE"])
        machine = HostReporter(app, started)
        NoticeSender(app, stop).start()
        while not stop.is_set():
            reporter.report(utcnow())
            machine.tick(utcnow())
            loop.turn(utcnow())
            stop.wait(LOOP_SECONDS)
        reporter.leave(utcnow())
