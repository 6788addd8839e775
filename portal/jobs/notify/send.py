"""Decides who is notified of a job's end, and how: email to the owner, the owner's webhook, the admins' chat.

It is called in the transaction of what happened. It writes notices and sends nothing. A person's email preferences do
not apply to webhooks: a program is notified of every end.
"""

from datetime import datetime
from typing import Any

from flask import current_app
from sqlalchemy import ColumnElement, func, select

from portal.accounts import User
from portal.database import db
from portal.jobs.core.job_columns import JobColumns
from portal.jobs.notify.facts import job_facts, source_facts
from portal.notices.kinds import NoticeKind
from portal.notices.models import Channel, Delivery, Notice, NoticeSettings
from portal.notices.outbox import drop_held, write
from portal.notices.preferences import preferences_of, wants, webhook_is_on


def announce_job(
    kind: NoticeKind, job: JobColumns, facts: dict[str, Any], now: datetime, settings: NoticeSettings | None = None
) -> None:
    """Write the job's notices to webhook and chat. `kind` is job_failed, job_completed, or job_fixed in its place;
    `settings` are the owner's, if they are known."""
    key = f"{kind.key}.{job.id}.{job.round}"
    if webhook_is_on(job.user_id, settings):
        more = {"status": job.status, "fixed": _had_failed(job.id)}
        write(key, kind, job.user_id, job.id, {**facts, **more}, now, Channel.WEBHOOK)
    if kind == NoticeKind.JOB_FAILED and current_app.config["NOTIFY_URLS"]:
        owner = db.session.scalar(select(User.email).where(User.id == job.user_id))
        write(key, kind, None, job.id, {**facts, "owner": owner}, now, Channel.CHAT)


def announce_source(kind: NoticeKind, facts: dict[str, Any], now: datetime) -> None:
    """`kind`: source_stopped or source_back. `facts` name the source and the cause.

    A stop is announced once a day for each cause, and again after the source was back.
    """
    if current_app.config["NOTIFY_URLS"]:
        stopped, back = NoticeKind.SOURCE_STOPPED, NoticeKind.SOURCE_BACK
        other = _last_notice_id(back if kind == stopped else stopped, facts["source"])
        key = f"{kind.key}.{facts['source']}.{facts.get('cause_code') or ''}.{now:%Y%m%d}.{other}"
        write(key, kind, None, None, facts, now, Channel.CHAT)


def _last_notice_id(kind: NoticeKind, source: str) -> int:
    notified = select(func.max(Notice.id)).where(Notice.channel == Channel.CHAT, Notice.kind == kind)
    return db.session.scalar(notified.where(Notice.facts["source"].as_string() == source)) or 0


def _of_failure(job_id: int) -> tuple[ColumnElement[bool], ...]:
    return Notice.job_id == job_id, Notice.kind == NoticeKind.JOB_FAILED


def _had_failed(job_id: int) -> bool:
    """Whether the webhook announced an earlier failure of the job, so that this end fixes it."""
    earlier = (*_of_failure(job_id), Notice.channel == Channel.WEBHOOK)
    return db.session.scalar(select(Notice.id).where(*earlier).limit(1)) is not None


def job_failed(job: JobColumns, now: datetime) -> None:
    """The job failed for good: notify its owner once in this round."""
    _notify_owner(NoticeKind.JOB_FAILED, job, job_facts(job), now)


def job_completed(job: JobColumns, now: datetime, *, changed: int | None = None) -> None:
    """The job is complete: notify its owner, as fixed when an earlier failure was emailed. `changed`: how many answers
    are others than before, where the file is repeated; of one in which nothing changed its owner gets no email."""
    fixed = False
    if db.session.scalar(select(Notice.id).where(*(of_failure := _of_failure(job.id))).limit(1)) is not None:
        drop_held(job.id, NoticeKind.JOB_FAILED, now)
        notified = (*of_failure, Notice.channel == Channel.MAIL, Notice.state != Delivery.DROPPED)
        fixed = db.session.scalar(select(Notice.id).where(*notified).limit(1)) is not None
    facts = job_facts(job) | ({} if changed is None else {"changed": changed})
    kind = NoticeKind.JOB_FIXED if fixed else NoticeKind.JOB_COMPLETED
    if changed == 0 and not fixed:
        announce_job(kind, job, facts, now)
    else:
        _notify_owner(kind, job, facts, now)


def job_moved_on(job: JobColumns, now: datetime) -> None:
    """A person retried, cancelled or deleted the job: cancel its failure notice if that is still held."""
    drop_held(job.id, NoticeKind.JOB_FAILED, now)


def _notify_owner(kind: NoticeKind, job: JobColumns, facts: dict[str, Any], now: datetime) -> None:
    settings = preferences_of(job.user_id)
    if wants(job.user_id, kind, settings):
        write(f"{kind.key}.{job.id}.{job.round}", kind, job.user_id, job.id, facts, now)
    announce_job(kind, job, facts, now, settings)


def source_stopped(source: str, cause: str, now: datetime) -> None:
    """A source refuses the portal: notify every admin, once a day for each cause."""
    facts = source_facts(source, cause)
    for admin in db.session.scalars(select(User.id).where(User.is_admin)):
        if wants(admin, NoticeKind.SOURCE_STOPPED):
            write(f"source-{source}.{cause}.{now:%Y%m%d}.{admin}", NoticeKind.SOURCE_STOPPED, admin, None, facts, now)
    announce_source(NoticeKind.SOURCE_STOPPED, facts, now)


def money_low(key: str, facts: dict[str, Any], now: datetime) -> bool:
    """Money is running out: notify every admin, once for each key. Returns whether it was not notified before."""
    first = f"{NoticeKind.MONEY_LOW.key}.{key}"
    if db.session.scalar(select(Notice.id).where(Notice.dedupe.startswith(f"{first}.", autoescape=True)).limit(1)):
        return False
    for admin in db.session.scalars(select(User.id).where(User.is_admin)):
        if wants(admin, NoticeKind.MONEY_LOW):
            write(f"{first}.{admin}", NoticeKind.MONEY_LOW, admin, None, facts, now)
    return True
