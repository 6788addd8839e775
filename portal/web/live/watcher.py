"""One open page: what waits to be sent to it, as bytes of a stream of events.

Of each part only the newest is kept, so a client that reads slowly gets the present state when it reads on, and nothing
heaps up meanwhile.
"""

import threading
from collections.abc import Iterator, Mapping

HEARTBEAT_SECONDS = 10.0  # static/live.js takes a stream for dead after two and a half of them
HEARTBEAT = b":\n\n"
CSRF_MARK = b"csrf-token-of-the-reader"  # stands in fragments, as they are rendered for several readers


def event(name: str) -> bytes:
    """Return an event with nothing but its name."""
    return f"event: {name}\ndata:\n\n".encode()


def data_lines(html: str) -> bytes:
    """Return a text as the lines of a message; several of them joined are one message."""
    return "".join(f"data: {line}\n" for line in html.splitlines() if line.strip()).encode()


class Watcher:
    """An open page. `version` is what it shows already; `session_id` the session of its reader."""

    def __init__(self, session_id: str, version: str, csrf_token: str) -> None:
        self.session_id, self.version, self._csrf = session_id, version, csrf_token.encode()
        self._pending: dict[str, bytes] = {}
        self._last_words = b""
        self._lock, self._wake = threading.Lock(), threading.Event()

    def put(self, parts: Mapping[str, bytes]) -> None:
        """Send these parts, by their names, as soon as the client reads."""
        if parts:
            with self._lock:
                for name in parts:  # the newest last: one part may be inside another
                    self._pending.pop(name, None)
                self._pending.update(parts)
            self._wake.set()

    def end(self, name: str) -> None:
        """End the stream with this event, after what is pending: `end`, `gone`, `signed-out` or `again`."""
        self._last_words = event(name)
        self._wake.set()

    @property
    def has_ended(self) -> bool:
        return bool(self._last_words)

    @property
    def has_seen_the_end(self) -> bool:
        """Whether the stream was sent up to the end of what it follows."""
        return self._last_words == event("end") and not self._pending

    def messages(self) -> Iterator[bytes]:
        """Yield what is to be sent, and a sign of life when there is nothing for a while."""
        yield HEARTBEAT  # at once: a page that gets no byte takes the stream for held up by a proxy
        while True:
            self._wake.wait(HEARTBEAT_SECONDS)
            self._wake.clear()
            with self._lock:
                parts, self._pending = self._pending, {}
            if parts:
                yield b"".join(parts.values()).replace(CSRF_MARK, self._csrf) + b"\n"
            if self._last_words and not self._pending:
                yield self._last_words
                return
            if not parts:
                yield HEARTBEAT
