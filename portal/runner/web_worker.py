"""The gunicorn worker of the pages: a slow client never holds a thread that pages need, also without a proxy in front.

gunicorn's own threaded worker gives a connection to a thread as soon as its first byte is there, waits in that thread
for as long as the client likes, and closes connections in its only loop with up to two seconds each: twenty clients
that send a byte now and then silence the portal. Here

- the head of a request, with the body of a small form, is collected by the loop, and has `HEAD_SECONDS`;
- a request with a larger body (an upload) goes to threads of its own, `UPLOAD_THREADS`;
- its body has to arrive at `SLOWEST_RATE` or faster (`ReadClock`), and the application shortens the time of strangers;
- `100 Continue` is sent when the application begins to read, so never for a body that is refused;
- a closing connection waits in the loop for the other side, not in its way;
- a request for a stream is handed over, with its connection, to the process that holds streams (`hand_over`).

It must not know Flask or the portal: it gives the clock to the application as `environ["portal.read_clock"]`.
"""

import errno
import re
import resource
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from gunicorn import util  # type: ignore[import-untyped]
from gunicorn.http import wsgi  # type: ignore[import-untyped]
from gunicorn.workers.gthread import TConn, ThreadWorker  # type: ignore[import-untyped]

HEAD_SECONDS = 10.0  # for a head and a small body, from the first byte or from accepting
LONGEST_HEAD = 64 * 1024  # bytes; a longer one goes on, so that gunicorn refuses it
SMALL_BODY = 64 * 1024  # bytes
UPLOAD_THREADS = 8  # in each process
STALL_SECONDS = 20.0  # without a byte
GRACE_SECONDS = 20.0  # before the rate counts
SLOWEST_RATE = 1024  # bytes a second: a slow mobile connection sends 20 times as much
SEND_SECONDS = 60.0  # for a piece of an answer, which the client does not take
LINGER_SECONDS = 2.0  # for the other side to close

STREAM = re.compile(rb"GET /events[ ?]")
RETRY_SECONDS = 5  # what a browser is told when the process with the streams is away

_LENGTH = re.compile(rb"^content-length:[ \t]*(\d{1,12})[ \t]*\r?$", re.I | re.M)
_OTHER_BODY = re.compile(rb"^(?:transfer-encoding|expect):", re.I | re.M)


class ReadClock:
    """Reads a connection for the parser, within the time that a request has. Too slow is a broken connection."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.began = time.monotonic()
        self.received = 0
        self.seconds: float | None = None
        self.continue_due = False  # the client waits for "100 Continue" before it sends its body

    def limit(self, seconds: float) -> None:
        """Give the rest of the request this long from now, however fast it comes."""
        self.began, self.seconds = time.monotonic(), seconds

    def recv(self, size: int) -> bytes:
        """Return the next bytes, as a socket does. Raises ConnectionResetError when the time is over."""
        allowed = GRACE_SECONDS + self.received / SLOWEST_RATE if self.seconds is None else self.seconds
        left = min(STALL_SECONDS, self.began + allowed - time.monotonic())
        if left <= 0:
            raise ConnectionResetError(errno.ECONNRESET, "the client is too slow")
        if self.continue_due:
            self.continue_due = False
            self.sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        self.sock.settimeout(left)
        try:
            data = self.sock.recv(size)
        except TimeoutError:
            raise ConnectionResetError(errno.ECONNRESET, "the client is too slow") from None
        finally:
            self.sock.settimeout(SEND_SECONDS)
        self.received += len(data)
        return data


def missing_bytes(gathered: bytes | bytearray) -> int | None:
    """Return how many bytes the loop should still collect: 0 when the request can go to a thread; None while the head
    is not complete."""
    end = gathered.find(b"\r\n\r\n")
    if end < 0:
        return 0 if len(gathered) > LONGEST_HEAD else None
    head = bytes(gathered[: end + 2])
    length = _LENGTH.search(head)
    if length is None or _OTHER_BODY.search(head) or int(length[1]) > SMALL_BODY:
        return 0
    return max(0, end + 4 + int(length[1]) - len(gathered))


def is_upload(gathered: bytes | bytearray) -> bool:
    """Return whether a thread will have to wait for the rest of this request."""
    end = gathered.find(b"\r\n\r\n")
    if end < 0:
        return True
    head = bytes(gathered[: end + 2])
    length = _LENGTH.search(head)
    return bool(_OTHER_BODY.search(head)) or (length is not None and end + 4 + int(length[1]) > len(gathered))


def hand_over(sock: socket.socket, head: bytes, path: str) -> bool:
    """Give a connection, with what was read of it, to the process that listens on a Unix socket. False: it is away, or
    has no room now. It never waits."""
    try:
        with socket.socket(socket.AF_UNIX) as there:
            there.setblocking(False)
            there.connect(path)
            return socket.send_fds(there, [head], [sock.fileno()]) == len(head)
    except OSError:
        return False


def write_plain_error(sock: socket.socket, status: int, reason: str, message: str, more: str = "") -> None:
    """Answer a request that is none, without repeating anything of it. `more` are lines of the head."""
    body = f"{status} {reason}\n"
    head = (
        f"HTTP/1.1 {status} {reason}\r\nConnection: close\r\nContent-Type: text/plain\r\n"
        "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\nX-Content-Type-Options: nosniff\r\n"
        f"{more}Cache-Control: no-store\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    util.write_nonblock(sock, (head + body).encode("latin-1"))


class PatientWorker(ThreadWorker):
    """gunicorn's threaded worker with the rules above. TLS ends at a proxy, not here."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.uploads = ThreadPoolExecutor(max_workers=UPLOAD_THREADS, thread_name_prefix="upload")
        self.lingering: deque[TConn] = deque()
        self.current = threading.local()
        self.streams = ""  # the socket of the process that holds streams; empty: there is none
        self.wsgi: Callable[..., Any]

    def init_process(self) -> None:
        """Answer without naming the server, and run the loop. A connection that is handed over and not yet taken counts
        as one of our files: as many as the system allows may be on their way."""
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        util.write_error = write_plain_error
        wsgi.SERVER = "web"
        super().init_process()

    def load_wsgi(self) -> None:
        """Load the application, and hand it the clock of each request."""
        super().load_wsgi()
        application = self.wsgi

        def with_clock(environ: dict[str, Any], start_response: Any) -> Any:
            environ["portal.read_clock"] = self.current.clock
            return application(environ, start_response)

        self.wsgi = with_clock

    # ── the loop ──

    def accept(self, listener: socket.socket) -> None:
        """Accept a connection, and wait for its head in the loop."""
        try:
            sock, address = listener.accept()
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.ECONNABORTED, errno.EWOULDBLOCK):
                raise
            return
        self.nr_conns += 1
        self._collect(TConn(self.cfg, sock, address, listener.getsockname()))

    def on_client_socket_readable(self, conn: TConn, client: socket.socket) -> None:
        """The next request of a kept-alive connection begins: its head has no more time than the first one's."""
        self.poller.unregister(client)
        self.keepalived_conns.remove(conn)
        self._collect(conn)

    def _collect(self, conn: TConn, already: bytes = b"") -> None:
        conn.gathered = bytearray(already)
        conn.sock.setblocking(False)
        conn.timeout = time.monotonic() + HEAD_SECONDS
        self.pending_conns.append(conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._gather, conn))
        if already:
            self._go_on(conn)

    def _gather(self, conn: TConn, sock: socket.socket) -> None:
        try:
            data = sock.recv(LONGEST_HEAD)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if not data:
            self._leave_loop(conn)
            self.nr_conns -= 1
            conn.close()
            return
        conn.gathered += data
        self._go_on(conn)

    def _go_on(self, conn: TConn) -> None:
        """Give the connection to a thread once there is nothing to wait for."""
        if missing_bytes(conn.gathered) != 0:
            return
        self._leave_loop(conn)
        if self.streams and STREAM.match(conn.gathered) and conn.gathered.endswith(b"\r\n\r\n"):
            self._hand_over(conn)
        else:
            self.enqueue_req(conn)

    def _hand_over(self, conn: TConn) -> None:
        """From here on only the other process has the connection; when there is none, the page polls meanwhile."""
        self.nr_conns -= 1
        if hand_over(conn.sock, bytes(conn.gathered), self.streams):
            conn.sock.close()
            return
        write_plain_error(conn.sock, 503, "Service Unavailable", "", f"Retry-After: {RETRY_SECONDS}\r\n")
        self._linger(conn)

    def _leave_loop(self, conn: TConn) -> None:
        self.poller.unregister(conn.sock)
        self.pending_conns.remove(conn)

    def enqueue_req(self, conn: TConn) -> None:
        """Give a request to a thread: one for pages, or one for uploads."""
        pool = self.uploads if is_upload(conn.gathered) else self.tpool
        done = pool.submit(self.handle, conn)
        done.add_done_callback(lambda future: self.method_queue.defer(self.finish_request, conn, future))

    def finish_request(self, conn: TConn, fs: Any) -> None:
        """Keep the connection for its next request, or close it without waiting."""
        try:
            keep = bool(not fs.cancelled() and fs.result())
        except Exception:
            keep = False
        if not keep:
            self.nr_conns -= 1
            self._linger(conn)
        elif ahead := conn.parser.unreader.take_buffered():
            self._collect(conn, ahead)
        else:
            super().finish_request(conn, fs)

    def _linger(self, conn: TConn) -> None:
        """Close our side, and read on for a moment: closing with unread bytes would cut off the answer."""
        try:
            conn.sock.shutdown(socket.SHUT_WR)
            conn.sock.setblocking(False)
            self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._drop, conn))
        except (OSError, ValueError, KeyError):
            conn.close()
            return
        conn.timeout = time.monotonic() + LINGER_SECONDS
        self.lingering.append(conn)

    def _drop(self, conn: TConn, sock: socket.socket) -> None:
        try:
            if sock.recv(LONGEST_HEAD):
                return
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            pass
        self.lingering.remove(conn)
        self._close_lingering(conn)

    def _close_lingering(self, conn: TConn) -> None:
        self.poller.unregister(conn.sock)
        conn.close()

    def murder_pending(self) -> None:
        """Close the connections whose head did not come in time, and those that have lingered long enough."""
        super().murder_pending()
        now = time.monotonic()
        while self.lingering and self.lingering[0].timeout <= now:
            self._close_lingering(self.lingering.popleft())

    def run(self) -> None:
        """Run until told to stop; uploads that still move then are left to the graceful timeout."""
        super().run()
        self.uploads.shutdown(wait=False)

    # ── a thread ──

    def handle(self, conn: TConn) -> Any:
        """Handle one request whose head has been collected."""
        try:
            conn.data_ready = True
            conn.sock.settimeout(SEND_SECONDS)
            conn.init()
            clock = ReadClock(conn.sock)
            conn.parser.unreader.sock = clock
            conn.parser.unreader.unread(bytes(conn.gathered))
        except OSError:
            return False
        self.current.clock = clock
        return super().handle(conn)

    def handle_request(self, req: Any, conn: TConn) -> Any:
        """Handle one parsed request; "100 Continue" waits until its body is asked for."""
        expected = [value for name, value in req.headers if name == "EXPECT"]
        if expected:
            self.current.clock.continue_due = expected == ["100-continue"] and req.version >= (1, 1)
            req._expected_100_continue = False  # else gunicorn sends it before the application is asked
            req.headers = [(name, value) for name, value in req.headers if name != "EXPECT"]
        keep = super().handle_request(req, conn)
        return keep and not self.current.clock.continue_due  # its body was not asked for, and may come or not
