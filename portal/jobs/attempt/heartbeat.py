"""Renews a worker's lease on its attempt from a thread, and ends the process when it was taken away.

A beat proves that the process lives, not that it makes progress: the sweep times out a job that beats while no row
comes in. The thread's next UPDATE then finds another status, and ending the process frees the worker from whatever
hung. It must not know what the attempt does.
"""

import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from types import TracebackType
from typing import Self, cast

import structlog
from sqlalchemy import Engine, Table, update

from portal.database_clock import measure_clock
from portal.jobs.core.share_tables import Holder
from portal.jobs.models import ScrapingJob
from portal.jobs.shares import Holding

log = structlog.get_logger(__name__)

MISSED_SECONDS = 1.0  # after a beat that failed, the next one comes sooner


def beat(engine: Engine, holding: Holding, now: datetime, lease_seconds: float) -> bool:
    """Renew the worker's lease and the job's in a transaction of its own. False when this worker no longer has its
    part, or the attempt no longer has the job."""
    until = now + timedelta(seconds=lease_seconds)
    own = update(cast("Table", Holder.__table__)).where(*holding.fence).values(lease_until=until)
    of_job = update(cast("Table", ScrapingJob.__table__)).where(*holding.fence_of_job).values(lease_until=until)
    with engine.begin() as connection:
        measure_clock(connection)
        if connection.execute(own).rowcount == 1 and connection.execute(of_job).rowcount == 1:
            return True
        connection.rollback()
        return False


class Heartbeat:
    """Beats while its block runs. `on_fenced` is called once, from the thread, when the job was taken away."""

    def __init__(
        self,
        engine: Engine,
        holding: Holding,
        *,
        lease_seconds: float,
        clock: Callable[[], datetime],
        on_fenced: Callable[[], None],
    ) -> None:
        self._beat = lambda: beat(engine, holding, clock(), lease_seconds)
        self._every_seconds = min(lease_seconds / 4, 5.0)
        self._on_fenced = on_fenced
        self._ended = threading.Event()
        self._let_go = False
        self._thread = threading.Thread(target=self._run, name=f"heartbeat-{holding.job_id}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join(timeout=5)

    def let_go(self) -> None:
        """Go on beating, but no longer mind when the job is gone: from here on the attempt itself gives it up, and the
        process has to push the job to the next worker."""
        self._let_go = True

    def _run(self) -> None:
        seconds = self._every_seconds
        while not self._ended.wait(seconds):
            seconds = self._every_seconds
            try:
                held = self._beat()
                if not held and not self._let_go and not self._ended.is_set():
                    self._on_fenced()
                    return
            except Exception as error:  # the database is away: the lease decides, and every save is fenced
                seconds = min(seconds, MISSED_SECONDS)
                with suppress(Exception):  # a full disk must not end this thread
                    log.warning("heartbeat missed", error=str(error))
