"""Keeps an attempt's tickets in the database, so that this attempt or a later one fetches the batches it handed in.

It is called from the threads that look up, so it uses short transactions of its own, each with the attempt's fence. A
ticket is deleted in the transaction that saves its answers, and with the job's end at the latest. It must not know how
a source is asked.
"""

import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import cast

import structlog
from sqlalchemy import Connection, Table, delete, func, insert, select, update
from sqlalchemy.exc import SQLAlchemyError

from portal.database import READ_ONLY, changed_rows, db
from portal.jobs.attempt.save import AttemptTaken
from portal.jobs.core import timeline
from portal.jobs.core.job_tables import EventKind, Ticket
from portal.jobs.models import ScrapingJob
from portal.sources.base import SubmittedBatch

log = structlog.get_logger(__name__)

# A job whose answers are not ready waits again for as long as it has waited already, within these bounds.
SHORTEST_SECONDS, LONGEST_SECONDS = 60.0, 3600.0

_JOBS = cast(Table, ScrapingJob.__table__)
_TICKETS = cast(Table, Ticket.__table__)


class KeptTickets:
    """The tickets of one job, as one attempt sees them. `wanted` are the numbers that it looks up."""

    def __init__(
        self,
        job_id: int,
        attempt: int,
        source: str,
        version: str,
        wanted: Collection[str],
        clock: Callable[[], datetime],
        lease_seconds: float,
    ) -> None:
        self._engine = db.engine
        self._job_id, self._attempt = job_id, attempt
        self._source, self._version = source, version
        self._wanted, self._clock = wanted, clock
        self._lease = timedelta(seconds=lease_seconds)
        self._lock = threading.Lock()
        self._open: list[SubmittedBatch] | None = None
        self._fetched: dict[str, set[str]] = {}  # by ticket key: numbers with an answer that is not saved yet
        self._lost_numbers = 0  # not on the timeline yet

    def open(self) -> Sequence[SubmittedBatch]:
        """The batches that were handed in and never fetched, if they hold a wanted number."""
        if self._open is None:
            self._open = self._read(self._clock())
        return self._open

    def _read(self, now: datetime) -> list[SubmittedBatch]:
        query = select(Ticket.key, Ticket.numbers, Ticket.ticket, Ticket.handed_in_at)
        query = query.where(Ticket.job_id == self._job_id).order_by(Ticket.handed_in_at, Ticket.key)
        with self._engine.connect().execution_options(**READ_ONLY) as connection:
            rows = connection.execute(query).all()
        return [
            SubmittedBatch(key, tuple(numbers), ticket, max(0.0, (now - at).total_seconds()))
            for key, numbers, ticket, at in rows
            if any(number in self._wanted for number in numbers)
        ]

    def paid_first(self, rows: Iterable[str]) -> list[str]:
        """Order the numbers for lookup: those already paid for are fetched before more are handed in."""
        rows = dict.fromkeys(rows)
        paid = dict.fromkeys(number for batch in self.open() for number in batch.numbers if number in rows)
        return [*paid, *(number for number in rows if number not in paid)]

    def keep(self, batch: SubmittedBatch) -> None:
        """Save the batch's ticket. Raises AttemptTaken, and SQLAlchemyError while nothing has been sent yet."""
        mine = {"ticket": batch.ticket, "attempt": self._attempt, "handed_in_at": self._clock()}
        known = (_TICKETS.c.job_id == self._job_id, _TICKETS.c.key == batch.key)
        facts = {"source": self._source, "version": self._version, "numbers": list(batch.numbers)}
        try:
            with self._fenced() as connection:
                if connection.execute(update(_TICKETS).where(*known).values(mine)).rowcount == 0:
                    connection.execute(insert(_TICKETS).values(job_id=self._job_id, key=batch.key, **facts, **mine))
        except SQLAlchemyError:
            if batch.ticket is None:
                raise  # nothing was sent yet, and nothing will be
            # Already paid for: this attempt fetches it, if it lives long enough.
            log.exception("ticket not kept", source=self._source, ticket=batch.ticket)

    def fetched(self, batch: SubmittedBatch, numbers: Collection[str]) -> None:
        with self._lock:
            self._fetched[batch.key] = {number for number in numbers if number in self._wanted}

    def drop(self, batch: SubmittedBatch, *, lost: bool) -> None:
        """Delete the batch's ticket; `lost` ones appear on the timeline. Raises AttemptTaken."""
        with self._fenced() as connection:
            connection.execute(delete(_TICKETS).where(_TICKETS.c.job_id == self._job_id, _TICKETS.c.key == batch.key))
        if lost:
            with self._lock:
                self._lost_numbers += sum(number in self._wanted for number in batch.numbers)

    def settle(self, numbers: Iterable[str], now: datetime) -> None:
        """Delete tickets whose answers are now all saved, in the session's transaction that saves these numbers."""
        with self._lock:
            for left in self._fetched.values():
                left.difference_update(numbers)
            over = [key for key, left in self._fetched.items() if not left]
            for key in over:
                del self._fetched[key]
            lost, self._lost_numbers = self._lost_numbers, 0
        if over:
            changed_rows(delete(Ticket).where(Ticket.job_id == self._job_id, Ticket.key.in_(over)))
        if lost:
            timeline.record(self._job_id, EventKind.TICKETS_LOST, now, attempt=self._attempt, numbers=lost)

    def wait_seconds(self, now: datetime) -> float:
        """Return how many seconds to wait before the source is asked again for the batches it accepted."""
        first = db.session.scalar(select(func.min(Ticket.handed_in_at)).where(Ticket.job_id == self._job_id))
        waited = (now - first).total_seconds() if first else 0.0
        return min(max(waited, SHORTEST_SECONDS), LONGEST_SECONDS)

    @contextmanager
    def _fenced(self) -> Iterator[Connection]:
        """Open a transaction of its own behind the fence. Raises AttemptTaken."""
        fence = update(_JOBS).where(*ScrapingJob.held_by(self._job_id, self._attempt))
        with self._engine.begin() as connection:
            if connection.execute(fence.values(lease_until=self._clock() + self._lease)).rowcount != 1:
                raise AttemptTaken
            yield connection
