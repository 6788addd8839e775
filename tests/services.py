"""Real servers for tests: Valkey, PostgreSQL, an SMTP server and a browser. Each stops by itself, by its pid.

A server dies with the test run that started it, even when that run is killed. What the machine does not have makes
the test skip with a loud sentence, or fail where CI=true. It must not know the portal's tables or pages.
"""

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope
from redis import Redis
from redis.exceptions import RedisError

from portal.runner.valkey import server_binary
from tests.support.chromium import chromium_path
from tests.support.postgresql import new_database, postgres, postgres_programs, postgres_server
from tests.support.processes import dies_with_us, free_port, missing, short_folder, stop, wait_until

__all__ = [
    "Mailbox",
    "ValkeyServer",
    "chromium_path",
    "dies_with_us",
    "free_port",
    "missing",
    "new_database",
    "postgres",
    "postgres_programs",
    "postgres_server",
    "short_folder",
    "smtp",
    "stop",
    "valkey",
    "valkey_server",
    "wait_until",
]


@dataclass
class ValkeyServer:
    """A real server on a socket in `folder`, which keeps nothing on disk. It can be killed and started again."""

    folder: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"unix://{self.folder / 'valkey.sock'}"

    def start(self) -> None:
        options = [
            "--port",
            "0",
            "--save",
            "",
            "--appendonly",
            "no",
            "--dir",
            str(self.folder),
            "--loglevel",
            "warning",
        ]
        with (self.folder / "valkey.log").open("ab") as log:
            self.process = subprocess.Popen(
                [str(server_binary()), "--unixsocket", str(self.folder / "valkey.sock"), *options],
                stdout=log,
                stderr=log,
                preexec_fn=dies_with_us(signal.SIGKILL),
            )
        wait_until(self.answers, what="Valkey answers")

    def answers(self) -> bool:
        try:
            with Redis.from_url(self.url, socket_timeout=1) as client:
                return bool(client.ping())
        except RedisError:
            return False

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self.process is not None:
            stop(self.process, how)
            self.process = None


@contextmanager
def valkey_server() -> Iterator[ValkeyServer]:
    """A running Valkey that the test may stop, kill and start again."""
    with short_folder() as folder:
        server = ValkeyServer(folder)
        server.start()
        try:
            yield server
        finally:
            server.stop()


@contextmanager
def valkey(folder: Path | None = None) -> Iterator[str]:
    """The REDIS_URL of a real, empty Valkey. `folder` is not needed: a socket's path must be short."""
    with valkey_server() as server:
        yield server.url


@dataclass
class Mailbox:
    """Where the mails went that were sent to `host`:`port`. `to` is whom the envelope named, not the header."""

    host: str
    port: int
    messages: list[EmailMessage] = field(default_factory=list)
    to: list[list[str]] = field(default_factory=list)

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:
        content = envelope.content if isinstance(envelope.content, bytes) else b""
        self.messages.append(message_from_bytes(content, policy=policy.default))  # type: ignore[arg-type]
        self.to.append(list(envelope.rcpt_tos))
        return "250 OK"


def _anybody(*_: Any) -> AuthResult:
    return AuthResult(success=True)


@contextmanager
def smtp() -> Iterator[Mailbox]:
    """A real SMTP server on a free port of 127.0.0.1, that keeps what it is sent. Any name and password will do."""
    box = Mailbox("127.0.0.1", free_port())
    server = Controller(
        box, hostname=box.host, port=box.port, authenticator=_anybody, auth_require_tls=False, ready_timeout=10
    )
    server.start()
    try:
        yield box
    finally:
        server.stop()
