"""Many open pages that follow their jobs by the stream: how soon a change is there, and what it costs the other pages.

The processes of the pages and of the streams run as `make run` starts them, on SQLite and a Valkey of their own.
`LIVE_WATCHERS=10000` measures with another number of open pages.
"""

import contextlib
import http.client
import os
import re
import resource
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
from flask import Flask
from sqlalchemy import update

from bench.measure import SHORT, Goal
from bench.temporary_portal import make_job, numbers, portal
from portal.accounts import User, start_session
from portal.clock import utcnow
from portal.config import ROOT
from portal.database import db
from portal.jobs.attempt.runner import Conditions, run
from portal.jobs.core import changes
from portal.jobs.core.retry_backoff import Backoff
from portal.jobs.core.status import Status
from portal.jobs.models import ScrapingJob
from portal.runner import valkey
from portal.sources.offline import warm

WATCHERS = int(os.environ.get("LIVE_WATCHERS") or (200 if SHORT else 1000))
JOBS = 50  # each of another user, and followed by as many pages
ROWS, MAX_ROWS = 500, 5000
EVENTS_A_SECOND = 20
SECONDS = 6.0 if SHORT else 12.0  # of each phase
LATENCY_MS = 100.0
LONG, DONE_MS = 5000, 500.0
PAGE_RATIO = 1.5
START_SECONDS = 60.0
SESSIONS = max(1, -(-WATCHERS // JOBS // 50))  # of each user: one session may have 60 pages
READY = re.compile(rb"([\d,]+) of ([\d,]+) numbers ready")


def goals() -> Iterator[Goal]:
    """Measure with the events alone, then with the open pages too, and the first once more."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with _running() as (app, port, streams):
        cookies, job_ids = _people(app)
        clicks = [cookies[0][0], job_ids[0]]
        with _changing(app, job_ids):
            alone = _pages(port, *clicks)
        idle = _memory(streams)
        with _changing(app, job_ids) as sent, _watching(port, cookies, job_ids) as (delays, connected):
            connected.wait(START_SECONDS)
            time.sleep(1)
            began = time.perf_counter()
            watched = _pages(port, *clicks)
            ended = time.perf_counter()
            memory, cpu = _memory(streams), streams.cpu_percent()
        with _changing(app, job_ids):
            alone += _pages(port, *clicks)
        found = sorted(
            (received - sent[what]) * 1000
            for what, moments in delays.items()
            for received in moments
            if what in sent and began <= sent[what] <= ended
        )
        done = _done_after(app, port, cookies)
    expected = sum(began <= at <= ended for at in sent.values()) * (WATCHERS // JOBS)
    yield Goal(
        f"live: a change at {WATCHERS:,} open pages, ms (p95)",
        _p95(found),
        f"median {found[len(found) // 2]:.1f}, {EVENTS_A_SECOND} changes/s, {len(found):,} of {expected:,} came, "
        f"{memory:.0f} MB with them and {idle:.0f} without, {cpu:.0f} % of a core",
        ceiling=LATENCY_MS,
    )
    yield Goal(
        f"live: pages beside {WATCHERS:,} open ones against pages alone (p95)",
        _p95(watched) / _p95(alone),
        f"{_p95(watched) * 1000:.1f} and {_p95(alone) * 1000:.1f} ms",
        ceiling=PAGE_RATIO,
    )
    yield Goal(
        f"live: a page says that its file of {LONG:,} rows is done, ms after its end",
        done * 1000,
        "an offline source",
        ceiling=DONE_MS,
    )


def _p95(values: list[float]) -> float:
    return sorted(values)[int(len(values) * 0.95)] if values else float("inf")


@contextlib.contextmanager
def _running() -> Iterator[tuple[Flask, int, psutil.Process]]:
    """Start Valkey, the pages and the streams; yield the application, the port and the process with the streams."""
    with tempfile.TemporaryDirectory(prefix="mf-live-") as folder, contextlib.ExitStack() as stack:
        redis = f"unix://{folder}/valkey.sock"
        conf = valkey.write_conf(Path(folder) / "data", Path(folder) / "valkey.sock")
        stack.enter_context(_process([str(valkey.server_binary()), str(conf)], {}))
        app = stack.enter_context(portal(MAX_ROWS, REDIS_URL=redis, LIVE="stream"))
        app.config["EVENTS_SOCKET"].parent.mkdir(exist_ok=True)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        given = {
            "PORTAL_DATA_DIR": str(app.config["PORTAL_DATA_DIR"]), "REDIS_URL": redis, "PORTAL_PORT": str(port),
            "LOG_LEVEL": "ERROR", "MAX_ROWS": str(MAX_ROWS),
        }  # fmt: skip
        gunicorn = [sys.executable, "-m", "gunicorn", "app:app", "-c"]
        stack.enter_context(_process([*gunicorn, "deploy/gunicorn.conf.py"], given))
        streams = stack.enter_context(_process([*gunicorn, "deploy/gunicorn_events.conf.py"], given))
        _wait(lambda: _status(port, "/healthz") == 200)
        _wait(lambda: _status(port, "/events?jobs=1") == 302)
        (worker,) = psutil.Process(streams.pid).children()
        worker.cpu_percent()
        yield app, port, worker


@contextlib.contextmanager
def _process(command: list[str], environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **environment}, stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(true: Callable[[], bool]) -> None:
    until = time.monotonic() + START_SECONDS
    while not true():
        if time.monotonic() > until:
            raise TimeoutError("the portal did not start")
        time.sleep(0.1)


def _status(port: int, path: str, cookie: str = "") -> int | None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", path, headers={"Cookie": cookie, "Accept-Language": "en"})
        answer = connection.getresponse()
        answer.read()
        return answer.status
    except OSError:
        return None
    finally:
        connection.close()


def _memory(process: psutil.Process) -> float:
    return float(process.memory_full_info().pss / 1024 / 1024)


def _people(app: Flask) -> tuple[list[list[str]], list[int]]:
    """Make as many users as jobs; return the cookies of each one's sessions, and the jobs, which workers have."""
    signing = app.session_interface.get_signing_serializer(app)  # type: ignore[attr-defined]
    e164s = numbers(ROWS)
    cookies, job_ids = [], []
    for number in range(JOBS):
        user = User(email=f"user{number}@example.com", password_hash="-", created_at=utcnow())
        db.session.add(user)
        db.session.commit()
        user_id = user.id
        user = User(id=user_id, auth_epoch=1)
        db.session.rollback()  # on SQLite our own transaction would keep the new session waiting
        tokens = [start_session(user, utcnow()) for _ in range(SESSIONS)]
        name = app.config["SESSION_COOKIE_NAME"]
        cookies.append([f"{name}={signing.dumps({'_user_id': token, '_fresh': True})}" for token in tokens])
        job = make_job(app, e164s)
        job.user_id, job.status, job.attempt, job.started_at = user_id, Status.PROCESSING, 1, utcnow()
        db.session.commit()
        job_ids.append(job.id)
    db.session.rollback()
    return cookies, job_ids


def _done_after(app: Flask, port: int, cookies: list[list[str]]) -> float:
    """Look up a long file while its page is open; return the seconds from its end until the page says so."""
    warm()
    job = make_job(app, numbers(LONG))
    job.user_id = db.session.query(User.id).filter_by(email="user0@example.com").scalar()
    job_id, attempt = job.id, job.attempt
    db.session.commit()
    done = threading.Event()

    def watch() -> None:
        with socket.create_connection(("127.0.0.1", port)) as page:
            head = (
                f"GET /events?job={job_id}&outcome=all HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookies[0][0]}\r\n\r\n"
            )
            page.sendall(head.encode())
            last = b""
            while data := page.recv(1 << 16):
                if b'data-status="completed"' in last + data:
                    done.set()
                    return
                last = data[-100:]

    thread = threading.Thread(target=watch)
    thread.start()
    time.sleep(0.5)
    run(job_id, attempt, Conditions("bench:1", 60, Backoff()))
    ended = time.perf_counter()
    done.wait(START_SECONDS)
    took = time.perf_counter() - ended
    thread.join()
    db.session.rollback()
    return took


@contextlib.contextmanager
def _changing(app: Flask, job_ids: list[int]) -> Iterator[dict[tuple[int, int], float]]:
    """Let the jobs move on in turn; yield when each number of answers was committed, by job."""
    sent: dict[tuple[int, int], float] = {}
    stop = threading.Event()

    def change() -> None:
        with app.app_context():
            ready = dict(db.session.query(ScrapingJob.id, ScrapingJob.processed_numbers))
            db.session.rollback()
            began, done = time.perf_counter(), 0
            while not stop.is_set():
                job_id = job_ids[done % len(job_ids)]
                ready[job_id] += 1
                moved = {"processed_numbers": ready[job_id], "found_count": ready[job_id], "last_progress_at": utcnow()}
                db.session.execute(update(ScrapingJob).where(ScrapingJob.id == job_id).values(**moved))
                changes.note(job_id, at_once=False)
                sent[job_id, ready[job_id]] = time.perf_counter()
                db.session.commit()
                done += 1
                stop.wait(max(0.0, began + done / EVENTS_A_SECOND - time.perf_counter()))
            db.session.remove()

    thread = threading.Thread(target=change)
    thread.start()
    try:
        yield sent
    finally:
        stop.set()
        thread.join()


@contextlib.contextmanager
def _watching(
    port: int, cookies: list[list[str]], job_ids: list[int]
) -> Iterator[tuple[dict[tuple[int, int], list[float]], threading.Event]]:
    """Hold the open pages; yield when each number of answers came to a page, by job."""
    came: dict[tuple[int, int], list[float]] = defaultdict(list)
    connected, stop = threading.Event(), threading.Event()
    first: set[int] = set()  # the pages that have been sent their present state

    def watch() -> None:
        with selectors.DefaultSelector() as open_pages:
            for number in range(WATCHERS):
                of, nth = number % JOBS, number // JOBS
                sock = socket.create_connection(("127.0.0.1", port))
                head = (
                    f"GET /events?job={job_ids[of]}&outcome=all HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept-Language: en\r\n"
                )
                sock.sendall(f"{head}Cookie: {cookies[of][nth % SESSIONS]}\r\n\r\n".encode())
                sock.setblocking(False)
                open_pages.register(sock, selectors.EVENT_READ, job_ids[of])
                _read(open_pages, came, first, 0)
            while not stop.is_set():
                _read(open_pages, came, first, 0.2)
                if len(first) == WATCHERS:
                    connected.set()
            for key in list(open_pages.get_map().values()):
                key.fileobj.close()  # type: ignore[union-attr]

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield came, connected
    finally:
        stop.set()
        thread.join()


def _read(
    open_pages: selectors.BaseSelector, came: dict[tuple[int, int], list[float]], first: set[int], seconds: float
) -> None:
    for key, _ in open_pages.select(seconds):
        data = key.fileobj.recv(1 << 20)  # type: ignore[union-attr]
        now = time.perf_counter()
        if not data:
            open_pages.unregister(key.fileobj)
            key.fileobj.close()  # type: ignore[union-attr]
        elif found := READY.search(data):
            first.add(key.fd)
            came[key.data, int(found[1].replace(b",", b""))].append(now)


def _pages(port: int, cookie: str, job_id: int) -> list[float]:
    """Open a job's page again and again for a while; return the seconds of each time."""
    took, until = [], time.monotonic() + SECONDS
    while time.monotonic() < until:
        began = time.perf_counter()
        if _status(port, f"/jobs/{job_id}", cookie) != 200:
            raise RuntimeError("a page was not shown")
        took.append(time.perf_counter() - began)
        time.sleep(0.05)
    return took
