"""Send an e-mail through the mail server within time limits, and check the mail settings.

Flask-Mail's own connection has no time limit, accepts any certificate, and reports a failed QUIT as a failed delivery.
Once the server has accepted the message, no error may be raised.
"""

import re
import select
import smtplib
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from email.utils import make_msgid
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from flask import current_app
from flask_babel import gettext
from flask_mail import Connection

from portal.notices.email.build import Email
from portal.notices.errors import DeliveryFailed

TALK_SECONDS = 20.0  # for one answer of the server
WHOLE_SECONDS = 30.0  # for everything; well below outbox.RETRY_SECONDS, when the notice is taken again
ANSWER_SECONDS = 600.0  # for the answer to the whole message, where somebody can wait: RFC 5321, 4.5.3.2.6
CLOSING = 421  # the server says that it is closing down
NO_SUCH_ADDRESS = (550, 551, 553, 556)
NO_ANSWER = "no answer after the whole message; it may have arrived"


class NoAnswer(OSError):
    """The message was handed over and its answer did not come in time."""


class AddressRejected(DeliveryFailed):
    """The mail server says that the recipient's address does not exist."""


class Patience:
    """How long to wait for the answer to the whole message. Some servers scan it for minutes, and accept it then; to
    hang up and try again gives the recipient a copy each time (RFC 1047).

    `on_slow` is called once, before a long wait: whoever else would take the notice again has to be told.
    """

    def __init__(self, seconds: float = 0.0, on_slow: Callable[[], None] = lambda: None) -> None:
        self.seconds = seconds
        self.on_slow = on_slow


class _PatientSmtp(smtplib.SMTP):
    """smtplib's client, which waits for the answer to the whole message as `patience` says."""

    patience = Patience()
    limit: "_Limit | None" = None

    def data(self, msg: Any) -> tuple[int, bytes]:
        """Send the message, as smtplib does. Raises NoAnswer when it was sent and no answer came."""
        self.putcmd("data")
        code, answer = self.getreply()
        if code != 354:
            raise smtplib.SMTPDataError(code, answer)
        text = smtplib._fix_eols(msg).encode("ascii") if isinstance(msg, str) else msg  # type: ignore[attr-defined]
        quoted = smtplib._quote_periods(text)  # type: ignore[attr-defined]
        self.send(quoted + (b".\r\n" if quoted.endswith(b"\r\n") else b"\r\n.\r\n"))
        if not self._answered_within(TALK_SECONDS):
            if not self.patience.seconds:
                self.close()
                raise NoAnswer(NO_ANSWER)
            self.patience.on_slow()
            if self.limit is not None:
                self.limit.restart(self.patience.seconds)
            if not self._answered_within(self.patience.seconds):
                self.close()
                raise NoAnswer(NO_ANSWER)
        return self.getreply()

    def _answered_within(self, seconds: float) -> bool:
        return self.sock is not None and bool(select.select([self.sock], [], [], seconds)[0])


class _PatientSmtpSsl(smtplib.SMTP_SSL, _PatientSmtp):
    """The same over TLS from the start."""


class SmtpConnection(Connection):
    """One SMTP connection to the mail server in the settings."""

    def configure_host(self) -> smtplib.SMTP | smtplib.SMTP_SSL:
        """Connect, encrypt and log in with the settings. Raises OSError; SMTP errors are OSErrors too."""
        box, context = self.mail, _context()
        host: smtplib.SMTP | smtplib.SMTP_SSL
        if box.use_ssl:
            host = _PatientSmtpSsl(box.server, box.port, timeout=TALK_SECONDS, context=context)
        else:
            host = _PatientSmtp(box.server, box.port, timeout=TALK_SECONDS)
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


def send(email: Email, patience: Patience | None = None) -> str:
    """Send the e-mail; returns the server's answer. Raises DeliveryFailed: `down` if the server failed rather than this
    e-mail, `unsure` if only its answer is missing. Raises AddressRejected if there is no such address."""
    connected = False
    try:
        with SmtpConnection(current_app.extensions["mail"]) as smtp, _Limit(WHOLE_SECONDS, smtp.host) as limit:
            connected = True
            if isinstance(smtp.host, _PatientSmtp):
                smtp.host.limit, smtp.host.patience = limit, patience or Patience()
            smtp.send(email)
    except NoAnswer as error:
        raise DeliveryFailed(NO_ANSWER, down=True, unsure=True) from error
    except smtplib.SMTPRecipientsRefused as error:
        if _is_no_address(error):
            raise AddressRejected(answer_of(error), final=True) from error
        raise DeliveryFailed(answer_of(error), down=_code(error) == CLOSING) from error
    except smtplib.SMTPResponseException as error:
        raise DeliveryFailed(answer_of(error), down=not connected or _code(error) == CLOSING) from error
    except OSError as error:
        raise DeliveryFailed(answer_of(error), down=True) from error
    return "250"


class _Limit:
    """Closes the connection from another thread when the whole exchange takes too long. A server that sends a byte now
    and then would never exceed the limit for a single answer."""

    def __init__(self, seconds: float, host: smtplib.SMTP | None) -> None:
        self._host = host
        self._seconds = seconds
        self._timer: threading.Timer | None = None

    def __enter__(self) -> Self:
        self.restart(self._seconds)
        return self

    def __exit__(self, *raised: object) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def restart(self, seconds: float) -> None:
        """Count from now on, up to so many seconds."""
        self.__exit__()
        self._timer = threading.Timer(seconds, self._close)
        self._timer.daemon = True
        self._timer.start()

    def _close(self) -> None:
        with suppress(OSError):
            if self._host is not None and self._host.sock is not None:
                self._host.sock.shutdown(socket.SHUT_RDWR)


def _is_no_address(error: smtplib.SMTPRecipientsRefused) -> bool:
    """Return whether the answer is about the address. 5.7.1 and its kind are about us: a relay that is not allowed, a
    list of blocked senders; and a full mailbox is emptied one day."""
    for code, text in error.recipients.values():
        line = text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
        status = re.match(r"5\.\d{1,3}\.\d{1,3}", line)
        if int(code) not in NO_SUCH_ADDRESS or (status and not status[0].startswith(("5.1.", "5.2.1"))):
            return False
    return True


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
