"""The webhook channel against a receiver that misbehaves: alice's program is told, in time, once, and by nobody else's
door."""

import json
import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from portal.accounts import User
from portal.database import db
from portal.jobs.core.backoff import Backoff
from portal.jobs.models import ScrapingJob
from portal.jobs.notify import send
from portal.net import post as posting
from portal.net.address_policy import AddressRefusal, AddressRefused
from portal.notices.delivery import MAX_TRIES, send_due
from portal.notices.models import Channel, Delivery, Notice, NoticeSettings
from portal.notices.outbox import due_notices, write
from portal.notices.preferences import webhook_is_on
from portal.notices.webhook import settings as webhook_desk
from portal.notices.webhook import webhook_channel
from tests.support.receiver import Receiver, receiver

MakeJob = Callable[..., ScrapingJob]
DOCS = Path(__file__).resolve().parents[3] / "docs" / "webhooks.md"
MINUTE = timedelta(minutes=1)


@pytest.fixture
def there(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """Alice's program, in a network that the operator opened; it gets half a second to answer."""
    app.config["WEBHOOKS_ALLOW_PRIVATE"] = ("127.0.0.0/8",)
    monkeypatch.setattr(webhook_channel, "SECONDS", 0.4)
    with receiver() as server:
        yield server


@pytest.fixture
def hooked(there: Receiver, alice: User, now: datetime) -> Receiver:
    webhook_desk.choose_address(alice.id, there.url, now)
    return there


def fails(job: ScrapingJob, now: datetime) -> None:
    """The job's attempt ends with numbers unanswered and no retries left."""
    assert ScrapingJob.claim(job.id, job.attempt, now, worker="w", lease_seconds=60)
    assert ScrapingJob.fail(job.id, 1, "numbers_unanswered", now, Backoff(0, 1, 0, 0))
    db.session.commit()


@pytest.fixture
def failed(make_job: MakeJob, alice: User, hooked: Receiver, now: datetime) -> ScrapingJob:
    job = make_job(alice, 3)
    job.max_retries = 0
    db.session.commit()
    fails(job, now)
    return job


def told(now: datetime) -> Notice:
    """One pass, and the last of the webhook's deliveries as it stands after it."""
    list(send_due(now))
    return webhooks()[-1]


def webhooks() -> list[Notice]:
    db.session.rollback()
    db.session.expire_all()
    return list(db.session.query(Notice).filter_by(channel=Channel.WEBHOOK).order_by(Notice.id))


def settings(user: User) -> NoticeSettings:
    db.session.rollback()
    return db.session.get_one(NoticeSettings, user.id, populate_existing=True)


# ── what arrives ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_alices_program_is_told_of_the_end_with_counts_and_cause_and_no_number(
    failed: ScrapingJob, hooked: Receiver, now: datetime
) -> None:
    sent = told(now + MINUTE)
    assert (sent.state, sent.answer, sent.tries) == (Delivery.SENT, "200 thank you", 1)
    (received,) = hooked.received
    body = json.loads(received.body)
    job = body.pop("job")
    assert body == {
        "event": "job.failed", "id": f"job-failed.{failed.id}.1.webhook",
        "happened_at": "2026-05-05T09:00:00Z", "sent_at": "2026-05-05T09:01:00Z",
    }  # fmt: skip
    assert job.pop("cause")["code"] == "numbers_unanswered"
    assert job == {
        "id": failed.id, "file_name": "clientes.xlsx", "status": "failed", "fixed": False, "total": 3, "ready": 0,
        "found": 0, "unanswered": 3, "attempts": 1, "reference": f"SJ-{failed.id}-A1",
        "url": f"http://localhost/jobs/{failed.id}",
    }  # fmt: skip
    assert not re.search(rb"6\d{8}", received.body)
    assert received.headers["content-type"] == "application/json"
    assert received.headers["masterfilter-event"] == "job.failed"
    assert received.headers["masterfilter-delivery"] == body["id"]


def test_the_message_has_the_fields_that_the_docs_show(failed: ScrapingJob, hooked: Receiver, now: datetime) -> None:
    told(now)
    shown = json.loads(re.search(r"```json\n(.+?)```", DOCS.read_text(), re.S)[1])  # type: ignore[index]
    sent = json.loads(hooked.received[0].body)

    def names(thing: Any) -> Any:
        return {name: names(value) for name, value in thing.items()} if isinstance(thing, dict) else None

    assert names(sent) == names(shown)


def test_the_signature_verifies_with_the_lines_that_the_docs_show(
    failed: ScrapingJob, hooked: Receiver, alice: User, now: datetime
) -> None:
    told(now)
    (received,) = hooked.received
    shown: dict[str, Any] = {}
    exec(re.search(r"```python\n(.+?)```", DOCS.read_text(), re.S)[1], shown)  # type: ignore[index]
    verify, secret, at = shown["is_from_masterfilter"], settings(alice).webhook_secret, now.timestamp()
    header = received.headers["masterfilter-signature"]
    assert verify(secret, header, received.body, at)
    assert not verify(secret, header, received.body + b" ", at)
    assert not verify("mfwh_another", header, received.body, at)
    assert not verify(secret, header, received.body, at + 301)
    assert not verify(secret, header.replace("t=", "t=1"), received.body, at)
    for nonsense in ("", "v1=", "t=,v1=", "t=x", "=,=", "t=1,v1"):
        assert not verify(secret, nonsense, received.body, at)


def test_after_a_failure_that_was_told_completing_says_so(
    failed: ScrapingJob, hooked: Receiver, alice: User, now: datetime
) -> None:
    told(now)
    ScrapingJob.retry(failed.id, failed.round, alice.email, now)
    assert ScrapingJob.claim(failed.id, 1, now, worker="w", lease_seconds=60)
    db.session.get_one(ScrapingJob, failed.id).processed_numbers = 3
    db.session.flush()
    assert ScrapingJob.complete(failed.id, 2, now)
    db.session.commit()
    told(now)
    body = json.loads(hooked.received[1].body)
    assert (body["event"], body["job"]["fixed"], body["job"]["cause"]) == ("job.completed", True, None)


def test_who_wants_no_mails_is_still_told_by_the_webhook_and_who_has_none_is_not(
    make_job: MakeJob, alice: User, bob: User, hooked: Receiver, now: datetime
) -> None:
    db.session.get_one(NoticeSettings, alice.id).tell_failed = False
    for person in (alice, bob):
        job = make_job(person, 1)
        job.max_retries = 0
        db.session.commit()
        fails(job, now)
    assert [notice.user_id for notice in webhooks()] == [alice.id]


def test_a_cause_written_by_hand_is_told_in_its_words_and_without_a_code(
    make_job: MakeJob, alice: User, hooked: Receiver, now: datetime
) -> None:
    job = make_job(alice, 1)
    job.mark_as_failed("The office closed")
    job.max_retries = 0
    db.session.commit()
    send.job_failed(job, now)
    db.session.commit()
    told(now)
    cause = json.loads(hooked.received[-1].body)["job"]["cause"]
    assert cause == {"code": None, "words": {"es": "The office closed", "en": "The office closed"}}


# ── a receiver that misbehaves ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("behave", "answer"),
    [
        (500, "500 oops"),
        ("hang", "No answer within 10 seconds."),
        ("drip_headers", "No answer within 10 seconds."),
        ("reset", "No connection, or it broke off before an answer came."),
        ("redirect", "302 The address answered with a redirect, which is not followed."),
    ],
)
def test_what_was_not_taken_is_tried_again_under_the_same_id_until_it_is(
    failed: ScrapingJob, hooked: Receiver, now: datetime, behave: int | str, answer: str
) -> None:
    hooked.behave, hooked.says = behave, "oops"
    notice = told(now)
    assert (notice.state, notice.answer, notice.tries) == (Delivery.DUE, answer, 1)
    assert notice.due_at == now + 2 * MINUTE
    assert told(now + MINUTE).tries == 1  # not before its time
    hooked.behave = 200
    assert told(now + 2 * MINUTE).state == Delivery.SENT
    first, second = hooked.received
    assert first.headers["masterfilter-delivery"] == second.headers["masterfilter-delivery"]


def test_an_answer_without_end_counts_by_its_status_and_is_cut(
    failed: ScrapingJob, hooked: Receiver, now: datetime
) -> None:
    hooked.behave = "huge"
    notice = told(now)
    assert notice.state == Delivery.SENT
    assert len(notice.answer or "") <= webhook_channel.SHOWN_LETTERS + 4


def test_a_receiver_that_never_takes_it_is_given_up_after_its_last_try(
    failed: ScrapingJob, hooked: Receiver, now: datetime
) -> None:
    hooked.behave = 500
    last = told(now)
    while last.state == Delivery.DUE:
        last = told(last.due_at)
    assert (last.state, last.tries) == (Delivery.DEAD, MAX_TRIES)
    assert len(hooked.received) == MAX_TRIES
    assert timedelta(hours=11) < last.due_at - now < timedelta(hours=12)  # as docs/webhooks.md says


@pytest.mark.parametrize(("status", "spelled"), [(429, "seconds"), (503, "date")])
def test_a_wait_that_is_asked_for_is_waited(
    failed: ScrapingJob, hooked: Receiver, now: datetime, status: int, spelled: str
) -> None:
    hooked.behave = status
    at = now + timedelta(hours=2)
    hooked.more = {"Retry-After": "7200" if spelled == "seconds" else format_datetime(at, usegmt=True)}
    assert told(now).due_at == at


def test_a_wait_of_a_year_is_a_day(failed: ScrapingJob, hooked: Receiver, now: datetime) -> None:
    hooked.behave, hooked.more = 429, {"Retry-After": "31536000"}
    assert told(now).due_at == now + timedelta(days=1)


def test_gone_switches_it_off_for_good_and_a_mail_says_so(
    failed: ScrapingJob, hooked: Receiver, alice: User, now: datetime
) -> None:
    hooked.behave, hooked.says = 410, ""
    notice = told(now)
    assert (notice.state, notice.answer) == (Delivery.DEAD, "410 The webhook was switched off.")
    assert settings(alice).webhook_off_at == now
    assert not webhook_is_on(alice.id)
    mail = db.session.query(Notice).filter_by(kind="webhook_off").one()
    assert (mail.channel, mail.user_id, mail.facts) == (Channel.MAIL, alice.id, {"host": "127.0.0.1"})
    list(send_due(now))
    db.session.refresh(mail)
    assert mail.state == Delivery.SENT, mail.last_error
    webhook_desk.choose_address(alice.id, hooked.url, now)
    assert webhook_is_on(alice.id)


def test_gone_does_not_switch_off_an_address_that_was_chosen_meanwhile(
    hooked: Receiver, alice: User, now: datetime
) -> None:
    webhook_desk.choose_address(alice.id, hooked.url + "/new", now)
    webhook_desk.switch_off(alice.id, hooked.url, now)
    assert webhook_is_on(alice.id)


def test_a_receiver_that_hangs_keeps_neither_mails_nor_the_programs_of_others_waiting(
    make_job: MakeJob, alice: User, bob: User, hooked: Receiver, now: datetime
) -> None:
    webhook_desk.choose_address(bob.id, hooked.url + "?bob", now)
    for _ in range(4):
        webhook_desk.send_test(alice.id, now)
    webhook_desk.send_test(bob.id, now + MINUTE)
    write("mail", "webhook_off", alice.id, None, {"host": "x"}, now + MINUTE)
    db.session.commit()
    assert due_notices(now + MINUTE, 50)[0].channel == Channel.MAIL  # though it is the youngest
    hooked.behave = "hang"
    list(send_due(now + MINUTE))
    tries = {notice.user_id: 0 for notice in webhooks()}
    for notice in webhooks():
        tries[notice.user_id] += notice.tries
    assert tries == {alice.id: 1, bob.id: 1}  # her other three lost no try


# ── where it may not go ─────────────────────────────────────────────────────────────────────────────────────────────


def test_without_the_setting_nothing_connects_to_a_private_address(
    app: Flask, failed: ScrapingJob, hooked: Receiver, alice: User, now: datetime
) -> None:
    app.config["WEBHOOKS_ALLOW_PRIVATE"] = ()
    for scheme, host in (("http", "127.0.0.1"), ("https", "127.0.0.1"), ("https", "localhost")):
        db.session.get_one(NoticeSettings, alice.id).webhook_url = f"{scheme}://{host}:{hooked.port}/"
        db.session.query(Notice).filter_by(channel=Channel.WEBHOOK).update({"state": Delivery.DUE, "due_at": now})
        db.session.commit()
        assert told(now).state == Delivery.DEAD
    assert hooked.received == []


def test_a_redirect_to_a_private_address_is_not_followed(
    failed: ScrapingJob, hooked: Receiver, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    real = posting.AddressPolicy.allowed_address
    monkeypatch.setattr(
        posting.AddressPolicy, "allowed_address", lambda self, host, port: asked.append(host) or real(self, host, port)
    )
    hooked.behave = "redirect"
    assert told(now).state == Delivery.DUE
    assert set(asked) == {"127.0.0.1"}


def test_an_address_that_gives_itself_away_is_not_kept(app: Flask, alice: User, now: datetime) -> None:
    for address in ("http://10.0.0.1/", "https://[::1]/", "ftp://example.org/", "nonsense"):
        with pytest.raises(AddressRefused) as refused:
            webhook_desk.choose_address(alice.id, address, now)
        assert refused.value.code in (AddressRefusal.SCHEME, AddressRefusal.PRIVATE)
    assert not webhook_is_on(alice.id)


# ── at the desk ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_new_key_signs_what_is_sent_from_then_on(hooked: Receiver, alice: User, now: datetime) -> None:
    before = settings(alice).webhook_secret
    webhook_desk.renew_secret(alice.id, now)
    after = settings(alice).webhook_secret
    assert before and after and before != after
    assert webhook_is_on(alice.id)


def test_an_empty_address_switches_it_off_and_what_was_due_is_not_sent(
    failed: ScrapingJob, hooked: Receiver, alice: User, now: datetime
) -> None:
    secret = settings(alice).webhook_secret
    webhook_desk.choose_address(alice.id, "  ", now)
    assert told(now).state == Delivery.DEAD
    assert hooked.received == []
    webhook_desk.choose_address(alice.id, hooked.url, now)
    assert settings(alice).webhook_secret == secret


def test_alice_sends_one_again_under_the_same_id_and_bob_cannot(
    failed: ScrapingJob, hooked: Receiver, alice: User, bob: User, now: datetime
) -> None:
    sent = told(now)
    assert webhook_desk.send_again(bob.id, sent.id, now) is None
    assert webhook_desk.send_again(alice.id, sent.id, now) is True
    assert webhook_desk.send_again(alice.id, sent.id, now) is False  # it is on its way
    again = told(now)
    assert (again.state, again.tries) == (Delivery.SENT, 2)
    assert len({received.headers["masterfilter-delivery"] for received in hooked.received}) == 1


def test_a_mail_cannot_be_sent_again_at_this_desk(failed: ScrapingJob, alice: User, now: datetime) -> None:
    mail = db.session.query(Notice).filter_by(channel=Channel.MAIL).one()
    assert webhook_desk.send_again(alice.id, mail.id, now) is None


def test_only_so_many_tests_wait_at_once(hooked: Receiver, alice: User, now: datetime) -> None:
    asked = [webhook_desk.send_test(alice.id, now) for _ in range(webhook_desk.AT_ONCE + 2)]
    assert asked == [True] * webhook_desk.AT_ONCE + [False] * 2
    list(send_due(now))
    assert json.loads(hooked.received[0].body).keys() == {"event", "id", "happened_at", "sent_at"}
    assert hooked.received[0].headers["masterfilter-event"] == "test"
    assert webhook_desk.send_test(alice.id, now)


def test_the_last_twenty_are_shown_and_nobody_elses(hooked: Receiver, alice: User, bob: User, now: datetime) -> None:
    for n in range(22):
        db.session.add(
            Notice(
                dedupe=f"test.{n}",
                kind="webhook_test",
                channel=Channel.WEBHOOK,
                user_id=alice.id,
                created_at=now,
                due_at=now,
                state=Delivery.SENT,
            )  # fmt: skip
        )
    db.session.commit()
    assert [notice.dedupe for notice in webhook_desk.deliveries(alice.id)] == [f"test.{n}" for n in range(21, 1, -1)]
    assert webhook_desk.deliveries(bob.id) == []


@pytest.mark.parametrize("status", [200, 404])
def test_what_a_program_repeats_of_its_address_and_key_is_kept_and_logged_by_nobody(
    status: int, failed: ScrapingJob, hooked: Receiver, alice: User, now: datetime, caplog: pytest.LogCaptureFixture
) -> None:
    webhook_desk.choose_address(alice.id, f"{hooked.url}/T0LD-N0B0DY/in?key=s%C3%A9cret-word", now)
    key = settings(alice).webhook_secret
    hooked.behave = status
    hooked.says = f"Cannot POST /hook/T0LD-N0B0DY/in?key=s%C3%A9cret-word (sécret-word) {key}"
    notice = told(now)
    kept = f"{notice.answer} {notice.last_error} {caplog.text}"
    assert str(notice.answer).startswith(f"{status} Cannot POST /***")
    assert not [word for word in ("N0B0DY", "cret-word", str(key)) if word in kept]
