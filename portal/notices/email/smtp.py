"""Send an e-mail through the mail server within time limits, and check the mail settings.

Flask-Mail's own connection has no time limit, accepts any certificate, and reports a failed QUIT as a failed delivery.
Once the server has accepted the message, no error may be raised.
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
WHOLE_SECONDS = 30.0  # for everything; well below outbox.RETRY_SECONDS, when the notice is taken again
CLOSING = 421  # the server says that it is closing down


class SmtpConnection(Connection):
    """One SMTP connection to the mail server in the settings."""

    def configure_host(self) -> smtplib.SMTP | smtplib.SMTP_SSL:
        """Connect, encrypt and log in with the settings. Raises OSError; SMTP errors are OSErrors too."""
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


def send(email: Email) -> str:
    """Send the e-mail; returns the server's answer. Raises DeliveryFailed: `down` if the server failed rather than this
    e-mail."""
    connected = False
    try:
        with SmtpConnection(current_app.extensions["mail"]) as smtp, _no_longer_than(WHOLE_SECONDS, smtp.host):
            connected = True
            smtp.send(email)
    except (smtplib.SMTPResponseException, smtplib.SMTPRecipientsRefused) as error:
        raise DeliveryFailed(answer_of(error), down=not connected or _code(error) == CLOSING) from error
    except OSError as error:
        raise DeliveryFailed(answer_of(error), down=True) from error
    return "250"


@contextmanager
def _no_longer_than(seconds: float, host: smtplib.SMTP | None) -> Iterator[None]:
    """Close the connection from another thread when the whole exchange takes too long. A server that sends a byte now
    and then would never exceed the limit for a single answer."""

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


def answer_of(error: OSError) -> str:
    """The server's answer in one line, or the error if there was no answer."""
    answers: list[tuple[int, bytes | str]]
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        answers = [(code, text) for code, text in error.recipients.values()]
    elif isinstance(error, smtplib.SMTPResponseException):
        answers = [(error.smtp_code, error.smtp_error)]
    else:
        return " ".join(str(error).split()) or "no answer"
    texts = (text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text) for _, text in answers)
    return "; ".join(f"{code} {' '.join(text.split())}" for (code, _), text in zip(answers, texts, strict=True))


def check_login() -> None:
    """Connect, encrypt, log in and disconnect. Raises OSError; SMTP errors are OSErrors too."""
    with SmtpConnection(current_app.extensions["mail"]):
        pass


def send_test(address: str, now: datetime) -> str:
    """Send a test e-mail; returns the server's answer. Raises DeliveryFailed."""
    email = Email(
        subject=gettext("Masterfilter test email"),
        recipients=[address],
        body=gettext("This is a test. Masterfilter can send emails. You do not need to do anything.") + "\n",
    )
    email.sent_at = now
    email.msgId = make_msgid("doctor", domain=urlsplit(current_app.config["PUBLIC_URL"]).hostname)
    email.extra_headers = {"Auto-Submitted": "auto-generated"}
    return send(email)
