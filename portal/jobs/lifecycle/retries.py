"""Whether a job is tried again, when, and who starts it: the rules of it in one place.

After an attempt that
- left numbers without an answer, or timed out: after a wait that grows with each retry, while retries are left. The
  sweep starts it, or a person.
- lost its worker: at once, by the sweep. It costs a retry only if nothing new had been saved, and the loss does not
  narrow down which number stops the worker (`core.poison_numbers`).
- was stopped by a deploy: at once and before its owner's others. No retry.
- has nothing left to ask at one of its several sources: at once, at the next one. No retry.
- gave way to other people: after them. No retry.
- met a source that is busy, down or refuses us: when the source may answer again, by the sweep. No retry, and no more
  than `SCRAPING_WAIT_HOURS` without a new answer.
- was paused by a person: once that person resumes it. No retry.
- left numbers only at a source that a person skipped: not automatically. A person's retry asks that source about them.

`lifecycle` writes what follows from them, `core.retry_backoff` knows how long a wait is, `sweep.overdue` finds whose
time has come, and `sweep.waiting` which of a source's files tries first.
"""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, case, exists, func, literal, or_

from portal.causes import CauseCode
from portal.database import UtcDateTime
from portal.jobs.core.job_columns import JobColumns
from portal.jobs.core.job_tables import Attempt, AttemptEnd
from portal.jobs.core.retry_backoff import Backoff

REFUSED_SECONDS = 600.0  # how long a file waits for a source that refuses us: its breaker is open for as long


def next_retry_at(job: JobColumns, now: datetime, backoff: Backoff) -> datetime | None:
    """Return when a job whose attempt has just ended without all answers is retried automatically. None: it is not."""
    if job.retry_count >= job.max_retries:
        return None
    return now + timedelta(seconds=backoff.wait_seconds(job.retry_count + 1))


def waits_since(job: type[JobColumns], cause: str, not_before: datetime | None, now: datetime) -> ColumnElement[Any]:
    """Return, as SQL, since when a job that is handed back now waits without a new answer: the waits of several
    attempts count together. A source that prepares its answers has a time limit of its own."""
    waits = not_before is not None and cause != CauseCode.NOT_READY
    begins = literal(now if waits else None, UtcDateTime)
    # A turn in which nothing came in counts too; else a file that hangs would give way for ever.
    goes_on = literal(now, UtcDateTime) if cause == CauseCode.TURN else begins
    return case((job.processed_numbers > job.processed_at_claim, begins), else_=func.coalesce(job.waits_since, goes_on))


def is_like_the_one_before(cause: str, has_answers: bool) -> bool:
    """Whether an attempt that is handed back for the same cause as the one before it becomes one line with it."""
    if cause == CauseCode.NEXT_STEP:
        return False
    return cause == CauseCode.TURN or (cause != CauseCode.RESTART and not has_answers)


def goes_first(job: type[JobColumns]) -> ColumnElement[bool]:
    """Whether, as SQL, a waiting job goes before its owner's others: a deploy, a crash or its next source took its
    worker away, and its turn was not over."""
    taken_away = or_(Attempt.end == AttemptEnd.LOST, Attempt.cause.in_((CauseCode.RESTART, CauseCode.NEXT_STEP)))
    return exists().where(Attempt.job_id == job.id, Attempt.attempt == job.attempt, taken_away)
