"""E-mails and a real mail server: over TLS with a login, refusing, silent, dying before and after its 250."""

import threading
from collections.abc import Callable
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from portal.accounts import User
from portal.clock import utcnow
from portal.database import db, reading
from portal.jobs.health.checks import finding
from portal.notices import mail_refusals
from portal.notices.delivery import BATCH, CHANNELS, MAX_TRIES, send_due
from portal.notices.email import smtp
from portal.notices.log import send_again, undelivered_count
from portal.notices.models import Channel, Delivery, Notice
from portal.notices.outbox import write
from tests.services import free_port, wait_until
from tests.support import cast
from tests.support.cast import NOW
from tests.support.smtp_server import (
    DIE_AFTER,
    DIE_BEFORE,
    DIE_UNANSWERED,
    HANG,
    PASSWORD,
    SLOW,
    USER,
    SmtpServer,
    certificate,
    smtp_server,
)

FACTS = {
    "file_name": "clientes.xlsx", "total": 5000, "ready": 4963, "found": 4000, "reference": "SJ-7-A4", "attempts": 4,
    "cause": {"en": "The source did not answer.", "es": "La fuente no respondió."}, "rows": [12, 88],
    "first_at": "2026-05-05T07:02:00+00:00", "last_at": "2026-05-05T08:41:00+00:00",
}  # fmt: skip
LATER = timedelta(minutes=3)


def notify(email: str = "alice@example.com", key: str = "job-failed.7.1", **facts: object) -> Notice:
    user = cast.make_user(email)
    write(key, "job_failed", user.id, 7, {**FACTS, **facts}, NOW)
    db.session.commit()
    return db.session.scalars(select(Notice).where(Notice.dedupe == key)).one()


def part(message: EmailMessage, kind: str) -> str:
    body = message.get_body((kind,))
    assert body is not None
    return str(body.get_content())


def test_an_email_has_both_parts_and_standard_headers(posting_app: Flask, mail_server: SmtpServer) -> None:
    notify()
    assert len(list(send_due(NOW))) == 1
    (message,) = mail_server.messages
    assert message.get_content_type() == "multipart/alternative"
    assert [one.get_content_type() for one in message.iter_parts()] == ["text/plain", "text/html"]
    assert message["To"] == "alice@example.com" and mail_server.to == [["alice@example.com"]]
    assert message["From"] == "El portal <portal@example.com>"
    assert message["Subject"] == "clientes.xlsx stopped: 4,963 of 5,000 numbers ready, 37 unanswered"
    assert message["Message-ID"] == "<job-failed.7.1@localhost>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert message["List-Unsubscribe"].startswith("<http://localhost/notices/stop/")
    for kind in ("plain", "html"):
        text = part(message, kind)
        assert "4,963 results are ready." in text and "http://localhost/jobs/7" in text and "SJ-7-A4" in text
        assert "09:02–10:41 (Europe/Madrid, UTC+2)" in text
    assert all(len(line) <= 998 for raw in mail_server.raw for line in raw.split(b"\r\n"))
    assert mail_server.raw[0].isascii(), "a server that takes seven bits only takes it too"


@pytest.mark.parametrize("implicit", [False, True], ids=["STARTTLS", "TLS from the start"])
def test_over_tls_with_a_login(tmp_path: Path, app_of: Callable[..., Flask], implicit: bool) -> None:
    certified = certificate(tmp_path / "tls")
    with smtp_server(certified, implicit=implicit) as mail_server:
        settings = {
            "MAIL_PORT": str(mail_server.port), "MAIL_USE_SSL" if implicit else "MAIL_USE_TLS": "1",
            "MAIL_USERNAME": USER, "MAIL_PASSWORD": PASSWORD,
        }  # fmt: skip
        app_of(**settings, MAIL_CA_FILE=str(certified[0]))
        notify()
        assert len(list(send_due(NOW))) == 1 and mail_server.secure == [True]
        app_of(**settings)
        unknown = notify()
        assert list(send_due(NOW)) == [] and len(mail_server.messages) == 1, "an unknown certificate gets no email"
        db.session.refresh(unknown)
        assert "certificate" in (unknown.last_error or "")
        app_of(**settings | {"MAIL_PASSWORD": "wrong"}, MAIL_CA_FILE=str(certified[0]))
        refused = notify()
        assert list(send_due(NOW)) == [] and len(mail_server.messages) == 1
        db.session.refresh(refused)
        assert refused.state == Delivery.DUE and "535" in (refused.answer or "")


NAMES = {
    "accents": "señas-año-güeña.xlsx",
    "emoji": "clientes 📞👩‍👩‍👧.xlsx",
    "right to left": "לקוחות.xlsx",
    "line breaks": "a.xlsx\r\nBcc: bob@example.com\r\n\r\n<script>",
    "turning marks": "gpj.\u202exslx.exe",
    "long": "x" * 250 + ".xlsx",
    "no letters": "\u0000\u0007.csv",
    "templates": "{{ 7 * 7 }} %(n)s %s.csv",
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES.keys())
def test_whatever_a_file_is_called(posting_app: Flask, mail_server: SmtpServer, name: str) -> None:
    notify(file_name=name)
    assert len(list(send_due(NOW))) == 1
    (message,) = mail_server.messages
    assert message["Bcc"] is None and mail_server.to == [["alice@example.com"]]
    assert len(message["Subject"]) < 180 and message["Subject"].endswith("unanswered")
    assert not {"\u202e", "\n", "\r", "\u0000"} & set(message["Subject"])
    assert "<script" not in part(message, "html")
    if name.isprintable() and len(name) < 80 and name.isascii() is False and "\u202e" not in name:
        assert name.strip() in message["Subject"], "letters of every language come through"


@pytest.mark.parametrize("answer", ["451 4.7.1 Try later", "554 5.7.1 No", "421 4.3.2 Closing"])
def test_a_refused_email_is_retried_with_growing_waits(
    posting_app: Flask, mail_server: SmtpServer, answer: str
) -> None:
    mail_server.script += [answer, answer]
    notice = notify()
    assert list(send_due(NOW)) == [] and list(send_due(NOW + LATER)) == []
    db.session.refresh(notice)
    assert notice.tries == 2 and notice.answer == answer and notice.due_at == NOW + LATER + timedelta(minutes=4)
    assert list(send_due(NOW + 2 * LATER)) == [], "the second wait is longer"
    assert len(list(send_due(NOW + 3 * LATER))) == 1 and len(mail_server.messages) == 1


def test_a_server_that_refuses_one_email_gets_the_others(posting_app: Flask, mail_server: SmtpServer) -> None:
    mail_server.script += ["550 5.1.1 No such person"]
    notify()
    notify("bob@example.com", "job-failed.8.1")
    assert [notice.dedupe for notice in send_due(NOW)] == ["job-failed.8.1"]


def test_a_silent_server_costs_one_wait_and_one_try(
    posting_app: Flask, mail_server: SmtpServer, impatient: None
) -> None:
    mail_server.script += [HANG]
    notify()
    other = notify("bob@example.com", "job-failed.8.1")
    assert list(send_due(NOW)) == []
    db.session.refresh(other)
    assert other.tries == 0 and other.state == Delivery.DUE
    assert len(list(send_due(NOW + LATER))) == 2


def test_a_server_that_is_away_keeps_nothing_else_waiting(app_of: Callable[..., Flask]) -> None:
    app_of(MAIL_PORT=str(free_port()))
    alice = cast.make_user("alice@example.com")
    for n in range(BATCH + 10):
        write(f"mail-{n}", "source_stopped", alice.id, None, {"source": "x"}, NOW - LATER)
        write(f"chat-{n}", "source_stopped", None, None, {}, NOW, Channel.CHAT)
    db.session.commit()
    channels = {**CHANNELS, Channel.CHAT: lambda notice, now: "200"}
    sent = [one for minute in range(3) for one in send_due(NOW + timedelta(minutes=minute), channels)]
    assert len(sent) == BATCH + 10 and {one.channel for one in sent} == {Channel.CHAT}
    tried = db.session.scalars(select(Notice.tries).where(Notice.channel == Channel.MAIL)).all()
    assert sum(tried) == 2, "one try a pass, however many wait"


def test_a_server_that_drips_is_cut_off(posting_app: Flask, mail_server: SmtpServer, monkeypatch) -> None:
    monkeypatch.setattr(smtp, "WHOLE_SECONDS", 0.3)
    mail_server.script += [HANG]
    notify()
    assert list(send_due(NOW)) == []
    assert len(list(send_due(NOW + LATER))) == 1 and len(mail_server.messages) == 1


@pytest.mark.parametrize(("death", "copies"), [(DIE_BEFORE, 1), (DIE_AFTER, 1), (DIE_UNANSWERED, 2)])
def test_a_dying_server_loses_no_email_and_repeats_only_one_without_a_250(
    posting_app: Flask, mail_server: SmtpServer, death: str, copies: int
) -> None:
    mail_server.script += [death]
    notice = notify()
    sent = [*send_due(NOW), *send_due(NOW + LATER), *send_due(NOW + 2 * LATER)]
    wait_until(lambda: len(mail_server.messages) == copies, 5, "the emails have arrived")
    assert len(sent) == 1
    assert {message["Message-ID"] for message in mail_server.messages} == {"<job-failed.7.1@localhost>"}
    db.session.refresh(notice)
    assert notice.state == Delivery.SENT and notice.last_error is None


def test_an_hour_without_a_server_loses_and_repeats_no_email(app_of: Callable[..., Flask]) -> None:
    with smtp_server() as gone:
        port = gone.port
    app = app_of(MAIL_PORT=str(port))
    for n in range(5):
        notify(f"person{n}@example.com", f"job-failed.{n}.1")
    for minute in range(60):
        assert list(send_due(NOW + timedelta(minutes=minute))) == []
    assert {notice.state for notice in db.session.scalars(select(Notice))} == {Delivery.DUE}
    db.session.commit()
    with smtp_server() as mail_server:
        app.extensions["mail"].port = mail_server.port
        sent = [one for minute in range(60, 91) for one in send_due(NOW + timedelta(minutes=minute))]
        assert len(sent) == 5
        assert sorted(str(message["Message-ID"]) for message in mail_server.messages) == [
            f"<job-failed.{n}.1@localhost>" for n in range(5)
        ]


def test_it_fails_after_its_last_try_and_can_be_resent_by_hand(posting_app: Flask, mail_server: SmtpServer) -> None:
    mail_server.script += ["451 no"] * 4
    notice, at = notify(), NOW
    notice.tries = MAX_TRIES - 3
    db.session.commit()
    for _ in range(3):
        at += timedelta(minutes=31)
        assert list(send_due(at)) == []
    db.session.refresh(notice)
    assert notice.state == Delivery.DEAD and notice.tries == MAX_TRIES and undelivered_count() == 1
    db.session.commit()
    assert list(send_due(at + timedelta(days=9))) == []
    assert send_again(notice.id, "ada@example.com", at) and not send_again(notice.id, "ada@example.com", at), (
        "pressed twice, it starts one try"
    )
    assert list(send_due(at)) == []
    db.session.refresh(notice)
    assert notice.state == Delivery.DUE
    db.session.commit()
    assert len(list(send_due(at + timedelta(minutes=5)))) == 1
    assert [message["Message-ID"] for message in mail_server.messages] == ["<job-failed.7.1@localhost>"]


# ── a slow server, and an address that it does not know ─────────────────────────────────────────────────────────────


def test_a_server_that_thinks_about_a_message_gets_one_copy(
    posting_app: Flask, mail_server: SmtpServer, impatient: None
) -> None:
    """It scans the message for minutes (here: longer than one answer may take) and accepts it then."""
    mail_server.script += [SLOW]
    notice = notify()
    assert len(list(send_due(NOW, patience_seconds=30))) == 1
    assert list(send_due(NOW + LATER, patience_seconds=30)) == []
    assert len(mail_server.messages) == 1
    db.session.refresh(notice)
    assert notice.state == Delivery.SENT and notice.tries == 1


def test_nobody_else_takes_a_notice_while_the_server_thinks(
    posting_app: Flask, mail_server: SmtpServer, impatient: None
) -> None:
    mail_server.script += [SLOW]
    mail_server.slow_seconds = 2
    notice_id = notify().id
    seen: list[bool] = []

    def held() -> bool:
        with posting_app.app_context(), reading() as session:
            due_at = session.get_one(Notice, notice_id).due_at
            return bool(mail_server.slow_now) and due_at > utcnow() + timedelta(minutes=10)

    thread = threading.Thread(target=lambda: seen.append(wait_until(held, 20)))
    thread.start()
    assert len(list(send_due(NOW, patience_seconds=600))) == 1
    thread.join()
    assert seen == [True]


def test_without_an_answer_to_the_message_there_are_two_copies_at_most(
    posting_app: Flask, mail_server: SmtpServer, impatient: None
) -> None:
    """The command line and a sweep without the scheduler cannot wait for minutes."""
    mail_server.slow_seconds = 3
    mail_server.script += [SLOW] * 9
    notice = notify()
    for n in range(5):
        assert list(send_due(NOW + n * timedelta(hours=1))) == []
    assert len(mail_server.messages) <= 2
    db.session.refresh(notice)
    assert notice.state == Delivery.DEAD and notice.answer == smtp.NO_ANSWER


def test_an_unknown_address_is_final_and_gets_nothing_more(posting_app: Flask, mail_server: SmtpServer) -> None:
    mail_server.unknown["alice@example.com"] = "550 5.1.1 No such person"
    notice = notify()
    assert list(send_due(NOW)) == []
    db.session.refresh(notice)
    assert (notice.state, notice.tries) == (Delivery.DEAD, 1)
    assert mail_refusals.count() == 1
    assert finding("notices", NOW).facts["refused"] == 1, "the admins see it"
    write("job-failed.8.1", "job_failed", notice.user_id, 8, FACTS, NOW + timedelta(hours=1))
    db.session.commit()
    assert list(send_due(NOW + timedelta(hours=1))) == []
    assert mail_server.asked == ["alice@example.com"], "the server is not asked again"
    del mail_server.unknown["alice@example.com"]
    assert send_again(notice.id, "ada@example.com", NOW + timedelta(hours=2)), "an admin lifts it"
    assert len(list(send_due(NOW + timedelta(hours=2)))) == 1 and mail_refusals.count() == 0


def test_another_address_of_the_same_person_gets_email(posting_app: Flask, mail_server: SmtpServer) -> None:
    mail_server.unknown["alice@example.com"] = "550 No such person"
    notify()
    list(send_due(NOW))
    alice = db.session.scalars(select(User)).one()
    alice.email = "alicia@example.com"
    write("job-completed.8.1", "job_completed", alice.id, 8, FACTS, NOW + timedelta(hours=1))
    db.session.commit()
    assert len(list(send_due(NOW + timedelta(hours=1)))) == 1 and mail_refusals.count() == 0


@pytest.mark.parametrize("answer", ["451 4.7.1 Greylisted", "450 4.2.0 Busy", "554 5.7.1 Relay access denied",
                                    "550 5.7.1 Blocked", "552 5.2.2 Mailbox full"])  # fmt: skip
def test_what_is_not_about_the_address_is_tried_again(posting_app: Flask, mail_server: SmtpServer, answer: str) -> None:
    mail_server.unknown["alice@example.com"] = answer
    notify()
    assert list(send_due(NOW)) == []
    mail_server.unknown.clear()
    assert len(list(send_due(NOW + LATER))) == 1
