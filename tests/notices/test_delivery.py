"""What people are told: once, in their language, and not lost when the mail server is away."""

from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

from flask import Flask
from sqlalchemy import select

from portal.database import db
from portal.jobs.core.backoff import Backoff
from portal.jobs.models import ScrapingJob
from portal.notices import log
from portal.notices.delivery import send_due
from portal.notices.models import Delivery, Notice
from portal.notices.outbox import write
from tests.support.cast import NOW


def fail_for_good(job: ScrapingJob) -> None:
    job.max_retries = 0
    db.session.commit()
    assert ScrapingJob.claim(job.id, job.attempt, NOW, worker="w", lease_seconds=60)
    assert ScrapingJob.fail(job.id, job.attempt, "numbers_unanswered", NOW, Backoff())
    db.session.commit()


def text_of(letter: EmailMessage) -> str:
    part = letter.get_body(("plain",))
    assert part is not None
    return str(part.get_content())


def letters(app: Flask) -> list[Path]:
    return sorted((app.config["PORTAL_DATA_DIR"] / "mail").glob("*.eml"))


def test_without_a_mail_server_the_letter_lies_in_the_data_directory(app: Flask, alice, make_job) -> None:
    job = make_job(alice, 3)
    fail_for_good(job)
    assert len(list(send_due(NOW))) == 1
    (path,) = letters(app)
    letter = message_from_bytes(path.read_bytes(), policy=policy.default)
    assert letter["To"] == "alice@example.com"
    assert letter["Subject"] == "clientes.xlsx: 0 of 3 done, 3 could not be looked up"
    body = text_of(letter)
    assert f"http://localhost/jobs/{job.id}" in body and f"SJ-{job.id}-A1" in body
    assert "(3 rows: 2, 3, 4)" in body
    assert "612" not in body, "no telephone numbers in a mail"


def test_the_letter_is_in_its_readers_language(app: Flask, alice, make_job) -> None:
    alice.locale = "es"
    fail_for_good(make_job(alice, 3))
    list(send_due(NOW))
    letter = message_from_bytes(letters(app)[0].read_bytes(), policy=policy.default)
    assert "could not" not in letter["Subject"] and "Reference" not in text_of(letter)


def test_what_was_sent_is_not_sent_again(app: Flask, alice, make_job) -> None:
    fail_for_good(make_job(alice))
    assert len(list(send_due(NOW))) == 1
    assert list(send_due(NOW + timedelta(days=1))) == []


def test_the_same_thing_is_told_once_however_often_it_is_written(app: Flask, alice) -> None:
    for _ in range(3):
        write("job-failed.7.1", "job_failed", alice.id, None, {}, NOW)
    db.session.commit()
    assert len(db.session.scalars(select(Notice)).all()) == 1


def test_a_job_that_gets_complete_after_all_is_told_too(app: Flask, alice, make_job) -> None:
    job = make_job(alice, ["x"])
    fail_for_good(job)
    ScrapingJob.retry(job.id, 1, "alice", NOW)
    ScrapingJob.claim(job.id, 1, NOW, worker="w", lease_seconds=60)
    assert ScrapingJob.complete(job.id, 2, NOW)
    db.session.commit()
    list(send_due(NOW))
    subjects = [message_from_bytes(path.read_bytes(), policy=policy.default)["Subject"] for path in letters(app)]
    assert "Fixed: clientes.xlsx is now complete (1 of 1)" in subjects and len(subjects) == 2


def test_a_taken_notice_whose_sender_died_is_taken_again(app: Flask, alice, make_job) -> None:
    fail_for_good(make_job(alice))
    notice = db.session.scalars(select(Notice)).one()
    notice.state, notice.tries, notice.due_at = Delivery.SENDING, 1, NOW + timedelta(minutes=2)
    db.session.commit()
    assert list(send_due(NOW + timedelta(minutes=1))) == []
    assert len(list(send_due(NOW + timedelta(minutes=2)))) == 1


def test_who_was_shut_out_gets_no_letter_that_still_waits_nor_one_sent_again(app: Flask, alice, make_job) -> None:
    fail_for_good(make_job(alice, 3))
    alice.is_active = False
    db.session.commit()
    assert list(send_due(NOW)) == [] and letters(app) == []
    (notice,) = db.session.scalars(select(Notice))
    assert notice.state == Delivery.DEAD
    assert log.send_again(notice.id, NOW)
    assert list(send_due(NOW)) == [] and letters(app) == []
