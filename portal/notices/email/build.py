"""A notice as a letter: text and HTML, in its reader's language and time zone.

Links in it only open pages: mail scanners follow links, so none of them does anything by itself. It sends nothing.
"""

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
from portal.notices.email.content import EmailContent
from portal.notices.kinds import kind_of
from portal.notices.models import Notice
from portal.notices.recipient import Recipient, reader_of
from portal.notices.unsubscribe import unsubscribe_address


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


def _written(notice: Notice, reader: Recipient, home: str, stop: str) -> tuple[EmailContent, str, str]:
    """What is said, as text and as HTML. Raises KeyError for a kind that no letter is written of."""
    say = kind_of(notice.kind).say
    if say is None:
        raise KeyError(notice.kind)
    with force_locale(reader.locale):
        said = say(notice, reader, home)
        parts = [
            # Not render_template: what every page gets (theme, person, token) belongs to a request, and there is none.
            current_app.jinja_env.get_template(f"emails/letter.{ending}").render(
                said=said, locale=reader.locale, home=home, stop=stop
            )
            for ending in ("txt", "html")
        ]
    return said, parts[0], parts[1]
