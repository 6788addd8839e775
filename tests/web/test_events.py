"""The stream of events: what open pages are sent, when, and who is sent nothing any more. alice owns the file, bob is
another user, ada is the admin."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from redis import Redis
from sqlalchemy import select, update

from portal.accounts import LoginSession, User
from portal.clock import utcnow
from portal.database import db
from portal.jobs import commands
from portal.jobs.core import changes
from portal.jobs.core.changes import Announcer, Change
from portal.jobs.models import ScrapingJob
from portal.notices.kinds import NoticeKind
from portal.notices.models import Channel, Delivery, Notice
from portal.sources.base import Outcome
from portal.web.live import hub as hub_module
from portal.web.live.hub import Hub
from portal.web.live.watcher import HEARTBEAT, Watcher
from portal.web.live.watches import ANYBODY, JobWatch, ListWatch, Reader, Watch
from tests.support import cast, scenes

MakeJob = Callable[..., ScrapingJob]


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class OpenPage(Watcher):
    """A page that reads what it is sent when the test says so."""

    def __init__(self, hub: Hub, watch: Watch, session_id: str = "s", version: str = "", token: str = "t") -> None:
        super().__init__(session_id, version, token)
        self.hub, self.watch = hub, watch
        self.stream = self.messages()
        assert next(self.stream) == HEARTBEAT  # at once
        hub.add(watch, self)

    def reads(self) -> str:
        """What came since it last read; empty when nothing did."""
        if not self._wake.is_set():
            return ""
        return next(self.stream).decode()

    def targets(self) -> set[str]:
        return set(re.findall(r'<hx-partial hx-target="([^"]+)"', self.reads()))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def hub(app: Flask, clock: Clock) -> Hub:
    hub = Hub(app, clock)
    hub.hears = True
    return hub


def reader(user: User, locale: str = "en") -> Reader:
    return Reader(ANYBODY if user.is_admin else user.id, user.is_admin, locale, "Europe/Madrid")


def turn(hub: Hub) -> None:
    """One turn of the thread that renders, as if from another process."""
    db.session.rollback()
    hub.turn()


# ── what is announced ──


def test_a_change_is_announced_when_it_is_committed_and_not_before(
    app: Flask, alice: User, make_job: MakeJob, valkey: str
) -> None:
    app.config["REDIS_URL"] = valkey
    with Redis.from_url(valkey) as redis, redis.pubsub() as heard:
        heard.subscribe("changes")
        heard.get_message(timeout=5)

        def next_one() -> list[Change]:
            message = heard.get_message(timeout=0.2)
            return changes.read(message["data"]) if message else []

        job = make_job(alice, 2)
        assert next_one() == [(job.id, alice.id, True)]
        ScrapingJob.pause(job.id, "alice@example.com", utcnow())
        assert next_one() == []
        db.session.rollback()
        assert next_one() == []
        scenes.claim(job, utcnow())
        assert next_one() == [(job.id, alice.id, True)]
        scenes.answer(job, [Outcome.FOUND], utcnow())
        assert next_one() == [(job.id, None, False)]  # progress may wait a moment
    app.extensions["announcer"]._redis.close()


def test_redis_that_is_away_is_left_alone_for_a_while() -> None:
    clock = Clock()
    asked: list[float] = []

    class Away(Redis):
        def publish(self, *_: Any, **__: Any) -> Any:
            asked.append(clock.now)
            raise ConnectionError

    announcer = Announcer(Away(), clock)  # type: ignore[arg-type]
    for _ in range(3):
        announcer.announce([Change(1)])
    clock.now += changes.SILENT_SECONDS
    announcer.announce([Change(1)])
    assert asked == [1000.0, 1000.0 + changes.SILENT_SECONDS]


@pytest.mark.parametrize("rubbish", [b"", b"\xff", b"{}", b"[[]]", b'[["x", null, true]]', b"[null]", b"7"])
def test_rubbish_in_the_channel_is_no_change(rubbish: bytes) -> None:
    assert changes.read(rubbish) == []


# ── the address ──


def test_the_address_says_what_a_page_should_do_without_a_stream(
    app: Flask, client: FlaskClient, as_alice: FlaskClient, as_bob: FlaskClient, alice: User, make_job: MakeJob
) -> None:
    job_id = make_job(alice, 2).id
    assert as_alice.get(f"/events?job={job_id}").status_code == 204  # this process holds no streams
    assert as_alice.get("/events").status_code == 204
    assert as_bob.get(f"/events?job={job_id}").status_code == 404
    answer = client.get("/events?jobs=1", headers={"HX-Request": "true", "HX-Current-URL": "http://localhost/jobs/1"})
    assert (answer.status_code, answer.headers["HX-Redirect"]) == (401, "/login?next=/jobs/1")
    app.config["LIVE"] = "poll"
    assert "data-events" not in as_alice.get(f"/jobs/{job_id}").get_data(as_text=True)


def test_a_page_follows_by_the_address_that_it_carries(
    app: Flask, hub: Hub, as_alice: FlaskClient, alice: User, make_job: MakeJob
) -> None:
    job_id = make_job(alice, 2).id
    app.extensions["streams"] = hub
    page = as_alice.get(f"/jobs/{job_id}").get_data(as_text=True)
    (address,) = re.findall(r'data-events="([^"]+)"', page)
    answer = as_alice.get(address.replace("&amp;", "&"), buffered=False)
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    assert (answer.headers["X-Accel-Buffering"], answer.headers["Cache-Control"]) == ("no", "no-store")
    messages = answer.iter_encoded() if hasattr(answer, "iter_encoded") else iter(answer.response)
    assert next(messages) == HEARTBEAT
    turn(hub)  # it shows what is there, so nothing is sent
    scenes.claim(db.session.get_one(ScrapingJob, job_id), utcnow())
    hub.heard([Change(job_id)])
    turn(hub)
    sent = next(messages).decode()
    token = re.findall(r'name="csrf_token" value="([^"]+)"', sent)[0]
    paused = as_alice.post(f"/jobs/{job_id}/pause", data={"csrf_token": token})
    assert paused.status_code == 303
    assert 'data-status="processing"' in sent and len(hub._followed) == 1
    answer.close()
    assert not hub._followed


def test_who_has_seen_it_end_gets_no_mail_that_says_so(
    app: Flask, hub: Hub, as_alice: FlaskClient, as_ada: FlaskClient, alice: User, make_job: MakeJob
) -> None:
    ids = [make_job(alice, 2).id for _ in range(2)]
    app.extensions["streams"] = hub
    for client, job_id in zip((as_ada, as_alice), ids, strict=True):
        answer = client.get(f"/events?job={job_id}", buffered=False)
        messages = iter(answer.response)
        assert next(messages) == HEARTBEAT
        scenes.completed(db.session.get_one(ScrapingJob, job_id), utcnow())
        hub.heard([Change(job_id)])
        turn(hub)
        assert b"event: end" in b"".join(messages)
    mails = select(Notice.job_id, Notice.state).where(Notice.kind == NoticeKind.JOB_COMPLETED)
    assert dict(db.session.execute(mails.where(Notice.channel == Channel.MAIL)).all()) == {
        ids[0]: Delivery.DUE, ids[1]: Delivery.DROPPED,
    }, "an administrator's looking is not the owner's"  # fmt: skip


# ── what is sent ──


def test_a_page_gets_what_it_does_not_show_and_then_what_changes(
    hub: Hub, clock: Clock, alice: User, make_job: MakeJob
) -> None:
    job = make_job(alice, 40)
    scenes.claim(job, utcnow())
    watch = JobWatch(reader(alice), job.id, outcome="all")
    page = OpenPage(hub, watch)
    turn(hub)
    assert page.targets() >= {"#job-poll", "#job-live", "#job-says", "#job-history"}
    up_to_date = OpenPage(hub, watch, version=hub._followed[watch].memory.version)
    turn(hub)
    assert (page.reads(), up_to_date.reads()) == ("", "")

    clock.now += 1
    scenes.answer(job, [Outcome.FOUND] * 2, utcnow())
    hub.heard([Change(job.id, at_once=False)])
    turn(hub)
    first, second = page.reads(), up_to_date.reads()
    assert "<title>5 % · clientes.xlsx · Masterfilter</title>" in first
    rows = re.findall(r'hx-target="#row-(\d+)-\d+-1"', first)
    assert rows == ["2", "3"] and first == second  # the two rows that have an answer now, and no other
    assert "#job-history" not in first  # it has not changed


def test_progress_is_sent_four_times_a_second_at_most_and_a_status_at_once(
    hub: Hub, clock: Clock, alice: User, make_job: MakeJob
) -> None:
    job = make_job(alice, 9)
    scenes.claim(job, utcnow())
    page = OpenPage(hub, JobWatch(reader(alice), job.id))
    turn(hub)
    page.reads()
    for _ in range(3):
        clock.now += 0.1
        scenes.answer(job, [Outcome.FOUND], utcnow())
        hub.heard([Change(job.id, at_once=False)])
        turn(hub)
    assert "3 of 9" in page.reads()
    scenes.answer(job, [Outcome.FOUND] * 6, utcnow())
    ScrapingJob.complete(job.id, job.attempt, utcnow())
    db.session.commit()
    hub.heard([Change(job.id)])
    turn(hub)
    last = page.reads()
    assert 'data-status="completed"' in last and "#job-rows" in last
    assert next(page.stream) == b"event: end\ndata:\n\n"


def test_a_change_is_rendered_once_for_all_who_see_the_same(
    hub: Hub, clock: Clock, alice: User, ada: User, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job(alice, 3)
    rendered: list[Reader] = []
    show = JobWatch.show
    monkeypatch.setattr(JobWatch, "show", lambda self, *a, **k: (rendered.append(self.reader), show(self, *a, **k))[1])
    readers = [reader(alice), reader(alice), reader(ada), reader(ada), reader(ada, "es")]
    pages = [OpenPage(hub, JobWatch(who, job.id)) for who in readers]
    turn(hub)
    for page in pages:
        page.reads()
    rendered.clear()
    clock.now += 1
    ScrapingJob.pause(job.id, "alice@example.com", utcnow())
    db.session.commit()
    hub.heard([Change(job.id)])
    turn(hub)
    texts = [page.reads() for page in pages]
    assert len(rendered) == 3 and texts[0] == texts[1] and texts[2] == texts[3]
    assert "#job-admin-facts" in texts[2] and "#job-admin-facts" not in texts[0]
    assert "Paused" in texts[3] and "Paused" not in texts[4]


def test_who_reads_slowly_gets_the_present_state_and_nothing_heaps_up(
    hub: Hub, clock: Clock, alice: User, make_job: MakeJob
) -> None:
    job = make_job(alice, 60)
    scenes.claim(job, utcnow())
    page = OpenPage(hub, JobWatch(reader(alice), job.id))
    turn(hub)
    sizes = []
    for _ in range(20):
        clock.now += 1
        scenes.answer(job, [Outcome.FOUND], utcnow())
        hub.heard([Change(job.id, at_once=False)])
        turn(hub)
        sizes.append(sum(map(len, page._pending.values())))
    text = page.reads()
    assert re.findall(r"(\d+) of 60", text)[-1] == "20" and text.count('hx-target="#job-live"') == 1
    assert sizes[-1] < 60_000


def test_a_list_gets_its_rows_a_message_at_the_end_and_what_is_started_elsewhere(
    hub: Hub, clock: Clock, alice: User, make_job: MakeJob
) -> None:
    job, other = make_job(alice, 2), make_job(alice, 2)
    page = OpenPage(hub, ListWatch(reader(alice), (other.id, job.id)))
    turn(hub)
    page.reads()
    clock.now += 1
    scenes.completed(job, utcnow())
    hub.heard([Change(job.id, alice.id)])
    turn(hub)
    sent = page.reads()
    assert set(re.findall(r'hx-target="([^"]+)"', sent)) == {f"#job-row-{job.id}", "#jobs-poll", "#toasts"}
    assert "clientes.xlsx</a> · Completed" in sent
    newer = make_job(alice, 2)
    hub.heard([Change(newer.id, alice.id)])
    clock.now += 1
    turn(hub)
    sent = page.reads()
    assert '<hx-partial hx-target="#jobs"' in sent and f'id="job-row-{newer.id}"' in sent


def test_a_deleted_job_ends_its_stream(hub: Hub, app: Flask, alice: User, make_job: MakeJob) -> None:
    job = make_job(alice, 2)
    page = OpenPage(hub, JobWatch(reader(alice), job.id))
    turn(hub)
    page.reads()
    commands.delete(job.id, "alice@example.com", utcnow(), app.extensions["storage"])
    hub.heard([Change(job.id)])
    turn(hub)
    assert page.reads() == "event: gone\ndata:\n\n"


def test_lost_messages_are_made_up_for_by_a_look_at_the_database(
    hub: Hub, clock: Clock, alice: User, make_job: MakeJob
) -> None:
    job = make_job(alice, 2)
    page = OpenPage(hub, JobWatch(reader(alice), job.id))
    clock.now += hub_module.LOOK_SECONDS
    turn(hub)
    page.reads()
    scenes.completed(job, utcnow())
    turn(hub)
    assert page.reads() == ""
    clock.now += hub_module.LOOK_SECONDS
    turn(hub)
    turn(hub)
    assert 'data-status="completed"' in page.reads()


# ── who is sent nothing any more ──


@pytest.mark.parametrize("how", ["signed out", "deactivated", "idle", "no admin any more"])
def test_a_stream_ends_with_its_session(
    hub: Hub, clock: Clock, app: Flask, as_ada: FlaskClient, alice: User, ada: User, make_job: MakeJob, how: str
) -> None:
    job = make_job(alice, 2)
    with as_ada.session_transaction() as kept:
        token = kept["_user_id"]
    own = db.session.query(LoginSession).one().id
    page = OpenPage(hub, JobWatch(reader(ada), job.id), session_id=own)
    turn(hub)
    page.reads()
    assert token
    if how == "signed out":
        as_ada.post("/logout")
    elif how == "deactivated":
        db.session.execute(update(User).where(User.id == ada.id).values(is_active=False))
    elif how == "idle":
        long_ago = cast.NOW.replace(year=2020)
        db.session.execute(update(LoginSession).values(seen_at=long_ago))
    else:
        db.session.execute(update(User).where(User.id == ada.id).values(is_admin=False))
    db.session.commit()
    clock.now += hub_module.HEARTBEAT_SECONDS
    turn(hub)
    assert page.reads() == f"event: {'again' if how == 'no admin any more' else 'signed-out'}\ndata:\n\n"


def test_no_more_pages_than_there_is_room_for(hub: Hub, alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "MOST_OF_ONE", 2)
    monkeypatch.setattr(hub_module, "MOST_WATCHERS", 3)
    watch = ListWatch(reader(alice), ())
    for session_id, fits in [("a", True), ("a", True), ("a", False), ("b", True), ("b", False)]:
        assert hub.has_room(session_id) is fits
        if fits:
            hub.add(watch, Watcher(session_id, "", ""))
    hub.close()
    assert all(watcher.has_ended for watcher in hub._followed[watch].watchers)


def test_pages_that_come_are_let_in_between_two_renderings(app: Flask, alice: User, make_job: MakeJob) -> None:
    """One process renders and lets in, and does one thing at a time."""

    class Ticking(Clock):
        def __call__(self) -> float:
            self.now += 0.01
            return self.now

    rests: list[float] = []
    watches = [JobWatch(reader(alice), make_job(alice, 2).id, outcome="all") for _ in range(4)]

    def rest(seconds: float) -> None:
        rests.append(seconds)
        if len(rests) == 1:
            pages.append(OpenPage(hub, watches[3]))

    hub = Hub(app, Ticking(), rest)
    hub.hears = True
    pages = [OpenPage(hub, watch) for watch in watches[:3]]
    turn(hub)
    assert len(rests) == 3 and min(rests) > 0, "after each, as long as it took"
    assert all(page.reads() for page in pages[:3]) and not pages[3].reads()
    turn(hub)
    assert pages[3].reads(), "who came meanwhile is in the next turn"
