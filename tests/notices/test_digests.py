"""Digests: the first notice is sent at once, the following ones are held and sent as one."""

import threading
from datetime import timedelta

from flask import Flask
from sqlalchemy import select

from portal.accounts import User
from portal.database import db
from portal.jobs.models import ScrapingJob
from portal.notices.delivery import send_due
from portal.notices.models import Channel, Delivery, Notice
from portal.notices.outbox import write
from portal.notices.preferences import save_preferences
from tests.support import cast, scenes
from tests.support.cast import NOW
from tests.support.databases import ON_BOTH

QUARTER = timedelta(minutes=15)
SILENCE = {"en": "The source did not answer.", "es": "La fuente no respondió."}


def fail(user: User, key: int, at: float = 0, cause: dict[str, str] | None = None, kind: str = "job_failed") -> None:
    """One more file of this person ends, `at` seconds after NOW."""
    facts = {"file_name": f"lista {key}.xlsx", "total": 10, "ready": 4, "cause": cause or SILENCE, "reference": "SJ"}
    write(f"{kind}.{key}.1", kind, user.id, key, facts, NOW + timedelta(seconds=at))
    db.session.commit()


def sent(at: float = 0) -> list[Notice]:
    """What a sweep sends `at` seconds after NOW."""
    return list(send_due(NOW + timedelta(seconds=at)))


def states() -> dict[str, int]:
    counted: dict[str, int] = {}
    for state in db.session.scalars(select(Notice.state)):
        counted[state] = counted.get(state, 0) + 1
    db.session.commit()
    return counted


def test_two_hundred_failures_in_a_minute_are_two_emails(app: Flask, alice: User) -> None:
    mails = []
    for second in range(60):
        for n in range(4 if second < 20 else 3):
            fail(alice, second * 10 + n, second)
        mails += sent(second)
    assert [mail.kind for mail in mails] == ["failed_digest"] and mails[0].facts["count"] == 4
    for minute in range(1, 61, 7):
        mails += sent(60 * minute)
    assert [mail.kind for mail in mails] == ["failed_digest", "failed_digest"]
    assert sum(mail.facts["count"] for mail in mails) == 200 == states()["folded"]
    assert mails[1].facts["causes"] == [{"cause": SILENCE, "files": 196}]
    assert mails[1].facts["total"] == 1960 and len(mails[1].facts["files"]) == 50


def test_the_first_is_sent_at_once_and_a_single_follower_is_no_digest(app: Flask, alice) -> None:
    fail(alice, 1)
    assert [mail.kind for mail in sent()] == ["job_failed"]
    fail(alice, 2, 60)
    assert sent(60) == []
    assert [mail.job_id for mail in sent(QUARTER.seconds)] == [2]
    fail(alice, 3, 2 * QUARTER.seconds + 60)
    assert [mail.job_id for mail in sent(2 * QUARTER.seconds + 60)] == [3], "after a quiet quarter, at once again"


def test_people_and_groups_do_not_wait_for_each_other(app: Flask, alice: User, bob: User) -> None:
    fail(alice, 1)
    fail(bob, 2)
    fail(alice, 3, kind="job_completed")
    assert sorted(mail.job_id or 0 for mail in sent()) == [1, 2, 3]


def test_two_hundred_completed_files_are_one_digest(app: Flask, alice: User) -> None:
    for n in range(199):
        fail(alice, n, kind="job_completed")
    fail(alice, 500, kind="job_fixed")
    mails = sent() + sent(60)
    assert [mail.kind for mail in mails] == ["good_digest"] and mails[0].facts["count"] == 200


def test_webhooks_are_never_held(app: Flask, alice: User) -> None:
    for n in range(5):
        write(f"job-failed.{n}.1", "job_failed", alice.id, n, {}, NOW, Channel.WEBHOOK)
    db.session.commit()
    assert len(list(send_due(NOW, {Channel.WEBHOOK: lambda notice, now: "200"}))) == 5


def test_a_failure_fixed_before_it_was_sent_is_only_reported_as_complete(app: Flask, alice: User, make_job) -> None:
    fail(alice, 999)
    sent()
    job = scenes.failed(make_job(alice, 3), NOW, final=True)
    assert sent(60) == [], "it is held"
    ScrapingJob.retry(job.id, 1, "alice@example.com", NOW)
    db.session.commit()
    scenes.completed(db.session.get_one(ScrapingJob, job.id), NOW)
    delivered = [mail.kind for mail in sent(60) + sent(QUARTER.seconds) + sent(2 * QUARTER.seconds)]
    assert delivered == ["job_completed"] and states()["dropped"] == 1


def test_an_attempt_that_is_retried_sends_nothing(app: Flask, alice: User, make_job) -> None:
    scenes.failed(make_job(alice, 3), NOW)
    assert sent() == [] and states() == {}


def test_a_person_who_unsubscribed_gets_no_email(app: Flask, alice: User, make_job) -> None:
    save_preferences(alice.id, NOW, tell_failed=False, tell_completed=False)
    db.session.commit()
    scenes.failed(make_job(alice, 3), NOW, final=True)
    scenes.completed(make_job(alice, 3), NOW)
    assert sent() == []


@ON_BOTH
def test_simultaneous_sweeps_send_each_notice_once(app: Flask) -> None:
    people = [cast.make_user(f"person{n}@example.com") for n in range(4)]
    db.session.commit()
    ids = [person.id for person in people]
    for wave in range(3):
        at = NOW + wave * QUARTER
        for n, person in enumerate(ids):
            for file in range(wave + 1):
                write(f"f.{wave}.{n}.{file}", "job_failed", person, None, {"cause": SILENCE}, at)
        db.session.commit()
        delivered = _sweep_at_once(app, at, 6)
        assert sorted(user for user, _ in delivered) == sorted(ids), "each person gets one email in each wave"
        assert {kind for _, kind in delivered} == {"failed_digest" if wave else "job_failed"}
    assert states() == {"sent": 4 + 4 + 4, "folded": 4 * 2 + 4 * 3}


@ON_BOTH
def test_simultaneous_sweeps_send_an_unheld_notice_once(app: Flask) -> None:
    ada = cast.make_user("ada@example.com", admin=True)
    for n in range(5):
        write(f"source-{n}", "source_stopped", ada.id, None, {}, NOW)
    db.session.commit()
    assert [kind for _, kind in _sweep_at_once(app, NOW, 6)] == ["source_stopped"] * 5


def _sweep_at_once(app: Flask, at, count: int) -> list[tuple[int | None, str]]:  # type: ignore[no-untyped-def]
    start, delivered = threading.Barrier(count), list[tuple[int | None, str]]()

    def one() -> None:
        with app.app_context():
            start.wait(10)
            delivered.extend((notice.user_id, notice.kind) for notice in send_due(at, {Channel.MAIL: lambda *_: "250"}))
            db.session.remove()

    threads = [threading.Thread(target=one) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return delivered


def test_a_digest_does_not_join_another_digest(app: Flask, alice: User) -> None:
    for n in range(3):
        fail(alice, n)
    sent()
    digest = db.session.scalars(select(Notice).where(Notice.kind == "failed_digest")).one()
    assert digest.state == Delivery.SENT and digest.digest_id is None
    folded = db.session.scalars(select(Notice).where(Notice.state == Delivery.FOLDED)).all()
    assert {notice.digest_id for notice in folded} == {digest.id}
