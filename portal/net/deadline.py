"""One deadline for a whole exchange: connecting, the headers and the body.

A socket's own timeout starts again at every chunk, so a server that sends a byte now and then never reaches it. Here
each read may only take the time left until its thread's deadline: no watchdog, and only two extra calls a read. Host
names are resolved through `within`, as the system may take minutes. It must not know what is requested.
"""

import io
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPResponse
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

T = TypeVar("T")
_thread = threading.local()


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """End this thread's requests over `POOLS` within so many seconds; later ones fail with a timeout."""
    _thread.until = time.monotonic() + seconds
    try:
        yield
    finally:
        _thread.until = None


def _seconds_left(until: float | None) -> float | None:
    """Return the seconds left; None without a deadline. Raises TimeoutError when none are left."""
    if until is None:
        return None
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError("the exchange took too long")
    return left


def within(call: Callable[[], T]) -> T:
    """The result of a call that cannot be interrupted, within this thread's deadline. Raises TimeoutError, and what the
    call raises. A call that is late goes on in a thread of its own, which ends with the process."""
    left = _seconds_left(getattr(_thread, "until", None))
    if left is None:
        return call()
    results: SimpleQueue[tuple[T | None, BaseException | None]] = SimpleQueue()

    def run() -> None:
        try:
            results.put((call(), None))
        except BaseException as error:
            results.put((None, error))

    threading.Thread(target=run, name="within", daemon=True).start()
    try:
        result, error = results.get(timeout=left)
    except Empty:
        raise TimeoutError("the exchange took too long") from None
    if error is not None:
        raise error
    return result  # type: ignore[return-value]


class _DeadlineReader(io.RawIOBase):
    """Reads from a socket until the deadline, however small the chunks are."""

    def __init__(self, sock: socket.socket, until: float) -> None:
        super().__init__()
        self._sock, self._until = sock, until
        self._raw = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(_seconds_left(self._until))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _DeadlineSocket:
    """The part of a socket that http.client's response uses: `makefile`."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def makefile(self, mode: str) -> Any:
        until: float | None = getattr(_thread, "until", None)
        return self._sock.makefile("rb") if until is None else io.BufferedReader(_DeadlineReader(self._sock, until))


class _Response(HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(_DeadlineSocket(sock), *args, **kwargs)  # type: ignore[arg-type]


class _Connection(HTTPConnection):
    response_class = _Response

    def _new_conn(self) -> socket.socket:
        return _connect(self, super()._new_conn)


class _SecureConnection(HTTPSConnection):
    response_class = _Response

    def _new_conn(self) -> socket.socket:
        return _connect(self, super()._new_conn)


def _connect(connection: HTTPConnection, connect: Any) -> socket.socket:
    """Connect within the time left, then give the TLS handshake what remains of it."""
    until: float | None = getattr(_thread, "until", None)
    if until is not None:
        connection.timeout = _seconds_left(until)
    sock: socket.socket = connect()
    if until is not None:
        try:
            sock.settimeout(_seconds_left(until))
        except TimeoutError:
            sock.close()
            raise
    return sock


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


POOLS = {"http": _Pool, "https": _SecurePool}  # for `PoolManager.pool_classes_by_scheme`
