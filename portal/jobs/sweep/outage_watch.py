"""Notifies the admins' chat of two things that no job's verb reports: no worker takes files, and a source works again.
Each gets a second notice when it is over.

Each sweep checks, and the latest notice decides whether there is news. The notice that no worker runs is written at
once and held for a while; it is deleted when a later check finds a worker. Without a sweep there is no check: the red
line on the admins' page covers that.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from flask import current_app
from sqlalchemy import ColumnElement, Select, delete, func, select

from portal.database import changed_rows, db
from portal.jobs.core.job_tables import Attempt, AttemptEnd
from portal.jobs.health.processes import scrape_worker_is_alive
from portal.jobs.models import ScrapingJob
from portal.jobs.notify.facts import source_facts
from portal.jobs.notify.send import announce_source
from portal.notices.kinds import NoticeKind
from portal.notices.models import Channel, Delivery, Notice
from portal.notices.outbox import write

GRACE = timedelta(minutes=5)  # how long no worker may run before the notice is sent


def watch(now: datetime) -> Iterator[str]:
    """Write the notices that are new, and yield their kinds. Does nothing without a chat in NOTIFY_URLS. Commits."""
    if current_app.config["NOTIFY_URLS"]:
        yield from _workers(now)
        yield from _sources(now)


# ── workers ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _workers(now: datetime) -> Iterator[str]:
    last: Notice | None = db.session.scalar(_latest_first(NoticeKind.WORKERS_AWAY, NoticeKind.WORKERS_BACK).limit(1))
    waiting, working = _waiting(now), scrape_worker_is_alive(now)
    was_away = last is not None and last.kind == NoticeKind.WORKERS_AWAY
    if waiting and not working and not was_away:
        key = f"workers-away.{last.id if last else 0}"
        write(key, NoticeKind.WORKERS_AWAY, None, None, {"waiting": waiting}, now, Channel.CHAT, due_at=now + GRACE)
        yield NoticeKind.WORKERS_AWAY
    elif last is not None and was_away and working and not _withdrawn(last):
        write(f"workers-back.{last.id}", NoticeKind.WORKERS_BACK, None, None, {}, now, Channel.CHAT)
        yield NoticeKind.WORKERS_BACK
    db.session.commit()


def _withdrawn(notice: Notice) -> bool:
    """Delete the notice if it has not been sent: a sweep often runs in the very second in which a job waits."""
    unsent = (Notice.id == notice.id, Notice.state == Delivery.DUE, Notice.tries == 0)
    return changed_rows(delete(Notice).where(*unsent)) == 1


def _waiting(now: datetime) -> int:
    """Count the jobs that a worker could take."""
    return db.session.scalar(select(func.count()).select_from(ScrapingJob).where(*ScrapingJob.claimable(now))) or 0


# ── sources ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _sources(now: datetime) -> Iterator[str]:
    """Announce a source as back when a file that was begun after its stop is complete."""
    last = select(func.max(Notice.id)).where(Notice.channel == Channel.CHAT, Notice.kind == NoticeKind.SOURCE_STOPPED)
    for notice_id in db.session.scalars(last.group_by(_source_of())).all():
        stopped = db.session.get_one(Notice, notice_id)
        source = str(stopped.facts["source"])
        announced = _latest_first(NoticeKind.SOURCE_BACK).where(Notice.id > notice_id, _source_of() == source)
        if db.session.scalar(announced.limit(1)) is None and _completed_since(source, stopped.created_at):
            announce_source(NoticeKind.SOURCE_BACK, source_facts(source, str(stopped.facts["cause_code"])), now)
            yield NoticeKind.SOURCE_BACK
    db.session.commit()


def _completed_since(source: str, since: datetime) -> bool:
    completed = (
        select(Attempt.job_id)
        .join(ScrapingJob, ScrapingJob.id == Attempt.job_id)
        .where(ScrapingJob.source == source, ScrapingJob.updated_at >= since)
        .where(Attempt.started_at > since, Attempt.end == AttemptEnd.COMPLETED)
    )
    return db.session.scalar(completed.limit(1)) is not None


# ── earlier notices ─────────────────────────────────────────────────────────────────────────────────────────────────


def _latest_first(*kinds: NoticeKind) -> Select[Any]:
    """Select the chat notices of these kinds, the latest first."""
    notices = select(Notice).where(Notice.channel == Channel.CHAT, Notice.kind.in_(kinds))
    return notices.order_by(Notice.id.desc()).execution_options(populate_existing=True)


def _source_of() -> ColumnElement[str]:
    return Notice.facts["source"].as_string()
