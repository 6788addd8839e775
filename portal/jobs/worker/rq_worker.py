"""The worker: RQ's forking worker on one queue, made to let go when told and to leave nothing behind.

RQ's work-horse lives in a process group of its own, so neither supervisor's stopasgroup nor its killasgroup reaches
it: it is tied to its worker's life here. RQ's heartbeats, statuses and registries decide nothing.
"""

import contextlib
import ctypes
import gc
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from resource import struct_rusage
from typing import Any

import structlog
from flask import Flask
from redis import Redis
from redis.exceptions import RedisError
from rq import Queue, Worker
from rq.job import Job
from rq.serializers import JSONSerializer

from portal import create_app
from portal.clock import utcnow
from portal.database import db
from portal.jobs.dispatch import QUEUES, Message, queue
from portal.jobs.health.processes import Reporter
from portal.jobs.worker.tasks import STOP
from portal.sources import catalogue

log = structlog.get_logger(__name__)

DRAIN_SECONDS = 12  # then the horse is ended; its job goes on from the ledger
PR_SET_PDEATHSIG = 1
HORSE_LOOK_SECONDS = 0.5
SIGNALS = (signal.SIGTERM, signal.SIGINT)


def die_with_parent(parent: int) -> None:
    """End this process when its parent ends, however that ends. Linux only; elsewhere the lease has to do."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it ended before we asked
            os._exit(1)


class PortalWorker(Worker):
    """One process for one queue; each message is worked off in a fork of the preloaded application."""

    job_class = Message
    max_connection_wait_time = 5.0  # seconds between tries while Redis is away
    app: Flask
    reporter: Reporter
    doing: str | None = None

    def heartbeat(self, *args: Any, **kwargs: Any) -> None:
        # RQ's own goes to Redis and decides nothing. It comes while idle, while Redis is away, and beside a horse.
        self.reporter.report(utcnow(), self.doing)
        with contextlib.suppress(RedisError, OSError):
            super().heartbeat(*args, **kwargs)

    def monitor_work_horse(self, job: Job, *args: Any, **kwargs: Any) -> None:
        self.doing = _in_a_word(job)
        try:
            super().monitor_work_horse(job, *args, **kwargs)
        finally:
            self.doing = None

    def wait_for_horse(self) -> tuple[int | None, int | None, struct_rusage | None]:
        # RQ waits in one system call and counts on SIGALRM to break it, for its heartbeats. Once the process was frozen
        # (a suspended machine), the kernel may hand that signal to RQ's other thread, and the call lasts as long as the
        # job. Python runs the handler as soon as its main thread comes back here.
        try:
            with _ended(self.horse_pid) as ended:
                while True:
                    pid, status, used = os.wait4(self.horse_pid, os.WNOHANG)
                    if pid:
                        return pid, status, used
                    ended(HORSE_LOOK_SECONDS)
        except ChildProcessError:
            return None, None, None

    def teardown(self) -> None:
        self.reporter.leave(utcnow())
        # A worker whose Redis has gone before it leaves all the same, and quietly: its key there expires by itself.
        with contextlib.suppress(RedisError, OSError):
            super().teardown()

    def fork_work_horse(self, job: Job, queue: Queue) -> None:
        catalogue.refresh()  # the fork begins with what there is, and with the last good version of what is broken
        # A signal that came in between the fork and the horse's own handlers would run the worker's handler in it.
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            super().fork_work_horse(job, queue)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)

    def main_work_horse(self, job: Job, queue: Queue) -> None:
        die_with_parent(int(self.pid or 0))
        self.setup_work_horse_signals()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        with self.app.app_context():
            db.engine.dispose(close=False)  # the worker's connections are its own
            super().main_work_horse(job, queue)

    def setup_work_horse_signals(self) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda *_: STOP.set())

    def handle_warm_shutdown_request(self) -> None:
        super().handle_warm_shutdown_request()
        if self.horse_pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.horse_pid, signal.SIGTERM)
        # RQ takes a second signal as "now": it ends the horse and leaves.
        last_call = threading.Timer(DRAIN_SECONDS, os.kill, (os.getpid(), signal.SIGTERM))
        last_call.daemon = True
        last_call.start()

    def set_shutdown_requested_date(self) -> None:
        # Redis is often told to stop together with us. RQ's worker would quit on its absence, and take the horse along
        # before that one has handed its job back.
        with contextlib.suppress(RedisError, OSError):
            super().set_shutdown_requested_date()

    def execute_job(self, job: Job, queue: Queue) -> None:
        # RQ's own record of the job is of no use to anybody here. When Redis goes while it is written, the worker stays
        # and waits for Redis to come back; only a horse that is still at work must not be left alone.
        try:
            super().execute_job(job, queue)
        except RedisError:
            if self.horse_pid:
                raise

    def maintain_heartbeats(self, *args: Any, **kwargs: Any) -> None:
        # RQ's worker would quit, and its horse with it. The job does not need Redis to go on.
        with contextlib.suppress(RedisError, OSError):
            super().maintain_heartbeats(*args, **kwargs)


@contextlib.contextmanager
def _ended(pid: int) -> Iterator[Callable[[float], object]]:
    """A way to wait for a child's end for so many seconds at most. Without Linux's pidfd, short naps have to do."""
    try:
        handle = os.pidfd_open(pid)
    except (AttributeError, OSError):
        yield lambda seconds: time.sleep(min(seconds, 0.02))
        return
    try:
        yield lambda seconds: select.select([handle], [], [], seconds)
    finally:
        os.close(handle)


def _in_a_word(job: Job) -> str | None:
    """What a message is about: a kind and an id, for the admins' page."""
    try:
        name, first = str(job.func_name).rpartition(".")[2], next(iter(job.args or ()), None)
    except Exception:  # a message that cannot be read is for the horse to refuse
        return None
    kind = {"scrape": "job", "read_document": "document"}.get(name, name)
    return f"{kind} {first}"[:60] if isinstance(first, int) else kind[:60]


def settle_memory() -> None:
    """Leave what is loaded before the forks out of garbage collection: looking through it again and again costs a
    tenth of an offline job, and each look would copy the pages that the forks share."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def wait_for_redis(redis: Redis, meanwhile: Callable[[], None]) -> None:
    """Return when Redis answers. Starting without it would end the process at once, over and over."""
    told = False
    while True:
        meanwhile()
        try:
            redis.ping()
            return
        except (RedisError, OSError):
            if not told:
                log.warning("waiting for redis")
            told = True
            time.sleep(0.5)


def work(app: Flask, queue_name: str) -> None:
    """Work off one queue until told to stop."""
    if queue_name not in QUEUES:
        raise SystemExit(f"worker: there is no queue {queue_name!r}; there are {', '.join(QUEUES)} and scheduler.")
    if queue_name == "scrape":
        from portal.sources.offline import warm  # 100 MB of tables, loaded once and shared by every fork

        warm()
    reporter = Reporter(app.config["DATABASE_URL"], queue_name, utcnow())
    with app.app_context():
        wait_for_redis(queue(queue_name).connection, lambda: reporter.report(utcnow()))
        worker = PortalWorker(
            [queue(queue_name)], connection=queue(queue_name).connection, serializer=JSONSerializer,
            worker_ttl=30, maintenance_interval=60, job_monitoring_interval=5,
        )  # fmt: skip
        worker.app, worker.reporter = app, reporter
        settle_memory()
        db.session.remove()
        worker.work(logging_level="WARNING")


def main(arguments: list[str]) -> None:
    """`python worker.py intake|scrape|sweep|scheduler`."""
    name = arguments[1] if len(arguments) > 1 else "scrape"
    app = create_app()
    if name == "scheduler":
        from portal.jobs.worker.scheduler import run_scheduler

        run_scheduler(app)
    else:
        work(app, name)
