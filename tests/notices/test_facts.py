"""A notice stores codes and is sent in today's words; one written by an older version is sent with its own words."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask_babel import force_locale
from sqlalchemy import select

from portal.accounts import User
from portal.causes import CauseCode
from portal.database import db
from portal.jobs.attempt.save import LookedUp, save
from portal.jobs.core import ledger
from portal.jobs.core.retry_backoff import Backoff
from portal.jobs.models import ScrapingJob
from portal.jobs.notify.facts import source_facts
from portal.notices import digests
from portal.notices.chat.words import chat_words
from portal.notices.email.build import build_email
from portal.notices.facts import cause_in_every_language, cause_words, source_words
from portal.notices.kinds import NoticeKind
from portal.notices.models import Channel, Notice
from portal.notices.recipient import Recipient
from portal.notices.webhook.payload import body_of
from portal.sources.base import Answer, Outcome
from tests.support.cast import NOW, hold

MakeJob = Callable[..., ScrapingJob]
HOME = "http://localhost"
OLD = {"es": "La fuente pidió calma.", "en": "The source asked for calm."}  # no version has such words now
NEW = {"es": "Falta la clave de acceso a esta fuente.", "en": "The API key for this source is missing."}


def a_job_notice(channel: Channel = Channel.MAIL, **facts: Any) -> Notice:
    """A notice of a file that stopped. `facts` say why."""
    known = {
        "file_name": "clientes.xlsx", "total": 9, "ready": 4, "found": 3, "attempts": 1, "status": "failed",
        "reference": "SJ-1-A1", "owner": "alice@example.com",
    }  # fmt: skip
    return Notice(
        dedupe="job-failed.1.1",
        kind=NoticeKind.JOB_FAILED,
        channel=channel,
        job_id=1,
        facts={**known, **facts},
        created_at=NOW,
    )


def a_source_notice(**facts: Any) -> Notice:
    return Notice(dedupe="source-a.1", kind=NoticeKind.SOURCE_STOPPED, facts=facts, created_at=NOW)


def cause_sent(notice: Notice) -> Any:
    return json.loads(body_of(notice, HOME, NOW))["job"]["cause"]


def test_a_failed_job_keeps_codes_and_no_sentence(app: Flask, alice: User, make_job: MakeJob) -> None:
    job = make_job(alice, 2)
    job.max_retries = 0
    db.session.commit()
    claimed = ScrapingJob.claim(job.id, 0, NOW, worker="w", lease_seconds=60)
    assert claimed is not None
    refused = Answer(Outcome.FAILED, reason=CauseCode.UNSURE)
    first = next(iter(ledger.waiting(job.id).values()))
    save(hold(claimed), [LookedUp(first, refused)], NOW, 60)
    ScrapingJob.fail(job.id, 1, CauseCode.NUMBERS_UNANSWERED, NOW, Backoff())
    db.session.commit()
    facts = db.session.scalars(select(Notice)).one().facts
    assert (facts["cause_code"], facts["causes"]) == (
        "numbers_unanswered", [{"cause_code": "unsure", "rows": 1, "named": [2]}]
    )  # fmt: skip
    assert "cause" not in facts and "fuente" not in json.dumps(facts)
    assert source_facts("offline", CauseCode.BLOCKED) == {"source": "offline", "cause_code": "blocked"}


@pytest.mark.parametrize("locale", ["es", "en"])
def test_a_code_is_translated_when_it_is_sent(app: Flask, alice: User, locale: str) -> None:
    alice.locale = locale
    notice = a_job_notice(cause_code="secret_missing", causes=[{"cause_code": "secret_missing", "rows": 5}])
    assert NEW[locale].rstrip(".") in str(build_email(notice, alice, NOW).body)
    with force_locale(locale):
        assert NEW[locale] in chat_words(notice, Recipient(locale, "UTC"), HOME)[1]
    assert cause_sent(notice) == {"code": "secret_missing", "words": NEW}


@pytest.mark.parametrize("locale", ["es", "en"])
def test_an_old_notice_is_sent_with_its_own_words(app: Flask, alice: User, locale: str) -> None:
    alice.locale = locale
    notice = a_job_notice(cause_code="rate_limited", cause=OLD, causes=[{"cause": OLD, "rows": 5, "named": [2]}])
    assert OLD[locale].rstrip(".") in str(build_email(notice, alice, NOW).body)
    with force_locale(locale):
        assert OLD[locale] in chat_words(notice, Recipient(locale, "UTC"), HOME)[1]
    assert cause_sent(notice) == {"code": "rate_limited", "words": OLD}
    source = a_source_notice(source="api", title={"es": "La vieja", "en": "The old one"}, cause=OLD, cause_code="x")
    written = build_email(source, alice, NOW)
    assert OLD[locale] in str(written.body) and {"es": "La vieja", "en": "The old one"}[locale] in written.subject


def test_an_old_digest_is_sent_with_its_own_words(app: Flask, alice: User) -> None:
    alice.locale = "es"
    files = [{"file_name": "a.xlsx", "total": 9, "ready": 4, "cause": OLD, "cause_code": "rate_limited"}] * 2
    facts = {
        "count": 2, "ready": 8, "total": 18, "causes": [{"cause": OLD, "files": 2}], "files": files,
        "since": NOW.isoformat(), "until": NOW.isoformat(),
    }  # fmt: skip
    body = str(
        build_email(Notice(dedupe="d", kind=NoticeKind.FAILED_DIGEST, facts=facts, created_at=NOW), alice, NOW).body
    )
    assert body.count("La fuente pidió calma") == 3


def test_a_digest_counts_by_code_or_else_by_words(app: Flask) -> None:
    together = [
        a_job_notice(cause_code="blocked"), a_job_notice(cause_code="blocked"),
        a_job_notice(cause_code="blocked", cause=OLD), a_job_notice(cause=OLD), a_job_notice(cause=dict(OLD)),
        a_job_notice(cause_code="The office closed"), a_job_notice(cause_code=None),
    ]  # fmt: skip
    assert digests._facts(together)["causes"] == [
        {"cause_code": "blocked", "files": 3}, {"cause": OLD, "files": 2},
        {"cause_code": "The office closed", "files": 1},
    ]  # fmt: skip


def test_files_without_a_cause_did_not_stop_for_the_same_reason(app: Flask, alice: User) -> None:
    alice.locale = "en"
    together = [a_job_notice(cause_code="blocked"), a_job_notice(cause_code=None)]
    notice = Notice(dedupe="d", kind=NoticeKind.FAILED_DIGEST, facts=digests._facts(together), created_at=NOW)
    assert "same reason" not in build_email(notice, alice, NOW).subject


def test_a_cause_written_by_hand_is_sent_as_it_is(app: Flask) -> None:
    by_hand = a_job_notice(cause_code="The office closed")
    text = {"es": "The office closed", "en": "The office closed"}
    assert cause_sent(by_hand) == {"code": None, "words": text}
    old = a_job_notice(cause=text, cause_code=None)
    assert cause_sent(old) == {"code": None, "words": text}


def test_a_complete_file_has_no_cause(app: Flask) -> None:
    with force_locale("es"):
        for facts in ({"cause_code": None}, {"cause_code": None, "cause": {"es": "", "en": ""}}, {}):
            assert cause_in_every_language(facts) == {} and cause_words(facts) == ""
            assert cause_sent(a_job_notice(**facts)) is None


def test_a_sources_title_is_looked_up_when_it_is_sent(app: Flask) -> None:
    with force_locale("es"):
        assert source_words({"source": "offline"}) not in ("", "offline")
        assert source_words({"source": "gone"}) == "gone"
