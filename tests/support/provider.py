"""A provider's API at 127.0.0.1 that answers as a test says: one function from a request to its response."""

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ssl import SSLContext
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass
class Asked:
    """One request."""

    method: str
    path: str
    query: dict[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def form(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(self.body.decode()).items()}


@dataclass
class Answered:
    """One response. A body that is no text is sent as JSON."""

    body: Any = ""
    status: int = 200
    headers: list[tuple[str, str]] = field(default_factory=list)
    type: str = ""


@dataclass
class Provider:
    """The running server."""

    answer: Callable[[Asked], Answered]
    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def paths(self) -> Counter[str]:
        """How often each path was asked for."""
        return Counter(one.path for one in self.asked)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    provider: Provider

    def log_message(self, *_: Any) -> None: ...

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        asked = Asked(self.command, parts.path, query, dict(self.headers.items()), body)
        with self.provider.lock:
            self.provider.asked.append(asked)
        answered = self.provider.answer(asked)
        is_text = isinstance(answered.body, str)
        content = answered.body.encode() if is_text else json.dumps(answered.body).encode()
        self.send_response(answered.status)
        self.send_header(
            "Content-Type", answered.type or ("text/html; charset=utf-8" if is_text else "application/json")
        )
        self.send_header("Content-Length", str(len(content)))
        for name, value in answered.headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_GET


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None: ...


@contextmanager
def provider(answer: Callable[[Asked], Answered], tls: SSLContext | None = None) -> Iterator[Provider]:
    """A running server; its address is `url`."""
    state = Provider(answer)
    with _Server(("127.0.0.1", 0), type("Bound", (_Handler,), {"provider": state})) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        state.url = f"http{'s' if tls else ''}://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield state
        finally:
            server.shutdown()
            thread.join(5)
