"""Look up one number that a person typed: a job of one row, with everything that a job has.

It counts like a file, takes its turn, is retried, and pays once: a saved answer of the source is used, and the same
number asked twice within a minute is the same job.
"""

from datetime import datetime, timedelta

from flask_babel import gettext
from sqlalchemy import select

from portal.accounts import User
from portal.database import db
from portal.documents.choice import SheetChoice
from portal.documents.storage import Storage
from portal.documents.typed import LONGEST_NUMBER, store_number
from portal.jobs import commands, uploads
from portal.jobs.core.job_tables import CellAnswer, Number
from portal.jobs.core.status import Status
from portal.jobs.models import ScrapingJob
from portal.phone import Reason, parse

SAME_WITHIN = timedelta(minutes=1)


class NoNumber(Exception):
    """The text is not one telephone number; `offered` are numbers that it may mean."""

    def __init__(self, reason: Reason, offered: tuple[str, ...]) -> None:
        super().__init__(reason.value)
        self.reason, self.offered = reason, offered


def look_up(text: str, source: str, country: str, user: User, storage: Storage, now: datetime) -> ScrapingJob:
    """Start the job for a number as it was typed. Commits. Raises NoNumber, commands.CannotStart and OSError."""
    phone = parse(text[:LONGEST_NUMBER], country)
    if phone.e164 is None:
        raise NoNumber(phone.reason or Reason.SEVERAL_NUMBERS, phone.offered or phone.numbers)
    user_id, e164 = user.id, phone.e164
    if (same := _asked_just_now(user_id, e164, source, now)) is not None:
        return db.session.get_one(ScrapingJob, same)
    # The whole number is nothing for a list of files.
    name = gettext("Number ending in %(digits)s", digits=phone.e164[-3:])
    document = store_number(
        text.strip()[:LONGEST_NUMBER], gettext("Phone"), f"{name}.csv", country, user.id, storage, now
    )
    document_id = document.id
    db.session.commit()
    try:
        job = commands.start(
            document, SheetChoice(0, 1, (0,), country), source, user, now, remembered=False,
            same=lambda: _asked_just_now(user_id, e164, source, now),
        )  # fmt: skip
    except commands.CannotStart:
        uploads.discard(document_id, now, storage)
        raise
    if job.document_id != document_id:  # two presses at once: the other one was first
        job_id = job.id
        uploads.discard(document_id, now, storage)
        return db.session.get_one(ScrapingJob, job_id)
    return job


def _asked_just_now(user_id: int, e164: str, source: str, now: datetime) -> int | None:
    """Return the id of the person's job for this number alone, if it is a minute old at most and can still answer."""
    same = (
        ScrapingJob.user_id == user_id, ScrapingJob.source == source, ScrapingJob.total_numbers == 1,
        ScrapingJob.deleted_at.is_(None), ScrapingJob.created_at > now - SAME_WITHIN,
        ScrapingJob.status.not_in((Status.FAILED, Status.TIMEOUT, Status.CANCELLED)), Number.e164 == e164,
    )  # fmt: skip
    found = select(ScrapingJob.id).join(Number, Number.job_id == ScrapingJob.id).where(*same)
    return db.session.scalar(found.order_by(ScrapingJob.id.desc()).limit(1))


def answer_of(job: ScrapingJob) -> CellAnswer | None:
    """Return the answer, or what is known of it so far; None when the job is not of one number."""
    if job.total_numbers != 1:
        return None
    return db.session.scalar(select(CellAnswer).where(CellAnswer.job_id == job.id).limit(1))
