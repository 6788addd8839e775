"""A worker of the tests: `python -m tests.support.worker_main scrape|intake|sweep|scheduler|client|web`.

It is portal.jobs.worker.rq_worker.main itself, or gunicorn as deploy/ starts it, with the journal as one more source,
short spans from the environment, a record of every sweep and, on request, a mutant: the same program with one promise
removed, which a test must catch.
"""

import contextlib
import os
import signal
import sys
import time
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

from gunicorn.app import wsgiapp as gunicorn  # type: ignore[import-untyped]

from portal import clock, sources
from portal.jobs import shares
from portal.jobs.attempt import save
from portal.jobs.core.share_tables import Holder
from portal.jobs.health import processes
from portal.jobs.models import ScrapingJob
from portal.jobs.sweep import steps
from portal.jobs.worker import notice_sender, rq_worker, scheduler, tasks, watchdog
from portal.sources import offline
from tests.support import client
from tests.support.journal import FACTS, NAME, JournalSource


def _no_fence() -> None:
    """Let any worker of any attempt write, however old, which rule 6 forbids."""
    ScrapingJob.held_by = classmethod(lambda cls, job_id, attempt: (cls.id == job_id,))  # type: ignore[method-assign]
    shares.renew = save.renew = lambda *_: None
    shares.Holding.fence = property(lambda self: (Holder.job_id == self.job_id,))  # type: ignore[method-assign,assignment]


def _dies_holding_the_lock() -> None:
    """Kill the scheduler between taking its lock and releasing it."""
    scheduler.SweepScheduler.enqueue_jobs = lambda self: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[method-assign]


def _never_fenced() -> None:
    """Let an attempt not notice that its job was taken away."""
    tasks._end_process = lambda: None


MUTANTS = {"nofence": _no_fence, "never_fenced": _never_fenced, "dies_holding_the_lock": _dies_holding_the_lock}


def _record_every_sweep(path: str) -> None:
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    plain = steps.sweep

    def noted(now: datetime) -> steps.SweepReport:
        started = time.monotonic()
        swept = plain(now)
        with contextlib.suppress(OSError):  # the disk is full
            os.write(file, f"{os.getpid()} {os.getppid()} {started:.6f}\n".encode())
        return swept

    steps.sweep = noted


def _follow_clock(path: str) -> None:
    """Let this process's clock be ahead by the seconds that the file says, as if the machine's had been set."""

    class Clock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            ahead = 0.0
            with contextlib.suppress(OSError, ValueError):
                ahead = float(Path(path).read_text())
            return datetime.now(tz) + timedelta(seconds=ahead)

    clock.datetime = Clock  # type: ignore[misc]


class _FrequentMonitor(rq_worker.PortalWorker):
    """Checks its work horse more often than every five seconds, so that a test is shorter."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "job_monitoring_interval": int(os.environ["MONITORING_SECONDS"])})


def main() -> None:
    if "JOURNAL_FILE" in os.environ:
        sources.register(NAME, lambda: JournalSource.from_environ(os.environ), FACTS)
    if "SWEEPS_FILE" in os.environ:
        _record_every_sweep(os.environ["SWEEPS_FILE"])
    if os.environ.get("FOLLOW_CLOCK"):
        _follow_clock(os.environ["CLOCK_FILE"])
    if "MONITORING_SECONDS" in os.environ:
        rq_worker.PortalWorker = _FrequentMonitor  # type: ignore[misc]
    if "SILENCE_SECONDS" in os.environ:
        watchdog.SHORTEST_SILENCE_SECONDS = float(os.environ["SILENCE_SECONDS"])
    if "TAKEN_SECONDS" in os.environ:
        watchdog.TAKEN_SECONDS = float(os.environ["TAKEN_SECONDS"])
    if "LOCK_SECONDS" in os.environ:
        scheduler.LOCK_SECONDS = int(os.environ["LOCK_SECONDS"])
    if "LOOP_SECONDS" in os.environ:
        scheduler.LOOP_SECONDS = notice_sender.SECONDS = float(os.environ["LOOP_SECONDS"])
    if "PRESENCE_SECONDS" in os.environ:
        processes.EVERY = timedelta(seconds=float(os.environ["PRESENCE_SECONDS"]))
    if os.environ.get("MUTANT"):
        MUTANTS[os.environ["MUTANT"]]()
    offline.warm = lambda: None  # saves a second at every start: the journal does not need the tables
    if sys.argv[1:] == ["client"]:
        client.main()
    elif sys.argv[1:] == ["web"]:
        sys.argv = ["gunicorn", "-c", "deploy/gunicorn.conf.py", "app:app"]
        gunicorn.run()
    else:
        rq_worker.main(sys.argv)


if __name__ == "__main__":
    main()
