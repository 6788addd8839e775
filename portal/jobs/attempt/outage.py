"""Decides whether an attempt that got no answer at all, or was refused, says something of the source or of the numbers.

The breaker opens after twenty failures, which a file of a few numbers never reaches. When only failures came back, that
file's numbers were never judged, so it waits like a file at a source that is down, without using a retry. It may do so
`MAX_PAUSES` times a day; after that it fails like any other, so that a source that stays wrong, or a number that breaks
it, comes to an end.

Two numbers that the source refuses look like a source that blocks the portal. The next attempt looks them up last: by
then it is known whether the source answers the others, of this file or of other files.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, exists, func, select, update

from portal.causes import REFUSALS, CauseCode
from portal.database import changed_rows, db
from portal.jobs.core.job_tables import Attempt, Number
from portal.jobs.core.step_tables import JobStep
from portal.jobs.models import ScrapingJob
from portal.sources import longest_answer, stats
from portal.sources.base import Outcome

MAX_PAUSES = 8  # pauses within a day: with these waits, three hours
FIRST_SECONDS, LONGEST_SECONDS = 60.0, 3600.0
PERIOD = timedelta(days=1)
LATELY = timedelta(minutes=10)


def wait_seconds(job_id: int, now: datetime, step: int | None = None) -> float | None:
    """Return how many seconds the job waits for its silent source, of several the one at `step`. None: the attempt
    counts as a failure."""
    # Numbers that an attempt saved as failed were judged: others got an answer then, or the pauses were used up.
    here = [] if step is None else [Number.step == step]
    waiting = (Number.job_id == job_id, Number.outcome == Outcome.WAITING, *here)
    unjudged = exists().where(*waiting, Number.attempt.is_(None))
    if not db.session.scalar(select(unjudged)):
        return None
    paused = db.session.scalar(
        select(func.sum(Attempt.times)).where(
            Attempt.job_id == job_id, Attempt.cause == CauseCode.SOURCE_SILENT, Attempt.ended_at > now - PERIOD
        )
    )
    if (paused or 0) >= MAX_PAUSES:
        return None
    return min(FIRST_SECONDS * 2 ** (paused or 0), LONGEST_SECONDS)


def note_refused(job_id: int, refused_for: Mapping[str, str]) -> None:
    """Note on those of these numbers that still wait for what the source refused us when it was asked about them."""
    for cause in sorted(set(refused_for.values())):
        numbers = [number for number, why in refused_for.items() if why == cause]
        refused = (Number.job_id == job_id, Number.outcome == Outcome.WAITING, Number.e164.in_(numbers))
        changed_rows(update(Number).where(*refused).values(reason=cause))


def was_refused() -> ColumnElement[bool]:
    """Whether, as SQL, a job has a number that `note_refused` noted."""
    noted = (Number.job_id == ScrapingJob.id, Number.outcome == Outcome.WAITING, Number.reason.in_(REFUSALS))
    return exists().where(*noted).correlate(ScrapingJob)


def blocked_before(job_id: int, step: int | None = None) -> list[str]:
    """Return the numbers that still wait for which the source, of several the one at `step`, answered as to a portal
    that it blocks. Others do not come last: when credit ends, no number is at fault."""
    here = [] if step is None else [Number.step == step]
    noted = (Number.job_id == job_id, Number.outcome == Outcome.WAITING, Number.reason == CauseCode.BLOCKED, *here)
    return list(db.session.scalars(select(Number.e164).where(*noted).order_by(Number.no)))


def has_answered_since_block(job_id: int, source: str) -> bool:
    """Whether the source has answered a question about any number, of any file, that was asked after it had last
    refused this job."""
    refused = (Attempt.job_id == job_id, Attempt.cause == CauseCode.BLOCKED)
    refused_at = db.session.scalar(select(func.max(Attempt.ended_at)).where(*refused))
    answered_at = stats.last_answers([source]).get(source)
    return bool(refused_at and answered_at and answered_at > refused_at + longest_answer(source))


def finds_now(source: str, now: datetime) -> bool:
    """Whether the source has found something in the last minutes, so that its "not found" is to be believed."""
    return stats.since([source], now - LATELY).get(source, {}).get(Outcome.FOUND, 0) > 0


def has_found_before(source: str) -> bool:
    """Whether the source has found something for any file."""
    alone = (ScrapingJob.source == source, ScrapingJob.found_count > 0, ScrapingJob.chain == "")
    one_of_several = select(JobStep.job_id).where(JobStep.source == source, JobStep.found > 0)
    found = (select(ScrapingJob.id).where(*alone), one_of_several)
    return any(db.session.scalar(query.limit(1)) is not None for query in found)


def judge_last(numbers: Iterable[str], blocked: Iterable[str], attempt: int) -> list[str]:
    """Return the numbers in the order in which to look them up after the source refused two of them: those last, and
    the others from another place in the file in each attempt, in case there are more of their kind side by side."""
    blocked = dict.fromkeys(blocked)
    others = [number for number in numbers if number not in blocked]
    first = int(attempt * 0.618 * len(others)) % len(others) if others else 0
    return [*others[first:], *others[:first], *blocked]
