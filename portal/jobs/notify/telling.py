"""Which of a job's ends people are told of, and by which ways. A notice is written with what happened, in one
transaction; what it says stands in `told_facts`, programs and rooms are told by `announcing`."""

from datetime import datetime
from typing import Any

from sqlalchemy import select

from portal.accounts import User
from portal.database import db
from portal.jobs.core.columns import JobColumns
from portal.jobs.notify.announcing import announce_job, announce_source
from portal.jobs.notify.facts import job_facts, source_facts
from portal.notices.dropping import drop_held
from portal.notices.models import Channel, Delivery, Notice
from portal.notices.preferences import wants
from portal.notices.writing import write


def job_failed(job: JobColumns, now: datetime) -> None:
    """The job has stopped for good: tell its owner once in this round."""
    _tell_owner("job_failed", job, job_facts(job), now)


def job_completed(job: JobColumns, now: datetime) -> None:
    """The job is complete: tell it as good news, or as put right when its end as failed was told before."""
    drop_held(job.id, "job_failed", now)
    told = select(Notice.id).where(
        Notice.job_id == job.id, Notice.kind == "job_failed", Notice.channel == Channel.MAIL,
        Notice.state != Delivery.DROPPED,
    )  # fmt: skip
    fixed = db.session.scalar(told.limit(1)) is not None
    _tell_owner("job_fixed" if fixed else "job_completed", job, job_facts(job), now)


def job_moved_on(job: JobColumns, now: datetime) -> None:
    """A person retried, cancelled or deleted the job: that it had stopped is no news any more, if it still waits."""
    drop_held(job.id, "job_failed", now)


def _tell_owner(kind: str, job: JobColumns, facts: dict[str, Any], now: datetime) -> None:
    if wants(job.user_id, kind):
        write(f"{kind.replace('_', '-')}.{job.id}.{job.round}", kind, job.user_id, job.id, facts, now)
    announce_job(kind, job, facts, now)


def source_stopped(source: str, cause: str, now: datetime) -> None:
    """A source refuses the portal: tell every admin, once a day for each cause."""
    facts = source_facts(source, cause)
    for admin in db.session.scalars(select(User.id).where(User.is_admin)):
        if wants(admin, "source_stopped"):
            write(f"source-{source}.{cause}.{now:%Y%m%d}.{admin}", "source_stopped", admin, None, facts, now)
    announce_source("source_stopped", facts, now)
