"""The commands that people and pages give: each is one verb, committed, and only then pushed to Redis.

A command returns the job when it did what was asked, and None when somebody else was first or the job has another
status. None of them fails because Redis is away.
"""

from dataclasses import dataclass
from datetime import datetime

from flask import current_app

from portal import audit, sources
from portal.accounts import User
from portal.database import db
from portal.documents.check import check
from portal.documents.models import Document, Reading
from portal.documents.preview import choice_problem
from portal.documents.reader.parent import SheetFacts
from portal.documents.storage import LocalStorage
from portal.jobs.core import ledger, timeline
from portal.jobs.core.derived import is_unfinished
from portal.jobs.core.job_tables import EventKind
from portal.jobs.core.status import STOPPABLE, Status
from portal.jobs.dispatch import push_job
from portal.jobs.erasure import delete_file, erase
from portal.jobs.models import ScrapingJob, backoff
from portal.jobs.quotas import quota_of
from portal.sources.base import Outcome

ADMIN_ONLY = frozenset({"time_out", "limits"})


@dataclass(frozen=True)
class Choice:
    """What the person chose on the check page."""

    sheet: int
    header_row: int
    column: int
    country: str
    source: str


class CannotStart(Exception):
    """The choice cannot be started; `code` is one of jobs.words."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def start(document: Document, choice: Choice, user: User, now: datetime, *, push: bool = True) -> ScrapingJob:
    """Create a job with its whole ledger in one transaction. Raises CannotStart, with nothing written."""
    _validate(document, choice)
    settings = current_app.config
    quota = quota_of(user.id, now, lock=True)
    if quota.spent:
        raise CannotStart("files_spent")
    job = ScrapingJob(
        document_id=document.id,
        user_id=user.id,
        file_name=document.file_name,
        status=Status.PENDING,
        created_at=now,
        updated_at=now,
        max_retries=settings["SCRAPING_MAX_RETRIES"],
        timeout_minutes=settings["SCRAPING_TIMEOUT_MINUTES"],
        source=choice.source,
        sheet=choice.sheet,
        header_row=choice.header_row,
        column=choice.column,
        country=choice.country,
    )
    storage: LocalStorage = current_app.extensions["storage"]
    path = storage.sheet_path(document.storage_key, choice.sheet)
    rows = [
        ledger.initial_row(row.row_no, row.text, row.phone_e164, row.duplicate_of, row.reason, now)
        for row in check(path, choice.header_row, choice.column, choice.country)
    ]
    if len(rows) > quota.rows:
        raise CannotStart("too_many_rows")
    if not rows:
        raise CannotStart("no_rows")
    job.total_numbers = len(rows)
    job.invalid_count = job.processed_numbers = sum(row["outcome"] == Outcome.INVALID for row in rows)
    db.session.add(job)
    db.session.flush()
    ledger.open_ledger(job.id, rows)
    timeline.record(job.id, EventKind.CREATED, now, user.email, total=len(rows), source=choice.source)
    db.session.commit()
    if push:
        push_job(job.id, now)
    return job


def _validate(document: Document, choice: Choice) -> None:
    if document.state != Reading.READY:
        raise CannotStart("not_ready")
    sheets = [SheetFacts.from_dict(facts) for facts in document.sheets]
    if problem := choice_problem(sheets, choice.sheet, choice.header_row, choice.column, choice.country):
        raise CannotStart(problem)
    if choice.source not in sources.names():
        raise CannotStart("source_unknown")


def audit_act(job: ScrapingJob, verb: str, actor: str, why: str | None, now: datetime) -> None:
    """Write what an admin did to a job into the audit. Does not commit."""
    audit.note(actor, verb, "job", job.id, why, now, file=job.file_name, owner=job.user.email)


def _commit(
    job: ScrapingJob | None, now: datetime, verb: str, actor: str, why: str | None = None, *, push: bool = False
) -> ScrapingJob | None:
    """Commit the command, with an audit entry when an admin gave it, and push the job to the workers."""
    if job is not None and (verb in ADMIN_ONLY or actor != job.user.email):
        audit_act(job, verb, actor, why, now)
    db.session.commit()
    if job is not None and push:
        push_job(job.id, now)
    return job


def retry(
    job_id: int,
    seen_round: int,
    actor: str,
    now: datetime,
    *,
    reasons: list[str] | None = None,
    why: str | None = None,
) -> ScrapingJob | None:
    """Look up again the rows without a final answer, with a fresh budget. `reasons` limits it to rows that failed for
    one of them."""
    job = ScrapingJob.retry(job_id, seen_round, actor, now, reasons=reasons, why=why)
    if job is not None and job.waiting_numbers == 0:  # no reason was ticked: an attempt would only fail again
        db.session.rollback()
        return None
    return _commit(job, now, "retry", actor, why, push=True)


def cancel(job_id: int, actor: str, now: datetime, *, why: str | None = None) -> ScrapingJob | None:
    """Stop a job; finished answers are kept."""
    return _commit(ScrapingJob.cancel(job_id, actor, now, why=why), now, "cancel", actor, why)


def pause(job_id: int, actor: str, now: datetime) -> ScrapingJob | None:
    """Let a job wait until somebody resumes it."""
    return _commit(ScrapingJob.pause(job_id, actor, now), now, "pause", actor)


def resume(job_id: int, actor: str, now: datetime) -> ScrapingJob | None:
    """Let a paused job continue."""
    return _commit(ScrapingJob.resume(job_id, actor, now), now, "resume", actor, push=True)


def time_out(job_id: int, actor: str, why: str, now: datetime) -> ScrapingJob | None:
    """End an attempt that hangs, as an admin."""
    return _commit(ScrapingJob.time_out_by_hand(job_id, actor, why, now, backoff()), now, "time_out", actor, why)


def set_limits(job_id: int, max_retries: int, timeout_minutes: int, actor: str, now: datetime) -> ScrapingJob | None:
    """Change how many retries and minutes one job has, as an admin."""
    return _commit(ScrapingJob.set_limits(job_id, max_retries, timeout_minutes, actor, now), now, "limits", actor)


def note_download(job_id: int, actor: str, file_name: str, now: datetime) -> None:
    """Record on the timeline who downloaded which file, and in the audit when it is somebody else's.

    The transaction that read the answers ends first: SQLite cannot turn it into a writing one once a worker has saved
    since.
    """
    db.session.commit()
    timeline.record(job_id, EventKind.DOWNLOADED, now, actor, what=file_name)
    job = db.session.get(ScrapingJob, job_id)
    if job is not None and actor != job.user.email:
        audit_act(job, "results_downloaded", actor, None, now)
    db.session.commit()


def delete(job_id: int, actor: str, now: datetime, storage: LocalStorage) -> ScrapingJob | None:
    """Delete a job with its rows and, when no other job needs it, its document. Its timeline stays."""
    job = db.session.get(ScrapingJob, job_id)
    if job is not None and job.status in STOPPABLE and is_unfinished(job):
        ScrapingJob.cancel(job_id, actor, now)  # from here on, a worker that has it is fenced
    job = ScrapingJob.delete(job_id, actor, now)
    if job is None:
        db.session.rollback()
        return None
    if actor != job.user.email:
        audit_act(job, "delete", actor, None, now)
    unused = erase(job, now)
    db.session.commit()
    if unused:
        delete_file(storage, unused)  # after the commit: an extra file is harmless, a row without its file is not
    return job
