"""Builds the e-mail for a notice: text and HTML, in the recipient's language and time zone.

Its links only open pages, because mail scanners follow every link. This module sends nothing.
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
from portal.notices.email.about_admin import mail_test, source_stopped, webhook_off
from portal.notices.email.about_job import job_completed, job_failed, job_fixed
from portal.notices.email.about_many import daily_summary, failed_digest, good_digest
from portal.notices.email.about_money import money_low
from portal.notices.email.about_password import account_changed, invite, password_reset
from portal.notices.email.content import EmailContent
from portal.notices.kinds import NoticeKind, rule_of
from portal.notices.models import Channel, Notice
from portal.notices.recipient import Recipient, recipient_of
from portal.notices.unsubscribe import unsubscribe_address

# The writer for each kind: takes the notice, its recipient and the portal's address. A kind that is missing here has no
# e-mail.
Writer = Callable[[Notice, Recipient, str], EmailContent]
WRITERS: dict[NoticeKind, Writer] = {
    NoticeKind.JOB_FAILED: job_failed,
    NoticeKind.JOB_FIXED: job_fixed,
    NoticeKind.JOB_COMPLETED: job_completed,
    NoticeKind.FAILED_DIGEST: failed_digest,
    NoticeKind.GOOD_DIGEST: good_digest,
    NoticeKind.SOURCE_STOPPED: source_stopped,
    NoticeKind.MONEY_LOW: money_low,
    NoticeKind.DAILY_SUMMARY: daily_summary,
    NoticeKind.WEBHOOK_OFF: webhook_off,
    NoticeKind.MAIL_TEST: mail_test,
    NoticeKind.PASSWORD_RESET: password_reset,
    NoticeKind.INVITE: invite,
    NoticeKind.ACCOUNT_CHANGED: account_changed,
}


class Email(Message):
    """A Flask-Mail message built with the standard library's policy for headers and parts: it refuses a header with a
    line break, folds long headers, and keeps lines short for servers that accept only seven bits."""

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


def build_email(notice: Notice, user: User, now: datetime, *, for_admins: bool = False) -> Email:
    """The e-mail to send, with the same content and Message-ID at every try. `for_admins`: without the unsubscribe
    link, which works for anyone who has it."""
    home = current_app.config["PUBLIC_URL"]
    unsubscribe = "" if for_admins else unsubscribe_address(notice.kind, user.id)
    content, text, html = _render(notice, recipient_of(user), home, unsubscribe)
    email = Email(subject=content.subject, recipients=[user.email], body=text, html=html)
    email.sent_at = now
    email.msgId = f"<{notice.dedupe}@{urlsplit(home).hostname}>"
    headers = {"Auto-Submitted": "auto-generated"}
    if unsubscribe:
        headers |= {"List-Unsubscribe": f"<{unsubscribe}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
    email.extra_headers = headers
    return email


def shown_to_admins(notice: Notice) -> Email | None:
    """The e-mail as it was sent, or would be sent now, without the recipient's unsubscribe link. None for a notice on
    another channel, and for a private one."""
    user = db.session.get(User, notice.user_id) if notice.user_id else None
    if notice.channel != Channel.MAIL or user is None or notice.kind not in WRITERS or rule_of(notice.kind).private:
        return None
    return build_email(notice, user, notice.sent_at or notice.created_at, for_admins=True)


def _render(notice: Notice, recipient: Recipient, home: str, unsubscribe: str) -> tuple[EmailContent, str, str]:
    """The content, and the same as text and as HTML. Raises KeyError for a kind that has no e-mail."""
    write = WRITERS[notice.kind]
    with force_locale(recipient.locale):
        content = write(notice, recipient, home)
        parts = [
            # Not render_template: its context (theme, person, token) needs a request, and there is none here.
            current_app.jinja_env.get_template(f"emails/email.{ending}").render(
                content=content, locale=recipient.locale, home=home, unsubscribe=unsubscribe
            )
            for ending in ("txt", "html")
        ]
    return content, parts[0], parts[1]
