"""Keeps an attempt's tickets in the database, so that this attempt or a later one fetches the batches it handed in.

It is called from the threads that look up, so it uses short transactions of its own, each with the attempt's fence. A
ticket is deleted in the transaction that saves its answers, and with the job's end at the latest. It must not know how
a source is asked.
"""

import math
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import cast

import structlog
from sqlalchemy import Connection, Table, delete, func, insert, select, update
from sqlalchemy.exc import SQLAlchemyError

from portal.database import READ_ONLY, changed_rows, db
from portal.jobs.attempt.database_wait import until_back
from portal.jobs.core import timeline
from portal.jobs.core.job_tables import EventKind, Ticket
from portal.jobs.models import ScrapingJob
from portal.jobs.shares import AttemptTaken
from portal.sources.base import SubmittedBatch

log = structlog.get_logger(__name__)

# A job whose answers are not ready waits again for as long as it has waited already, within these bounds.
SHORTEST_SECONDS, LONGEST_SECONDS = 60.0, 3600.0

_JOBS = cast(Table, ScrapingJob.__table__)
_TICKETS = cast(Table, Ticket.__table__)


def _nothing() -> None:
    """A failed transaction of its own leaves nothing to roll back."""


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
        interrupted: Callable[[], bool] = lambda: False,
        longest_poll_seconds: float = math.inf,
        *,
        is_new: bool = False,
    ) -> None:
        """`is_new`: nobody has worked on the job before, so that it has no ticket."""
        self.longest_poll_seconds = longest_poll_seconds
        self._engine = db.engine
        self._job_id, self._attempt = job_id, attempt
        self._source, self._version = source, version
        self._wanted, self._clock = wanted, clock
        self._lease = timedelta(seconds=lease_seconds)
        self._interrupted = interrupted
        self._lock = threading.Lock()
        self._is_new = is_new
        self._open: list[SubmittedBatch] | None = [] if is_new else None
        self._fetched: dict[str, set[str]] = {}  # by ticket key: numbers with an answer that is not saved yet
        self._lost_numbers = 0  # not on the timeline yet

    def any_kept(self) -> bool:
        """Whether the job has a ticket of this source at all."""
        if self._is_new:
            return False
        own = (Ticket.job_id == self._job_id, Ticket.source == self._source)
        with self._engine.connect().execution_options(**READ_ONLY) as connection:
            return connection.execute(select(Ticket.key).where(*own).limit(1)).first() is not None

    def open(self) -> Sequence[SubmittedBatch]:
        """The batches that were handed in and never fetched, if they hold a wanted number."""
        if self._open is None:
            self._open = until_back(lambda _: self._read(self._clock()), reset=_nothing)
        return self._open

    def _read(self, now: datetime) -> list[SubmittedBatch]:
        query = select(Ticket.key, Ticket.numbers, Ticket.ticket, Ticket.handed_in_at)
        query = query.where(Ticket.job_id == self._job_id, Ticket.source == self._source).order_by(
            Ticket.handed_in_at, Ticket.key
        )
        with self._engine.connect().execution_options(**READ_ONLY) as connection:
            rows = connection.execute(query).all()
        return [
            SubmittedBatch(key, tuple(numbers), ticket, max(0.0, (now - at).total_seconds()))
            for key, numbers, ticket, at in rows
            if any(number in self._wanted for number in numbers)
        ]

    def paid_first(self, rows: Iterable[str]) -> list[str]:
        """Order the numbers for lookup: those already paid for are fetched before more are handed in."""
        if not self.open():
            return list(rows)
        rows = dict.fromkeys(rows)
        paid = dict.fromkeys(number for batch in self.open() for number in batch.numbers if number in rows)
        return [*paid, *(number for number in rows if number not in paid)]

    def keep(self, batch: SubmittedBatch) -> None:
        """Save the batch's ticket, however long the database is away. Raises AttemptTaken; and SQLAlchemyError while
        nothing has been sent yet: when the attempt is interrupted meanwhile, or the ticket cannot be saved at all."""
        mine = {"ticket": batch.ticket, "attempt": self._attempt, "handed_in_at": self._clock()}
        known = (_TICKETS.c.job_id == self._job_id, _TICKETS.c.key == batch.key)
        facts = {"source": self._source, "version": self._version, "numbers": list(batch.numbers)}

        def write(_: bool) -> None:
            with self._fenced() as connection:
                if connection.execute(update(_TICKETS).where(*known).values(mine)).rowcount == 0:
                    connection.execute(insert(_TICKETS).values(job_id=self._job_id, key=batch.key, **facts, **mine))

        unsent = batch.ticket is None
        try:
            until_back(write, reset=_nothing, stopped=self._interrupted if unsent else lambda: False)
        except SQLAlchemyError:
            if unsent:
                raise  # nothing was sent yet, and nothing will be
            # Already paid for: this attempt fetches it, if it lives long enough.
            log.exception("ticket not kept", source=self._source, ticket=batch.ticket)

    def fetched(self, batch: SubmittedBatch, numbers: Collection[str]) -> None:
        with self._lock:
            self._fetched[batch.key] = {number for number in numbers if number in self._wanted}

    def drop(self, batch: SubmittedBatch, *, lost: bool) -> None:
        """Delete the batch's ticket; `lost` ones appear on the timeline. Raises AttemptTaken."""

        def write(_: bool) -> None:
            own = (_TICKETS.c.job_id == self._job_id, _TICKETS.c.key == batch.key)
            with self._fenced() as connection:
                connection.execute(delete(_TICKETS).where(*own))

        until_back(write, reset=_nothing)
        if lost:
            with self._lock:
                self._lost_numbers += sum(number in self._wanted for number in batch.numbers)

    def settle(self, numbers: Iterable[str], now: datetime) -> Callable[[], None]:
        """Delete tickets whose answers are now all saved, in the session's transaction that saves these numbers.

        Call what it returns once that transaction is committed; until then, the same numbers can be settled again.
        """
        settled = set(numbers)
        with self._lock:
            fetched = dict(self._fetched)  # a batch fetched from here on has answers that are not in `numbers`
            over = [key for key, left in fetched.items() if left <= settled]
            lost = self._lost_numbers
        if over:
            changed_rows(delete(Ticket).where(Ticket.job_id == self._job_id, Ticket.key.in_(over)))
        if lost:
            timeline.record(self._job_id, EventKind.TICKETS_LOST, now, attempt=self._attempt, numbers=lost)

        def committed() -> None:
            with self._lock:
                for left in fetched.values():
                    left.difference_update(settled)
                for key in over:
                    self._fetched.pop(key, None)
                self._lost_numbers -= lost

        return committed

    def wait_seconds(self, now: datetime) -> float:
        """Return how many seconds to wait before the source is asked again for the batches it accepted."""
        own = (Ticket.job_id == self._job_id, Ticket.source == self._source)
        first = db.session.scalar(select(func.min(Ticket.handed_in_at)).where(*own))
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
