"""Deletes the rows and the file of a removed job, and its document when no other job needs it.

The database comes first and the stored file after its commit, so that no row is ever without its file. A process that
dies between the two leaves an extra file, which the sweep deletes: a document gets its `erased_at` only when its file
is gone.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

import structlog
from sqlalchemy import and_, delete, func, or_, select, update

from portal.database import changed_rows, db, reading
from portal.documents import corrections
from portal.documents.models import Document
from portal.documents.storage import Storage, StorageAway, result_part
from portal.jobs import lost_shares
from portal.jobs.core import answer_samples, ledger, list_merges
from portal.jobs.core.erasure_tables import ReplacedFile
from portal.jobs.core.job_columns import JobColumns
from portal.jobs.core.repeat_tables import Repeat
from portal.jobs.models import ScrapingJob
from portal.jobs.opening import is_hidden
from portal.notices import outbox

log = structlog.get_logger(__name__)

BATCH = 200
LOOKED_AT = 5000
PART_SECONDS = 60  # the next part of the storage is looked through; all of them in four hours
ORPHAN_AGE = timedelta(days=1)


def erase(job: JobColumns, now: datetime) -> str | None:
    """Delete a job's rows and, if it was the last job of its document, that too; does not commit. Returns the key of
    the stored file to delete after the commit, or None.

    Call it before the verb that removes the job: deleting a million rows takes a minute, and from that verb on nobody
    else can end a job, because the metrics are locked.
    """
    list_merges.hand_over(job)
    ledger.erase(job.id)
    lost_shares.erase(job.id)
    if job.merge_id is not None:
        list_merges.erase(job.merge_id)
    answer_samples.erase(job.id)
    outbox.forget_file_name(job.id)
    job.note, job.labels, job.search_text = "", [], ""
    # Locked as in `commands.start`, and before the count: somebody may be starting the document again.
    document = db.session.get_one(Document, job.document_id, with_for_update=True, populate_existing=True)
    # One that is just being started needs it too, and so does one that can be restored.
    there = or_(ScrapingJob.deleted_at.is_(None), ScrapingJob.purge_at.is_not(None), and_(*is_hidden()))
    others = (ScrapingJob.document_id == job.document_id, ScrapingJob.id != job.id, there)
    if db.session.scalar(select(func.count()).where(*others)):
        return None
    corrections.erase(document.id)
    list_merges.erase_unstarted(document.id)
    changed_rows(delete(Repeat).where(Repeat.document_id == document.id))
    document.deleted_at, document.purge_at, document.sheets, document.checks = now, None, [], {}
    document.note, document.labels, document.search_text = "", [], ""
    return document.storage_key


def delete_file(storage: Storage, key: str) -> bool:
    """Delete a stored file after the commit. False: it cannot be deleted now, and the sweep tries again, so a person
    who deletes a job does not see it."""
    try:
        storage.delete(key)
    except OSError as error:
        log.warning("a stored file cannot be deleted", error=str(error))
        return False
    return True


def delete_index(storage: Storage, job: JobColumns, key: str) -> None:
    """Delete the index of a removed job's result, whose file (`key`) another job still needs. It names people, so a
    storage that does not answer is warned of; the index goes with the file in the end."""
    try:
        storage.delete_derived(key, result_part(job.id))
    except OSError as error:
        log.warning("the index of a result cannot be deleted", job=job.id, error=str(error))


def erase_files(now: datetime, storage: Storage) -> Iterator[int]:
    """Delete the stored files of deleted documents, and record that they are gone. A step of the sweep; it commits.

    A file that this machine cannot see is not recorded as gone: another machine may have it, or its disk is not there.
    """
    left = select(Document.id, Document.storage_key).where(
        Document.deleted_at.is_not(None), Document.erased_at.is_(None), Document.purge_at.is_(None)
    )
    waiting = db.session.execute(left.order_by(Document.id).limit(LOOKED_AT)).all()
    db.session.commit()
    here = [(document_id, key) for document_id, key in waiting if storage.is_here(key)]
    if len(here) < len(waiting):
        log.warning("stored files are not in this machine's folder", n=len(waiting) - len(here))
    for document_id, key in here[:BATCH]:
        if not delete_file(storage, key):  # deleting twice is harmless
            continue
        changed_rows(update(Document).where(Document.id == document_id).values(erased_at=now))
        db.session.commit()
        yield document_id


def erase_orphans(now: datetime, storage: Storage) -> Iterator[str]:
    """Delete stored files that no document names, one of the storage's parts in each pass, and yield their keys.

    A process that was killed during an upload leaves one. They are at least a day old, and not older than the oldest
    document: a portal that was given an empty database must not delete the files of its earlier one. Commits.
    """
    part = int(now.timestamp() // PART_SECONDS)
    try:
        keys = storage.old_keys(part, (now - ORPHAN_AGE).timestamp())[:LOOKED_AT]
    except StorageAway:
        return  # the same part comes again in some hours
    if not keys:
        return
    oldest = db.session.scalar(select(func.min(Document.created_at)))
    known = set(db.session.scalars(select(Document.storage_key).where(Document.storage_key.in_(keys))))
    db.session.commit()
    for key in keys:
        if key in known or oldest is None:
            continue
        try:
            is_ours = storage.changed_at(key) >= oldest.timestamp()
        except StorageAway:
            return
        if is_ours and delete_file(storage, key):
            yield key


def forget_copies(now: datetime, storage: Storage) -> int:
    """Delete this machine's copies of files that were deleted, also by another machine; returns how many.

    Each machine does it for itself. A copy of which no document is known yet may be an upload that is being stored.
    """
    copies, forgotten = storage.copies(), 0
    for first in range(0, len(copies), BATCH):
        keys = list(copies)[first : first + BATCH]
        kept = select(Document.storage_key, Document.deleted_at).where(Document.storage_key.in_(keys))
        with reading() as session:
            deleted_at = {row.storage_key: row.deleted_at for row in session.execute(kept)}
            anew = select(ReplacedFile.storage_key, ReplacedFile.at).where(ReplacedFile.storage_key.in_(keys))
            deleted_at.update({row.storage_key: row.at for row in session.execute(anew)})
        for key in keys:
            unknown = key not in deleted_at and copies[key] < (now - ORPHAN_AGE).timestamp()
            if unknown or deleted_at.get(key):
                storage.forget(key)
                forgotten += 1
    return forgotten
