"""The admins' page of health and the banner that everybody sees."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from html import unescape
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from redis import Redis
from sqlalchemy import event

from portal.accounts import User
from portal.clock import utcnow
from portal.database import db
from portal.jobs.dispatch import queue
from portal.jobs.health import checks, queues
from portal.jobs.health.processes import WorkerProcess
from portal.jobs.health.words import describe
from portal.jobs.models import ScrapingJob
from portal.jobs.sweep import steps
from portal.notices.models import Delivery, Notice
from portal.web.outage_banner import REMEMBERED
from tests.support import cast, scenes

MakeJob = Callable[..., ScrapingJob]
HOUR = timedelta(hours=1)
HX = {"HX-Request": "true"}


@pytest.fixture
def valkey_app(tmp_path: Path, valkey: str, usual_database: dict[str, str]) -> Iterator[Flask]:
    app = cast.make_app(tmp_path, REDIS_URL=valkey, **usual_database)
    with app.app_context():
        yield app
        db.session.remove()
        db.engine.dispose()


def heard(kind: str, pid: int = 1, ago: timedelta = timedelta(), doing: str | None = None) -> None:
    at = utcnow() - ago
    row = {"kind": kind, "host": "h", "pid": pid, "started_at": at, "seen_at": at, "doing": doing}
    db.session.merge(WorkerProcess(name=f"{kind}-{pid}", **row))
    db.session.commit()


def all_here() -> None:
    for kind in ("scrape", "intake", "sweep", "scheduler"):
        heard(kind)
    steps.sweep(utcnow())


def states() -> dict[str, str]:
    db.session.rollback()
    found = {one.part: one.state.value for one in checks.findings(utcnow())}
    db.session.rollback()
    return found


def page_of(client: FlaskClient, path: str = "/admin/health") -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return unescape(answer.text)


def listen_since(app: Flask, ago: timedelta) -> None:
    watch = app.extensions["standstill"]
    watch.since, watch.checked_at = utcnow() - ago, None


# ── the page ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_for_others_there_is_no_such_page(client: FlaskClient, as_alice: FlaskClient) -> None:
    for path in ("/admin/health", "/admin/health/live"):
        assert as_alice.get(path).status_code == 404
        assert client.get(path).status_code == 302


def test_with_everything_there_all_is_well(valkey_app: Flask) -> None:
    all_here()
    assert set(states().values()) == {"well"}
    assert queues.redis_lengths() == {"intake": 0, "scrape": 0, "sweep": 0}


def test_the_page_names_what_is_missing_and_what_to_do(as_ada: FlaskClient, app: Flask) -> None:
    seen = page_of(as_ada)
    for part in ("workers_scrape", "workers_intake", "sweep", "redis"):
        assert f'id="part-{part}" data-state="bad"' in seen
    assert 'id="part-disk" data-state="well"' in seen and 'id="part-database" data-state="well"' in seen
    assert "Not responding." in seen and "Start Valkey again." in seen
    database = "SQLite" if db.engine.dialect.name == "sqlite" else "PostgreSQL"
    assert "<dt>Python</dt>" in seen and f"<dt>{database}</dt>" in seen and "<dt>Masterfilter</dt>" in seen


@pytest.mark.parametrize(("change", "state", "words"), [
    (("REPLICAOF", "127.0.0.1", "1"), "bad", "Responding, but refusing to store messages."),
    (("CONFIG", "SET", "maxmemory", "1"), "bad", "Responding, but refusing to store messages."),
    (("CONFIG", "SET", "maxmemory", "1gb", "maxmemory-policy", "allkeys-lru"), "warn",
     "Responding, but it may delete messages (allkeys-lru)."),
])  # fmt: skip
def test_a_redis_that_only_answers_is_not_well(
    valkey_app: Flask, change: tuple[str, ...], state: str, words: str
) -> None:
    all_here()
    with Redis.from_url(valkey_app.config["REDIS_URL"]) as redis:
        redis.execute_command(*change)
    assert states()["redis"] == state
    with valkey_app.test_request_context(headers={"Accept-Language": "en"}):
        found = next(one for one in checks.findings(utcnow()) if one.part == "redis")
        assert describe(found).how == words and describe(found).todo
        db.session.rollback()
    assert (valkey_app.test_client().get("/readyz").status_code == 503) == (state == "bad")
    doctor = valkey_app.test_cli_runner().invoke(args=["doctor"], env={"LANG": "en"})
    assert "✗ Redis: it" in doctor.output


def test_rubbish_in_redis_does_not_make_it_away(valkey_app: Flask) -> None:
    all_here()
    with Redis.from_url(valkey_app.config["REDIS_URL"]) as redis:
        redis.set(queue("scrape").key, "rubbish")
    assert states()["redis"] == "well"
    with valkey_app.test_request_context(headers={"Accept-Language": "en"}):
        found = next(one for one in checks.findings(utcnow()) if one.part == "redis")
        assert describe(found).how == "Responding. Messages: –"
        db.session.rollback()
    assert valkey_app.test_client().get("/readyz").get_json() == {"ready": True, "missing": []}


def test_a_worker_is_shown_with_what_it_does_and_one_that_is_gone_too(as_ada: FlaskClient, alice, make_job) -> None:
    job = make_job(alice)
    heard("scrape", 11, doing=f"job {job.id}")
    heard("scrape", 12, ago=timedelta(minutes=5))
    heard("intake", 13, doing="document 4")
    seen = page_of(as_ada)
    assert re.search(rf'id="worker-scrape-11" data-state="well".*?href="/jobs/{job.id}"', seen, re.S)
    assert re.search(r'id="worker-scrape-12" data-state="bad".*?Lost<', seen, re.S)
    assert 'id="part-workers_scrape" data-state="well"' in seen and "1 running, 1 busy" in seen


def test_a_dead_sweep_worker_is_a_warning_while_the_scheduler_sweeps(app: Flask) -> None:
    heard("scheduler")
    assert states()["workers_sweep"] == "warn"
    heard("scheduler", ago=HOUR)
    assert states()["workers_sweep"] == "bad"


def test_the_queue_counts_what_could_begin_and_since_when(app: Flask, alice: User, make_job: MakeJob) -> None:
    now = utcnow()
    make_job(alice, now=now - HOUR)
    make_job(alice, now=now)
    scenes.claim(make_job(alice, now=now - 2 * HOUR), now)
    scenes.busy(make_job(alice, now=now - 2 * HOUR), now)
    ScrapingJob.pause(make_job(alice, now=now - 2 * HOUR).id, alice.email, now)
    db.session.commit()
    scrape = next(queue for queue in queues.queues(now) if queue.name == "scrape")
    assert (scrape.waiting, scrape.since, scrape.messages) == (2, now - HOUR, None)
    assert states()["queue_scrape"] == "warn"


def test_a_retry_waits_since_it_was_asked_for_and_not_since_its_upload(app, alice, make_job) -> None:
    now = utcnow()
    job = scenes.failed(make_job(alice, now=now - 3 * HOUR), now - 2 * HOUR, final=True)
    ScrapingJob.retry(job.id, job.round, alice.email, now)
    db.session.commit()
    assert next(queue for queue in queues.queues(now) if queue.name == "scrape").since == now


def test_what_was_given_up_or_is_late_is_said(app: Flask, alice: User) -> None:
    now = utcnow()
    assert states()["notices"] == "well"
    for n, (state, due_at) in enumerate(((Delivery.DUE, now - HOUR), (Delivery.DEAD, now), (Delivery.DUE, now + HOUR))):
        given = {"dedupe": str(n), "kind": "job_failed", "user_id": alice.id, "facts": {}, "created_at": now}
        db.session.add(Notice(state=state, due_at=due_at, **given))
    db.session.commit()
    found = next(one for one in checks.findings(now) if one.part == "notices")
    assert found.facts == {"n": 2, "since": now - HOUR, "undelivered": 1, "refused": 0} and found.state == "warn"


def test_the_page_asks_for_itself_and_is_told_nothing_while_nothing_changed(as_ada: FlaskClient, app: Flask) -> None:
    heard("scrape", 11)
    mark = re.search(r"/admin/health/live\?v=(\w+)", page_of(as_ada))
    assert mark is not None
    assert as_ada.get(f"/admin/health/live?v={mark[1]}").status_code == 204
    heard("scrape", 11, doing="job 3")
    part = as_ada.get(f"/admin/health/live?v={mark[1]}")
    assert part.status_code == 200 and part.text.startswith('<div id="health"') and "file #3" in part.text


# ── the banner ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_everybody_sees_the_banner_and_admins_a_way_to_health(
    app: Flask, client: FlaskClient, as_alice: FlaskClient, as_ada: FlaskClient
) -> None:
    all_here()
    for page in (page_of(as_alice, "/"), page_of(as_alice, "/account"), page_of(as_ada, "/admin/jobs")):
        assert 'data-standstill="no"' in page and "Lookups have stopped for the moment." not in page
    heard("scrape", ago=timedelta(minutes=2))
    listen_since(app, HOUR)
    for page in (page_of(as_alice, "/"), page_of(as_alice, "/account")):
        assert 'data-standstill="yes"' in page and "Nothing is lost; they will continue automatically." in page
        assert "/admin/health" not in page
    assert re.search(r'data-standstill="yes".*?href="/admin/health"', page_of(as_ada, "/"), re.S)
    assert "data-standstill" not in page_of(client, "/login"), "who is not signed in has nothing in the queue"
    heard("scrape")
    listen_since(app, HOUR)
    assert 'data-standstill="no"' in page_of(as_alice, "/")


def test_an_open_page_is_told_when_it_comes_and_goes_and_its_asking_keeps_no_session_alive(
    app: Flask, as_alice: FlaskClient, client: FlaskClient
) -> None:
    asked: list[str] = []
    event.listen(db.engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
    assert as_alice.get("/standstill?v=0", headers=HX).status_code == 204
    assert not [text for text in asked if "login_sessions" in text], "nobody was loaded"
    listen_since(app, HOUR)
    come = as_alice.get("/standstill?v=0", headers=HX)
    assert (
        "Lookups have stopped for the moment." in come.text
        and "/standstill?v=1" in come.text
        and "<html" not in come.text
    )
    assert as_alice.get("/standstill?v=1", headers=HX).status_code == 204
    all_here()
    listen_since(app, HOUR)
    gone = as_alice.get("/standstill?v=1", headers=HX)
    assert 'data-standstill="no"' in gone.text and "stopped" not in gone.text
    assert client.get("/standstill?v=0").status_code == 204


def test_a_hundred_pages_ask_the_database_once(app: Flask) -> None:
    watch, now = app.extensions["standstill"], utcnow()
    asked: list[str] = []
    event.listen(db.engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
    for _ in range(100):
        watch.stopped(now, timedelta(minutes=1))
    assert len([text for text in asked if text.startswith("SELECT")]) == 1
    watch.stopped(now + REMEMBERED, timedelta(minutes=1))
    assert len([text for text in asked if text.startswith("SELECT")]) == 2
