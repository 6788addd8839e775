"""The gunicorn worker of the streams: many connections in one thread, handed over by the pages' processes.

The portal has one port. A request for the stream arrives at a process of the pages, which sends the connection itself,
with what it has read of it, through a Unix socket (`hand_over`); from then on only this worker has it, and a stream
costs the pages nothing. It must not know Flask or the portal.
"""

import resource
import socket
from collections.abc import Callable
from typing import Any

import gevent  # type: ignore[import-untyped]
from gevent import socket as cooperative
from gunicorn import util  # type: ignore[import-untyped]
from gunicorn.http import wsgi  # type: ignore[import-untyped]
from gunicorn.workers.ggevent import GeventWorker  # type: ignore[import-untyped]

from portal.runner.web_worker import LONGEST_HEAD, SEND_SECONDS, write_plain_error

RECEIVE_SECONDS = 5.0  # what was handed over is there at once


class HandedOver(cooperative.socket):
    """A connection whose first bytes another process has read."""

    head = b""

    def recv(self, *arguments: Any) -> bytes:
        """Return what was read already, then what comes."""
        head, self.head = self.head, b""
        return head or super().recv(*arguments)


def receive(there: Any) -> HandedOver | None:
    """Take a connection out of a Unix socket; None when not all of it came."""
    there.settimeout(RECEIVE_SECONDS)
    head, descriptors, _, _ = socket.recv_fds(there, LONGEST_HEAD, 1)
    if not descriptors:
        return None
    client = HandedOver(fileno=descriptors[0])
    while not head.endswith(b"\r\n\r\n"):
        more = there.recv(LONGEST_HEAD)
        if not more:
            client.close()
            return None
        head += more
    client.head = head
    client.settimeout(SEND_SECONDS)  # a client that takes nothing for so long is gone
    return client


class EventsWorker(GeventWorker):
    """gunicorn's gevent worker for connections that were handed over; one request each."""

    on_stop: Callable[[], None] | None = None  # ends the streams, so that stopping takes no time

    def init_process(self) -> None:
        """Allow as many connections as the system does, and answer without naming the server."""
        util.write_error = write_plain_error
        wsgi.SERVER = "web"
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        super().init_process()

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        """Answer the request of a connection that was handed over."""
        try:
            with client:
                taken = receive(client)
                address = taken.getpeername() if taken else ""
        except OSError:
            return
        if taken is not None:
            super(GeventWorker, self).handle(listener, taken, address)

    def handle_exit(self, sig: Any, frame: Any) -> None:
        """Stop: accept nothing more, and end the streams."""
        super().handle_exit(sig, frame)
        if self.on_stop is not None:
            gevent.spawn(self.on_stop)  # not in the handler of a signal, which must not wait for a lock
