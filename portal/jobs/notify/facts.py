"""The facts that a notice about a job or a source keeps: codes, names and counts; `notices.facts` has the words.

`portal.notices` must not know jobs, so everything that a notice says about one is kept with it. It holds no telephone
number and no secret link.
"""

from typing import Any

from sqlalchemy import func, select

from portal.database import db
from portal.documents.preview import MOST_COLUMNS
from portal.jobs.core.derived import cell_counts
from portal.jobs.core.job_columns import JobColumns
from portal.jobs.core.job_tables import Attempt, CellAnswer, Number
from portal.jobs.core.retention import deleted_on
from portal.jobs.core.status import CellStatus
from portal.sources.base import Outcome

ROWS_NAMED = 10  # rows that an email names at most
CAUSES_NAMED = 5
UNANSWERED = (Outcome.FAILED, Outcome.WAITING)


def job_facts(job: JobColumns) -> dict[str, Any]:
    """Return the facts of an email about this job."""
    attempts = select(func.min(Attempt.started_at), func.max(Attempt.ended_at)).where(Attempt.job_id == job.id)
    first, last = db.session.execute(attempts).one()
    unanswered = job.total_numbers - job.processed_numbers
    rows = _rows(job.id, *UNANSWERED) if unanswered else []
    until = deleted_on(job)
    counts = cell_counts(job)
    invalid = counts[CellStatus.INVALID]
    invalid_rows = _rows(job.id, Outcome.INVALID)[: ROWS_NAMED - len(rows)] if invalid else []
    return {
        "file_name": job.file_name,
        "total": job.total_numbers,
        "ready": job.processed_numbers,
        "found": job.found_count,
        "not_found": job.not_found_count,
        "invalid": invalid,
        "invalid_rows": [row_no for row_no, _ in invalid_rows],
        "blank": counts[CellStatus.BLANK],
        "cause_code": job.last_error,  # or a text that was written by hand
        "causes": _causes(job.id, rows) if unanswered else [],
        "attempts": job.attempt,
        "uploaded_at": job.created_at.isoformat(),
        "first_at": first.isoformat() if first else None,
        "last_at": last.isoformat() if last else None,
        "kept_until": until.isoformat() if until else None,
        "rows": [row_no for row_no, _ in rows],
        "reference": f"SJ-{job.id}-A{job.attempt}",
    }


def _rows(job_id: int, *outcomes: Outcome) -> list[tuple[int, str | None]]:
    """Return the first rows that have a number with one of these outcomes, each once with its first reason. A blank
    cell is not among them."""
    rows = (
        select(CellAnswer.row_no, CellAnswer.reason)
        .where(CellAnswer.job_id == job_id, CellAnswer.outcome.in_(outcomes))
        .where(func.coalesce(CellAnswer.reason, "") != CellStatus.BLANK.value)
        .order_by(CellAnswer.row_no, CellAnswer.column, CellAnswer.place)
        .limit(ROWS_NAMED * MOST_COLUMNS)
    )
    first: dict[int, str | None] = {}
    for row_no, reason in db.session.execute(rows):
        first.setdefault(row_no, reason)
    return list(first.items())[:ROWS_NAMED]


def _causes(job_id: int, rows: list[tuple[int, str | None]]) -> list[dict[str, Any]]:
    """Return the reasons for rows without an answer, with the number of rows: the most frequent first."""
    rows_of = func.sum(Number.cells)
    counted = (
        select(Number.reason, rows_of)
        .where(Number.job_id == job_id, Number.outcome == Outcome.FAILED, Number.reason.is_not(None))
        .group_by(Number.reason)
        .order_by(rows_of.desc(), Number.reason)
        .limit(CAUSES_NAMED)
    )
    return [
        {"cause_code": reason, "rows": count, "named": [row for row, why in rows if why == reason]}
        for reason, count in db.session.execute(counted)
    ]


def source_facts(source: str, cause: str) -> dict[str, Any]:
    """Return the facts of a message about this source."""
    return {"source": source, "cause_code": cause}
