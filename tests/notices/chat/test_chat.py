"""Chat messages to the admins: sent through Apprise to a chat at 127.0.0.1, and what happens when a chat fails."""

import json
import logging
import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest
from flask import Flask

from portal.accounts import User
from portal.config import SettingError, read_settings
from portal.database import db
from portal.jobs.models import ScrapingJob
from portal.jobs.notify import send
from portal.notices.chat import apprise_client
from portal.notices.delivery import send_due
from portal.notices.models import Channel, Delivery, Notice
from tests.support.receiver import Receiver, receiver

MakeJob = Callable[..., ScrapingJob]
MINUTE = timedelta(minutes=1)
KEY = "averysecretkey"


def address(chat_server: Receiver, name: str = "chat_server") -> str:
    return f"json://127.0.0.1:{chat_server.port}/{name}?+X-Key={KEY}"


@pytest.fixture
def chat_server() -> Iterator[Receiver]:
    with receiver() as server:
        yield server


@pytest.fixture
def chatting(app: Flask, chat_server: Receiver) -> Receiver:
    app.config["NOTIFY_URLS"] = (address(chat_server),)
    return chat_server


@pytest.fixture
def logged() -> Iterator[list[str]]:
    """What the portal's log handlers receive, at level DEBUG."""
    lines: list[str] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    root, handler, before = logging.getLogger(), Handler(), logging.getLogger().level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield lines
    root.setLevel(before)
    root.removeHandler(handler)


def fail(job: ScrapingJob, now: datetime) -> None:
    job.last_error = "source_busy"
    send.job_failed(job, now)
    db.session.commit()


def chats() -> list[Notice]:
    db.session.rollback()
    db.session.expire_all()
    return list(db.session.query(Notice).filter_by(channel=Channel.CHAT).order_by(Notice.id))


def messages(chat_server: Receiver) -> list[tuple[str, str]]:
    bodies = [json.loads(received.body) for received in chat_server.received]
    return [(body["title"], body["message"]) for body in bodies]


def test_a_failed_file_is_sent_with_its_owner_counts_and_cause(
    chatting: Receiver, make_job: MakeJob, alice: User, now: datetime
) -> None:
    job = make_job(alice, 3)
    fail(job, now)
    list(send_due(now))
    ((title, text),) = messages(chatting)
    assert title == "clientes.xlsx se ha parado: 0 de 3 números listos, 3 sin respuesta"
    lines = text.splitlines()
    assert lines[0] == "Usuario: alice@example.com"
    assert lines[1].startswith("Motivo: La fuente")
    assert lines[2:] == [f"Referencia: SJ-{job.id}-A0", f"http://localhost/jobs/{job.id}"]
    (notice,) = chats()
    assert (notice.state, notice.answer, notice.user_id) == (Delivery.SENT, "JSON", None)


def test_sixty_failures_are_two_messages(
    chatting: Receiver, make_job: MakeJob, alice: User, bob: User, now: datetime
) -> None:
    job, of_bob = make_job(alice, 2), make_job(bob, 2)
    fail(job, now)
    list(send_due(now))
    fail(of_bob, now + MINUTE)
    for number in range(2, 60):  # the same job in new rounds: each is a final failure of its own
        job.round = number
        fail(job, now + MINUTE)
    for minute in (1, 5, 14, 15, 16):
        list(send_due(now + minute * MINUTE))
    assert len(chatting.received) == 2
    title, text = messages(chatting)[1]
    assert title.startswith("Se han parado 59 archivos más")
    assert "alice@example.com, bob@example.com …" in text


def test_a_file_called_everyone_mentions_no_one(
    chatting: Receiver, make_job: MakeJob, alice: User, now: datetime
) -> None:
    job = make_job(alice, 1)
    job.file_name = "@everyone <!channel> <https://evil.example|clientes>.xlsx"
    fail(job, now)
    list(send_due(now))
    ((title, _),) = messages(chatting)
    assert "@everyone" not in title and "<" not in title


@pytest.mark.parametrize("behave", [404, "drip_headers"])
def test_a_failing_chat_is_retried_without_secrets_or_delay_to_emails(
    chatting: Receiver,
    make_job: MakeJob,
    alice: User,
    now: datetime,
    behave: int | str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chatting.behave = behave
    fail(make_job(alice, 1), now)
    with monkeypatch.context() as patched:
        if behave != 404:
            patched.setattr(apprise_client, "SECONDS", 0.3)
        list(send_due(now))
    (notice,) = chats()
    assert (notice.state, notice.tries) == (Delivery.DUE, 1)
    assert (notice.answer or "").startswith("JSON: ") and KEY not in (notice.answer or "")
    assert bool(re.search(r"\b404\b", notice.answer or "")) == (behave == 404)
    mail = db.session.query(Notice).filter_by(channel=Channel.MAIL).one()
    assert mail.state == Delivery.SENT
    chatting.behave = 200
    list(send_due(notice.due_at))
    assert chats()[0].state == Delivery.SENT


def test_a_retry_skips_the_chats_that_already_got_it(
    app: Flask, chatting: Receiver, make_job: MakeJob, alice: User, now: datetime
) -> None:
    with receiver() as second:
        app.config["NOTIFY_URLS"] = (address(second), address(chatting))
        second.behave = 500
        fail(make_job(alice, 1), now)
        list(send_due(now))
        (notice,) = chats()
        assert notice.state == Delivery.DUE
        second.behave = 200
        list(send_due(notice.due_at))
        assert (len(second.received), len(chatting.received)) == (2, 1)
        # When it is resent by hand, every chat gets it.
        db.session.query(Notice).filter_by(channel=Channel.CHAT).update({"state": Delivery.DUE})
        db.session.commit()
        list(send_due(notice.due_at + MINUTE))
        assert (len(second.received), len(chatting.received)) == (3, 2)


def test_without_chats_nothing_is_written_and_apprise_is_not_loaded(
    app: Flask, make_job: MakeJob, alice: User, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apprise_client, "_apprise", lambda: pytest.fail("it was loaded"))
    fail(make_job(alice, 1), now)
    list(send_due(now))
    assert chats() == []


def test_a_stopped_source_is_sent_once(chatting: Receiver, ada: User, now: datetime) -> None:
    for _ in range(2):
        send.source_stopped("offline", "credentials", now)
        db.session.commit()
        list(send_due(now))
    ((title, text),) = messages(chatting)
    assert title.startswith("La fuente ") and "Motivo: " in text and text.endswith("http://localhost/admin/sources")


# ── the setting ─────────────────────────────────────────────────────────────────────────────────────────────────────


def settings(text: str, tmp_path: object) -> tuple[str, ...]:
    addresses: tuple[str, ...] = read_settings({"PORTAL_DATA_DIR": str(tmp_path), "NOTIFY_URLS": text})["NOTIFY_URLS"]
    return addresses


def test_addresses_are_separated_by_commas_spaces_and_lines(tmp_path: object) -> None:
    text = " slack://a/b/c, discord://d/e?x=1,2\n json://f/ "
    assert settings(text, tmp_path) == ("slack://a/b/c", "discord://d/e?x=1,2", "json://f/")
    assert settings("", tmp_path) == ()


def test_an_invalid_address_is_refused_without_repeating_it(tmp_path: object) -> None:
    with pytest.raises(SettingError) as refused:
        settings(f"slack:{KEY}", tmp_path)
    assert "NOTIFY_URLS" in str(refused.value)
    assert KEY not in repr(refused.value) and refused.value.__cause__ is None


def test_it_finds_addresses_that_apprise_cannot_use(logged: list[str]) -> None:
    given = (f"json://127.0.0.1/{KEY}", f"nosuch://{KEY}/x", f"slack://{KEY}")
    assert apprise_client.unusable(given) == [2, 3]
    assert KEY not in str(logged)


def test_no_log_contains_the_address_of_a_chat(
    chatting: Receiver, make_job: MakeJob, alice: User, now: datetime, logged: list[str]
) -> None:
    for minute, behave in ((0, 200), (20, 500)):
        chatting.behave = behave
        fail(make_job(alice, 1), now + minute * MINUTE)
        list(send_due(now + minute * MINUTE))
    assert len(chatting.received) == 2
    assert "notice not sent" in str(logged)
    assert KEY not in str(logged) and "/chat_server" not in str(logged)
