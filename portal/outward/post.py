"""One POST to an address that a person has set, with an end: it takes so many seconds and reads so many bytes, whatever
the other side does.

No redirect is followed: the address that was judged is the only one that is asked. It must not know what is sent.

Where its promise ends: looking up a name is the system's own business, and takes as long as the system waits for it.
"""

import socket
import threading
import time
from dataclasses import dataclass
from typing import Any, Self

import requests
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError

from portal.outward.guard import GuardedSession, PinnedAdapter
from portal.outward.judge import DEFAULT_PORTS, Judge, Refused

CONNECT_SECONDS = 5.0
SECONDS = 10.0  # for all of it, from the connection to the last byte that is read
READ_BYTES = 4096  # of the answer: enough for a log, and an endless one ends here


class NoReply(Exception):
    """No answer came: too late, cut off, or no connection at all. `late`: it was the time that ran out."""

    def __init__(self, late: bool) -> None:
        super().__init__("late" if late else "no connection")
        self.late = late


@dataclass(frozen=True)
class Reply:
    """What came back: the status, Retry-After as it stands, and the beginning of the body as text."""

    status: int
    retry_after: str
    text: str


class _Deadline:
    """Ends a connection when its time is over. Timeouts of a socket count from byte to byte, so that a server which
    sends one now and then would hold us for ever, in the headers as in the body."""

    def __init__(self, seconds: float) -> None:
        self.over = False
        self._until = time.monotonic() + seconds
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        with self._lock:
            for watched in self._sockets:
                watched.close()
            self._sockets.clear()

    def watch(self, connected: socket.socket) -> None:
        """Keep a second handle on a connection: TLS takes the first one over."""
        with self._lock:
            self._sockets.append(connected.dup())
        if self.over or time.monotonic() > self._until:
            self._end()

    def _end(self) -> None:
        with self._lock:
            self.over = True
            for watched in self._sockets:
                try:
                    watched.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass  # it ended by itself


class _BoundedAdapter(PinnedAdapter):
    """The guard's adapter, whose connections the deadline can end."""

    def __init__(self, judge: Judge, scheme: str, deadline: _Deadline) -> None:
        super().__init__(judge, scheme, pool_size=1)

        class Plain(HTTPConnection):
            def _new_conn(self) -> socket.socket:
                connected = super()._new_conn()
                deadline.watch(connected)
                return connected

        class Secured(HTTPSConnection):
            def _new_conn(self) -> socket.socket:
                connected = super()._new_conn()
                deadline.watch(connected)
                return connected

        plain_pool = type("PlainPool", (HTTPConnectionPool,), {"ConnectionCls": Plain})
        secured_pool = type("SecuredPool", (HTTPSConnectionPool,), {"ConnectionCls": Secured})
        self.poolmanager.pool_classes_by_scheme = {"http": plain_pool, "https": secured_pool}


class _OneShot(GuardedSession):
    """A session for one question, which looks at no redirect: what it leads to is nobody's business here."""

    def __init__(self, judge: Judge, deadline: _Deadline) -> None:
        super().__init__(judge, pool_size=1, redirects=0)
        for scheme in DEFAULT_PORTS:
            self.mount(f"{scheme}://", _BoundedAdapter(judge, scheme, deadline))

    def get_redirect_target(self, resp: requests.Response) -> None:
        return None


def post(judge: Judge, url: str, body: bytes, headers: dict[str, str], seconds: float = SECONDS) -> Reply:
    """The answer to one POST. Raises Refused and NoReply; neither says the whole address, which may hold a key."""
    judge.look_at(url)  # requests has errors of its own for what is no address
    with _Deadline(seconds) as deadline, _OneShot(judge, deadline) as session:
        try:
            answer = session.post(
                url,
                data=body,
                headers={"Accept-Encoding": "identity", **headers},
                stream=True,
                timeout=(min(CONNECT_SECONDS, seconds), seconds),
            )
            if deadline.over:
                answer.close()
                raise NoReply(late=True)  # ended in the middle of the headers, which then look complete
            text = _beginning(answer, deadline)
        except (Refused, NoReply):
            raise
        except (requests.RequestException, HTTPError, OSError, UnicodeError, ValueError) as error:
            raise NoReply(deadline.over or isinstance(error, requests.Timeout)) from None  # its text holds the address
    return Reply(answer.status_code, answer.headers.get("Retry-After", ""), text)


def _beginning(answer: requests.Response, deadline: _Deadline) -> str:
    """The first bytes of the body. What is said there is for the log only: the status has already decided."""
    pieces: list[bytes] = []
    raw: Any = answer.raw
    try:
        while sum(map(len, pieces)) < READ_BYTES and not deadline.over:
            # `read1` gives what is there. `read` waits for a whole piece, which a server that drips never fills.
            piece = raw.read1(READ_BYTES, decode_content=False)
            if not piece:
                break
            pieces.append(piece)
    except (HTTPError, OSError):
        pass  # cut off in the middle: what came is enough
    finally:
        answer.close()
    return b"".join(pieces)[:READ_BYTES].decode("utf-8", "replace")
