"""A foreign web server at 127.0.0.1, which accepts POSTs and misbehaves on request.

It keeps what it receives. Its faults end with the test. Must not know what a notice is.
"""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

INSIDE = "http://10.0.0.1/inside"  # a private address for a redirect to lead to


@dataclass(frozen=True)
class Received:
    """One POST. Header names are in small letters."""

    path: str
    headers: dict[str, str]
    body: bytes


class Receiver(ThreadingHTTPServer):
    """`behave` is a status, or one of: hang, drip_headers, drip_body, huge, redirect, reset."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.behave: int | str = 200
        self.more: dict[str, str] = {}  # headers of its answers
        self.says = "thank you"
        self.received: list[Received] = []
        self.written = 0  # bytes that were sent of a huge or dripping answer
        self.closing = threading.Event()

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that went away: many of these faults make them do so."""


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: Receiver

    def log_message(self, *_: Any) -> None:
        """Log nothing."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.received.append(Received(self.path, headers, body))
        behave = self.server.behave
        if isinstance(behave, int):
            self._say(behave)
        else:
            getattr(self, f"_{behave}")()

    def _say(self, status: int) -> None:
        content = self.server.says.encode()
        self.send_response(status)
        for name, value in {**self.server.more, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def _redirect(self) -> None:
        self.send_response(302)
        self.send_header("Location", INSIDE)
        self.end_headers()

    def _reset(self) -> None:
        self.connection.shutdown(socket.SHUT_RDWR)

    def _hang(self) -> None:
        self.server.closing.wait(30)

    def _drip_headers(self) -> None:
        """A byte now and then, in a header that never ends: no read ever times out."""
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
        self._drip()

    def _drip_body(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nfine")
        self._drip()

    def _drip(self) -> None:
        while not self.server.closing.wait(0.02):
            self.wfile.write(b" ")
            self.server.written += 1

    def _huge(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
        while not self.server.closing.is_set():
            self.server.written += self.connection.send(b"x" * 65_536)


@contextmanager
def receiver() -> Iterator[Receiver]:
    """A running receiver."""
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.closing.set()
            server.shutdown()
            thread.join(5)
