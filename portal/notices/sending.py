"""Sending what is to be told, by mail: taken, sent, noted, each committed by itself.

No mail server sends exactly once. A notice is taken before it is sent and taken again when its sender is not heard
of, so that none is lost; one that died in the millisecond between the server's yes and our note is sent twice, with
the same Message-ID.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

import structlog
from sqlalchemy import select, update

from portal.accounts import User
from portal.database import among, changed_rows, db
from portal.notices import mail
from portal.notices.models import Delivery, Notice

log = structlog.get_logger(__name__)

BATCH = 50
AGAIN_SECONDS = 120  # a taken notice whose sender was not heard of; longer than the mail server may take
MAX_TRIES = 30  # with growing waits, a day of a dead mail server


def send_due(now: datetime) -> Iterator[Notice]:
    """Send what is due, and give each that went out."""
    due = (
        select(Notice.id, Notice.tries)
        .where(among(Notice.state, (Delivery.DUE, Delivery.SENDING)), Notice.due_at <= now)
        .order_by(Notice.due_at)
        .limit(BATCH)
    )
    taken = db.session.execute(due).all()
    db.session.commit()
    for notice_id, tries in taken:
        if _take(notice_id, tries, now) and (notice := _send(notice_id, now)):
            yield notice


def _take(notice_id: int, seen_tries: int, now: datetime) -> bool:
    """Take a notice for ourselves; somebody who looked at the same time finds another count of tries."""
    statement = (
        update(Notice)
        .where(Notice.id == notice_id, Notice.tries == seen_tries, Notice.due_at <= now)
        .values(state=Delivery.SENDING, tries=seen_tries + 1, due_at=now + timedelta(seconds=AGAIN_SECONDS))
    )
    taken = changed_rows(statement) == 1
    db.session.commit()
    return taken


def _send(notice_id: int, now: datetime) -> Notice | None:
    notice = db.session.get_one(Notice, notice_id, populate_existing=True)
    user = db.session.get_one(User, notice.user_id)
    try:
        letter = mail.letter(notice, user)
        db.session.commit()  # nothing stays open while the mail server takes its time
        mail.deliver(letter)
    except Exception as error:  # whatever it is, a letter that cannot be sent must not keep the others from going out
        db.session.rollback()
        log.warning("mail not sent", notice=notice_id, exc_info=not isinstance(error, OSError), error=str(error))
        given_up = notice.tries >= MAX_TRIES
        notice.last_error = str(error)[:500]
        notice.state = Delivery.DEAD if given_up else Delivery.DUE
        notice.due_at = now + timedelta(seconds=AGAIN_SECONDS * min(notice.tries, 15))
        db.session.commit()
        return None
    notice.state, notice.sent_at, notice.last_error = Delivery.SENT, now, None
    db.session.commit()
    return notice
