"""Jobs that a terminal runs itself: which job a file belongs to, and how the terminal gets to claim it.

It uses the usual verbs, but pushes nothing to Redis. If a worker is first anyway (a sweep may push a waiting job), the
claim decides, as always. It has no sentences: its callers do.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select

from portal.accounts import User
from portal.database import db
from portal.documents.choice import SheetChoice
from portal.documents.models import Document, Reading
from portal.jobs.core import steps
from portal.jobs.core.status import ENDED, Status
from portal.jobs.core.step_tables import NextSource
from portal.jobs.models import ScrapingJob, backoff

TERMINAL = "terminal@localhost"
MOST_ALIKE = 20  # jobs of one file at the same sources, by different rules
NO_PASSWORD = "-"  # noqa: S105 - no password has this hash


class JobTaken(Exception):
    """A worker has the job."""


class SourceNotReady(Exception):
    """The source is busy or down, and the job waits for it."""

    def __init__(self, until: datetime) -> None:
        super().__init__(until.isoformat())
        self.until = until


def terminal_user(now: datetime) -> User:
    """Return the owner of the terminal's files: the first admin or, before there is one, a user who cannot sign in."""
    admins = select(User).where(User.is_admin, User.is_active).order_by(User.id)
    user = db.session.scalar(admins.limit(1)) or db.session.scalar(select(User).where(User.email == TERMINAL))
    if user is None:
        # The id marks this as not a person: a portal with no other user still waits for its first admin.
        user = User(id=0, email=TERMINAL, password_hash=NO_PASSWORD, is_active=False, created_at=now)
        db.session.add(user)
    db.session.commit()
    return user


def known_document(user: User, sha256: str) -> Document | None:
    """Return the person's last document with this content that was not refused."""
    same = (Document.user_id == user.id, Document.sha256 == sha256, Document.deleted_at.is_(None))
    found = select(Document).where(*same, Document.state != Reading.REFUSED).order_by(Document.id.desc())
    return db.session.scalar(found.limit(1))


def known_job(
    user: User, document: Document, choice: SheetChoice, source: str, then: Sequence[NextSource] = ()
) -> ScrapingJob | None:
    """Return the person's last job for this content with this choice at this source, and at these that follow."""
    same = (
        ScrapingJob.user_id == user.id, ScrapingJob.deleted_at.is_(None), Document.sha256 == document.sha256,
        ScrapingJob.sheet == choice.sheet, ScrapingJob.header_row == choice.header_row,
        ScrapingJob.column == choice.columns[0], ScrapingJob.more_columns == choice.columns[1:],
        ScrapingJob.country == choice.country, ScrapingJob.left_out == choice.left.code,
        ScrapingJob.country_column.is_not_distinct_from(choice.country_column),
        ScrapingJob.chain == steps.names(source, then), *([] if then else [ScrapingJob.source == source]),
    )  # fmt: skip
    found = select(ScrapingJob).join(ScrapingJob.document).where(*same).order_by(ScrapingJob.id.desc())
    rules = [one.rule for one in then]
    jobs = db.session.scalars(found.limit(MOST_ALIKE))
    return next((job for job in jobs if [one.rule for one in steps.further(job)] == rules), None)


def raise_limits(job: ScrapingJob, then: Sequence[NextSource], actor: str, now: datetime) -> None:
    """Give the further sources of a job that goes on the limits of this run; one at its limit is looked at again."""
    for step, (one, before) in enumerate(zip(then, steps.further(job), strict=True), start=2):
        if one.cost_cap != before.cost_cap:
            ScrapingJob.set_cost_cap(job.id, one.cost_cap, actor, now, step=step)
    db.session.commit()
    db.session.refresh(job)


def goes_on(job: ScrapingJob, step: int) -> bool:
    """Whether an attempt at the source at `step` has ended with another one to ask, at once."""
    return job.status == Status.RETRYING and job.step != step and job.not_before is None and job.paused_at is None


def is_done(job: ScrapingJob) -> bool:
    """Whether every row has its final answer."""
    return job.status == Status.COMPLETED


def make_claimable(job: ScrapingJob, actor: str, now: datetime) -> None:
    """Make an unfinished job ready to be claimed: resumed, retried, or taken from a worker that died.

    Raises JobTaken and SourceNotReady.
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


def pause_for_terminal(job: ScrapingJob, actor: str, now: datetime) -> None:
    """Pause a job that was handed back, so that it waits for the person who stopped it and no worker takes it."""
    ScrapingJob.pause(job.id, actor, now)
    db.session.commit()
