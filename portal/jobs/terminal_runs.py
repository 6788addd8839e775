"""A job that a terminal runs itself: which one a file belongs to, and how it becomes ready to be claimed by it.

The same verbs as everywhere, but nothing is pushed to Redis. Should a worker be first all the same (a sweep may push
what waits), the claim decides, as always. It says nothing: its callers have the words.
"""

from datetime import datetime

from sqlalchemy import select

from portal.accounts import User
from portal.database import db
from portal.documents.models import Document, Reading
from portal.jobs.commands import Choice
from portal.jobs.core.status import ENDED, Status
from portal.jobs.models import ScrapingJob, backoff

TERMINAL = "terminal@localhost"
NO_PASSWORD = "-"  # noqa: S105 - no password has this hash


class JobTaken(Exception):
    """A worker has the job."""


class SourceNotReady(Exception):
    """The source is busy or down, and the job waits for it."""

    def __init__(self, until: datetime) -> None:
        super().__init__(until.isoformat())
        self.until = until


def terminal_user(now: datetime) -> User:
    """Whose files the terminal's are: the first admin's or, before there is one, nobody's, who cannot sign in."""
    admins = select(User).where(User.is_admin, User.is_active).order_by(User.id)
    user = db.session.scalar(admins.limit(1)) or db.session.scalar(select(User).where(User.email == TERMINAL))
    if user is None:
        # The id says that this is no person: a portal whose only user this is still waits for its first admin.
        user = User(id=0, email=TERMINAL, password_hash=NO_PASSWORD, is_active=False, created_at=now)
        db.session.add(user)
    db.session.commit()
    return user


def known_document(user: User, sha256: str) -> Document | None:
    """The person's last document with this content; one that was refused is not it."""
    same = (Document.user_id == user.id, Document.sha256 == sha256, Document.deleted_at.is_(None))
    found = select(Document).where(*same, Document.state != Reading.REFUSED).order_by(Document.id.desc())
    return db.session.scalar(found.limit(1))


def known_job(user: User, document: Document, choice: Choice) -> ScrapingJob | None:
    """The person's last job for this content with this choice."""
    same = (
        ScrapingJob.user_id == user.id, ScrapingJob.deleted_at.is_(None), Document.sha256 == document.sha256,
        ScrapingJob.sheet == choice.sheet, ScrapingJob.header_row == choice.header_row,
        ScrapingJob.column == choice.column, ScrapingJob.country == choice.country,
        ScrapingJob.source == choice.source,
    )  # fmt: skip
    found = select(ScrapingJob).join(ScrapingJob.document).where(*same).order_by(ScrapingJob.id.desc())
    return db.session.scalar(found.limit(1))


def is_done(job: ScrapingJob) -> bool:
    """Whether every row has its final answer."""
    return job.status == Status.COMPLETED


def take_up(job: ScrapingJob, actor: str, now: datetime) -> None:
    """Make a job that is not done ready to be claimed: resumed, retried, or taken from a worker that died.

    Raises HeldElsewhere and NotYet.
    """
    if job.status == Status.PROCESSING:
        ScrapingJob.lose(job.id, job.attempt, now, backoff())
        db.session.commit()
        db.session.refresh(job)
    if job.status == Status.PROCESSING:
        raise JobTaken
    if job.status in ENDED:
        ScrapingJob.retry(job.id, job.round, actor, now)
    elif job.paused_at is not None:
        ScrapingJob.resume(job.id, actor, now)
    db.session.commit()
    db.session.refresh(job)
    if job.not_before is not None and job.not_before > now:
        raise SourceNotReady(job.not_before)


def put_by(job: ScrapingJob, actor: str, now: datetime) -> None:
    """Let a job that was handed back wait for whoever stopped it, and for no worker."""
    ScrapingJob.pause(job.id, actor, now)
    db.session.commit()
