"""The facts that a notice about a job or a source carries, with its sentences in every language.

`portal.notices` knows neither jobs nor causes, so everything that it sends is in the notice. A notice holds no
telephone number, and no secret or link that gives access.
"""

from typing import Any

from flask_babel import force_locale
from sqlalchemy import func, select

from portal.config import LOCALES
from portal.database import db
from portal.jobs.core.columns import JobColumns
from portal.jobs.core.retention import deleted_on
from portal.jobs.core.tables import Attempt, Number
from portal.jobs.words.causes import explain
from portal.sources.base import Outcome
from portal.sources.words import source_title

ROWS_NAMED = 10  # rows that an email names at most
CAUSES_NAMED = 5
UNANSWERED = (Outcome.FAILED, Outcome.WAITING)


def job_facts(job: JobColumns) -> dict[str, Any]:
    """Return the facts of an email about this job."""
    attempts = select(func.min(Attempt.started_at), func.max(Attempt.ended_at)).where(Attempt.job_id == job.id)
    first, last = db.session.execute(attempts).one()
    until = deleted_on(job)
    unanswered = job.total_numbers - job.processed_numbers
    rows = _rows(job.id, *UNANSWERED) if unanswered else []
    until = deleted_on(job)
    invalid = _rows(job.id, Outcome.INVALID)[: ROWS_NAMED - len(rows)] if job.invalid_count else []
    return {
        "file_name": job.file_name,
        "total": job.total_numbers,
        "ready": job.processed_numbers,
        "found": job.found_count,
        "not_found": job.not_found_count,
        "invalid": job.invalid_count,
        "invalid_rows": [row_no for row_no, _ in invalid],
        "cause": in_every_language(job.last_error),
        "cause_code": job.last_error,
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
    """Return the first rows with one of these outcomes, each with its reason."""
    rows = (
        select(Number.row_no, Number.reason)
        .where(Number.job_id == job_id, Number.outcome.in_(outcomes))
        .order_by(Number.row_no)
        .limit(ROWS_NAMED)
    )
    return [(row_no, reason) for row_no, reason in db.session.execute(rows)]


def _causes(job_id: int, rows: list[tuple[int, str | None]]) -> list[dict[str, Any]]:
    """Return the reasons for rows without an answer, with the number of rows: the most frequent first."""
    counted = (
        select(Number.reason, func.count())
        .where(Number.job_id == job_id, Number.outcome == Outcome.FAILED, Number.reason.is_not(None))
        .group_by(Number.reason)
        .order_by(func.count().desc(), Number.reason)
        .limit(CAUSES_NAMED)
    )
    return [
        {"cause": in_every_language(reason), "rows": count, "named": [row for row, why in rows if why == reason]}
        for reason, count in db.session.execute(counted)
    ]


def source_facts(source: str, cause: str) -> dict[str, Any]:
    """Return the facts of an email about this source."""
    titles = {}
    for locale in LOCALES:
        with force_locale(locale):
            titles[locale] = source_title(source)
    return {"source": source, "title": titles, "cause": in_every_language(cause), "cause_code": cause}


def in_every_language(cause: str | None) -> dict[str, str]:
    """Return the cause's sentence by language."""
    words = {}
    for locale in LOCALES:
        with force_locale(locale):
            explained = explain(cause)
            words[locale] = str(explained.what) if explained else ""
    return words
