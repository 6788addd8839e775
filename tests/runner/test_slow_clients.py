"""Slow clients of the real gunicorn, without a proxy in front: pages and /healthz answer meanwhile."""

import http.client
import os
import re
import select
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from selectors import DefaultSelector

import pytest
from gunicorn.config import Config
from gunicorn.workers.gthread import TConn

from portal.accounts import User, start_session
from portal.clock import utcnow
from portal.config import ROOT
from portal.database import db
from portal.runner import web_worker
from portal.runner.web_worker import PatientWorker, ReadClock, is_upload, missing_bytes
from tests.services import free_port, wait_until
from tests.support import cast, databases
from tests.support.cast import DEAD_REDIS


@dataclass
class Server:
    """A gunicorn with the settings of deploy/, and the cookie of alice's session."""

    port: int
    cookie: str

    def connect(self, data: bytes = b"") -> socket.socket:
        sock = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        sock.sendall(data)
        return sock

    def get(self, path: str, **headers: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, text


@pytest.fixture(scope="module")
def usual() -> Iterator[dict[str, str]]:
    with databases.usual() as database:
        yield database


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, usual: dict[str, str]) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("gunicorn")
    port = free_port()
    settings = {"PORTAL_DATA_DIR": str(folder / "data"), "PORTAL_PORT": str(port), "REDIS_URL": DEAD_REDIS, **usual}
    app = cast.make_app(folder, **usual)
    with app.app_context():
        alice = cast.make_user("alice@example.com")
        person = User(id=alice.id, auth_epoch=alice.auth_epoch)
        db.session.rollback()  # on SQLite our own transaction would keep the new session waiting
        token = start_session(person, utcnow())
        signer = app.session_interface.get_signing_serializer(app)  # type: ignore[attr-defined]
        cookie = f"masterfilter={signer.dumps({'_user_id': token, '_fresh': True})}"
        db.session.remove()
        db.engine.dispose()
    command = [sys.executable, "-m", "gunicorn", "-c", "deploy/gunicorn.conf.py", "app:app"]
    with (folder / "out.txt").open("wb") as out:
        process = subprocess.Popen(command, cwd=ROOT, env={**_clean(), **settings}, stdout=out, stderr=out)
    try:
        wait_until(lambda: _answers(port), 60, "gunicorn answers")
        yield Server(port, cookie)
    finally:
        process.terminate()
        process.wait(30)
    assert "Traceback" not in (folder / "out.txt").read_text()


def _clean() -> dict[str, str]:
    return {name: text for name, text in os.environ.items() if name in ("PATH", "HOME", "LANG", "PYTHONPATH")}


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


def pages_answer(server: Server) -> None:
    for path in ("/healthz", "/login", "/healthz"):
        assert server.get(path)[0] == 200
    assert server.get("/", Cookie=server.cookie)[0] == 200


def still_open(sockets: list[socket.socket]) -> bool:
    """Whether the server has neither answered nor closed any of these."""
    return not select.select(sockets, [], [], 0)[0]


def test_forty_dribbling_silent_and_lingering_clients_do_not_hold_the_pages(server: Server) -> None:
    dribbling = [server.connect(b"GET /healthz HTTP/1.1\r\nHost: local") for _ in range(24)]
    silent = [server.connect() for _ in range(16)]
    lingering = [
        server.connect(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n") for _ in range(8)
    ]
    kept = [server.connect(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET /hea") for _ in range(20)]
    for sock in dribbling:
        sock.sendall(b"h")
    assert server.get("/healthz")[0] == 200
    assert still_open([*dribbling, *silent]), "before the slow ones were closed"
    pages_answer(server)
    for sock in (*dribbling, *silent, *lingering, *kept):
        sock.close()


def upload_head(length: int, cookie: str = "", more: str = "") -> bytes:
    return (
        f"POST /documents HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n{more}"
        f"Content-Type: multipart/form-data; boundary=x\r\nCookie: {cookie}\r\n\r\n"
    ).encode()


def test_twenty_slow_uploads_do_not_hold_the_pages(server: Server) -> None:
    uploads = [server.connect(upload_head(5_000_000, server.cookie) + b"--x\r\n") for _ in range(20)]
    small = [server.connect(upload_head(900, server.cookie) + b"--x\r\n") for _ in range(20)]
    assert server.get("/healthz")[0] == 200
    assert still_open([*uploads, *small]), "while they were still open"
    pages_answer(server)
    for sock in (*uploads, *small):
        sock.close()


def test_a_stranger_with_a_huge_body_is_answered_without_it(server: Server) -> None:
    for length in ("500000000", "99999999999"):
        waiting = server.connect(upload_head(int(length), more="Expect: 100-continue\r\n"))
        answer = waiting.recv(100)
        waiting.close()
        assert answer.startswith(b"HTTP/1.1 302"), "to the login page, and no 100 Continue before it"
    sock = server.connect(upload_head(500_000_000) + b"abc")
    assert sock.recv(100).startswith(b"HTTP/1.1 302"), "to the login page, although the rest never comes"
    sock.close()


def test_a_slow_but_living_upload_arrives(server: Server) -> None:
    cookie, token = _with_token(server)
    rows = "nombre;telefono\r\n" + "".join(f"Ana {n};6120000{n:02}\r\n" for n in range(40)) * 120
    body = (
        f'--x\r\nContent-Disposition: form-data; name="csrf_token"\r\n\r\n{token}\r\n'
        f'--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n{rows}\r\n--x--\r\n'
    ).encode()
    assert len(body) > web_worker.SMALL_BODY
    sock = server.connect(upload_head(len(body), cookie))
    for at in range(0, len(body), 8192):
        sock.sendall(body[at : at + 8192])
        time.sleep(0.1)
    assert sock.recv(100).startswith(b"HTTP/1.1 303"), "to its check page"
    sock.close()


def _with_token(server: Server) -> tuple[str, str]:
    """A cookie whose session has a CSRF token, and the token of a form."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    connection.request("GET", "/", headers={"Cookie": server.cookie})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    kept = (answer.getheader("Set-Cookie") or "").split(";")[0]
    found = re.search(r'name="csrf_token" value="([^"]+)"', text)
    assert found
    return kept, found[1]


def test_what_is_no_request_gets_an_answer_that_repeats_nothing(server: Server) -> None:
    sock = server.connect(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-<script>: 1\r\n\r\n")
    answer = b""
    while piece := sock.recv(4096):
        answer += piece
    assert answer.startswith(b"HTTP/1.1 400") and b"script" not in answer and b"gunicorn" not in answer
    assert b"nosniff" in answer and b"Content-Security-Policy" in answer
    sock.close()


def test_two_requests_sent_at_once_are_both_answered(server: Server) -> None:
    one = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
    sock = server.connect(one + b"\r\n" + one + b"Connection: close\r\n\r\n")
    answer = b""
    while piece := sock.recv(4096):
        answer += piece
    assert answer.count(b"200 OK") == 2
    sock.close()


@pytest.mark.parametrize(
    ("gathered", "missing", "upload"),
    [
        (b"GET / HTTP/1.1\r\nA: b", None, True),
        (b"x" * (web_worker.LONGEST_HEAD + 1), 0, True),
        (b"GET / HTTP/1.1\r\n\r\n", 0, False),
        (b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nab", 7, True),
        (b"POST / HTTP/1.1\r\nCONTENT-length:  2\r\n\r\nab", 0, False),
        (b"POST / HTTP/1.1\r\nContent-Length: 99999\r\n\r\nab", 0, True),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 0, True),
        (b"POST / HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n", 0, True),
        (b"POST / HTTP/1.1\r\n\r\nContent-Length: 9\r\n", 0, False),
    ],
)
def test_what_the_loop_collects(gathered: bytes, missing: int | None, upload: bool) -> None:
    assert missing_bytes(gathered) == missing
    assert is_upload(gathered) is upload


def test_a_head_that_does_not_come_in_time_ends_its_connection() -> None:
    """The loop of a worker without a server: nobody waits ten seconds."""
    worker = PatientWorker.__new__(PatientWorker)
    worker.poller, worker.pending_conns, worker.lingering, worker.nr_conns = DefaultSelector(), deque(), deque(), 1
    ours, theirs = socket.socketpair()
    conn = TConn(Config(), ours, ("127.0.0.1", 1), ("127.0.0.1", 2))
    began = time.monotonic()
    worker._collect(conn)
    for _ in range(3):
        theirs.sendall(b"GET / HT")
        worker._gather(conn, ours)
    assert conn.timeout - began < 15, "and what dribbles in makes it no longer"
    worker.murder_pending()
    assert list(worker.pending_conns) == [conn]
    conn.timeout = time.monotonic()
    worker.murder_pending()
    assert theirs.recv(1) == b"" and worker.nr_conns == 0
    theirs.close()
    worker.poller.close()


def test_the_clock_ends_a_body_that_comes_too_slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_worker, "GRACE_SECONDS", 0.2)
    ours, theirs = socket.socketpair()
    clock = ReadClock(ours)
    stop = threading.Event()

    def drip() -> None:
        while not stop.wait(0.02):
            theirs.sendall(b"x")

    dripping = threading.Thread(target=drip)
    dripping.start()
    try:
        with pytest.raises(ConnectionResetError):
            while True:
                clock.recv(100)
    finally:
        stop.set()
        dripping.join(5)
    theirs.sendall(b"x" * 4096)
    fast = ReadClock(ours)
    assert fast.recv(4096)
    ours.close()
    theirs.close()
