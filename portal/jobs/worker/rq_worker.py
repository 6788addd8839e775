"""The worker: RQ's forking worker on one queue, which hands its job back when stopped and leaves no process behind.

RQ's work-horse (the forked child) has a process group of its own, which supervisor's stopasgroup and killasgroup do not
reach: here it is tied to its worker's life. RQ's heartbeats, statuses and registries decide nothing.
"""

import contextlib
import gc
import os
import select
import signal
import threading
import time
from collections.abc import Callable, Iterator
from resource import struct_rusage
from typing import Any

import structlog
from flask import Flask
from redis import Redis
from redis.exceptions import RedisError, ResponseError
from rq import Queue
from rq.exceptions import StopRequested
from rq.job import Job
from rq.serializers import JSONSerializer
from sqlalchemy.exc import SQLAlchemyError

from portal import create_app
from portal.clock import utcnow
from portal.database import db
from portal.documents.reader.sandbox import not_dumpable
from portal.jobs.attempt.ask_journal import AskJournal
from portal.jobs.dispatch import QUEUES, Message, queue
from portal.jobs.health.processes import Reporter
from portal.jobs.spending import reservations
from portal.jobs.worker import tasks
from portal.jobs.worker.redis_repair import GuardedWorker
from portal.jobs.worker.tasks import STOP
from portal.jobs.worker.warm_up import warm_up
from portal.jobs.worker.watchdog import Watchdog
from portal.sources import catalogue
from portal.tether import die_with

log = structlog.get_logger(__name__)

# Then the horse is killed, and another worker continues its job from the ledger. Longer than an attempt waits for its
# source (LONGEST_DRAIN_SECONDS), and shorter than the supervisor waits for this process (stopwaitsecs).
LAST_CALL_SECONDS = 40
HORSE_LOOK_SECONDS = 0.5
SIGNALS = (signal.SIGTERM, signal.SIGINT)


class PortalWorker(GuardedWorker):
    """One process for one queue. Each message runs in a fork of the preloaded application."""

    job_class = Message
    max_connection_wait_time = 5.0  # seconds between tries while Redis is away
    app: Flask
    reporter: Reporter
    watchdog: Watchdog
    journal: AskJournal
    doing: str | None = None

    def heartbeat(self, *args: Any, **kwargs: Any) -> None:
        # RQ's own goes to Redis and decides nothing. This runs while idle, while Redis is away, and beside a horse.
        chosen = self.watchdog.ticks.chosen() if self.doing else None
        self.reporter.report(utcnow(), f"job {chosen[0]}" if chosen else self.doing)
        with contextlib.suppress(RedisError, OSError):
            super().heartbeat(*args, **kwargs)

    def monitor_work_horse(self, job: Job, *args: Any, **kwargs: Any) -> None:
        self.doing = _short_name(job)
        try:
            super().monitor_work_horse(job, *args, **kwargs)
        finally:
            self.doing = None
            self.settle_journal()

    def settle_journal(self) -> None:
        """Settle what a fork that is gone had reserved and not settled: its journal says what it had asked."""
        if (of := self.journal.of()) is None:
            return
        try:
            reservations.close_dead(*of, self.journal.marked(), utcnow())
            self.journal.end()
        except SQLAlchemyError:  # the database is away: the sweep does it, less exactly
            log.exception("what a fork had reserved was not settled", job=of[0])
        finally:
            db.session.remove()

    def wait_for_horse(self) -> tuple[int | None, int | None, struct_rusage | None]:
        # RQ waits in one system call and relies on SIGALRM to interrupt it for its heartbeats. After the process was
        # frozen (a suspended machine), the kernel may deliver that signal to RQ's other thread, and the call lasts as
        # long as the job. Python runs the handler as soon as its main thread returns here.
        try:
            with _child_waiter(self.horse_pid) as wait_for_end:
                while True:
                    pid, status, used = os.wait4(self.horse_pid, os.WNOHANG)
                    if pid:
                        return pid, status, used
                    wait_for_end(HORSE_LOOK_SECONDS)
        except ChildProcessError:
            return None, None, None

    def teardown(self) -> None:
        self.reporter.leave(utcnow())
        # A worker whose Redis stopped first ends quietly too: its key there expires automatically.
        with contextlib.suppress(Exception):
            super().teardown()

    def fork_work_horse(self, job: Job, queue: Queue) -> None:
        self.watchdog.begin()
        catalogue.refresh()  # the fork gets the present recipes, and the last good version of a broken one
        # A signal between the fork and the horse's own handlers would run the worker's handler in the horse.
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            super().fork_work_horse(job, queue)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)

    def main_work_horse(self, job: Job, queue: Queue) -> None:
        die_with(int(self.pid or 0))  # elsewhere than on Linux the lease has to do
        self.setup_work_horse_signals()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        self.watchdog.ticks.start()
        tasks.on_chosen = self.watchdog.ticks.choose
        tasks.JOURNAL = self.journal
        with self.app.app_context():
            db.engine.dispose(close=False)  # the parent still uses these connections
            super().main_work_horse(job, queue)

    def setup_work_horse_signals(self) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda *_: STOP.set())

    def handle_warm_shutdown_request(self) -> None:
        super().handle_warm_shutdown_request()
        if self.horse_pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.horse_pid, signal.SIGTERM)
        # RQ takes a second signal as "now": it kills the horse and ends.
        last_call = threading.Timer(LAST_CALL_SECONDS, os.kill, (os.getpid(), signal.SIGTERM))
        last_call.daemon = True
        last_call.start()

    def set_shutdown_requested_date(self) -> None:
        # Redis is often stopped together with this worker. RQ's worker would quit without it, and kill the horse before
        # the horse has handed its job back.
        with contextlib.suppress(RedisError, OSError):
            super().set_shutdown_requested_date()

    def execute_job(self, job: Job, queue: Queue) -> None:
        # Nothing here reads RQ's own record of the job. When Redis goes away while it is written, or the record is
        # rubbish, the worker stays; only a horse that still runs must not be left alone.
        try:
            super().execute_job(job, queue)
        except StopRequested:
            raise
        except Exception as error:
            if self.horse_pid:
                self.wait_for_horse()
                self._horse_pid = 0
            if not isinstance(error, (RedisError, OSError)) or isinstance(error, ResponseError):
                self.repair(error)

    def maintain_heartbeats(self, *args: Any, **kwargs: Any) -> None:
        # RQ calls this every few seconds while a fork runs.
        if why := self.watchdog.why_kill():
            log.error("fork killed", why=why, doing=self.doing, pid=self.horse_pid)
            self.kill_horse(signal.SIGKILL)
        # RQ's worker would quit and kill its horse. The job does not need Redis to continue.
        with contextlib.suppress(Exception):
            super().maintain_heartbeats(*args, **kwargs)


@contextlib.contextmanager
def _child_waiter(pid: int) -> Iterator[Callable[[float], object]]:
    """Yield a function that waits at most so many seconds for a child's end. Without Linux's pidfd it sleeps
    briefly."""
    try:
        handle = os.pidfd_open(pid)
    except (AttributeError, OSError):
        yield lambda seconds: time.sleep(min(seconds, 0.02))
        return
    try:
        yield lambda seconds: select.select([handle], [], [], seconds)
    finally:
        os.close(handle)


def _short_name(job: Job) -> str | None:
    """Describe a message for the admins' page: its kind and an id."""
    try:
        name, first = str(job.func_name).rpartition(".")[2], next(iter(job.args or ()), None)
    except Exception:  # the horse refuses a message that cannot be read
        return None
    if name == "scrape":  # it says itself which job it has chosen
        return "choosing a job"
    kind = {"read_document": "document"}.get(name, name)
    return f"{kind} {first}"[:60] if isinstance(first, int) else kind[:60]


def freeze_memory() -> None:
    """Exclude everything loaded before the forks from garbage collection. Scanning it repeatedly costs a tenth of an
    offline job, and each scan would copy the pages that the forks share."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def wait_for_redis(redis: Redis, meanwhile: Callable[[], None]) -> None:
    """Return once Redis answers. Starting without it would end the process at once, over and over."""
    warned = False
    while True:
        meanwhile()
        try:
            redis.ping()
            # This connection has the short time limit of pages. RQ's worker raises that of the pool, which only new
            # connections get; with the old one an idle worker would lose its connection every five seconds.
            redis.connection_pool.reset()
            return
        except (RedisError, OSError):
            if not warned:
                log.warning("waiting for redis")
            warned = True
            time.sleep(0.5)


def work(app: Flask, queue_name: str) -> None:
    """Process one queue until stopped."""
    if queue_name not in QUEUES:
        raise SystemExit(f"worker: there is no queue {queue_name!r}; there are {', '.join(QUEUES)} and scheduler.")
    if queue_name == "scrape":
        from portal.sources.offline import warm  # 100 MB of tables, loaded once and shared by every fork

        warm()
    reporter = Reporter(app.config["DATABASE_URL"], queue_name, utcnow(), app.config["PORTAL_MACHINE"])
    with app.app_context():
        wait_for_redis(queue(queue_name).connection, lambda: reporter.report(utcnow()))
        worker = PortalWorker(
            [queue(queue_name)], connection=queue(queue_name).connection, serializer=JSONSerializer,
            worker_ttl=30, maintenance_interval=60, job_monitoring_interval=5,
        )  # fmt: skip
        worker.app, worker.reporter = app, reporter
        if queue_name == "scrape":
            warm_up(app)
        worker.journal = AskJournal()
        worker.watchdog = Watchdog(app.config["DATABASE_URL"], app.config["SCRAPING_LEASE_SECONDS"])
        freeze_memory()
        db.session.remove()
        worker.work(logging_level="WARNING")


def main(arguments: list[str]) -> None:
    """`python worker.py intake|scrape|sweep|scheduler`."""
    name = arguments[1] if len(arguments) > 1 else "scrape"
    app = create_app()
    not_dumpable()  # its environment holds the secrets, and the reading process runs as the same user
    if name == "scheduler":
        from portal.jobs.worker.scheduler import run_scheduler

        run_scheduler(app)
    else:
        work(app, name)
