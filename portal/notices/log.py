"""The delivery log: read it for the pages, and resend a notice. Who may see it is decided elsewhere."""

from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import func, select, update

from portal import audit
from portal.accounts import User
from portal.database import allow_writing, among, changed_rows, db
from portal.notices import mail_refusals
from portal.notices.models import Channel, Delivery, Notice

PAGE = 50
READING = timedelta(minutes=5)
AGAIN = (Delivery.SENT, Delivery.DEAD)


class LoggedNotice(NamedTuple):
    """A notice and its recipient's email address; None for the admins' chats."""

    notice: Notice
    email: str | None


class NoticeLog(NamedTuple):
    """One page of the log, newest first. `before`: the id that the next page starts from, or None."""

    rows: list[LoggedNotice]
    before: int | None


def log_of_all(state: str = "", before: int = 0) -> NoticeLog:
    """Everybody's notices, or only those with this delivery status."""
    found = select(Notice, User.email).outerjoin(User, User.id == Notice.user_id).order_by(Notice.id.desc())
    if state in tuple(Delivery):
        found = found.where(among(Notice.state, (Delivery(state),)))
    if before:
        found = found.where(Notice.id < before)
    rows = [LoggedNotice(*row) for row in db.session.execute(found.limit(PAGE + 1))]
    return NoticeLog(rows[:PAGE], rows[PAGE - 1].notice.id if len(rows) > PAGE else None)


def undelivered_count() -> int:
    """How many notices failed for good and need an admin's attention."""
    return db.session.scalar(select(func.count()).where(among(Notice.state, (Delivery.DEAD,)))) or 0


def find_notice(notice_id: int) -> LoggedNotice | None:
    """A notice by its id."""
    found = select(Notice, User.email).outerjoin(User, User.id == Notice.user_id).where(Notice.id == notice_id)
    row = db.session.execute(found).one_or_none()
    return LoggedNotice(*row) if row else None


def note_read(found: LoggedNotice, actor: str, now: datetime) -> None:
    """Put into the audit that an admin read somebody else's e-mail: once for its page and its frame, which otherwise
    only read. Commits."""
    if found.email in (None, actor):
        return
    notice_id = found.notice.id
    with allow_writing():
        if not audit.has_noted(actor, "notice_read", "notice", notice_id, now - READING):
            audit.note(actor, "notice_read", "notice", notice_id, None, now, owner=found.email)
        db.session.commit()


def send_again(notice_id: int, actor: str, now: datetime) -> bool:
    """Resend a notice that was sent or failed, with the same Message-ID. False: it is already being sent, or is part of
    a digest. Goes to the audit. Commits."""
    mine = (Notice.id == notice_id, among(Notice.state, AGAIN))
    again = changed_rows(update(Notice).where(*mine).values(state=Delivery.DUE, due_at=now)) == 1
    if again:
        audit.note(actor, "notice_resent", "notice", notice_id, None, now)
        if address := _email_address(notice_id):
            mail_refusals.forget(address)  # the admin has seen the mail server's answer
    db.session.commit()
    return again


def _email_address(notice_id: int) -> str | None:
    """Return the address that an e-mail goes to; None for another channel."""
    to = select(User.email).join(Notice, Notice.user_id == User.id)
    return db.session.scalar(to.where(Notice.id == notice_id, Notice.channel == Channel.MAIL))
