"""For how long files are kept: so many days from the end of a job, or from the upload of a file that was never started.

The days are the owner's own, or else RETENTION_DAYS; 0 keeps for good. A job that runs, waits or will be retried by
itself is never deleted. What goes are the file, its numbers and their answers; the job's row stays as a note of what
was, with its totals, for its owner to read. `expiring` does it.
"""

from datetime import datetime, timedelta

from flask import current_app

from portal.accounts import User
from portal.database import db
from portal.documents.models import Document
from portal.jobs.core.columns import JobColumns


def days_of(user: User) -> int:
    """For how many days this person's files are kept; 0: for good."""
    chosen = user.retention_days
    return int(current_app.config["RETENTION_DAYS"]) if chosen is None else chosen


def kept_days(job: JobColumns) -> int:
    """For how many days after its end the job's file is kept; 0: for good."""
    user = db.session.get(User, job.user_id)
    return days_of(user) if user else 0


def deleted_on(job: JobColumns) -> datetime | None:
    """When the job's file, numbers and answers are deleted; nothing while it has not ended, or when they are kept."""
    days = kept_days(job)
    return job.ended_at + timedelta(days=days) if days and job.ended_at else None


def unstarted_deleted_on(document: Document) -> datetime | None:
    """The same for a file that was not started."""
    user = db.session.get(User, document.user_id)
    days = days_of(user) if user else 0
    return document.created_at + timedelta(days=days) if days else None
