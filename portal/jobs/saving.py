"""Saving answers: one short transaction with the fence first, then the counters and the rows.

It runs after the network work and never around it. An attempt that no longer has the job writes nothing.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

from sqlalchemy import Table, bindparam, update

from portal.database import db
from portal.jobs.models import ScrapingJob
from portal.jobs.records import Number
from portal.sources.base import FINAL, Answer, Outcome

COUNTERS = {
    Outcome.FOUND: "found_count",
    Outcome.NOT_FOUND: "not_found_count",
    Outcome.INVALID: "invalid_count",
    Outcome.REJECTED: "rejected_count",
    Outcome.FAILED: "failed_count",
}

_WRITE_ROW = (
    update(cast("Table", Number.__table__))
    .where(Number.job_id == bindparam("of_job"), Number.row_no == bindparam("of_row"))
    .where(Number.outcome == Outcome.WAITING)
    .values(
        outcome=bindparam("new_outcome", type_=Number.outcome.type),
        reason=bindparam("new_reason"),
        answer=bindparam("new_answer", type_=Number.answer.type),
        checked_at=bindparam("now", type_=Number.checked_at.type),
        attempt=bindparam("by_attempt"),
    )
)


class Fenced(Exception):
    """This attempt no longer has the job: it was taken over, cancelled, timed out or given up as lost."""


@dataclass(frozen=True, slots=True)
class Looked:
    """One number that was looked up: the rows that hold it and the answer for all of them."""

    rows: Sequence[int]
    answer: Answer


def save(job_id: int, attempt: int, looked: Sequence[Looked], now: datetime, lease_seconds: float) -> bool:
    """Write the answers and commit; says whether a person has paused the job. Raises Fenced, with nothing written."""
    counts: Counter[Outcome] = Counter()
    for one in looked:
        counts[one.answer.outcome] += len(one.rows)
    final = sum(counts[outcome] for outcome in FINAL)
    values = {name: getattr(ScrapingJob, name) + counts[outcome] for outcome, name in COUNTERS.items()}
    if looked:
        values["last_progress_at"] = now
    fence = (
        update(ScrapingJob)
        .where(*ScrapingJob.held_by(job_id, attempt))
        .values(
            processed_numbers=ScrapingJob.processed_numbers + final,
            lease_until=now + timedelta(seconds=lease_seconds),
            updated_at=now,
            **values,
        )
        .returning(ScrapingJob.paused_at)
    )
    held = db.session.execute(fence, execution_options={"synchronize_session": False}).one_or_none()
    if held is None:
        db.session.rollback()
        raise Fenced
    rows = [
        {
            "of_job": job_id, "of_row": row_no, "new_outcome": one.answer.outcome, "new_reason": one.answer.reason,
            "new_answer": dict(one.answer.fields) or None, "now": now, "by_attempt": attempt,
        }
        for one in looked for row_no in one.rows
    ]  # fmt: skip
    if rows:
        written = db.session.connection().execute(_WRITE_ROW, rows).rowcount
        if written != len(rows):  # the counters would no longer be the sum of the rows
            db.session.rollback()
            raise RuntimeError(f"job {job_id}: {len(rows)} rows to write, {written} were waiting")
    db.session.commit()
    return held.paused_at is not None
