"""The trash: what a person deletes stays there for a week, can be restored, and is then deleted for good by the sweep.

A file in the trash counts as deleted everywhere else: `deleted_at` is set, and `purge_at` says until when it is kept. A
document that no other job needs goes there and comes back with its job. Nothing is kept for longer than its retention
period. Each function commits; None means that somebody else was first.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, exists, or_, select

from portal.accounts import User
from portal.database import db
from portal.documents.models import Document, Reading
from portal.documents.storage import Storage
from portal.ids import MAX_INTEGER
from portal.jobs import commands, uploads
from portal.jobs.core.derived import is_unfinished
from portal.jobs.core.retention import deleted_on, unstarted_deleted_on
from portal.jobs.core.status import STOPPABLE
from portal.jobs.dispatch import push_document
from portal.jobs.erasure import delete_file, erase
from portal.jobs.models import ScrapingJob

KEPT = timedelta(days=7)
SHOWN = 200  # of each kind, those that are deleted next
BATCH = 100  # of each kind, in one pass of the sweep


@dataclass(frozen=True)
class Contents:
    """What a person has in the trash: jobs, and documents that were never started; those deleted next come first."""

    jobs: list[ScrapingJob]
    documents: list[Document]


def contents(user_id: int) -> Contents:
    """Return what this person can restore."""
    jobs = select(ScrapingJob).where(ScrapingJob.user_id == user_id, ScrapingJob.purge_at.is_not(None))
    documents = select(Document).where(Document.user_id == user_id, Document.purge_at.is_not(None), ~_has_job())
    return Contents(
        list(db.session.scalars(jobs.order_by(ScrapingJob.purge_at, ScrapingJob.id).limit(SHOWN))),
        list(db.session.scalars(documents.order_by(Document.purge_at, Document.id).limit(SHOWN))),
    )


def job_in_trash(user: User, job_id: int) -> ScrapingJob | None:
    """Return the job if it is in the trash and this person may see it: their own, or any for an admin."""
    return db.session.scalar(select(ScrapingJob).where(*_in_trash(ScrapingJob, user, job_id)))


def document_in_trash(user: User, document_id: int) -> Document | None:
    """Return the same for a document that was never started."""
    return db.session.scalar(select(Document).where(*_in_trash(Document, user, document_id), ~_has_job()))


def put_job(job_id: int, actor: str, now: datetime, *, why: str | None = None) -> ScrapingJob | None:
    """Move a job to the trash. One that runs or waits is cancelled first."""
    # Locked, because a retry that comes in between would leave a job that is deleted and never ended.
    job = db.session.get(ScrapingJob, job_id, populate_existing=True, with_for_update={"key_share": True})
    if job is None or job.deleted_at is not None:
        db.session.rollback()
        return None
    if job.status in STOPPABLE and is_unfinished(job):
        ScrapingJob.cancel(job_id, actor, now)  # from here on, a worker that has it is fenced
        db.session.refresh(job)
    until = _until(deleted_on(job), now)
    job = ScrapingJob.trash(job_id, until, actor, now, why=why)
    if job is None:
        db.session.rollback()
        return None
    document = _locked_document(job.document_id)
    if not db.session.scalar(select(_has_job(in_trash=False)).where(Document.id == document.id)):
        document.deleted_at, document.purge_at = now, until
    _audit(job, "delete", actor, now, why)
    db.session.commit()
    return job


def put_document(document_id: int, now: datetime) -> Document | None:
    """Move a document without a job to the trash. None when it has a job, or is deleted already."""
    document = _locked_document(document_id)
    if document.deleted_at is not None or db.session.scalar(
        select(_has_job(in_trash=False)).where(Document.id == document_id)
    ):
        db.session.rollback()
        return None
    document.deleted_at, document.purge_at = now, _until(unstarted_deleted_on(document), now)
    db.session.commit()
    return document


def restore_job(job_id: int, actor: str, now: datetime) -> ScrapingJob | None:
    """Take a job out of the trash, with its document."""
    job = ScrapingJob.restore(job_id, actor, now)
    if job is None:
        db.session.rollback()
        return None
    document = _locked_document(job.document_id)
    document.deleted_at = document.purge_at = None
    _audit(job, "restore", actor, now)
    db.session.commit()
    return job


def restore_document(document_id: int, now: datetime) -> Document | None:
    """Take a document out of the trash; one that had not been read yet is read now."""
    document = _locked_document(document_id)
    if document.purge_at is None:
        db.session.rollback()
        return None
    document.deleted_at = document.purge_at = None
    unread = document.state == Reading.READING
    db.session.commit()
    if unread:
        push_document(document_id, now)
    return document


def purge_job(job_id: int, actor: str | None, now: datetime, storage: Storage) -> ScrapingJob | None:
    """Delete a job in the trash for good, with its rows and, when no other job needs it, its document and its file."""
    job = db.session.get(ScrapingJob, job_id, populate_existing=True, with_for_update={"key_share": True})
    if job is None or job.purge_at is None:
        db.session.rollback()
        return None
    unused = erase(job, now)
    job = ScrapingJob.purge(job_id, actor, now)
    if job is None:
        db.session.rollback()
        return None
    if actor is not None:
        _audit(job, "purge", actor, now)
    db.session.commit()
    if unused:
        delete_file(storage, unused)  # if the process dies here, `erasure.erase_files` does it
    return job


def purge_document(document_id: int, now: datetime, storage: Storage) -> bool:
    """Delete a document in the trash for good, with its file."""
    document = _locked_document(document_id)
    if document.purge_at is None:
        db.session.rollback()
        return False
    return uploads.discard(document_id, now, storage, in_trash=True)


def purge_due(now: datetime, storage: Storage) -> Iterator[int]:
    """Delete for good what has been in the trash for its days, and yield the ids. A step of the sweep; it commits each
    file on its own."""
    due = select(ScrapingJob.id).where(ScrapingJob.purge_at <= now).order_by(ScrapingJob.purge_at).limit(BATCH)
    for job_id in list(db.session.scalars(due)):
        if purge_job(job_id, None, now, storage):
            yield job_id
    alone = select(Document.id).where(Document.purge_at <= now, ~_has_job())
    for document_id in list(db.session.scalars(alone.order_by(Document.purge_at).limit(BATCH))):
        if purge_document(document_id, now, storage):
            yield document_id


def _has_job(*, in_trash: bool = True) -> ColumnElement[bool]:
    """Whether a document has a job that is there or, unless left out, in the trash."""
    there: ColumnElement[bool] = ScrapingJob.deleted_at.is_(None)
    if in_trash:
        there = or_(there, ScrapingJob.purge_at.is_not(None))
    return exists().where(ScrapingJob.document_id == Document.id, there)


def _in_trash(of: type[ScrapingJob] | type[Document], user: User, its_id: int) -> list[ColumnElement[bool]]:
    where: list[ColumnElement[bool]] = [of.id == min(its_id, MAX_INTEGER), of.purge_at.is_not(None)]
    if not user.is_admin:
        where.append(of.user_id == user.id)
    return where


def _until(otherwise: datetime | None, now: datetime) -> datetime:
    """A week from now, or when the retention period would have deleted it, if that is earlier."""
    return max(now, min(now + KEPT, otherwise or now + KEPT))


def _locked_document(document_id: int) -> Document:
    # Locked as in `commands.start`: somebody may be starting it right now.
    return db.session.get_one(Document, document_id, with_for_update=True, populate_existing=True)


def _audit(job: ScrapingJob, verb: str, actor: str, now: datetime, why: str | None = None) -> None:
    if actor != job.user.email:
        commands.audit_act(job, verb, actor, why, now)
