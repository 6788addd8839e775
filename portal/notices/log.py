"""The log of what was told: read for the pages, and sent again by hand. It decides nothing about who may see it."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import func, select, update

from portal.accounts import User
from portal.database import among, changed_rows, db
from portal.notices.models import Delivery, Notice

PAGE = 50
AGAIN = (Delivery.SENT, Delivery.DEAD)


class LoggedNotice(NamedTuple):
    """One notice, and the address of whom it is for; empty for a room."""

    notice: Notice
    email: str | None


class NoticeLog(NamedTuple):
    """Some of the log, the newest first. `before` is the id to go on from, or nothing."""

    rows: list[LoggedNotice]
    before: int | None


def log_of_all(state: str = "", before: int = 0) -> NoticeLog:
    """What was told to everybody, or what stands so."""
    found = select(Notice, User.email).outerjoin(User, User.id == Notice.user_id).order_by(Notice.id.desc())
    if state in tuple(Delivery):
        found = found.where(among(Notice.state, (Delivery(state),)))
    if before:
        found = found.where(Notice.id < before)
    rows = [LoggedNotice(*row) for row in db.session.execute(found.limit(PAGE + 1))]
    return NoticeLog(rows[:PAGE], rows[PAGE - 1].notice.id if len(rows) > PAGE else None)


def given_up() -> int:
    """How many notices could not be delivered and wait for an admin's look."""
    return db.session.scalar(select(func.count()).where(among(Notice.state, (Delivery.DEAD,)))) or 0


def find_notice(notice_id: int) -> LoggedNotice | None:
    """One of them."""
    found = select(Notice, User.email).outerjoin(User, User.id == Notice.user_id).where(Notice.id == notice_id)
    row = db.session.execute(found).one_or_none()
    return LoggedNotice(*row) if row else None


def send_again(notice_id: int, now: datetime) -> bool:
    """Let a notice that went out, or was given up, go out once more under the same Message-ID. False: it is on its way
    already, or stands in a digest. Commits."""
    mine = (Notice.id == notice_id, among(Notice.state, AGAIN))
    again = changed_rows(update(Notice).where(*mine).values(state=Delivery.DUE, due_at=now)) == 1
    db.session.commit()
    return again
