"""What comes before a job: storing an upload, documents that were not started, earlier uploads of the same content.

The check page and the front page use it, as other pages use `queries`. It must not start a job: `commands` does.
"""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, exists, func, select, update

from portal.database import db
from portal.documents import corrections
from portal.documents.models import Document
from portal.documents.storage import Storage, Stream
from portal.documents.upload import receive
from portal.jobs.core import list_merges
from portal.jobs.dispatch import push_document
from portal.jobs.erasure import delete_file
from portal.jobs.models import ScrapingJob

EARLIER_SHOWN = 3


class EarlierUpload(NamedTuple):
    """A document of the same content that was uploaded before, and its latest job if it has one."""

    document: Document
    job: ScrapingJob | None


def store_upload(
    stream: Stream | None, given_name: str | None, user_id: int, storage: Storage, max_bytes: int, now: datetime
) -> Document:
    """Store an upload, and have a worker read it. Commits. Raises documents.upload.UploadRefused."""
    document = receive(stream, given_name, user_id, storage, max_bytes, now)
    push_document(document.id, now)
    return document


def not_started(user_id: int) -> tuple[ColumnElement[bool], ...]:
    """The conditions of the person's documents that have no job, which have a small index."""
    return Document.user_id == user_id, Document.deleted_at.is_(None), Document.first_job_at.is_(None)


def jobs_of(document_id: int) -> list[ScrapingJob]:
    """Return the jobs that were started with a document and are not deleted, newest first."""
    these = (ScrapingJob.document_id == document_id, ScrapingJob.deleted_at.is_(None))
    return list(db.session.scalars(select(ScrapingJob).where(*these).order_by(ScrapingJob.id.desc())))


def earlier_uploads(document: Document) -> list[EarlierUpload]:
    """Return the same person's earlier documents with exactly the same content, newest first."""
    same = select(Document).where(
        Document.user_id == document.user_id,
        Document.sha256 == document.sha256,
        Document.id < document.id,
        Document.deleted_at.is_(None),
    )
    before = db.session.scalars(same.order_by(Document.id.desc()).limit(EARLIER_SHOWN))
    return [EarlierUpload(found, next(iter(jobs_of(found.id)), None)) for found in before]


def countries_used(user_id: int) -> list[str]:
    """Return the countries of the person's jobs, the most used first; five at most."""
    counted = select(ScrapingJob.country).where(ScrapingJob.user_id == user_id).group_by(ScrapingJob.country)
    return list(db.session.scalars(counted.order_by(func.count().desc(), ScrapingJob.country).limit(5)))


def jobs_started(document_id: int) -> int:
    """Count the jobs ever started with a document, including deleted ones. A form carries this number, so that a form
    sent twice is recognised."""
    # One whose ledger is still being opened has not started.
    started = (ScrapingJob.document_id == document_id, ScrapingJob.total_numbers > 0)
    return db.session.scalar(select(func.count()).where(*started)) or 0


def job_started_since(document: Document, seen: int | None) -> ScrapingJob | None:
    """Return the job that was started since the form showed `seen` of them, if there is one.

    For a form that is sent again. Of two that are sent at once, `commands.start` finds the first one's job.
    """
    if seen is None or jobs_started(document.id) <= seen:
        return None
    return next(iter(jobs_of(document.id)), None)


def discard(document_id: int, now: datetime, storage: Storage, *, in_trash: bool = False) -> bool:
    """Delete a document without a job, with its file: one that is there, or one in the trash. False when it has a job
    or is already deleted. Commits."""
    # Locked first: an UPDATE alone would not see the job of somebody who is confirming right now.
    db.session.execute(select(Document.id).where(Document.id == document_id).with_for_update())
    in_use = exists().where(ScrapingJob.document_id == Document.id, ScrapingJob.deleted_at.is_(None))
    there = Document.purge_at.is_not(None) if in_trash else Document.deleted_at.is_(None)
    gone = update(Document).where(Document.id == document_id, there, ~in_use).returning(Document.storage_key)
    gone = gone.values(deleted_at=now, purge_at=None, sheets=[], checks={}, note="", labels=[], search_text="")
    key = db.session.scalar(gone, execution_options={"synchronize_session": False})
    if key is not None:
        corrections.erase(document_id)
        list_merges.erase_unstarted(document_id)
    db.session.commit()
    if key is None:
        return False
    delete_file(storage, key)  # after the commit: an extra file is harmless, a row without its file is not
    return True
