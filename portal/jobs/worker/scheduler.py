"""Triggers the sweep with a hardened rq-scheduler. It decides nothing: two schedulers, or none for a day, do no harm.

Unhardened, rq-scheduler loses its schedule for ever when it is killed between two commands or Redis is emptied, queues
ten ticks behind a slow one, deletes another scheduler's lock, and ends with Redis.
"""

import contextlib
import signal
import threading
import uuid
from datetime import datetime, timedelta

import structlog
from flask import Flask
from redis import Redis
from redis.exceptions import RedisError
from rq.serializers import JSONSerializer
from rq_scheduler import Scheduler
from sqlalchemy.exc import SQLAlchemyError

from portal.clock import utcnow
from portal.database import db
from portal.jobs.core.job_tables import SweepState
from portal.jobs.dispatch import KEPT_SECONDS, ROOM, Message, connection, queue
from portal.jobs.health.processes import Reporter
from portal.jobs.sweep import steps

log = structlog.get_logger(__name__)

SCHEDULE_ID = "sweep"  # the fixed id of the schedule in Redis
LOOP_SECONDS = 1.0
LOCK_SECONDS = 10
RELEASE = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0"


class SweepScheduler(Scheduler):
    """rq-scheduler with one schedule that it never loses, and a lock that only its holder releases."""

    job_class = Message

    def __init__(self, redis: Redis, interval_seconds: float) -> None:
        super().__init__(queue=queue("sweep"), interval=LOOP_SECONDS, connection=redis, job_class=Message)
        self.interval_seconds = interval_seconds
        self.token = uuid.uuid4().hex
        self.registered = False  # by this process

    def ensure(self) -> None:
        """Register the sweep if it is not registered: at the first start, after Redis has lost it, and once after an
        update, because the entry in Redis may name the task as an earlier release did."""
        if not self.registered or self.connection.zscore(self.scheduled_jobs_key, SCHEDULE_ID) is None:
            # rq-scheduler compares with utcnow(), without a zone.
            first = utcnow().replace(tzinfo=None)
            self.schedule(
                first, f"{ROOM}.sweep", id=SCHEDULE_ID, interval=max(1, round(self.interval_seconds)),
                queue_name="sweep", timeout=60, result_ttl=KEPT_SECONDS,
            )  # fmt: skip
            self.registered = True

    def acquire_lock(self) -> bool:
        self._lock_acquired = bool(self.connection.set(self.scheduler_lock_key, self.token, ex=LOCK_SECONDS, nx=True))
        return self._lock_acquired

    def remove_lock(self) -> None:
        if self._lock_acquired:
            self.connection.eval(RELEASE, 1, self.scheduler_lock_key, self.token)
            self._lock_acquired = False

    def enqueue_job(self, job: Message) -> None:
        """Queue a tick, unless the previous one still waits for a worker: then only its time moves on."""
        waiting = queue(job.origin)
        if self.connection.lpos(waiting.key, job.id) is None:
            job.serializer = JSONSerializer
            waiting.enqueue_job(job)
        due = utcnow() + timedelta(seconds=self.interval_seconds)
        self.connection.zadd(self.scheduled_jobs_key, {job.id: due.timestamp()})

    def tick(self) -> None:
        """Check the schedule once. Raises RedisError when Redis is away."""
        self.ensure()
        if self.acquire_lock():
            try:
                self.enqueue_jobs()
            finally:
                self.remove_lock()


def sweep_is_late(now: datetime, interval_seconds: float) -> bool:
    """Whether no sweep has ended for two intervals."""
    state = db.session.get(SweepState, 1)
    ended = state.ended_at if state else None
    db.session.rollback()
    return ended is None or now - ended > timedelta(seconds=2 * interval_seconds)


def start_due(now: datetime, redis_away: bool) -> None:
    """Start what is due by now, between two sweeps. An error is left to the next sweep, which reports it."""
    if redis_away:
        return
    try:
        steps.start_due(now)
    except (RedisError, OSError, SQLAlchemyError) as error:
        log.warning("due jobs wait for the next sweep", error=str(error))
    finally:
        with contextlib.suppress(SQLAlchemyError):
            db.session.rollback()


def run_scheduler(app: Flask) -> None:
    """Trigger the sweep until stopped; sweep in this process while Redis or the sweep's worker is away."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with app.app_context():
        interval_seconds = app.config["SCRAPING_CHECK_INTERVAL"] * 60
        scheduler = SweepScheduler(connection(), interval_seconds)
        started = utcnow()
        reporter = Reporter(app.config["DATABASE_URL"], "scheduler", started)
        redis_away = False
        while not stop.is_set():
            reporter.report(utcnow())
            try:
                scheduler.tick()
                redis_away = False
            except (RedisError, OSError) as error:
                if not redis_away:
                    log.warning("redis is away; sweeping here", error=str(error))
                redis_away = True
            with contextlib.suppress(SQLAlchemyError):
                now = utcnow()
                # After a start, give the worker time to run the sweep first.
                starting = (now - started).total_seconds() < min(interval_seconds, 10)
                if sweep_is_late(now, interval_seconds) and (redis_away or not starting):
                    steps.sweep(now)
            start_due(utcnow(), redis_away)
            stop.wait(LOOP_SECONDS)
        reporter.leave(utcnow())
