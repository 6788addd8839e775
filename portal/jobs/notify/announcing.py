"""The same things told to programs and rooms: the owner's webhook, and the admins' chat.

Called in the transaction of what happened, beside the mails; it writes notices and sends nothing. What a person wants
by mail has no say here: a program is told of every end.
"""

from datetime import datetime
from typing import Any

from flask import current_app
from sqlalchemy import func, select

from portal.accounts import User
from portal.database import db
from portal.jobs.core.columns import JobColumns
from portal.jobs.words.causes import CAUSES
from portal.notices.models import Channel, Notice
from portal.notices.webhook.webhook_desk import is_on
from portal.notices.writing import write


def announce_job(kind: str, job: JobColumns, facts: dict[str, Any], now: datetime) -> None:
    """`kind`: job_failed, job_fixed or job_completed. Fixed is written beside completed, never both."""
    key = f"{kind.replace('_', '-')}.{job.id}.{job.round}"
    if is_on(job.user_id):
        # A cause that was written by hand is no code that a program could know.
        known = facts["cause_code"] if facts["cause_code"] in CAUSES else None
        more = {"status": job.status, "cause_code": known, "fixed": _had_failed(job.id)}
        write(key, kind, job.user_id, job.id, {**facts, **more}, now, Channel.WEBHOOK)
    if kind == "job_failed" and current_app.config["NOTIFY_URLS"]:
        owner = db.session.scalar(select(User.email).where(User.id == job.user_id))
        write(key, kind, None, job.id, {**facts, "owner": owner}, now, Channel.CHAT)


def announce_source(kind: str, facts: dict[str, Any], now: datetime) -> None:
    """`kind`: source_stopped or source_back. `facts` name the source, its title in every language, and the cause.

    A stop is told once a day for each cause, and again after the source was back."""
    if current_app.config["NOTIFY_URLS"]:
        other = _last_told("source_back" if kind == "source_stopped" else "source_stopped", facts["source"])
        key = f"{kind.replace('_', '-')}.{facts['source']}.{facts.get('cause_code') or ''}.{now:%Y%m%d}.{other}"
        write(key, kind, None, None, facts, now, Channel.CHAT)


def _last_told(kind: str, source: str) -> int:
    told = select(func.max(Notice.id)).where(Notice.channel == Channel.CHAT, Notice.kind == kind)
    return db.session.scalar(told.where(Notice.facts["source"].as_string() == source)) or 0


def _had_failed(job_id: int) -> bool:
    """Whether the job's end as failed was announced before, so that this end puts it right."""
    earlier = (Notice.job_id == job_id, Notice.kind == "job_failed", Notice.channel == Channel.WEBHOOK)
    return db.session.scalar(select(Notice.id).where(*earlier).limit(1)) is not None
