"""Whether the mail settings work: the server is greeted, and a letter is really sent when asked."""

from datetime import datetime
from email.utils import make_msgid
from urllib.parse import urlsplit

from flask import current_app
from flask_babel import gettext

from portal.notices.email.build import Letter
from portal.notices.email.posting import Postbox, post


def greet() -> None:
    """Connect, encrypt and sign in as the settings say, and leave. Raises OSError, as SMTP's errors are."""
    with Postbox(current_app.extensions["mail"]):
        pass


def send_test(address: str, now: datetime) -> str:
    """Send a letter that says that letters arrive; what the server answered. Raises Undelivered."""
    written = Letter(
        subject=gettext("Masterfilter: a test"),
        recipients=[address],
        body=gettext("This letter shows that the portal can send e-mails. Nothing else is to be done.") + "\n",
    )
    written.sent_at = now
    written.msgId = make_msgid("doctor", domain=urlsplit(current_app.config["PUBLIC_URL"]).hostname)
    written.extra_headers = {"Auto-Submitted": "auto-generated"}
    return post(written)
