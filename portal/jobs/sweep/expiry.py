"""Deletes files whose retention period has ended (`core.retention` has the rule), as steps of the sweep.

Each job is committed on its own, so a sweep that is killed keeps its progress and the next one continues.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from flask import current_app
from sqlalchemy import ColumnElement, ScalarSelect, case, exists, func, select, update

from portal.accounts import User
from portal.database import db
from portal.documents.models import Document
from portal.documents.storage import Storage
from portal.jobs.core.retention import UNSTARTED_DAYS
from portal.jobs.erasure import delete_file, delete_index, erase
from portal.jobs.models import ScrapingJob

BATCH = 100  # jobs, and documents, in one pass of the sweep


def _due(oldest: ScalarSelect[Any], now: datetime, most: int | None = None) -> list[tuple[int, datetime]]:
    """Return the people whose oldest item is past its days, each with the moment before which items expire.

    It goes person by person: people who keep files for longer have older items, and a search by age alone would read
    those again and again. `most`: days after which an item expires whatever the setting.
    """
    days: ColumnElement[Any] = func.coalesce(User.retention_days, current_app.config["RETENTION_DAYS"])
    if most is not None:
        days = case((days.between(1, most), days), else_=most)
    people = db.session.execute(select(User.id, days, oldest).where(days > 0).order_by(User.id)).all()
    cutoffs = [(user_id, now - timedelta(days=span), at) for user_id, span, at in people if at is not None]
    return [(user_id, before) for user_id, before, at in cutoffs if at <= before]


def expire_jobs(now: datetime, storage: Storage) -> Iterator[ScrapingJob]:
    """Delete jobs past their days, and yield each. Commits each job on its own."""
    for job_id, before in _past_days(now):
        old = db.session.get(ScrapingJob, job_id, populate_existing=True, with_for_update={"key_share": True})
        unused = erase(old, now) if old else None
        job = ScrapingJob.expire(job_id, before, now)
        if job is None:
            db.session.rollback()
            continue
        db.session.commit()
        if unused:
            delete_file(storage, unused)  # if the process dies here, `erasure.erase_files` does it
        else:
            delete_index(storage, job, job.document.storage_key)
        yield job


def _past_days(now: datetime) -> list[tuple[int, datetime]]:
    kept = (ScrapingJob.ended_at.is_not(None), ScrapingJob.deleted_at.is_(None))
    oldest = select(func.min(ScrapingJob.ended_at)).where(ScrapingJob.user_id == User.id, *kept)
    found: list[tuple[int, datetime]] = []
    for user_id, before in _due(oldest.scalar_subquery(), now):
        past = select(ScrapingJob.id).where(ScrapingJob.user_id == user_id, ScrapingJob.ended_at <= before, *kept)
        ids = db.session.scalars(past.order_by(ScrapingJob.ended_at).limit(BATCH - len(found)))
        found += [(job_id, before) for job_id in ids]
        if len(found) == BATCH:
            break
    return found


def expire_unstarted(now: datetime) -> Iterator[int]:
    """Delete documents that were never started, past the same days or after a week at most, and yield their ids. The
    sweep's next step deletes their files. Commits."""
    oldest = select(func.min(Document.created_at)).where(Document.user_id == User.id, Document.deleted_at.is_(None))
    for user_id, before in _due(oldest.scalar_subquery(), now, UNSTARTED_DAYS):
        started = exists().where(ScrapingJob.document_id == Document.id, ScrapingJob.deleted_at.is_(None))
        old = (Document.user_id == user_id, Document.created_at <= before, Document.deleted_at.is_(None), ~started)
        for document_id in list(db.session.scalars(select(Document.id).where(*old).limit(BATCH))):
            # Locked as in `uploads.discard`: somebody may be confirming it right now.
            db.session.execute(select(Document.id).where(Document.id == document_id).with_for_update())
            gone = update(Document).where(Document.id == document_id, *old)
            done = db.session.scalar(
                gone.values(deleted_at=now, sheets=[], checks={}).returning(Document.id),
                execution_options={"synchronize_session": False},
            )
            db.session.commit()
            if done:
                yield document_id
