"""A proxy with TLS that holds every stream back until it ends, as some companies have one: the page hears nothing of
its stream, and asks instead."""

import re
import threading
from collections.abc import Iterator
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from portal.clock import utcnow
from portal.database import db
from portal.jobs import commands
from portal.jobs.models import ScrapingJob
from tests.browser.gallery import served
from tests.browser.tabs import Tabs
from tests.support import cast, scenes
from tests.support.tls import Authority

pytestmark = [pytest.mark.browser, pytest.mark.slow]


class Proxy(ThreadingHTTPServer):
    """Passes everything on to `port` but streams, which it takes and never answers."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.socket = Authority(folder).server("127.0.0.1").wrap_socket(self.socket, server_side=True)
        self.address = f"https://127.0.0.1:{self.server_address[1]}"
        self.port = 0
        self.held = 0
        self.given_up = threading.Semaphore(0)

    def handle_error(self, request: Any, client_address: Any) -> None: ...


class _Handler(BaseHTTPRequestHandler):
    server: Proxy

    def log_message(self, *_: Any) -> None: ...

    def do_GET(self) -> None:
        if self.path.startswith("/events"):
            self.server.held += 1
            self.connection.recv(1)  # until the browser goes
            self.server.given_up.release()
            self.close_connection = True
            return
        there = HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        there.request(self.command, self.path, body, dict(self.headers))
        answer = there.getresponse()
        content = answer.read()
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("connection", "content-length", "transfer-encoding"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        there.close()

    do_POST = do_GET


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[Proxy]:
    with Proxy(tmp_path) as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def test_a_page_behind_a_proxy_that_buffers_asks_instead(
    proxy: Proxy, tabs: Tabs, tmp_path: Path, usual_database: dict[str, str]
) -> None:
    tabs.forgive("net::ERR_ABORTED")
    app = cast.make_app(tmp_path / "data", **usual_database)
    with app.app_context():
        alice = cast.make_user("alice@example.com")
        job = cast.make_job(app, alice, 20)
        scenes.claim(job, utcnow())
        job_id = job.id
        db.session.remove()
        with served(app) as address:
            proxy.port = int(address.rsplit(":", 1)[1])
            page = tabs.open(proxy.address, ignore_https_errors=True)
            page.clock.install()
            page.goto(f"/login?next=/jobs/{job_id}")
            page.fill("[name=email]", "alice@example.com")
            page.fill("[name=password]", cast.PASSWORD)
            page.click("main form button.btn")
            expect(page.locator("#job-live")).to_have_attribute("data-status", "processing")
            for ready in (4, 9, 11, 15):
                moved = {"processed_numbers": ready, "found_count": ready, "last_progress_at": utcnow()}
                db.session.execute(db.update(ScrapingJob).where(ScrapingJob.id == job_id).values(**moved))
                db.session.commit()
                page.clock.fast_forward(2500)
                expect(page.locator("[data-spark]")).to_have_attribute("data-spark", str(ready))
            expect(page.locator(".spark:visible path")).to_have_attribute("d", re.compile(r"^M0 [\d.]+L.*100 [\d.]+$"))
            commands.pause(job_id, "alice@example.com", utcnow())
            db.session.remove()
            page.clock.fast_forward(2500)
            expect(page.locator("#job-live .badge").first).to_have_text("Paused")  # it asked, beside the silent stream
            assert proxy.given_up.acquire(timeout=30), "it noticed that nothing comes, and let go"
            expect(page.locator(":root")).not_to_have_attribute("data-offline", "")
            page.close()
        db.engine.dispose()
