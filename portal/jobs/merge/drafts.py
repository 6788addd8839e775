"""The comparison that a document has on its check page: asked for, looked at, dropped. It becomes its job's when the
job is started."""

import hashlib
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import select

from portal.accounts import User
from portal.database import db
from portal.documents.choice import SheetChoice, kept
from portal.documents.models import Document
from portal.jobs.core import list_merges
from portal.jobs.core.merge_tables import ListMerge, MergeState
from portal.jobs.dispatch import push_merge
from portal.jobs.merge.candidates import comparable
from portal.jobs.models import ScrapingJob

Corrected = Iterable[tuple[tuple[int, int], str]]


def draft_of(document_id: int) -> ListMerge | None:
    """Return the comparison that a document has and that was not started."""
    mine = (ListMerge.document_id == document_id, ListMerge.is_started.is_(False))
    return db.session.scalar(select(ListMerge).where(*mine).order_by(ListMerge.id.desc()).limit(1))


def hash_of_lists(storage_key: str, choice: SheetChoice, corrected: Corrected, before_id: int) -> str:
    """Return what tells one comparison from that of other columns, corrections or files."""
    text = f"{storage_key} {choice.key} {sorted(corrected)} {before_id}"
    return hashlib.sha256(text.encode()).hexdigest()


def ask(
    document: Document, before_id: int, choice: SheetChoice, corrected: Corrected, column: int | None, now: datetime
) -> ListMerge | None:
    """Compare a document with an earlier job of its person, in place of any other; `column` is the key, by default the
    likeliest. None: the person has no such job. Commits."""
    of_person = comparable(document, before_id)
    document_id, compared = document.id, hash_of_lists(document.storage_key, choice, corrected, before_id)
    db.session.commit()  # what was read ends first: SQLite cannot turn it into a writing transaction
    if not of_person:
        return None
    list_merges.erase_unstarted(document_id)
    merge = ListMerge(
        document_id=document_id, before_id=before_id, choice=kept(choice), compared=compared, column=column,
        created_at=now,
    )  # fmt: skip
    db.session.add(merge)
    db.session.commit()
    push_merge(merge.id, now)
    return merge


def ask_again(merge: ListMerge, now: datetime) -> None:
    """Push a comparison that waits once more: its message may be lost, or its worker killed."""
    if merge.state == MergeState.WAITING and (merge.lease_until is None or merge.lease_until < now):
        push_merge(merge.id, now)


def drop(document_id: int) -> None:
    """Compare the document with nothing. Commits."""
    db.session.commit()
    list_merges.erase_unstarted(document_id)
    db.session.commit()


def of_job(job: ScrapingJob) -> ListMerge | None:
    """Return the comparison with which a job was started."""
    return db.session.get(ListMerge, job.merge_id) if job.merge_id is not None else None


def earlier_job(merge: ListMerge, person: User) -> ScrapingJob | None:
    """Return the earlier job while it is there and this person may see it."""
    job = db.session.get(ScrapingJob, merge.before_id)
    is_there = job is not None and job.deleted_at is None and (person.is_admin or job.user_id == person.id)
    return job if is_there else None


def earlier_name(merge: ListMerge) -> str:
    """Return the name of the earlier file, also of one that was deleted."""
    return db.session.scalar(select(ScrapingJob.file_name).where(ScrapingJob.id == merge.before_id)) or ""
