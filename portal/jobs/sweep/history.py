"""Deletes history past HISTORY_DAYS, as a step of the sweep: attempts, timelines, notices, audit and so on.

Also the rows of jobs and documents that were deleted so long ago. Sums for the metrics stay. Each pass deletes at most
BATCH rows of each table, found by an index or from the oldest id on, and commits each table alone.
"""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

from flask import current_app
from sqlalchemy import ColumnElement, delete, exists, select, tuple_

from portal.audit import AuditEntry
from portal.database import Model, among, changed_rows, db
from portal.documents.models import Document
from portal.documents.remembered import RememberedChoice
from portal.jobs.core.bulk_tables import UNDER_WAY, ChosenJob, Operation
from portal.jobs.core.erasure_tables import Erasure, ReplacedFile
from portal.jobs.core.job_tables import AnswerSample, Attempt, Event, Number, NumberCell, Opening, Ticket
from portal.jobs.core.share_tables import Holder, Share
from portal.jobs.metrics.models import JobEnd
from portal.jobs.models import ScrapingJob
from portal.notices import outbox
from portal.notices.email import email_channel

BATCH = 2000  # rows of one table in one pass
JOBS = 200  # deleted jobs, and documents, in one pass: each takes rows of other tables along


def delete_history(now: datetime) -> Iterator[int]:
    """Run one pass, and yield how many rows or files each part deleted. Commits."""
    days = current_app.config["HISTORY_DAYS"]
    if not days:
        return
    before = now - timedelta(days=days)
    parts: tuple[Callable[[datetime], int], ...] = (
        _attempts, _events, _operations, _erasures, _audit, _notices, _deleted_jobs, _deleted_documents, _email_files,
        _unused_choices,
    )  # fmt: skip
    for part in parts:
        deleted = part(before)
        db.session.commit()
        if deleted:
            yield deleted


def _oldest(id_column: Any, *where: ColumnElement[bool]) -> list[int]:
    """Return the ids that meet a condition among the BATCH lowest: ids grow with time, so no index is needed."""
    lowest = select(id_column).order_by(id_column).limit(BATCH).subquery()
    return list(db.session.scalars(select(id_column).where(id_column.in_(select(lowest)), *where)))


def _delete(table: type[Model], where: ColumnElement[bool]) -> int:
    return changed_rows(delete(table).where(where))


def _attempts(before: datetime) -> int:
    """Delete attempts of jobs that have ended, with their samples of answers."""
    ended = exists().where(ScrapingJob.id == Attempt.job_id, ScrapingJob.ended_at < before)
    old = select(Attempt.job_id, Attempt.attempt).where(Attempt.started_at < before, ended)
    keys = [tuple(row) for row in db.session.execute(old.order_by(Attempt.started_at).limit(BATCH))]
    if not keys:
        return 0
    _delete(AnswerSample, tuple_(AnswerSample.job_id, AnswerSample.attempt).in_(keys))
    return _delete(Attempt, tuple_(Attempt.job_id, Attempt.attempt).in_(keys))


def _events(before: datetime) -> int:
    return _delete(Event, Event.id.in_(_oldest(Event.id, Event.at < before)))


def _operations(before: datetime) -> int:
    ids = _oldest(Operation.id, Operation.created_at < before, ~among(Operation.state, UNDER_WAY))
    _delete(ChosenJob, ChosenJob.operation_id.in_(ids))
    return _delete(Operation, Operation.id.in_(ids))


def _erasures(before: datetime) -> int:
    """Delete the records of erased numbers, and which files were written anew for them."""
    files = _delete(ReplacedFile, (ReplacedFile.at < before) & ReplacedFile.gone_at.is_not(None))
    return files + _delete(Erasure, Erasure.ended_at < before)


def _audit(before: datetime) -> int:
    return _delete(AuditEntry, AuditEntry.id.in_(_oldest(AuditEntry.id, AuditEntry.at < before)))


def _notices(before: datetime) -> int:
    return outbox.delete_old(before, BATCH)


def _deleted_jobs(before: datetime) -> int:
    """Delete what is left of jobs that were deleted long ago: their owner could still read the totals until now."""
    gone = (ScrapingJob.deleted_at.is_not(None), ScrapingJob.purge_at.is_(None))
    old = select(ScrapingJob.id).where(*gone, ScrapingJob.deleted_at < before)
    ids = list(db.session.scalars(old.order_by(ScrapingJob.deleted_at).limit(JOBS)))
    if not ids:
        return 0
    for table in (NumberCell, Number, Opening, Ticket, AnswerSample, Attempt, Event, JobEnd, Holder, Share):
        _delete(table, table.job_id.in_(ids))
    return _delete(ScrapingJob, ScrapingJob.id.in_(ids))


def _deleted_documents(before: datetime) -> int:
    unused = ~exists().where(ScrapingJob.document_id == Document.id)
    gone = (Document.erased_at.is_not(None), Document.deleted_at < before, unused)
    ids = list(db.session.scalars(select(Document.id).where(*gone).order_by(Document.deleted_at).limit(JOBS)))
    return _delete(Document, Document.id.in_(ids)) if ids else 0


def _email_files(before: datetime) -> int:
    return email_channel.delete_saved(before, BATCH)


def _unused_choices(before: datetime) -> int:
    """Forget what people chose for files of a shape that has not come for so long."""
    return _delete(RememberedChoice, RememberedChoice.used_at < before)
