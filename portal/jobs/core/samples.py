"""Answers of a source that could not be used, kept beside the attempt for an admin to look at: three at most, clipped,
secrets and other people's numbers blanked out where they were taken. They go with the job.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import delete, insert, select

from portal.database import changed_rows, db
from portal.jobs.core.tables import AnswerSample
from portal.sources.http.samples import Sample

SHOWN = 15  # of the latest attempts


def write(
    job_id: int, attempt: int, first: int, taken: Sequence[Sample], rows: Mapping[str, list[int]], now: datetime
) -> None:
    """Keep these samples, numbered from `first`, in the session's transaction. `rows` are the file's, by number."""
    kept = [
        {
            "job_id": job_id, "attempt": attempt, "nth": nth, "at": now, "status": one.status, "why": one.why[:200],
            "row_no": rows[one.number][0] if one.number in rows else None, "body": one.body,
        }
        for nth, one in enumerate(taken, first)
    ]  # fmt: skip
    if kept:
        db.session.execute(insert(AnswerSample), kept)


def of_job(job_id: int) -> list[AnswerSample]:
    """What was kept of a job's attempts, the newest attempt first."""
    mine = select(AnswerSample).where(AnswerSample.job_id == job_id)
    return list(db.session.scalars(mine.order_by(AnswerSample.attempt.desc(), AnswerSample.nth).limit(SHOWN)))


def erase(job_id: int) -> None:
    """Remove those of a job that is being deleted."""
    changed_rows(delete(AnswerSample).where(AnswerSample.job_id == job_id))
