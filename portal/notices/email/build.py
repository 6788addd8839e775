"""A notice as a letter: text and HTML, in its reader's language and time zone.

Links in it only open pages: mail scanners follow links, so none of them does anything by itself. It sends nothing.
"""

from collections.abc import Callable
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, getaddresses
from urllib.parse import urlsplit

from flask import current_app
from flask_babel import force_locale
from flask_mail import Message

from portal.accounts import User
from portal.database import db
from portal.notices.email.about_admin import source_stopped, webhook_off
from portal.notices.email.about_job import job_completed, job_failed, job_fixed
from portal.notices.email.about_many import daily_summary, failed_digest, good_digest
from portal.notices.email.about_password import invite, password_reset
from portal.notices.email.content import EmailContent
from portal.notices.kinds import NoticeKind, rule_of
from portal.notices.models import Channel, Notice
from portal.notices.recipient import Recipient, reader_of
from portal.notices.unsubscribe import unsubscribe_address

# What writes the e-mail of each kind, from the notice, its recipient and the portal's own address. A kind that is not
# here is for other channels only.
Writer = Callable[[Notice, Recipient, str], EmailContent]
WRITERS: dict[NoticeKind, Writer] = {
    NoticeKind.JOB_FAILED: job_failed,
    NoticeKind.JOB_FIXED: job_fixed,
    NoticeKind.JOB_COMPLETED: job_completed,
    NoticeKind.FAILED_DIGEST: failed_digest,
    NoticeKind.GOOD_DIGEST: good_digest,
    NoticeKind.SOURCE_STOPPED: source_stopped,
    NoticeKind.DAILY_SUMMARY: daily_summary,
    NoticeKind.WEBHOOK_OFF: webhook_off,
    NoticeKind.PASSWORD_RESET: password_reset,
    NoticeKind.INVITE: invite,
}


class Email(Message):
    """A message of Flask-Mail, built by the standard library's own rules for headers and parts: it refuses a header
    with a line break, folds long ones, and keeps lines short for servers that take seven bits only."""

    sent_at: datetime

    def _message(self) -> EmailMessage:  # type: ignore[override]
        message = EmailMessage(policy=SMTP)
        message["Subject"] = self.subject
        message["From"] = _addresses(str(self.sender))
        message["To"] = _addresses(*map(str, self.recipients))
        message["Date"] = format_datetime(self.sent_at)
        message["Message-ID"] = self.msgId
        for name, value in (self.extra_headers or {}).items():
            message[name] = value
        message.set_content(self.body or "", cte="quoted-printable")
        if self.html:
            message.add_alternative(self.html, subtype="html", cte="quoted-printable")
        return message


def _addresses(*texts: str) -> list[Address]:
    return [Address(display_name=name, addr_spec=address) for name, address in getaddresses(texts)]


def letter(notice: Notice, user: User, now: datetime, *, for_admins: bool = False) -> Email:
    """The letter to send. What it says is the same at every try, and so is its Message-ID. `for_admins`: without the
    address that stops such letters, as it works for whoever has it."""
    home = current_app.config["PUBLIC_URL"]
    stop = "" if for_admins else unsubscribe_address(notice.kind, user.id)
    said, text, html = _written(notice, reader_of(user), home, stop)
    written = Email(subject=said.subject, recipients=[user.email], body=text, html=html)
    written.sent_at = now
    written.msgId = f"<{notice.dedupe}@{urlsplit(home).hostname}>"
    headers = {"Auto-Submitted": "auto-generated"}
    if stop:
        headers |= {"List-Unsubscribe": f"<{stop}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
    written.extra_headers = headers
    return written


def shown_to_admins(notice: Notice) -> Email | None:
    """The e-mail as it was sent, or would be sent now, but for its recipient's own link to unsubscribe. None for a
    notice of another channel, and for one whose text is for its recipient alone."""
    user = db.session.get(User, notice.user_id) if notice.user_id else None
    if notice.channel != Channel.MAIL or user is None or notice.kind not in WRITERS or rule_of(notice.kind).private:
        return None
    return letter(notice, user, notice.sent_at or notice.created_at, for_admins=True)


def _written(notice: Notice, reader: Recipient, home: str, stop: str) -> tuple[EmailContent, str, str]:
    """What is said, as text and as HTML. Raises KeyError for a kind that no e-mail is written of."""
    write = WRITERS[notice.kind]
    with force_locale(reader.locale):
        said = write(notice, reader, home)
        parts = [
            # Not render_template: what every page gets (theme, person, token) belongs to a request, and there is none.
            current_app.jinja_env.get_template(f"emails/letter.{ending}").render(
                said=said, locale=reader.locale, home=home, stop=stop
            )
            for ending in ("txt", "html")
        ]
    return said, parts[0], parts[1]
