"""Buttons and badges count the numbers that will be looked up or can be fixed: none that is excluded or erased."""

import re
from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_babel import force_locale
from sqlalchemy import select

from portal.accounts import User
from portal.clock import utcnow
from portal.database import db
from portal.documents import corrections as written
from portal.documents.corrections import Cell
from portal.jobs import corrections
from portal.jobs.attempt import runner as attempts
from portal.jobs.attempt.runner import Conditions
from portal.jobs.core.retry_backoff import Backoff
from portal.jobs.core.status import Status
from portal.jobs.export import RowFilter, export
from portal.jobs.models import ScrapingJob
from portal.jobs.words.statuses import badge_words
from portal.sources import exclusions
from portal.sources.base import Answer, Outcome
from tests.jobs.number_erasure.test_number_erasure import erase
from tests.support.cast import NOW, make_document, mobile
from tests.support.databases import ON_BOTH
from tests.support.sources import CountingSource

Jobs = Callable[..., ScrapingJob]


def exclude(*numbers: str, name: str = "Lista Robinson") -> None:
    exclusions.add(name, NOW.date(), {f"+34{one}" for one in numbers}, "ada@example.com", NOW)


def run(job: ScrapingJob) -> Status | None:
    given = Conditions(worker="w", lease_seconds=60, backoff=Backoff(base_seconds=100), clock=utcnow)
    return attempts.run(job.id, job.attempt, given)


def badge(job: ScrapingJob) -> str:
    db.session.refresh(job)
    with force_locale("en"):
        return badge_words(job, utcnow())[1]


def button(page: str, name: str) -> str:
    """The words of the first button with this in its tag."""
    found = re.search(rf"<button[^>]*{name}[^>]*>(.*?)</button>", page, re.DOTALL)
    return re.sub(r"<[^>]*>", "", found[1]).strip() if found else ""


def test_the_start_button_and_the_card_name_what_will_be_looked_up(
    app: Flask, as_alice: FlaskClient, alice: User, counting: CountingSource
) -> None:
    document = make_document(app, alice, [mobile(n) for n in range(5)])
    address = f"/documents/{document.id}?source=counting"
    assert button(as_alice.get(address).text, 'form="start"') == "Look up 5 numbers"
    exclude(mobile(1), mobile(3))
    page = as_alice.get(address).text
    assert button(page, 'form="start"') == "Look up 3 numbers" and "3 numbers" in page and 'data-excluded="2"' in page
    assert "3 numbers to look up" in as_alice.get(f"/documents/{document.id}/card").text
    exclude(mobile(0), mobile(2), mobile(4), name="B")
    page = as_alice.get(address).text
    assert button(page, 'form="start"').startswith("Start anyway") and page.count("data-excluded") == 1


def test_lists_are_matched_once_for_a_page(
    app: Flask, as_alice: FlaskClient, alice: User, counting: CountingSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    exclude(mobile(1))
    document = make_document(app, alice, [mobile(n) for n in range(5)])
    seen, known = [], exclusions.Matcher.excluded_among
    monkeypatch.setattr(exclusions.Matcher, "excluded_among", lambda *of: seen.append(of) or known(*of))
    as_alice.get(f"/documents/{document.id}?source=counting")
    assert len(seen) == 1


def test_the_retry_button_names_what_will_be_looked_up(
    as_alice: FlaskClient, alice: User, make_job: Jobs, counting: CountingSource
) -> None:
    counting.script = lambda _: Answer(Outcome.FAILED, reason="temporary")
    job = make_job(alice, [mobile(0), mobile(1), mobile(1), mobile(2)], source="counting")
    assert run(job) == Status.FAILED
    job.max_retries, job.next_retry_at = 0, None
    db.session.commit()
    assert button(as_alice.get(f"/jobs/{job.id}").text, 'id="do-retry"') == "Retry 4 numbers"
    exclude(mobile(1))
    page = as_alice.get(f"/jobs/{job.id}").text
    assert button(page, 'id="do-retry"') == "Retry 2 numbers" and 'data-excluded="2"' in page
    exclude(mobile(0), mobile(2), name="B")
    page = as_alice.get(f"/jobs/{job.id}").text
    assert button(page, 'id="do-retry"') == button(page, 'id="do-retry-now"') == "Fill in the answers"
    counting.calls.clear()
    assert as_alice.post(f"/jobs/{job.id}/retry", data={"round": job.round}).status_code in (200, 303)
    db.session.refresh(job)
    assert run(job) == Status.COMPLETED and not counting.calls
    db.session.refresh(job)
    assert job.left_alone_count == 4 and badge(job) == "Completed"


@ON_BOTH
def test_excluded_and_erased_numbers_are_not_to_be_fixed(
    app: Flask, as_alice: FlaskClient, alice: User, ada: User, make_job: Jobs, counting: CountingSource
) -> None:
    def answer(e164: str) -> Answer:
        return Answer(Outcome.REJECTED) if e164.endswith(mobile(0)) else Answer(Outcome.FOUND, {"seen": "x"})

    counting.script = answer
    exclude(mobile(1))
    job = make_job(alice, [mobile(0), mobile(1), mobile(1), mobile(2), "x"], source="counting")
    assert run(job) == Status.COMPLETED
    db.session.refresh(job)
    assert (job.invalid_count, job.rejected_count, job.left_alone_count) == (1, 3, 2)
    assert badge(job) == "Completed, 2 to fix"
    with force_locale("en"), export(job, app.extensions["storage"], "csv", rows=RowFilter.FAILED) as file:
        assert len(file.read().decode("utf-8-sig").splitlines()) == 1 + 2
    erase(app, ada, mobile(1))  # it was left alone before
    erase(app, ada, mobile(2))
    db.session.refresh(job)
    assert (job.rejected_count, job.left_alone_count) == (4, 3)
    assert badge(job) == "Completed, 2 to fix"
    page = as_alice.get(f"/jobs/{job.id}").text
    assert "2 numbers to fix." in page and "Fix 2 cells" in page
    erase(app, ada, mobile(0))
    db.session.refresh(job)
    assert badge(job) == "Completed, 1 to fix"


def test_a_correction_with_an_excluded_number_is_not_counted_as_one_to_look_up(
    alice: User, make_job: Jobs, counting: CountingSource
) -> None:
    exclude(mobile(7), mobile(2))
    job = make_job(alice, [mobile(0), "x", "y", mobile(2)], source="counting")
    assert run(job) == Status.COMPLETED
    wanted: dict[Cell, str] = {(3, 0): f"+34{mobile(7)}", (4, 0): f"+34{mobile(8)}"}
    assert corrections.numbers_to_look_up(job, wanted) == 1
    wanted = {(3, 0): f"+34{mobile(2)}"}  # known, and left alone
    assert ScrapingJob.correct(job.id, job.round, wanted, "alice", NOW) is not None
    db.session.commit()
    db.session.refresh(job)
    left = db.session.scalars(select(ScrapingJob.left_alone_count)).one()
    assert (left, job.rejected_count, job.invalid_count) == (2, 2, 1)
    assert not written.made_in(job.document_id, job.sheet)
