"""Which of a job's ends a person is told of, and with which facts. The notice is written with what happened."""

from datetime import datetime
from typing import Any

from flask_babel import force_locale
from sqlalchemy import select

from portal.accounts import User
from portal.config import LOCALES
from portal.database import db
from portal.jobs.causes import explain
from portal.jobs.columns import JobColumns
from portal.jobs.records import Attempt, Number
from portal.jobs.retention import deleted_on
from portal.notices.models import Notice
from portal.notices.writing import write
from portal.sources.base import Outcome
from portal.sources.words import source_title

ROWS_NAMED = 10  # a mail names at most so many rows


def _facts(job: JobColumns) -> dict[str, Any]:
    first = db.session.scalar(select(Attempt.started_at).where(Attempt.job_id == job.id).order_by(Attempt.attempt))
    rows = db.session.execute(
        select(Number.row_no, Number.reason)
        .where(Number.job_id == job.id, Number.outcome.in_((Outcome.FAILED, Outcome.WAITING)))
        .order_by(Number.row_no)
        .limit(ROWS_NAMED)
    ).all()
    until = deleted_on(job)
    return {
        "file_name": job.file_name,
        "total": job.total_numbers,
        "ready": job.processed_numbers,
        "cause": _in_every_language(job.last_error),
        "attempts": job.attempt,
        "first_at": first.isoformat() if first else None,
        "rows": [row.row_no for row in rows],
        "kept_until": until.isoformat() if until else None,
        "reference": f"SJ-{job.id}-A{job.attempt}",
    }


def _in_every_language(cause: str | None) -> dict[str, str]:
    """The cause in words. The room that sends notices knows no causes, so the words go with the notice."""
    words = {}
    for locale in LOCALES:
        with force_locale(locale):
            explained = explain(cause)
            words[locale] = str(explained.what) if explained else ""
    return words


def job_failed(job: JobColumns, now: datetime) -> None:
    """The job has stopped for good: tell its owner once in this round."""
    write(f"job-failed.{job.id}.{job.round}", "job_failed", job.user_id, job.id, _facts(job), now)


def job_completed(job: JobColumns, now: datetime) -> None:
    """A job whose end as failed was told has become complete after all: tell that too."""
    told = select(Notice.id).where(Notice.job_id == job.id, Notice.kind == "job_failed").limit(1)
    if db.session.scalar(told) is not None:
        write(f"job-fixed.{job.id}.{job.round}", "job_fixed", job.user_id, job.id, _facts(job), now)


def source_stopped(source: str, cause: str, now: datetime) -> None:
    """A source refuses the portal: tell every admin, once a day for each cause."""
    titles = {}
    for locale in LOCALES:
        with force_locale(locale):
            titles[locale] = source_title(source)
    facts = {"source": source, "title": titles, "cause": _in_every_language(cause)}
    for admin in db.session.scalars(select(User.id).where(User.is_admin)):
        write(f"source-{source}.{cause}.{now:%Y%m%d}.{admin}", "source_stopped", admin, None, facts, now)
