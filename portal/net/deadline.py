"""One moment by which a whole exchange has to be over: connecting, the headers, the body.

A socket's own timeout counts from one piece to the next, so a server that drips a byte now and then never meets it.
Here each read may take only what is left until the deadline of its thread: no watchdog, and no cost but two calls a
read. It must not know what is asked. Where its promise ends: the look-up of a host's name is the system's.
"""

import io
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPResponse
from typing import Any

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

_of_thread = threading.local()


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """What this thread sends over a pool of ours is over within so many seconds, or fails with a timeout."""
    _of_thread.until = time.monotonic() + seconds
    try:
        yield
    finally:
        _of_thread.until = None


def _left(until: float | None) -> float | None:
    """The seconds that are left; None when nobody set a deadline. Raises TimeoutError."""
    if until is None:
        return None
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError("the exchange took too long")
    return left


class _Reads(io.RawIOBase):
    """Reads from a socket until the deadline, and no longer, however small the pieces are."""

    def __init__(self, sock: socket.socket, until: float) -> None:
        super().__init__()
        self._sock, self._until = sock, until
        self._raw = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(_left(self._until))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Files:
    """What a response asks of its socket: a file to read from."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def makefile(self, mode: str) -> Any:
        until: float | None = getattr(_of_thread, "until", None)
        return self._sock.makefile("rb") if until is None else io.BufferedReader(_Reads(self._sock, until))


class _Response(HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(_Files(sock), *args, **kwargs)  # type: ignore[arg-type]


class _Connection(HTTPConnection):
    response_class = _Response

    def _new_conn(self) -> socket.socket:
        return _connected(self, super()._new_conn)


class _SecureConnection(HTTPSConnection):
    response_class = _Response

    def _new_conn(self) -> socket.socket:
        return _connected(self, super()._new_conn)


def _connected(connection: HTTPConnection, connect: Any) -> socket.socket:
    """Connect in the time that is left, and leave the handshake what is then left of it."""
    until: float | None = getattr(_of_thread, "until", None)
    if until is not None:
        connection.timeout = _left(until)
    sock: socket.socket = connect()
    if until is not None:
        try:
            sock.settimeout(_left(until))
        except TimeoutError:
            sock.close()
            raise
    return sock


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


POOLS = {"http": _Pool, "https": _SecurePool}  # for `PoolManager.pool_classes_by_scheme`
