"""The admins' pages about sources: ada looks, pauses, resumes and tries; for alice they do not exist."""

import json
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from html import unescape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from redis import Redis

from portal.accounts import User
from portal.clock import utcnow
from portal.database import db
from portal.jobs import dispatch
from portal.jobs.attempt import runner
from portal.jobs.attempt.runner import Conditions
from portal.jobs.core.retry_backoff import Backoff
from portal.jobs.core.status import Status
from portal.jobs.models import ScrapingJob
from portal.jobs.trials import source_trial
from portal.jobs.worker import tasks
from portal.sources import catalogue, pause
from portal.sources.limits.circuit_breaker import CircuitBreaker
from portal.sources.limits.rate_limiter import RateLimiter
from tests import services
from tests.conftest import Browser, Terminal
from tests.support.cast import make_app

MakeJob = Callable[..., ScrapingJob]
SECRET = "a-very-secret-key"
HERE = "/admin/sources/operators"
RECIPE = """
name = "operators"
kind = "json"

[request]
url = "http://127.0.0.1:{port}/v1/{{e164}}?key={{secret:OPERATOR_KEY}}"
headers = {{ Authorization = "Bearer {{secret:OPERATOR_KEY}}" }}

[limits]
rate = "50/s"
concurrency = 4
cache = "30 days"

[outcome]
not_found = [{{ json = "status == 'unknown'" }}]
success = [{{ json = "status == 'ok'" }}]

[fields]
operator = {{ path = "operator", required = true }}

[[test]]
number = "+34612345678"
response = "ok.json"
expect = {{ operator = "Ejemplo" }}

[[test]]
number = "+34612345679"
response = "ok.json"
expect = {{ operator = "{second}" }}
"""


class Handler(BaseHTTPRequestHandler):
    """Answers as an operator's API, and tells back what it was sent: also the key."""

    def do_GET(self) -> None:
        key = self.headers["Authorization"]
        body = json.dumps({"status": "ok", "operator": "<b>Ejemplo</b>", "told": key, "asked": self.path}).encode()
        self.send_response(200)
        for name, value in {"Content-Type": "application/json", "X-Key": key, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@pytest.fixture
def app(tmp_path: Path, usual_database: dict[str, str]) -> Iterator[Flask]:
    """The portal with a real Valkey."""
    with services.valkey() as url:
        app = make_app(tmp_path, REDIS_URL=url, **usual_database)
        app.test_client_class, app.test_cli_runner_class = Browser, Terminal
        with app.app_context():
            yield app
            db.session.remove()
            db.engine.dispose()
            dispatch.connection().close()


@pytest.fixture
def redis(app: Flask) -> Iterator[Redis]:
    with Redis.from_url(app.config["REDIS_URL"]) as redis:
        yield redis


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def folder(tmp_path: Path, redis: Redis, server: ThreadingHTTPServer) -> Iterator[Path]:
    """A folder with one recipe that works, one with a mistake and one whose secret is missing."""
    folder = tmp_path / "sources"
    folder.mkdir()
    text = RECIPE.format(port=server.server_address[1], second="Otro")
    (folder / "operators.toml").write_text(text)
    (folder / "ok.json").write_text('{"status": "ok", "operator": "Ejemplo"}')
    (folder / "broken.toml").write_text('name = "broken"\nkind = "telepathy"\n')
    (folder / "keyless.toml").write_text(
        text.replace('"operators"', '"keyless"').replace("OPERATOR_KEY", "MISSING_KEY")
    )
    catalogue.configure(redis, folder, {"OPERATOR_KEY": SECRET}, allow_private=["127.0.0.1/32"])
    yield folder
    catalogue.configure(None, tmp_path / "nothing", {})


def page(client: FlaskClient, address: str = HERE) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return unescape(answer.get_data(as_text=True))


def pressed(client: FlaskClient, verb: str, **form: str) -> str:
    answer = client.post(f"{HERE}/{verb}", data=form, follow_redirects=True)
    assert answer.status_code == 200
    return unescape(answer.get_data(as_text=True))


def run(job: ScrapingJob) -> Status | None:
    given = Conditions(worker="w", lease_seconds=60, backoff=Backoff())
    return runner.run(job.id, job.attempt, given)


def test_an_admin_sees_every_source_and_those_that_cannot_be_used(as_ada: FlaskClient, folder: Path) -> None:
    seen = page(as_ada, "/admin/sources")
    assert 'id="source-row-offline" data-state="well"' in seen
    assert 'id="source-row-operators" data-state="well"' in seen
    assert "50 a second" in seen
    assert "broken.toml" in seen and "line 2" in seen
    assert "MISSING_KEY" in seen and 'id="source-row-keyless"' not in seen


def test_the_list_is_asked_for_again_in_part(as_ada: FlaskClient, folder: Path) -> None:
    part = as_ada.get("/admin/sources", headers={"HX-Request": "true"}).get_data(as_text=True)
    assert part.startswith('<div id="sources"') and "<html" not in part


@pytest.mark.parametrize("verb", ["pause", "resume", "try"])
def test_for_others_there_is_no_such_page(
    as_alice: FlaskClient, client: FlaskClient, folder: Path, redis: Redis, verb: str
) -> None:
    for address in ("/admin/sources", HERE):
        assert as_alice.get(address).status_code == 404
        assert client.get(address).status_code == 302
    form = {"why": "x", "number": "+34612345678"}
    assert as_alice.post(f"{HERE}/{verb}", data=form).status_code == 404
    assert client.post(f"{HERE}/{verb}", data=form).status_code == 302
    assert pause.pauses() == {}


def test_none_of_the_buttons_works_by_a_link(as_ada: FlaskClient, folder: Path) -> None:
    for verb in ("pause", "resume", "try"):
        assert as_ada.get(f"{HERE}/{verb}").status_code == 405


def test_a_source_that_is_not_there_is_a_404(as_ada: FlaskClient, folder: Path) -> None:
    assert as_ada.get("/admin/sources/keyless").status_code == 404
    for verb in ("pause", "resume", "try"):
        assert as_ada.post(f"/admin/sources/nobody/{verb}", data={"why": "x", "number": "1"}).status_code == 404


def test_a_pause_holds_its_jobs_and_says_who_and_why(
    as_ada: FlaskClient, alice: User, make_job: MakeJob, folder: Path
) -> None:
    job = make_job(alice, 3, source="operators")
    said = pressed(as_ada, "pause", why="the bill is too high")
    assert 'data-state="paused"' in said
    assert "Paused by ada@example.com: the bill is too high" in said
    assert run(job) is None
    assert "Files waiting" in page(as_ada)
    assert 'data-state="well"' in pressed(as_ada, "resume")
    assert run(job) == Status.COMPLETED
    assert job.retry_count == 0


def test_a_pause_needs_a_reason(as_ada: FlaskClient, folder: Path) -> None:
    assert 'role="alert"' in pressed(as_ada, "pause", why="  ")
    assert pause.pauses() == {}


def test_pausing_twice_says_so(as_ada: FlaskClient, folder: Path) -> None:
    pressed(as_ada, "pause", why="first")
    assert "was already paused" in pressed(as_ada, "pause", why="second")
    assert pause.pauses()["operators"].why == "first"


def test_a_source_that_refused_us_can_be_asked_again(as_ada: FlaskClient, folder: Path, redis: Redis) -> None:
    CircuitBreaker(redis, "operators").trip("credentials")
    seen = page(as_ada)
    assert 'data-state="open"' in seen and "does not accept our credentials" in seen
    assert 'data-state="well"' in pressed(as_ada, "resume")
    CircuitBreaker(redis, "operators").check()


def test_a_source_that_asked_for_a_rest_says_how_long(as_ada: FlaskClient, folder: Path, redis: Redis) -> None:
    RateLimiter(redis, "operators", 50).pause(55)
    assert 'data-state="limited"' in page(as_ada)


def test_the_last_hours_rows_are_counted(as_ada: FlaskClient, alice: User, make_job: MakeJob, folder: Path) -> None:
    assert run(make_job(alice, 3, source="operators")) == Status.COMPLETED
    assert 'data-outcome="found"><b>3</b>' in page(as_ada)


def tried(client: FlaskClient, number: str = "612 345 678", address: str = HERE) -> tuple[str, str]:
    """A try whose worker has done its part: the result's address, and its page."""
    answer = client.post(f"{address}/try", data={"number": number})
    assert answer.status_code == 303
    result = answer.location.partition("#")[0]
    tasks.try_number(result.rpartition("/")[2])
    return result, page(client, result)


def test_a_try_shows_what_was_sent_and_what_came_without_the_secret(
    as_ada: FlaskClient, folder: Path, redis: Redis
) -> None:
    result, seen = tried(as_ada)
    raw = as_ada.get(result).get_data(as_text=True)
    assert "/v1/%2B34612345678?key=•••" in seen
    assert "Authorization: Bearer •••" in seen
    assert '"told": "Bearer •••"' in seen and "x-key: bearer •••" in seen.lower()
    assert SECRET not in seen
    assert "<b>Ejemplo</b>" not in raw, "what a source says is text and never markup"
    assert db.session.query(ScrapingJob).count() == 0
    written = b"".join(redis.dump(key) for key in redis.keys("*"))
    assert written and SECRET.encode() not in written and b"612345678" not in written, "nor does Redis ever see either"


def test_no_page_waits_for_the_source_and_the_result_is_asked_for_until_it_is_there(
    as_ada: FlaskClient, folder: Path, redis: Redis
) -> None:
    answer = as_ada.post(f"{HERE}/try", data={"number": "612345678"})
    assert redis.llen("rq:queue:intake") == 1
    result = answer.location.partition("#")[0]
    seen = page(as_ada, result)
    assert "Looking up +34612345678" in seen and 'hx-trigger="every 1s"' in seen
    assert f'<noscript><meta http-equiv="refresh" content="2; url={result}">' in seen, "and without JavaScript"
    part = as_ada.get(result, headers={"HX-Request": "true"}).get_data(as_text=True)
    assert part.startswith('<div id="trial"') and "hx-get" in part
    tasks.try_number(result.rpartition("/")[2])
    part = as_ada.get(result, headers={"HX-Request": "true"}).get_data(as_text=True)
    assert "hx-get" not in part and "Ejemplo" in part


def test_the_offline_source_can_be_tried_too(as_ada: FlaskClient, folder: Path) -> None:
    _, seen = tried(as_ada, address="/admin/sources/offline")
    assert "Line type" in seen and "mobile" in seen and "No request leaves the portal." in seen


def test_a_try_at_a_source_that_is_not_asked_says_that_nothing_was_sent(
    as_ada: FlaskClient, folder: Path, redis: Redis
) -> None:
    """What the key could not do was put right at the source: its old refusal would suggest a second fault."""
    breaker = CircuitBreaker(redis, "operators")
    breaker.note_secret(catalogue.mark_of("operators"))
    breaker.trip("credentials")
    _, seen = tried(as_ada)
    assert "Nothing was sent." in seen and "press “Use it again now” first" in seen
    pressed(as_ada, "resume")
    _, seen = tried(as_ada)
    assert "Authorization: Bearer •••" in seen and "Nothing was sent." not in seen


def test_a_try_says_when_no_worker_takes_it_up_and_at_last_gives_up(
    as_ada: FlaskClient, folder: Path, redis: Redis
) -> None:
    now = utcnow()
    token = source_trial.start("operators", "+34612345678", "ada@example.com", now)
    assert source_trial.state_of("operators", token, now).waiting
    assert source_trial.state_of("operators", token, now + timedelta(seconds=10)).slow
    assert not source_trial.state_of("operators", token, now + timedelta(minutes=3)).waiting
    assert source_trial.state_of("offline", token, now).trial is None, "it is that source's alone"
    assert not source_trial.state_of("offline", token, now).waiting
    source_trial.run(token)
    assert source_trial.state_of("operators", token, now).trial is not None
    assert source_trial.state_of("operators", token, now + timedelta(minutes=11)).trial is None
    source_trial.forget(now + timedelta(minutes=11))
    assert db.session.query(source_trial.SourceTrial).count() == 0


def test_a_try_that_is_no_longer_known_says_so(as_ada: FlaskClient, as_alice: FlaskClient, folder: Path) -> None:
    assert "This test has no result" in page(as_ada, f"{HERE}/try/no-such-token")
    assert as_alice.get(f"{HERE}/try/no-such-token").status_code == 404
    assert as_ada.get("/admin/sources/nobody/try/x").status_code == 404


@pytest.mark.parametrize("text", ["hola", "612345678 / 622345678", "911234567/68", ""])
def test_a_try_with_what_is_not_one_number_says_why_and_asks_nobody(
    as_ada: FlaskClient, folder: Path, text: str
) -> None:
    answer = as_ada.post(f"{HERE}/try", data={"number": text})
    assert answer.status_code == 422
    assert "in the cell" not in answer.text
    assert 'role="alert"' in answer.text and 'id="trial"' not in answer.text


def test_a_try_at_a_source_that_does_not_answer_says_so(
    as_ada: FlaskClient, folder: Path, redis: Redis, server: ThreadingHTTPServer
) -> None:
    text = (folder / "operators.toml").read_text().replace(str(server.server_address[1]), str(services.free_port()))
    (folder / "operators.toml").write_text(text)
    catalogue.configure(redis, folder, {"OPERATOR_KEY": SECRET}, allow_private=["127.0.0.1/32"])
    _, seen = tried(as_ada)
    assert "No answer." in seen and SECRET not in seen


def test_the_recipe_is_shown_with_what_its_tests_say(as_ada: FlaskClient, folder: Path) -> None:
    seen = page(as_ada)
    assert "{secret:OPERATOR_KEY}" in seen and SECRET not in seen
    assert seen.count('data-passed="yes"') == 1 and seen.count('data-passed="no"') == 1
    assert "the field operator is “Ejemplo” instead of “Otro”" in seen


def test_with_redis_away_the_page_still_stands(as_ada: FlaskClient, folder: Path, app: Flask) -> None:
    app.config["REDIS_URL"] = "redis://127.0.0.1:1/0"
    dispatch.connection().close()
    del app.extensions["redis"]
    assert 'data-state="unknown"' in page(as_ada)
    tried_in_vain = as_ada.post(f"{HERE}/try", data={"number": "612345678"})
    assert tried_in_vain.status_code == 503 and "Redis is not responding" in unescape(tried_in_vain.text)
    assert "Redis is not responding" in page(as_ada, f"{HERE}/try/some-token")
    assert 'data-state="paused"' in pressed(as_ada, "pause", why="because")
    assert pause.pauses()["operators"].paused_at <= utcnow()


def test_a_recipe_that_breaks_goes_on_in_its_last_good_version_and_its_page_says_so(
    as_ada: FlaskClient, alice: User, make_job: MakeJob, folder: Path
) -> None:
    (folder / "operators.toml").write_text('name = "operators"\nkind = "telepathy"\n')
    catalogue.refresh(lambda: 1e9)
    for address in ("/admin/sources", HERE):
        seen = page(as_ada, address)
        assert "operators.toml" in seen and "line 2" in seen and "its last good version stays in use" in seen
    assert run(make_job(alice, 2, source="operators")) == Status.COMPLETED
