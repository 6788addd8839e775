"""Delivering an e-mail to the mail server within time limits, and checking that the mail settings work.

Flask-Mail's own connection has no time limit, accepts any certificate, and reports a failed goodbye as a failed
delivery: after the server has accepted the message, nothing may raise.
"""

import smtplib
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from email.utils import make_msgid
from types import TracebackType
from urllib.parse import urlsplit

from flask import current_app
from flask_babel import gettext
from flask_mail import Connection

from portal.notices.email.build import Email
from portal.notices.errors import DeliveryFailed

TALK_SECONDS = 20.0  # for one answer of the server
WHOLE_SECONDS = 30.0  # for everything; well below the time after which a taken letter is taken again
CLOSING = 421  # the server says that it is closing down


class SmtpConnection(Connection):
    """One conversation with the mail server of the settings."""

    def configure_host(self) -> smtplib.SMTP | smtplib.SMTP_SSL:
        """Connect, greet, encrypt and sign in as the settings say. Raises OSError, which SMTP's errors are too."""
        box, context = self.mail, _context()
        host: smtplib.SMTP | smtplib.SMTP_SSL
        if box.use_ssl:
            host = smtplib.SMTP_SSL(box.server, box.port, timeout=TALK_SECONDS, context=context)
        else:
            host = smtplib.SMTP(box.server, box.port, timeout=TALK_SECONDS)
        try:
            if box.use_tls:
                host.starttls(context=context)
            if box.username:
                host.login(box.username, box.password or "")
        except BaseException:
            host.close()
            raise
        return host

    def __exit__(
        self, exc_type: type[BaseException] | None, exc_value: BaseException | None, tb: TracebackType | None
    ) -> None:
        if self.host is None:
            return
        try:
            self.host.quit()
        except OSError:
            self.host.close()


def _context() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=current_app.config["MAIL_CA_FILE"] or None)


def post(letter: Email) -> str:
    """Hand the letter over, and say what the server answered. Raises Undelivered: `down` when it is the server, and
    not this letter, that failed."""
    talking = False
    try:
        with SmtpConnection(current_app.extensions["mail"]) as postbox, _no_longer_than(WHOLE_SECONDS, postbox.host):
            talking = True
            postbox.send(letter)
    except (smtplib.SMTPResponseException, smtplib.SMTPRecipientsRefused) as error:
        raise DeliveryFailed(said(error), down=not talking or _code(error) == CLOSING) from error
    except OSError as error:
        raise DeliveryFailed(said(error), down=True) from error
    return "250"


@contextmanager
def _no_longer_than(seconds: float, host: smtplib.SMTP | None) -> Iterator[None]:
    """Close the connection from outside when all of it takes too long: a server that sends a byte now and then would
    keep each single wait short for ever."""

    def close() -> None:
        with suppress(OSError):
            if host is not None and host.sock is not None:
                host.sock.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, close)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _code(error: OSError) -> int:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return next((int(code) for code, _ in error.recipients.values()), 0)
    return int(getattr(error, "smtp_code", 0))


def said(error: OSError) -> str:
    """The server's answer, or what came instead of one, in one line."""
    answers: list[tuple[int, bytes | str]]
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        answers = [(code, text) for code, text in error.recipients.values()]
    elif isinstance(error, smtplib.SMTPResponseException):
        answers = [(error.smtp_code, error.smtp_error)]
    else:
        return " ".join(str(error).split()) or "no answer"
    texts = (text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text) for _, text in answers)
    return "; ".join(f"{code} {' '.join(text.split())}" for (code, _), text in zip(answers, texts, strict=True))


def greet() -> None:
    """Connect, encrypt and sign in as the settings say, and leave. Raises OSError, as SMTP's errors are."""
    with SmtpConnection(current_app.extensions["mail"]):
        pass


def send_test(address: str, now: datetime) -> str:
    """Send a letter that says that letters arrive; what the server answered. Raises Undelivered."""
    written = Email(
        subject=gettext("Masterfilter: a test"),
        recipients=[address],
        body=gettext("This letter shows that the portal can send e-mails. Nothing else is to be done.") + "\n",
    )
    written.sent_at = now
    written.msgId = make_msgid("doctor", domain=urlsplit(current_app.config["PUBLIC_URL"]).hostname)
    written.extra_headers = {"Auto-Submitted": "auto-generated"}
    return post(written)
