"""Decides whether an attempt that got no answer at all means that the source is down or that the numbers are bad.

The breaker opens after twenty failures, which a file of a few numbers never reaches. When only failures came back, that
file's numbers were never judged, so it waits like a file at a source that is down, without using a retry. It may do so
`MAX_PAUSES` times a day; after that it fails like any other, so that a source that stays wrong, or a number that breaks
it, comes to an end.
"""

from datetime import datetime, timedelta

from sqlalchemy import exists, func, select

from portal.causes import CauseCode
from portal.database import db
from portal.jobs.core.job_tables import Attempt, Number
from portal.sources.base import Outcome

MAX_PAUSES = 8  # pauses within a day: with these waits, three hours
FIRST_SECONDS, LONGEST_SECONDS = 60.0, 3600.0
PERIOD = timedelta(days=1)


def wait_seconds(job_id: int, now: datetime) -> float | None:
    """Return how many seconds the job waits for its silent source. None: the attempt counts as a failure."""
    # Rows that an attempt saved as failed were judged: other rows got an answer then, or the pauses were used up.
    unjudged = exists().where(
        Number.job_id == job_id, Number.outcome == Outcome.WAITING, Number.attempt.is_(None), Number.e164.is_not(None)
    )
    if not db.session.scalar(select(unjudged)):
        return None
    paused = db.session.scalar(
        select(func.count()).where(
            Attempt.job_id == job_id, Attempt.cause == CauseCode.SOURCE_SILENT, Attempt.ended_at > now - PERIOD
        )
    )
    if (paused or 0) >= MAX_PAUSES:
        return None
    return min(FIRST_SECONDS * 2 ** (paused or 0), LONGEST_SECONDS)
