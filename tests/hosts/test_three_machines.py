"""Three machines at one source, with its recipe and its secret from the database: together they keep its rate."""

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from redis import Redis

from portal import sources
from portal.application import remember_recipes
from portal.clock import utcnow
from portal.database import db
from portal.jobs import dispatch
from portal.sources import catalogue, secret_store
from portal.sources.recipe_store import RecipeStore
from tests.hosts.machines import SECRET_KEY, machines
from tests.services import wait_until
from tests.support import cast
from tests.support.preloaded import Preloaded
from tests.support.recipes import JSON
from tests.support.s3 import S3Server

RATE = 40
NUMBERS = 90  # of each file
SECRET = "known to the database only"


class Source(ThreadingHTTPServer):
    """Answers at once, and notes when it was asked and with which secret."""

    daemon_threads = True
    request_queue_size = 100

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[float] = []
        self.secrets: set[str | None] = set()


class _Handler(BaseHTTPRequestHandler):
    server: Source
    protocol_version = "HTTP/1.1"
    timeout = 30

    def log_message(self, *_: object) -> None:
        """Log nothing."""

    def do_GET(self) -> None:
        self.server.asked.append(time.monotonic())
        self.server.secrets.add(self.headers["Authorization"])
        body = b'{"status": "unknown"}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def source() -> Iterator[Source]:
    with Source() as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server
        server.shutdown()


def calls(redis: Redis) -> int:
    """How often a rate limiter, a concurrency limiter or a circuit breaker has called: each call runs a script."""
    stats = redis.info("commandstats")
    return sum(stats.get(f"cmdstat_{name}", {}).get("calls", 0) for name in ("evalsha", "eval"))


@pytest.mark.alone
@pytest.mark.slow
@pytest.mark.postgresql
def test_three_machines_keep_the_rate_of_a_source_together(
    forks: Preloaded, postgres_server: str, s3: S3Server, tmp_path_factory: pytest.TempPathFactory, source: Source
) -> None:
    port = source.server_address[1]
    settings = {"SOURCES_ALLOW_PRIVATE": "127.0.0.0/8", "SOURCES_PORTS": str(port)}
    with machines(tmp_path_factory.mktemp("three"), forks, postgres_server, s3, "abc", **settings) as three:
        place = three[0].portal
        url = place.app.config["SQLALCHEMY_DATABASE_URI"]
        text = JSON.format(url=f"http://127.0.0.1:{port}", rate=f"{RATE}/s", concurrency=30, timeout=5)
        assert RecipeStore(url).keep({"json-test.toml": text}, (), utcnow())
        secret_store.save("TEST_KEY", SECRET, [SECRET_KEY], "ada@example.com", utcnow())
        remember_recipes(place.app)
        assert "json-test" in sources.names()
        alice = db.session.scalars(db.select(cast.User)).first()
        jobs = []
        for n in range(3):
            cells = [cast.mobile(n * NUMBERS + m) for m in range(NUMBERS)]
            jobs.append(cast.make_job(place.app, alice, cells, source="json-test", now=utcnow()).id)
        for machine in three:
            machine.start("scrape", PORTAL_WORKERS_PER_PERSON="3")
        wait_until(lambda: len(place.query("SELECT 1 FROM workers WHERE kind = 'scrape'")) == 3, 30, "all are there")
        db.session.rollback()
        before = calls(place.redis)
        for job_id in jobs:
            dispatch.push_job(job_id, utcnow())
        for job_id in jobs:
            place.wait_status(job_id, "completed", seconds=60)
        used = calls(place.redis) - before
        machines_used = {place.job(job_id, "worker").partition(":")[0] for job_id in jobs}
        db.session.rollback()
    catalogue.configure(None, three[0].folder, {})
    asked = sorted(source.asked)
    assert machines_used == {"a", "b", "c"} and source.secrets == {f"Bearer {SECRET}"}
    assert len(asked) == 3 * NUMBERS, "each number once"
    assert max(sum(start <= at < start + 1 for at in asked) for start in asked) <= 1.10 * RATE
    begun, ended = asked[0] + 1, asked[-1] - 1
    assert sum(begun <= at < ended for at in asked) / (ended - begun) >= 0.95 * RATE
    assert used / len(asked) <= 1.2, "from the first request on: the files are short"
