"""An attempt to which the source said nothing at all: is the source away, or is it these numbers?

The breaker knows after twenty failures. A file of a few numbers never gets there by itself: where nothing but failures
to answer came back, its numbers were never judged, and it waits like a file at a source that is down, without using a
retry. So often in a day and no more: then it is a failure like any other, so that a source that is wrong for ever, or
a number that breaks it, comes to an end.
"""

from datetime import datetime, timedelta

from sqlalchemy import exists, func, select

from portal.causes import CauseCode
from portal.database import db
from portal.jobs.core.tables import Attempt, Number
from portal.sources.base import Outcome

MOST = 8  # pauses within a day: with these waits, three hours
FIRST_SECONDS, LONGEST_SECONDS = 60.0, 3600.0
WITHIN = timedelta(days=1)


def wait_seconds(job_id: int, now: datetime) -> float | None:
    """How long a job waits to which the source was silent; None when that is a failure."""
    # Rows that an attempt wrote as failed have had their turn: others were answered then, or the pauses were spent.
    unjudged = exists().where(
        Number.job_id == job_id, Number.outcome == Outcome.WAITING, Number.attempt.is_(None), Number.e164.is_not(None)
    )
    if not db.session.scalar(select(unjudged)):
        return None
    paused = db.session.scalar(
        select(func.count()).where(
            Attempt.job_id == job_id, Attempt.cause == CauseCode.SOURCE_SILENT, Attempt.ended_at > now - WITHIN
        )
    )
    if (paused or 0) >= MOST:
        return None
    return min(FIRST_SECONDS * 2 ** (paused or 0), LONGEST_SECONDS)
