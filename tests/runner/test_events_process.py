"""The process that holds the streams, with real connections handed over to it as the pages' processes do, and what open
pages have when it was killed under them. alice owns the file."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal.accounts import User
from portal.clock import utcnow
from portal.config import ROOT
from portal.database import db
from portal.jobs.models import ScrapingJob
from portal.runner.web_worker import hand_over
from portal.sources.base import Outcome
from tests.services import wait_until
from tests.support import processes, scenes
from tests.support.cast import PASSWORD

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]
MakeJob = Callable[..., ScrapingJob]
PAGES = 300
OF_ONE_JOB = 50  # one session may have 60


@contextmanager
def events_process(app: Flask, redis: str) -> Iterator[subprocess.Popen[bytes]]:
    """Start it as deploy/supervisord.conf does, and wait until it answers."""
    app.config["EVENTS_SOCKET"].parent.mkdir(exist_ok=True)
    given = {
        "PORTAL_DATA_DIR": str(app.config["PORTAL_DATA_DIR"]), "REDIS_URL": redis, "LOG_LEVEL": "ERROR",
        "DATABASE_URL": app.config["DATABASE_URL"], "SECRET_KEY": app.config["SECRET_KEY"],
    }  # fmt: skip
    command = [sys.executable, "-m", "gunicorn", "-c", "deploy/gunicorn_events.conf.py", "app:app"]
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **given})
    try:
        wait_until(lambda: answer_to(app, "/events?jobs=1").startswith(b"HTTP/1.1 302"), 60, "it answers")
        yield process
    finally:
        if process.poll() is None:
            processes.stop(process)


def asking(app: Flask, path: str, cookie: str = "") -> socket.socket | None:
    """A connection with this request, as the pages' processes hand it over; None while nobody takes it."""
    page, handed = socket.socketpair()
    head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept-Language: en\r\nCookie: {cookie}\r\n\r\n"
    with handed:
        taken = hand_over(handed, head.encode(), str(app.config["EVENTS_SOCKET"]))
    page.settimeout(60)
    if taken:
        return page
    page.close()
    return None


def answer_to(app: Flask, path: str) -> bytes:
    page = asking(app, path)
    if page is None:
        return b""
    with page:
        return page.recv(1 << 16)


def read_until(page: socket.socket, words: bytes) -> bytes:
    """What comes up to these words. Fails when the stream ends before them."""
    found = b""
    while words not in found:
        more = page.recv(1 << 20)
        assert more, found[-500:]
        found += more
    return found


def test_all_pages_are_back_on_the_right_state_when_the_process_was_killed(
    app: Flask, alice: User, as_alice: FlaskClient, make_job: MakeJob, valkey: str
) -> None:
    app.config["REDIS_URL"] = valkey
    jobs = [make_job(alice, 3) for _ in range(PAGES // OF_ONE_JOB)]
    for job in jobs:
        scenes.claim(job, utcnow())
    job_ids = [job.id for job in jobs]
    cookies = []
    for _ in job_ids:  # a browser each
        browser = app.test_client()
        sign_in(browser)
        cookies.append("; ".join(f"{c.key}={c.value}" for c in browser._cookies.values()))
    shown = [(job_ids[n % len(jobs)], cookies[n % len(jobs)]) for n in range(PAGES)]
    addresses = {job_id: address_on_page(as_alice, job_id) for job_id in job_ids}
    db.session.rollback()

    with events_process(app, valkey) as process:
        pages = [asking(app, addresses[job_id], cookie) for job_id, cookie in shown]
        for page in pages:
            assert page is not None
            assert b"text/event-stream" in read_until(page, b":\n\n")
        process.send_signal(signal.SIGKILL)  # its worker dies with it
        process.wait()
        for page in pages:
            assert page is not None
            while page.recv(1 << 20):
                pass
            page.close()
    wait_until(lambda: not answer_to(app, "/events"), 10, "nobody takes it, so a page's process answers 503")
    for job in jobs:
        scenes.answer(job, [Outcome.FOUND] * 3, utcnow())
        ScrapingJob.complete(job.id, job.attempt, utcnow())
        db.session.commit()

    with events_process(app, valkey) as process:
        pages = [asking(app, addresses[job_id], cookie) for job_id, cookie in shown]
        for page in pages:
            assert page is not None
            came = read_until(page, b"event: end\n")
            assert re.findall(rb'id="job-live".*?data-status="(\w+)"', came)[-1] == b"completed"
            page.close()
        still = asking(app, "/events?jobs=1", cookies[0])
        assert still is not None
        read_until(still, b":\n\n")
        process.send_signal(signal.SIGTERM)
        assert b"event: again" in read_until(still, b"event: again")  # at once, so that stopping does not wait for it
        assert process.wait(30) == 0
        still.close()
    app.extensions["announcer"]._redis.close()


def sign_in(browser: FlaskClient) -> None:
    answer = browser.post("/login", data={"email": "alice@example.com", "password": PASSWORD})
    assert answer.status_code in (302, 303)


def address_on_page(browser: FlaskClient, job_id: int) -> str:
    page = browser.get(f"/jobs/{job_id}").get_data(as_text=True)
    (found,) = re.findall(r'data-events="([^"]+)"', page)
    return str(found).replace("&amp;", "&")
