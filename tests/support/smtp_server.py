"""A real SMTP server that misbehaves on purpose: with TLS and a login, full, refusing, silent, or dying half-way.

What it accepted is in `messages`, whatever it answered. Must not know the portal.
"""

import asyncio
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.support.processes import free_port, missing

USER, PASSWORD = "portal", "opensesame"

# What the server does with the next messages, one word for each; after the last word it accepts all.
TAKE = "take"
HANG = "hang"  # never answers
DIE_BEFORE = "die before"  # closes before accepting it
DIE_UNANSWERED = "die unanswered"  # accepts it, and closes before its 250
SLOW = "slow"  # accepts it, and answers after `slow_seconds`
DIE_AFTER = "die after"  # accepts it, answers 250, and closes before the QUIT


@dataclass
class SmtpServer:
    """The received messages, and what to do with the next ones."""

    port: int
    script: list[str] = field(default_factory=list)  # the words above, or an answer such as "451 4.7.1 Later"
    messages: list[EmailMessage] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    to: list[list[str]] = field(default_factory=list)
    slow_seconds: float = 1.0
    slow_now: int = 0  # messages that it has accepted and not answered yet
    unknown: dict[str, str] = field(default_factory=dict)  # the answer to each address that it does not know
    asked: list[str] = field(default_factory=list)  # the addresses of every RCPT
    secure: list[bool] = field(default_factory=list)  # for each message: whether it came over TLS after a login

    async def handle_RCPT(
        self, server: "_Server", session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        self.asked.append(address)
        if address in self.unknown:
            return self.unknown[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: "_Server", session: Session, envelope: Envelope) -> str:
        act = self.script.pop(0) if self.script else TAKE
        if act == HANG:
            await asyncio.sleep(3600)
        if act == DIE_BEFORE:
            server.transport.abort()
            return "421 gone"
        if act[0].isdigit():
            return act
        content = envelope.content if isinstance(envelope.content, bytes) else b""
        self.raw.append(content)
        self.messages.append(message_from_bytes(content, policy=policy.default))  # type: ignore[arg-type]
        self.to.append(list(envelope.rcpt_tos))
        over_tls = server.transport.get_extra_info("ssl_object") is not None
        self.secure.append(over_tls and bool(session.authenticated))
        if act == SLOW:
            self.slow_now += 1
            await asyncio.sleep(self.slow_seconds)
            self.slow_now -= 1
        if act == DIE_UNANSWERED:
            server.transport.abort()
        server.dies_after = act == DIE_AFTER
        return "250 OK, taken"


class _Server(SMTP):
    dies_after = False

    async def push(self, status: Any) -> None:
        await super().push(status)
        if self.dies_after:
            self.transport.close()


class _Controller(Controller):
    def factory(self) -> SMTP:
        return _Server(self.handler, **self.SMTP_kwargs)


def _authenticate(server: Any, session: Any, envelope: Any, mechanism: str, login: Any) -> AuthResult:
    right = isinstance(login, LoginPassword) and login == LoginPassword(USER.encode(), PASSWORD.encode())
    return AuthResult(success=right, handled=right)


def certificate(folder: Path) -> tuple[Path, Path]:
    """A new certificate for 127.0.0.1 and its key, which no program trusts unless configured to."""
    folder.mkdir(parents=True, exist_ok=True)
    cert, key = folder / "cert.pem", folder / "key.pem"
    command = [
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
        "-keyout", str(key), "-out", str(cert), "-days", "2", "-subj", "/CN=127.0.0.1",
        "-addext", "subjectAltName=IP:127.0.0.1",
    ]  # fmt: skip
    try:
        subprocess.run(command, check=True, capture_output=True)
    except FileNotFoundError:
        missing("openssl")
    return cert, key


@contextmanager
def smtp_server(certified: tuple[Path, Path] | None = None, *, implicit: bool = False) -> Iterator[SmtpServer]:
    """A server on a free port of 127.0.0.1. With a certificate it requires TLS, by STARTTLS or from the start, and a
    login of USER and PASSWORD."""
    mail_server = SmtpServer(free_port())
    wants: dict[str, Any] = {}
    if certified:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*certified)
        if implicit:  # aiosmtpd does not notice that the connection is already TLS
            wants = {"authenticator": _authenticate, "ssl_context": context, "auth_require_tls": False}
        else:
            wants = {"authenticator": _authenticate, "auth_required": True, "tls_context": context,
                     "require_starttls": True}  # fmt: skip
    server = _Controller(mail_server, hostname="127.0.0.1", port=mail_server.port, ready_timeout=10, **wants)
    if implicit:
        # Its own way of waking the server speaks SMTP, and does not trust our certificate.
        server._trigger_server = lambda: socket.create_connection(("127.0.0.1", mail_server.port), 5).close()  # type: ignore[method-assign]
    server.start()
    try:
        yield mail_server
    finally:
        server.stop()
