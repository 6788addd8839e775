"""The webhook channel against a receiver that misbehaves: alice's program is notified once, in time, and at an allowed
address only."""

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
from portal.jobs.core.retry_backoff import Backoff
from portal.jobs.models import ScrapingJob
from portal.jobs.notify import send
from portal.net import guarded_post as posting
from portal.net.address_policy import AddressRefusal, AddressRefused
from portal.notices.delivery import MAX_TRIES, send_due
from portal.notices.models import Channel, Delivery, Notice, NoticeSettings
from portal.notices.outbox import due_notices, write
from portal.notices.preferences import webhook_is_on
from portal.notices.webhook import settings as webhook_settings
from portal.notices.webhook import webhook_channel
from tests.support.receiver import Receiver, receiver

MakeJob = Callable[..., ScrapingJob]
DOCS = Path(__file__).resolve().parents[3] / "docs" / "webhooks.md"
MINUTE = timedelta(minutes=1)


@pytest.fixture
def there(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """Alice's program, in a network that the operator allows; it has 0.4 seconds to answer."""
    app.config["WEBHOOKS_ALLOW_PRIVATE"] = ("127.0.0.0/8",)
    monkeypatch.setattr(webhook_channel, "SECONDS", 0.4)
    with receiver() as server:
        yield server


@pytest.fixture
def hooked(there: Receiver, alice: User, now: datetime) -> Receiver:
    webhook_settings.choose_address(alice.id, there.url, now)
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


def deliver(now: datetime) -> Notice:
    """Send the due notices; returns the latest webhook delivery afterwards."""
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


def test_a_failed_job_is_sent_with_counts_and_cause_and_no_number(
    failed: ScrapingJob, hooked: Receiver, now: datetime
) -> None:
    sent = deliver(now + MINUTE)
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


def test_the_message_has_the_fields_in_the_docs(failed: ScrapingJob, hooked: Receiver, now: datetime) -> None:
    deliver(now)
    shown = json.loads(re.search(r"```json\n(.+?)```", DOCS.read_text(), re.S)[1])  # type: ignore[index]
    sent = json.loads(hooked.received[0].body)

    def names(thing: Any) -> Any:
        return {name: names(value) for name, value in thing.items()} if isinstance(thing, dict) else None

    assert names(sent) == names(shown)


def test_the_signature_verifies_with_the_code_in_the_docs(
    failed: ScrapingJob, hooked: Receiver, alice: User, now: datetime
) -> None:
    deliver(now)
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


def test_completing_after_a_failure_says_fixed(
    failed: ScrapingJob, hooked: Receiver, alice: User, now: datetime
) -> None:
    deliver(now)
    ScrapingJob.retry(failed.id, failed.round, alice.email, now)
    assert ScrapingJob.claim(failed.id, 1, now, worker="w", lease_seconds=60)
    db.session.get_one(ScrapingJob, failed.id).processed_numbers = 3
    db.session.flush()
    assert ScrapingJob.complete(failed.id, 2, now)
    db.session.commit()
    deliver(now)
    body = json.loads(hooked.received[1].body)
    assert (body["event"], body["job"]["fixed"], body["job"]["cause"]) == ("job.completed", True, None)


def test_email_preferences_do_not_apply_to_webhooks(
    make_job: MakeJob, alice: User, bob: User, hooked: Receiver, now: datetime
) -> None:
    db.session.get_one(NoticeSettings, alice.id).tell_failed = False
    for person in (alice, bob):
        job = make_job(person, 1)
        job.max_retries = 0
        db.session.commit()
        fails(job, now)
    assert [notice.user_id for notice in webhooks()] == [alice.id]


def test_a_cause_written_by_hand_has_words_and_no_code(
    make_job: MakeJob, alice: User, hooked: Receiver, now: datetime
) -> None:
    job = make_job(alice, 1)
    job.mark_as_failed("The office closed")
    job.max_retries = 0
    db.session.commit()
    send.job_failed(job, now)
    db.session.commit()
    deliver(now)
    cause = json.loads(hooked.received[-1].body)["job"]["cause"]
    assert cause == {"code": None, "words": {"es": "The office closed", "en": "The office closed"}}


# ── a receiver that misbehaves ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("behave", "answer"),
    [
        (500, "500 oops"),
        ("hang", "No answer within 10 seconds."),
        ("drip_headers", "No answer within 10 seconds."),
        ("reset", "No connection, or it was lost before an answer arrived."),
        ("redirect", "302 The address answered with a redirect. We do not follow redirects."),
    ],
)
def test_a_failed_delivery_is_retried_with_the_same_id(
    failed: ScrapingJob, hooked: Receiver, now: datetime, behave: int | str, answer: str
) -> None:
    hooked.behave, hooked.says = behave, "oops"
    notice = deliver(now)
    assert (notice.state, notice.answer, notice.tries) == (Delivery.DUE, answer, 1)
    assert notice.due_at == now + 2 * MINUTE
    assert deliver(now + MINUTE).tries == 1  # not before its time
    hooked.behave = 200
    assert deliver(now + 2 * MINUTE).state == Delivery.SENT
    first, second = hooked.received
    assert first.headers["masterfilter-delivery"] == second.headers["masterfilter-delivery"]


def test_an_endless_answer_counts_by_its_status_and_is_clipped(
    failed: ScrapingJob, hooked: Receiver, now: datetime
) -> None:
    hooked.behave = "huge"
    notice = deliver(now)
    assert notice.state == Delivery.SENT
    assert len(notice.answer or "") <= webhook_channel.SHOWN_LENGTH + 4


def test_a_delivery_fails_after_its_last_try(failed: ScrapingJob, hooked: Receiver, now: datetime) -> None:
    hooked.behave = 500
    last = deliver(now)
    while last.state == Delivery.DUE:
        last = deliver(last.due_at)
    assert (last.state, last.tries) == (Delivery.DEAD, MAX_TRIES)
    assert len(hooked.received) == MAX_TRIES
    assert timedelta(hours=11) < last.due_at - now < timedelta(hours=12)  # as docs/webhooks.md says


@pytest.mark.parametrize(("status", "spelled"), [(429, "seconds"), (503, "date")])
def test_it_honours_retry_after(
    failed: ScrapingJob, hooked: Receiver, now: datetime, status: int, spelled: str
) -> None:
    hooked.behave = status
    at = now + timedelta(hours=2)
    hooked.more = {"Retry-After": "7200" if spelled == "seconds" else format_datetime(at, usegmt=True)}
    assert deliver(now).due_at == at


def test_a_retry_after_of_a_year_becomes_a_day(failed: ScrapingJob, hooked: Receiver, now: datetime) -> None:
    hooked.behave, hooked.more = 429, {"Retry-After": "31536000"}
    assert deliver(now).due_at == now + timedelta(days=1)


def test_gone_switches_it_off_and_notifies_by_email(
    failed: ScrapingJob, hooked: Receiver, alice: User, now: datetime
) -> None:
    hooked.behave, hooked.says = 410, ""
    notice = deliver(now)
    assert (notice.state, notice.answer) == (Delivery.DEAD, "410 The webhook was switched off.")
    assert settings(alice).webhook_off_at == now
    assert not webhook_is_on(alice.id)
    mail = db.session.query(Notice).filter_by(kind="webhook_off").one()
    assert (mail.channel, mail.user_id, mail.facts) == (Channel.MAIL, alice.id, {"host": "127.0.0.1"})
    list(send_due(now))
    db.session.refresh(mail)
    assert mail.state == Delivery.SENT, mail.last_error
    webhook_settings.choose_address(alice.id, hooked.url, now)
    assert webhook_is_on(alice.id)


def test_gone_does_not_switch_off_an_address_chosen_meanwhile(hooked: Receiver, alice: User, now: datetime) -> None:
    webhook_settings.choose_address(alice.id, hooked.url + "/new", now)
    webhook_settings.switch_off(alice.id, hooked.url, now)
    assert webhook_is_on(alice.id)


def test_a_receiver_that_hangs_delays_no_email_and_no_other_webhook(
    make_job: MakeJob, alice: User, bob: User, hooked: Receiver, now: datetime
) -> None:
    webhook_settings.choose_address(bob.id, hooked.url + "?bob", now)
    for _ in range(4):
        webhook_settings.send_test(alice.id, now)
    webhook_settings.send_test(bob.id, now + MINUTE)
    write("mail", "webhook_off", alice.id, None, {"host": "x"}, now + MINUTE)
    db.session.commit()
    assert due_notices(now + MINUTE, 50)[0].channel == Channel.MAIL  # though it is the youngest
    hooked.behave = "hang"
    list(send_due(now + MINUTE))
    tries = {notice.user_id: 0 for notice in webhooks()}
    for notice in webhooks():
        tries[notice.user_id] += notice.tries
    assert tries == {alice.id: 1, bob.id: 1}  # no try was counted for her other three


# ── where it may not go ─────────────────────────────────────────────────────────────────────────────────────────────


def test_it_does_not_connect_to_a_private_address_by_default(
    app: Flask, failed: ScrapingJob, hooked: Receiver, alice: User, now: datetime
) -> None:
    app.config["WEBHOOKS_ALLOW_PRIVATE"] = ()
    for scheme, host in (("http", "127.0.0.1"), ("https", "127.0.0.1"), ("https", "localhost")):
        db.session.get_one(NoticeSettings, alice.id).webhook_url = f"{scheme}://{host}:{hooked.port}/"
        db.session.query(Notice).filter_by(channel=Channel.WEBHOOK).update({"state": Delivery.DUE, "due_at": now})
        db.session.commit()
        assert deliver(now).state == Delivery.DEAD
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
    assert deliver(now).state == Delivery.DUE
    assert set(asked) == {"127.0.0.1"}


def test_an_address_that_is_clearly_not_allowed_is_not_saved(app: Flask, alice: User, now: datetime) -> None:
    for address in ("http://10.0.0.1/", "https://[::1]/", "ftp://example.org/", "nonsense"):
        with pytest.raises(AddressRefused) as refused:
            webhook_settings.choose_address(alice.id, address, now)
        assert refused.value.code in (AddressRefusal.SCHEME, AddressRefusal.PRIVATE)
    assert not webhook_is_on(alice.id)


# ── the settings ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_renewing_the_key_replaces_it(hooked: Receiver, alice: User, now: datetime) -> None:
    before = settings(alice).webhook_secret
    webhook_settings.renew_secret(alice.id, now)
    after = settings(alice).webhook_secret
    assert before and after and before != after
    assert webhook_is_on(alice.id)


def test_a_renewed_key_overlaps_with_the_old_one_for_a_day(
    failed: ScrapingJob, hooked: Receiver, alice: User, now: datetime
) -> None:
    old = settings(alice).webhook_secret
    webhook_settings.renew_secret(alice.id, now)
    new = settings(alice).webhook_secret
    shown: dict[str, Any] = {}
    exec(re.search(r"```python\n(.+?)```", DOCS.read_text(), re.S)[1], shown)  # type: ignore[index]

    def accepted(key: str | None) -> bool:
        received = hooked.received[-1]
        header = received.headers["masterfilter-signature"]
        at = float(dict(part.split("=") for part in header.split(","))["t"])
        return bool(shown["is_from_masterfilter"](key, header, received.body, at))

    deliver(now)
    assert accepted(old) and accepted(new) and not accepted("mfwh_another")
    webhook_settings.send_test(alice.id, now + timedelta(days=1))
    list(send_due(now + timedelta(days=1)))
    assert len(hooked.received) == 2 and accepted(new) and not accepted(old)


def test_an_empty_address_switches_it_off_for_due_notices_too(
    failed: ScrapingJob, hooked: Receiver, alice: User, now: datetime
) -> None:
    secret = settings(alice).webhook_secret
    webhook_settings.choose_address(alice.id, "  ", now)
    assert deliver(now).state == Delivery.DEAD
    assert hooked.received == []
    webhook_settings.choose_address(alice.id, hooked.url, now)
    assert settings(alice).webhook_secret == secret


def test_alice_can_resend_with_the_same_id_and_bob_cannot(
    failed: ScrapingJob, hooked: Receiver, alice: User, bob: User, now: datetime
) -> None:
    sent = deliver(now)
    assert webhook_settings.send_again(bob.id, sent.id, now) is None
    assert webhook_settings.send_again(alice.id, sent.id, now) is True
    assert webhook_settings.send_again(alice.id, sent.id, now) is False  # it is already being sent
    again = deliver(now)
    assert (again.state, again.tries) == (Delivery.SENT, 2)
    assert len({received.headers["masterfilter-delivery"] for received in hooked.received}) == 1


def test_an_email_cannot_be_resent_here(failed: ScrapingJob, alice: User, now: datetime) -> None:
    mail = db.session.query(Notice).filter_by(channel=Channel.MAIL).one()
    assert webhook_settings.send_again(alice.id, mail.id, now) is None


def test_it_limits_how_many_tests_wait(hooked: Receiver, alice: User, now: datetime) -> None:
    asked = [webhook_settings.send_test(alice.id, now) for _ in range(webhook_settings.AT_ONCE + 2)]
    assert asked == [True] * webhook_settings.AT_ONCE + [False] * 2
    list(send_due(now))
    assert json.loads(hooked.received[0].body).keys() == {"event", "id", "happened_at", "sent_at"}
    assert hooked.received[0].headers["masterfilter-event"] == "test"
    assert webhook_settings.send_test(alice.id, now)


def test_it_lists_only_ones_own_last_twenty(hooked: Receiver, alice: User, bob: User, now: datetime) -> None:
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
    assert [notice.dedupe for notice in webhook_settings.deliveries(alice.id)] == [
        f"test.{n}" for n in range(21, 1, -1)
    ]
    assert webhook_settings.deliveries(bob.id) == []


@pytest.mark.parametrize("status", [200, 404])
def test_an_address_or_key_repeated_in_the_answer_is_masked(
    status: int, failed: ScrapingJob, hooked: Receiver, alice: User, now: datetime, caplog: pytest.LogCaptureFixture
) -> None:
    webhook_settings.choose_address(alice.id, f"{hooked.url}/T0LD-N0B0DY/in?key=s%C3%A9cret-word", now)
    key = settings(alice).webhook_secret
    hooked.behave = status
    hooked.says = f"Cannot POST /hook/T0LD-N0B0DY/in?key=s%C3%A9cret-word (sécret-word) {key}"
    notice = deliver(now)
    kept = f"{notice.answer} {notice.last_error} {caplog.text}"
    assert str(notice.answer).startswith(f"{status} Cannot POST /***")
    assert not [word for word in ("N0B0DY", "cret-word", str(key)) if word in kept]
