"""Watches a worker's fork from outside, and says when it must be killed: nothing inside it can be relied on.

A fork that holds the interpreter (a pattern that backtracks, a library's endless loop) or is frozen runs no thread of
its own, so neither its heartbeat nor a time limit inside it ends it. The worker kills it when it has not ticked for a
lease's length, which also frees a lock that it holds on the database, and when another attempt has had its job for a
while. It decides nothing about the job: the lease does.
"""

import mmap
import struct
import threading
import time
from collections.abc import Callable

import structlog
from sqlalchemy import NullPool, create_engine, select
from sqlalchemy.exc import SQLAlchemyError

from portal.database import READ_ONLY, engine_options
from portal.jobs.core.status import WAITING, Status
from portal.jobs.models import ScrapingJob

log = structlog.get_logger(__name__)

SHORTEST_SILENCE_SECONDS = 15.0  # an overloaded machine may leave a fork without the processor for a while
TAKEN_SECONDS = 10.0  # how long a fork may need to end once its job is no longer its own
TICKS_APART_SECONDS = 0.25
LONGEST_STEP_SECONDS = 10.0  # counted between two looks at most: the worker itself may have been frozen


class Ticks:
    """A counter in memory that the worker shares with its forks, and the job that the fork has chosen."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, 24)

    def read(self) -> int:
        return int(struct.unpack_from("Q", self._memory)[0])

    def choose(self, job_id: int, attempt: int) -> None:
        """Say which job the fork is about to claim, and the number of its last attempt. 0: none."""
        struct.pack_into("QQ", self._memory, 8, job_id, attempt)

    def chosen(self) -> tuple[int, int] | None:
        """The job that the fork has chosen, and its last attempt."""
        job_id, attempt = struct.unpack_from("QQ", self._memory, 8)
        return (job_id, attempt) if job_id else None

    def start(self) -> None:
        """Count up in a thread of this process until it ends. Called in a fork."""
        threading.Thread(target=self._run, name="ticks", daemon=True).start()

    def _run(self) -> None:
        while True:
            struct.pack_into("Q", self._memory, 0, (self.read() + 1) % 2**64)
            time.sleep(TICKS_APART_SECONDS)


class Watchdog:
    """Watches one fork after the other. `begin` for each, then `why_kill` every few seconds."""

    def __init__(self, database_url: str, lease_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.ticks = Ticks()
        # Each look has a connection of its own: a fork must not inherit an open one.
        engine = create_engine(database_url, poolclass=NullPool, **engine_options(database_url))
        self._engine = engine.execution_options(**READ_ONLY)
        self._silence_seconds = max(lease_seconds, SHORTEST_SILENCE_SECONDS)
        self._clock = clock

    def begin(self) -> None:
        """Start to watch a fork that is about to begin."""
        self.ticks.choose(0, 0)
        self._seen, self._silent, self._taken = self.ticks.read(), 0.0, 0.0
        self._looked_at = self._clock()

    def why_kill(self) -> str | None:
        """Say why the fork must be killed now; None: it may go on."""
        now = self._clock()
        step, self._looked_at = min(now - self._looked_at, LONGEST_STEP_SECONDS), now
        ticked = self.ticks.read()
        self._silent = 0.0 if ticked != self._seen else self._silent + step
        self._seen = ticked
        if self._silent > self._silence_seconds:
            return "it has stopped running"
        self._taken = self._taken + step if self._is_taken() else 0.0
        return "its job is no longer its own" if self._taken > TAKEN_SECONDS else None

    def _is_taken(self) -> bool:
        chosen = self.ticks.chosen()
        if chosen is None:
            return False
        job_id, before = chosen
        state = select(ScrapingJob.status, ScrapingJob.attempt).where(ScrapingJob.id == job_id)
        try:
            with self._engine.connect() as connection:
                row = connection.execute(state).one_or_none()
        except SQLAlchemyError:  # the database is away: nobody has taken anything
            return False
        if row is None:
            return True
        claimed = row.status == Status.PROCESSING and row.attempt == before + 1
        return not (claimed or (row.status in WAITING and row.attempt == before))
