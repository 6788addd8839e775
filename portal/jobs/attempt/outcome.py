"""Ends an attempt: one method for each outcome, the conditions an attempt runs under, and its redacted traceback.

Each outcome is one verb of the lifecycle, committed here. None means that the job was taken away before.
"""

import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from portal.causes import cause_for
from portal.clock import utcnow
from portal.database import db
from portal.jobs.attempt import outage
from portal.jobs.attempt.database_wait import until_back
from portal.jobs.core.retry_backoff import Backoff
from portal.jobs.core.status import Status
from portal.jobs.models import ScrapingJob
from portal.jobs.notify import send
from portal.jobs.retries import REFUSED_SECONDS
from portal.logs import redact_text
from portal.sources.catalogue import without_secrets

MAX_CHARACTERS = 6000  # the end is kept, because it says what happened


def redacted_traceback(error: BaseException) -> str:
    """Return the exception's traceback without secrets, fit for admins: the last `MAX_CHARACTERS` characters."""
    text = "".join(traceback.format_exception(error))
    return redact_text(without_secrets(text))[-MAX_CHARACTERS:]


def _never() -> bool:
    return False


def _nothing() -> None:
    return None


@dataclass(frozen=True)
class Conditions:
    """What an attempt gets from outside: its worker's name, spans in seconds, the clock, and who may interrupt it."""

    worker: str
    lease_seconds: float
    backoff: Backoff
    clock: Callable[[], datetime] = utcnow
    stopped: Callable[[], bool] = _never  # a deploy: finish what is in flight, save, hand back
    on_fenced: Callable[[], None] = _nothing  # called from the heartbeat's thread when the job was taken away
    turn_seconds: float | None = None  # after so long, other people's files have their turn; None: never
    on_saved: Callable[[int], None] | None = None  # called with the number of rows just saved


class AttemptOutcome:
    """The ways in which one attempt ends."""

    def __init__(
        self, job_id: int, attempt: int, conditions: Conditions, let_go: Callable[[], None] = _nothing
    ) -> None:
        """`let_go` is called before the attempt gives up the job: that nobody holds it from then on is no fault."""
        self.job_id = job_id
        self.attempt = attempt
        self.conditions = conditions
        self.let_go = let_go

    def _after(self, seconds: float) -> datetime:
        return self.conditions.clock() + timedelta(seconds=seconds)

    def _end(self, verb: Callable[[datetime], ScrapingJob | None]) -> Status | None:
        """End the attempt by this verb, however long the database is away, and return the job's status."""
        self.let_go()
        return until_back(lambda repeated: self._end_once(verb, repeated))

    def _end_once(self, verb: Callable[[datetime], ScrapingJob | None], repeated: bool) -> Status | None:
        job = verb(self.conditions.clock())
        if job is None and repeated:  # this very attempt may have ended in the try before
            known = db.session.get(ScrapingJob, self.job_id, populate_existing=True)
            job = known if known and known.attempt == self.attempt and known.status != Status.PROCESSING else None
        status = job.status if job else None
        db.session.commit()
        return status

    def _end_handed_back(self, cause: str, not_before: datetime | None = None) -> Status | None:
        return self._end(lambda now: ScrapingJob.hand_back(self.job_id, self.attempt, cause, now, not_before))

    def _end_refused(self, source_name: str, cause: str, blocked: Iterable[str] = ()) -> Status | None:
        """The source refuses every request, or cannot be asked here: notify the admins. Unless the recipe is at fault,
        the file waits, continues automatically and uses no retry. `blocked` are the numbers that it was asked about
        then."""
        until = self._after(REFUSED_SECONDS)

        def refused(now: datetime) -> ScrapingJob | None:
            outage.note_blocked(self.job_id, blocked)
            send.source_stopped(source_name, cause, now)
            if not cause_for(cause).waits:
                return self._fail(cause, now)
            return ScrapingJob.hand_back(self.job_id, self.attempt, cause, now, until)

        return self._end(refused)

    def _end_failed(self, cause: str) -> Status | None:
        return self._end(lambda now: self._fail(cause, now))

    def _fail(self, cause: str, now: datetime) -> ScrapingJob | None:
        return ScrapingJob.fail(self.job_id, self.attempt, cause, now, self.conditions.backoff)
