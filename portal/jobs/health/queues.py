"""The length of each queue and the longest wait in it, from the database. The number of messages in Redis is given for
information only: Redis may lose them.
"""

from dataclasses import dataclass
from datetime import datetime

from redis.exceptions import RedisError
from sqlalchemy import func, select

from portal.database import db
from portal.documents.models import Document, Reading
from portal.jobs.core.job_tables import Event, EventKind
from portal.jobs.dispatch import QUEUES, connection, queue
from portal.jobs.models import ScrapingJob

LOOKED_AT = 500  # jobs whose wait is read: those with the lowest ids, which include the longest wait


@dataclass(frozen=True)
class Queue:
    """The work waiting for one kind of worker. `since`: start of the longest wait. `messages`: None without Redis."""

    name: str
    waiting: int
    since: datetime | None
    messages: int | None


def queues(now: datetime) -> list[Queue]:
    """Return the files to be read and the jobs to be looked up that could start now."""
    messages = redis_lengths()
    documents = select(func.count(), func.min(Document.created_at)).where(
        Document.state == Reading.READING, Document.deleted_at.is_(None)
    )
    unread, unread_since = db.session.execute(documents).one()
    return [
        Queue("intake", unread, unread_since, messages.get("intake")),
        Queue("scrape", *_jobs(now), messages.get("scrape")),
    ]


def _jobs(now: datetime) -> tuple[int, datetime | None]:
    ready = ScrapingJob.claimable(now)
    # The start of a job's wait is in its timeline only: `enqueued_at` is renewed with every push.
    last_event = (
        select(Event.at)
        .where(Event.job_id == ScrapingJob.id, Event.kind != EventKind.DOWNLOADED)
        .order_by(Event.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    first = select(last_event.label("since")).where(*ready).order_by(ScrapingJob.id).limit(LOOKED_AT).subquery()
    waiting = db.session.scalar(select(func.count()).select_from(ScrapingJob).where(*ready)) or 0
    return waiting, db.session.scalar(select(func.min(first.c.since))) if waiting else None


def redis_lengths() -> dict[str, int]:
    """Return the number of messages in each queue; empty while Redis is away."""
    try:
        return {name: int(connection().llen(queue(name).key)) for name in QUEUES}
    except (RedisError, OSError):
        return {}
