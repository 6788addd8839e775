"""Ends an attempt: one method for each outcome, the conditions an attempt runs under, and its redacted traceback.

Each outcome is one verb of the lifecycle, committed here. None means that the job was taken away before.
"""

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from portal.causes import cause_for
from portal.clock import utcnow
from portal.database import db
from portal.jobs.core.retry_backoff import Backoff
from portal.jobs.models import ScrapingJob
from portal.jobs.notify import send
from portal.logs import redact_text
from portal.sources.catalogue import without_secrets

MAX_CHARACTERS = 6000  # the end is kept, because it says what happened


def redacted_traceback(error: BaseException) -> str:
    """Return the exception's traceback without secrets, fit for admins: the last `MAX_CHARACTERS` characters."""
    text = "".join(traceback.format_exception(error))
    return redact_text(without_secrets(text))[-MAX_CHARACTERS:]


ADMIN_SECONDS = 600  # after this, one job asks a source that refuses us again, for all jobs: its breaker is open


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

    def __init__(self, job_id: int, attempt: int, conditions: Conditions) -> None:
        self.job_id = job_id
        self.attempt = attempt
        self.conditions = conditions

    def _after(self, seconds: float) -> datetime:
        return self.conditions.clock() + timedelta(seconds=seconds)

    def _end(self, verb: Callable[[datetime], ScrapingJob | None]) -> ScrapingJob | None:
        job = verb(self.conditions.clock())
        db.session.commit()
        return job

    def _end_handed_back(self, cause: str, not_before: datetime | None = None) -> ScrapingJob | None:
        return self._end(lambda now: ScrapingJob.hand_back(self.job_id, self.attempt, cause, now, not_before))

    def _end_refused(self, source_name: str, cause: str) -> ScrapingJob | None:
        """The source refuses every request, or cannot be asked here: notify the admins. Unless the recipe is at fault,
        the file waits, continues automatically and uses no retry."""
        send.source_stopped(source_name, cause, self.conditions.clock())
        if not cause_for(cause).waits:
            return self._end_failed(cause)
        return self._end_handed_back(cause, self._after(ADMIN_SECONDS))

    def _end_failed(self, cause: str) -> ScrapingJob | None:
        return self._end(lambda now: ScrapingJob.fail(self.job_id, self.attempt, cause, now, self.conditions.backoff))
