"""A letter on its way to the mail server, with spans that end: connecting, talking, and the whole of it.

Flask-Mail's own connection waits for ever, believes any certificate, and lets a failed farewell look like a letter
that was not taken: after the server's yes, nothing may raise.
"""

import smtplib
import ssl
import threading
from types import TracebackType

from flask import current_app
from flask_mail import Connection

from portal.notices.letters import Letter
from portal.notices.undelivered import Undelivered

TALK_SECONDS = 20.0  # for one answer of the server
WHOLE_SECONDS = 60.0  # for everything; well below the time after which a taken letter is taken again


class Postbox(Connection):
    """One conversation with the mail server of the settings. `trusted` is for tests with a certificate of their own."""

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


def post(letter: Letter) -> str:
    """Hand the letter over. Raises Undelivered: `down` when it is the server and not this letter that failed."""
    try:
        postbox = Postbox(current_app.extensions["mail"]).__enter__()
    except OSError as error:
        raise Undelivered(said(error), down=True) from error
    with postbox, _ending(postbox):
        try:
            postbox.send(letter)
        except smtplib.SMTPResponseException as error:
            raise Undelivered(said(error)) from error
        except smtplib.SMTPRecipientsRefused as error:
            raise Undelivered(said(error)) from error
        except OSError as error:
            raise Undelivered(said(error), down=True) from error
    return "250"
