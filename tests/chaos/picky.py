"""A source that answers one number of each job with 403, 402 or 444, as if it refused the portal, and all others well.

It notes what it answers in the journal of lookups, where the judge counts what was paid for.
"""

import json
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.support.client import EACH, OTHER_SOURCE, REFUSED, place_of

REFUSALS = (403, 402, 444)
CONCURRENCY = 8
RECIPE = f"""
name = "{OTHER_SOURCE}"
kind = "json"
[request]
url = "{{url}}/{{{{digits}}}}"
timeout = 10
[limits]
rate = "1000/s"
concurrency = {CONCURRENCY}
[outcome]
success = [{{{{ json = "status == 'ok'" }}}}]
[fields]
seen = {{{{ path = "seen", required = true }}}}
"""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "_Server"

    def log_message(self, *_: Any) -> None:
        """Print nothing."""

    def do_GET(self) -> None:
        digits = self.path.rpartition("/")[2]
        if int(digits[-8:]) % EACH == REFUSED:
            self._send(REFUSALS[place_of(digits) % len(REFUSALS)], b"{}")
            self.server.refused[digits] += 1
            return
        os.write(self.server.journal, f"+{digits} {os.getpid()} {time.monotonic():.6f}\n".encode())
        time.sleep(self.server.seconds)
        self._send(200, json.dumps({"status": "ok", "seen": digits}).encode())

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status, "-")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, journal: Path, seconds: float) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.journal = os.open(journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self.seconds = seconds
        self.refused: Counter[str] = Counter()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that were killed."""


@contextmanager
def picky_source(journal: Path, recipes: Path, seconds: float) -> Iterator[dict[str, str]]:
    """A running source with its recipe in the folder `recipes`; yields the settings with which the portal offers it."""
    with _Server(journal, seconds) as server:
        port = server.server_address[1]
        recipes.mkdir()
        (recipes / f"{OTHER_SOURCE}.toml").write_text(RECIPE.format(url=f"http://127.0.0.1:{port}"))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield {
                "SOURCES_DIR": str(recipes),
                "SOURCES_ALLOW_PRIVATE": "127.0.0.1/32",
                "SOURCES_PORTS": str(port),
            }
        finally:
            server.shutdown()
            thread.join(5)
