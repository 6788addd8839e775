"""How much each person may use: rows per file and files per day, the portal's defaults or their own set by an admin.

A file counts on the day on which it was started, by its owner's clock, and still counts when it is deleted. A retry
does not count as a new file. An upload that was not started counts on the day of its upload, until it is removed.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from flask import current_app
from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from portal.accounts import User
from portal.database import db, reading
from portal.documents.models import Document, Reading
from portal.jobs.models import ScrapingJob

COUNTED = 1000  # files of one person; a list shows more as "1000+"


class Quota(NamedTuple):
    """What one person may use. `per_day` is None when there is no limit."""

    rows: int
    per_day: int | None
    spent: bool  # today's files are used up


def quota_of(user_id: int, now: datetime, *, lock: bool = False) -> Quota:
    """Return what this person may use now. With `lock`, nobody else can start a file of theirs before the transaction
    ends; on SQLite a transaction that may write is alone from its first statement anyway."""
    query = select(User.max_rows, User.files_per_day, User.time_zone).where(User.id == user_id)
    if lock:
        # With key_share, other transactions can still write rows that refer to the person.
        locked = query.with_for_update(key_share=True)
        return _quota(db.session(), locked, user_id, now)
    with reading() as session:
        return _quota(session, query, user_id, now)


def _quota(session: Session, query: Select[*tuple[Any, ...]], user_id: int, now: datetime) -> Quota:
    max_rows, per_day, zone = session.execute(query).one()
    day_start = _midnight(now, zone or current_app.config["DEFAULT_TIME_ZONE"])
    spent = per_day is not None and _started_since(session, user_id, per_day, day_start)
    return Quota(max_rows or current_app.config["MAX_ROWS"], per_day, spent)


def uploads_spent(user_id: int, now: datetime) -> bool:
    """Return whether the person may upload no more today: each readable upload of today that is still there counts as
    if it were started, and those that could not be read have three times the allowance. Otherwise files that are never
    started would be bounded by nothing."""
    quota = quota_of(user_id, now)
    if quota.spent or quota.per_day is None:
        return quota.spent
    with reading() as session:
        zone = session.scalar(select(User.time_zone).where(User.id == user_id))
        since = _midnight(now, zone or current_app.config["DEFAULT_TIME_ZONE"])
        today = (Document.user_id == user_id, Document.created_at >= since, Document.deleted_at.is_(None))
        states = list(session.scalars(select(Document.state).where(*today).limit(3 * quota.per_day)))
    refused = states.count(Reading.REFUSED)
    return len(states) - refused >= quota.per_day or len(states) >= 3 * quota.per_day


def rows_for_document(document_id: int) -> int:
    """Return how many rows the owner's files may have."""
    owners = select(User.max_rows).join(Document, Document.user_id == User.id).where(Document.id == document_id)
    with reading() as session:
        own = session.scalar(owners)
    return own or int(current_app.config["MAX_ROWS"])


def _started_since(session: Session, user_id: int, count: int, since: datetime) -> bool:
    """Whether `count` files were started since then. It reads no more of them than that."""
    # One whose ledger is still being opened has not started.
    mine = (ScrapingJob.user_id == user_id, ScrapingJob.total_numbers > 0)
    newest_first = select(ScrapingJob.created_at).where(*mine).order_by(ScrapingJob.id.desc())
    last_of_them = session.scalar(newest_first.offset(max(0, count - 1)).limit(1))
    return last_of_them is not None and last_of_them >= since


def _midnight(now: datetime, zone: str) -> datetime:
    return now.astimezone(ZoneInfo(zone)).replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)


def files_started(user_ids: Iterable[int]) -> dict[int, int]:
    """Return how many files each of these people ever started, counted up to COUNTED."""
    counted = {}
    for user_id in user_ids:
        some = select(ScrapingJob.id).where(ScrapingJob.user_id == user_id).limit(COUNTED + 1).subquery()
        counted[user_id] = db.session.scalar(select(func.count()).select_from(some)) or 0
    return counted
