"""Read an uploaded text file again with the encoding and delimiter that its person chose.

Only while no job was started with it: a job's cells are rows of the file as it was read.
"""

from dataclasses import asdict
from datetime import datetime

from sqlalchemy import exists, select, update

from portal.database import changed_rows, db
from portal.documents import corrections
from portal.documents.models import Document, Reading
from portal.documents.reader.csv_text import TextChoice
from portal.documents.storage import Storage, copy_of
from portal.jobs.dispatch import push_document
from portal.jobs.erasure import delete_file
from portal.jobs.models import ScrapingJob


def read_again(document_id: int, choice: TextChoice, storage: Storage, now: datetime) -> bool:
    """Have a ready document read again. False when it has a job, is being read, or is deleted. Commits.

    The file gets a new name: what was read under the old one is known by that name, and must not change.
    """
    stored = select(Document.storage_key).where(Document.id == document_id, Document.state == Reading.READY)
    old = db.session.scalar(stored)
    db.session.commit()  # nobody waits while a storage elsewhere copies the file
    if old is None:
        return False
    try:
        new = copy_of(storage, old)
    except FileNotFoundError:  # read again or deleted meanwhile
        return False
    started = exists().where(ScrapingJob.document_id == Document.id)
    ready = (
        Document.id == document_id, Document.storage_key == old, Document.state == Reading.READY,
        Document.deleted_at.is_(None), ~started,
    )  # fmt: skip
    try:
        # Locked first: an UPDATE alone would not see the job of somebody who is confirming right now.
        db.session.execute(select(Document.id).where(Document.id == document_id).with_for_update())
        changed = changed_rows(
            update(Document)
            .where(*ready)
            .values(
                storage_key=new,
                text_choice=asdict(choice),
                state=Reading.READING,
                sheets=[],
                checks={},
                read_attempts=0,
                read_claim=Document.read_claim + 1,
                read_lease_until=None,
                enqueued_at=None,
            )  # fmt: skip
        )
        if changed:
            corrections.erase(document_id)  # they belong to cells as they were read before
        db.session.commit()
    except BaseException:
        delete_file(storage, new)
        raise
    delete_file(storage, old if changed else new)
    if changed:
        push_document(document_id, now)
    return changed == 1
