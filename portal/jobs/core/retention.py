"""How long files are kept: a number of days from the end of a job, or from the upload of a file that was never started.

The days are the owner's setting, or RETENTION_DAYS; 0 keeps files for ever. A job that runs, waits or will be retried
automatically is never deleted. The file, its numbers and their answers are deleted; the job's row stays, with its
totals, for its owner to read. `sweep.expiry` deletes.
"""

from datetime import datetime, timedelta

from flask import current_app

from portal.accounts import User
from portal.database import db
from portal.documents.models import Document
from portal.jobs.core.job_columns import JobColumns

UNSTARTED_DAYS = 7


def days_of(user: User) -> int:
    """Return for how many days this person's files are kept; 0: for ever."""
    chosen = user.retention_days
    return int(current_app.config["RETENTION_DAYS"]) if chosen is None else chosen


def kept_days(job: JobColumns) -> int:
    """Return for how many days after its end the job's file is kept; 0: for ever."""
    user = db.session.get(User, job.user_id)
    return days_of(user) if user else 0


def deleted_on(job: JobColumns) -> datetime | None:
    """Return when the job's file, numbers and answers will be deleted. None while it has not ended, or when they are
    kept."""
    days = kept_days(job)
    return job.ended_at + timedelta(days=days) if days and job.ended_at else None


def unstarted_deleted_on(document: Document) -> datetime | None:
    """Return the same for a file that was never started: after its owner's days, and after a week at most, or what is
    uploaded and left would fill the disk."""
    user = db.session.get(User, document.user_id)
    days = days_of(user) if user else 0
    return document.created_at + timedelta(days=min(days or UNSTARTED_DAYS, UNSTARTED_DAYS))
