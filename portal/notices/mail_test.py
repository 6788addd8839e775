"""A test email that an administrator sends to their own address, to see that the mail server takes it."""

from datetime import datetime

from portal.database import db
from portal.notices.kinds import NoticeKind
from portal.notices.outbox import write


def send_test_email(user_id: int, now: datetime) -> None:
    """Queue a test email to this person; a second one in the same minute is the first. Commits."""
    write(f"{NoticeKind.MAIL_TEST.key}.{user_id}.{now:%Y%m%d%H%M}", NoticeKind.MAIL_TEST, user_id, None, {}, now)
    db.session.commit()
