"""Delivery: people are notified once, in their language, and no notice is lost while the mail server is down."""

import json
import threading
from datetime import datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select, text

from portal.database import db
from portal.jobs import commands
from portal.jobs.core.retry_backoff import Backoff
from portal.jobs.models import ScrapingJob
from portal.notices import delivery, log
from portal.notices.delivery import send_due
from portal.notices.errors import DeliveryFailed
from portal.notices.kinds import NoticeKind
from portal.notices.models import Channel, Delivery, Notice
from portal.notices.outbox import due_notices, write
from tests.support import cast
from tests.support.cast import NOW
from tests.support.databases import ON_POSTGRESQL


def fail_for_good(job: ScrapingJob) -> None:
    job.max_retries = 0
    db.session.commit()
    assert ScrapingJob.claim(job.id, job.attempt, NOW, worker="w", lease_seconds=60)
    assert ScrapingJob.fail(job.id, job.attempt, "numbers_unanswered", NOW, Backoff())
    db.session.commit()


def text_of(email: EmailMessage) -> str:
    part = email.get_body(("plain",))
    assert part is not None
    return str(part.get_content())


def emails(app: Flask) -> list[Path]:
    return sorted((app.config["PORTAL_DATA_DIR"] / "mail").glob("*.eml"))


def test_without_a_mail_server_emails_are_saved_in_the_data_directory(app: Flask, alice, make_job) -> None:
    job = make_job(alice, 3)
    fail_for_good(job)
    assert len(list(send_due(NOW))) == 1
    (path,) = emails(app)
    email = message_from_bytes(path.read_bytes(), policy=policy.default)
    assert email["To"] == "alice@example.com"
    assert email["Subject"] == "clientes.xlsx stopped: 0 of 3 numbers ready, 3 unanswered"
    body = text_of(email)
    assert f"http://localhost/jobs/{job.id}" in body and f"SJ-{job.id}-A1" in body
    assert "(3 numbers, in rows 2, 3, 4)" in body
    assert "612" not in body, "no telephone numbers in an email"


def test_an_email_says_that_there_are_more_rows_than_it_names(app: Flask, alice, make_job) -> None:
    fail_for_good(make_job(alice, 12))
    list(send_due(NOW))
    body = text_of(message_from_bytes(emails(app)[0].read_bytes(), policy=policy.default))
    assert "(12 numbers, in rows 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and others)." in body


def test_the_email_is_in_the_recipients_language(app: Flask, alice, make_job) -> None:
    alice.locale = "es"
    fail_for_good(make_job(alice, 3))
    list(send_due(NOW))
    email = message_from_bytes(emails(app)[0].read_bytes(), policy=policy.default)
    assert "unanswered" not in email["Subject"] and "Reference" not in text_of(email)


def test_a_sent_notice_is_not_sent_again(app: Flask, alice, make_job) -> None:
    fail_for_good(make_job(alice))
    assert len(list(send_due(NOW))) == 1
    assert list(send_due(NOW + timedelta(days=1))) == []


def test_a_notice_written_several_times_is_stored_once(app: Flask, alice) -> None:
    for _ in range(3):
        write("job-failed.7.1", "job_failed", alice.id, None, {}, NOW)
    db.session.commit()
    assert len(db.session.scalars(select(Notice)).all()) == 1


def test_completing_after_a_failure_is_notified_too(app: Flask, alice, make_job) -> None:
    job = make_job(alice, ["x"])
    fail_for_good(job)
    ScrapingJob.retry(job.id, 1, "alice", NOW)
    ScrapingJob.claim(job.id, 1, NOW, worker="w", lease_seconds=60)
    assert ScrapingJob.complete(job.id, 2, NOW)
    db.session.commit()
    list(send_due(NOW))
    subjects = [message_from_bytes(path.read_bytes(), policy=policy.default)["Subject"] for path in emails(app)]
    assert "Fixed: clientes.xlsx is now complete (1 of 1 numbers)" in subjects and len(subjects) == 2


def test_a_taken_notice_whose_sender_died_is_taken_again(app: Flask, alice, make_job) -> None:
    fail_for_good(make_job(alice))
    notice = db.session.scalars(select(Notice)).one()
    notice.state, notice.tries, notice.due_at = Delivery.SENDING, 1, NOW + timedelta(minutes=2)
    db.session.commit()
    assert list(send_due(NOW + timedelta(minutes=1))) == []
    assert len(list(send_due(NOW + timedelta(minutes=2)))) == 1


def test_a_deactivated_person_gets_no_waiting_or_resent_email(app: Flask, alice, make_job) -> None:
    fail_for_good(make_job(alice, 3))
    alice.is_active = False
    db.session.commit()
    assert list(send_due(NOW)) == [] and emails(app) == []
    (notice,) = db.session.scalars(select(Notice))
    assert notice.state == Delivery.DEAD
    assert log.send_again(notice.id, "ada@example.com", NOW)
    assert list(send_due(NOW)) == [] and emails(app) == []


def test_webhooks_that_never_answer_delay_nobody_elses(app: Flask) -> None:
    """Each of the dead ones waits until the healthy one is sent: one after the other, it would never be its turn."""
    people = [cast.make_user(f"person{n}@example.com") for n in range(10)]
    for n, person in enumerate(people):
        write(f"one-{n}", NoticeKind.WEBHOOK_TEST, person.id, None, {}, NOW, Channel.WEBHOOK)
    healthy = people[-1].id
    db.session.commit()
    sent = threading.Event()

    def answer(notice: Notice, now: datetime) -> str:
        if notice.user_id == healthy:
            sent.set()
            return "200"
        assert sent.wait(10)
        raise DeliveryFailed("no answer", down=True)

    assert [notice.user_id for notice in send_due(NOW, {Channel.WEBHOOK: answer})] == [healthy]
    assert {notice.tries for notice in db.session.scalars(select(Notice))} == {1}


def test_what_has_failed_comes_after_what_is_new(app: Flask) -> None:
    alice = cast.make_user("alice@example.com")
    for n, tries in enumerate((3, 0)):
        write(f"one-{n}", NoticeKind.WEBHOOK_TEST, alice.id, None, {}, NOW + timedelta(seconds=n), Channel.WEBHOOK)
        db.session.query(Notice).filter_by(dedupe=f"one-{n}.webhook").update({"tries": tries})
    db.session.commit()
    assert [seen.tries for seen in due_notices(NOW + timedelta(minutes=1), 50)] == [0, 3]


def test_after_a_file_is_deleted_no_notice_has_its_name(app: Flask, alice, make_job) -> None:
    jobs = [make_job(alice) for _ in range(3)]
    for job in jobs:
        facts = {"file_name": f"despidos-{job.id}.xlsx", "reference": f"SJ-{job.id}-A1"}
        write(f"job-failed.{job.id}.1", NoticeKind.JOB_FAILED, alice.id, job.id, {**FACTS_OF_A_FILE, **facts}, NOW)
    db.session.commit()
    list(send_due(NOW))  # together, as a digest
    commands.delete(jobs[0].id, "alice@example.com", NOW, app.extensions["storage"])
    kept = [json.dumps(notice.facts) for notice in db.session.scalars(select(Notice))]
    assert len(kept) == 4 and not any(f"despidos-{jobs[0].id}.xlsx" in facts for facts in kept)
    assert sum(f"despidos-{jobs[1].id}.xlsx" in facts for facts in kept) == 2, "another file's name stays"


FACTS_OF_A_FILE = {"total": 5, "ready": 0, "found": 0, "attempts": 4, "rows": [], "causes": []}


@ON_POSTGRESQL
@pytest.mark.parametrize("kind", [NoticeKind.PASSWORD_RESET, NoticeKind.JOB_FAILED])
def test_a_notice_that_another_sender_is_taking_is_passed_over(app: Flask, alice, kind: NoticeKind) -> None:
    facts = {"file_name": "clientes.xlsx", "reference": "SJ-1", "url": "http://localhost/", "cause": "worker_lost"}
    for number in (1, 2):
        write(f"test.{number}", kind, alice.id, None, facts, NOW)
    db.session.commit()
    first, second = db.session.scalars(select(Notice.id).order_by(Notice.id)).all()
    seen = due_notices(NOW, 10)
    db.session.execute(text("SET lock_timeout = '200ms'"))
    db.session.commit()
    with db.engine.begin() as another:
        another.execute(select(Notice.id).where(Notice.id == first).with_for_update())
        assert second in [delivery._take(notice, NOW) for notice in seen]
        states = {notice.id: notice.state for notice in db.session.scalars(select(Notice))}
    assert states == {first: Delivery.DUE, second: Delivery.SENDING}
