"""Keeps source answers that could not be used with the attempt, for an admin to look at: at most three, clipped.

Secrets and other people's numbers were blanked out where the samples were taken. They are deleted with the job.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import delete, insert, select

from portal.database import changed_rows, db
from portal.jobs.core.job_tables import AnswerSample
from portal.jobs.core.ledger import WaitingNumber
from portal.sources.http.answer_samples import Sample

SHOWN = 15  # of the latest attempts


def write(
    job_id: int,
    attempt: int,
    first: int,
    taken: Sequence[Sample],
    numbers: Mapping[str, WaitingNumber],
    now: datetime,
) -> None:
    """Save these samples, numbered from `first`, in the session's transaction. `numbers` are the attempt's."""
    kept = [
        {
            "job_id": job_id, "attempt": attempt, "nth": nth, "at": now, "status": one.status, "why": one.why[:200],
            "row_no": numbers[one.number].first_row if one.number in numbers else None, "body": one.body,
        }
        for nth, one in enumerate(taken, first)
    ]  # fmt: skip
    if kept:
        db.session.execute(insert(AnswerSample), kept)


def of_job(job_id: int) -> list[AnswerSample]:
    """Return the job's samples, those of the newest attempt first."""
    mine = select(AnswerSample).where(AnswerSample.job_id == job_id)
    return list(db.session.scalars(mine.order_by(AnswerSample.attempt.desc(), AnswerSample.nth).limit(SHOWN)))


def erase(job_id: int) -> None:
    """Delete the samples of a job that is being deleted."""
    changed_rows(delete(AnswerSample).where(AnswerSample.job_id == job_id))
