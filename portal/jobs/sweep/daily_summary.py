"""Writes the admins' daily summary, once a day in each admin's morning, for those who chose it. The numbers are counted
only when it has a reader.
"""

from collections.abc import Iterator
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask import current_app
from sqlalchemy import func, select

from portal.accounts import User
from portal.database import among, db
from portal.jobs.core.status import RETRYABLE, WAITING, Status
from portal.jobs.models import ScrapingJob
from portal.notices.kinds import NoticeKind
from portal.notices.models import Delivery, Notice, NoticeSettings
from portal.notices.outbox import write

FROM_HOUR = 8  # of the admin's own day


def write_summaries(now: datetime) -> Iterator[str]:
    """Write the summaries due this morning, and yield each one's key. Commits."""
    subscribers = (
        select(User.id, User.time_zone)
        .join(NoticeSettings, NoticeSettings.user_id == User.id)
        .where(User.is_admin, User.is_active, NoticeSettings.daily_summary)
    )
    for user_id, zone_name in db.session.execute(subscribers).all():
        local = now.astimezone(ZoneInfo(zone_name or current_app.config["DEFAULT_TIME_ZONE"]))
        key = f"daily.{user_id}.{local:%Y%m%d}"
        if local.hour < FROM_HOUR or db.session.scalar(select(Notice.id).where(Notice.dedupe == key)) is not None:
            continue
        today = datetime.combine(local.date(), time(), local.tzinfo)
        yesterday = datetime.combine(local.date() - timedelta(days=1), time(), local.tzinfo)
        write(key, NoticeKind.DAILY_SUMMARY, user_id, None, _facts(yesterday, today), now)
        db.session.commit()
        yield key
    db.session.commit()


def _facts(begin: datetime, end: datetime) -> dict[str, Any]:
    not_deleted = ScrapingJob.deleted_at.is_(None)
    final = (among(ScrapingJob.status, RETRYABLE), ScrapingJob.next_retry_at.is_(None), not_deleted)
    # Filter by `updated_at` too: it has an index, and is never before the job's end.
    completed = (ScrapingJob.completed_at >= begin, ScrapingJob.completed_at < end, ScrapingJob.updated_at >= begin)
    return {
        "from": begin.isoformat(),
        "to": end.isoformat(),
        "completed": _count(*completed, not_deleted),
        "stopped": _count(*final, ScrapingJob.updated_at >= begin, ScrapingJob.updated_at < end),
        "open": _count(among(ScrapingJob.status, (*WAITING, Status.PROCESSING)), not_deleted),
        "dead": db.session.scalar(
            select(func.count()).where(Notice.state == Delivery.DEAD, Notice.created_at >= begin)
        ),
    }  # fmt: skip


def _count(*conditions: Any) -> int:
    return db.session.scalar(select(func.count()).select_from(ScrapingJob).where(*conditions)) or 0
