"""Every code has its words: four parts for a cause, a sentence for an event."""

from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import insert, text
from sqlalchemy.exc import StatementError

from portal.causes import CAUSES, cause_for
from portal.database import db
from portal.jobs import queries
from portal.jobs.core.derived import Summary, summary_sentence
from portal.jobs.core.job_tables import AttemptEnd, Event, EventKind
from portal.jobs.core.status import Status
from portal.jobs.words import statuses, timeline
from portal.phone import Reason
from portal.sources.base import Outcome
from tests.jobs.core.test_derived import a_job
from tests.support.cast import NOW

JOBS_ROOM = Path(statuses.__file__).parents[1]


@pytest.mark.parametrize("code", sorted({*CAUSES, *Reason}))
def test_every_cause_has_its_four_parts(app: Flask, code: str) -> None:
    with app.test_request_context():
        explained = statuses.explain(code)
        assert explained is not None
        parts = [explained.what, explained.side, explained.retried]
        assert explained.todo or "continue" in cause_for(code).retried, "it has to say what to do, or that we go on"
    assert all(part.strip() for part in parts)
    assert not any("_" in part or "%(" in part for part in (*parts, explained.todo))


def test_a_typed_text_is_shown_and_an_unknown_code_is_not(app: Flask) -> None:
    with app.test_request_context():
        assert statuses.reason_words("The line was cut on Tuesday") == "The line was cut on Tuesday"
        assert "new_code_of_theirs" not in statuses.reason_words("new_code_of_theirs")
        assert statuses.reason_words(None) == ""
        assert statuses.explain("") is None


def test_every_status_outcome_and_end_has_a_word(app: Flask) -> None:
    with app.test_request_context():
        assert len({statuses.status_words(status) for status in Status}) == len(Status)
        assert len({statuses.outcome_words(outcome) for outcome in Outcome}) == len(Outcome)
        assert all(statuses.attempt_end_words(end) for end in (*AttemptEnd, None))


def test_every_event_kind_has_a_sentence_and_a_colour() -> None:
    assert set(timeline.LINES) == set(EventKind)


def test_a_newer_versions_event_is_read_but_not_written(app: Flask, alice, make_job) -> None:
    job = make_job(alice)
    db.session.execute(text("UPDATE events SET kind = 'unheard_of'"))
    (event,) = queries.timeline(job)
    with app.test_request_context(headers={"Accept-Language": "en"}):
        assert (statuses.event_tone(event), statuses.event_words(event)) == (
            "idle",
            "Something happened that has no description.",
        )
    with pytest.raises(StatementError, match="unheard_of"):
        db.session.execute(insert(Event).values(job_id=job.id, at=NOW, kind="unheard_of", facts={}))


@pytest.mark.parametrize("kind", [*EventKind, "unheard_of"])
@pytest.mark.parametrize("facts", [{}, {"until": "nonsense", "cause": "no_such", "ready": None, "attempt": "x"}])
def test_an_event_without_its_facts_is_still_a_sentence(app: Flask, kind: str, facts: dict[str, object]) -> None:
    with app.test_request_context():
        said = statuses.event_words(Event(kind=kind, facts=facts, at=NOW))
    assert said.endswith(".") or "Downloaded" in said
    assert "%(" not in said and "None" not in said


def test_an_event_says_what_is_known(app: Flask) -> None:
    facts = {
        "attempt": 2,
        "cause": "no_progress",
        "ready": 1200,
        "until": "2026-05-05T12:00:00+00:00",
        "why": "it hung",
    }
    with app.test_request_context(headers={"Accept-Language": "en"}):
        said = statuses.event_words(Event(kind="timeout", facts=facts, at=NOW))
    for part in ("Attempt 2 timed out.", "1,200 numbers are ready.", "Next attempt:", "it hung"):
        assert part in said


@pytest.mark.parametrize("summary", list(Summary))
def test_every_summary_has_a_sentence(app: Flask, summary: Summary) -> None:
    later = {"not_before": NOW + timedelta(minutes=5)}
    jobs = {
        Summary.SOURCE_BUSY: a_job(Status.RETRYING, wait_cause="source_down", **later),
        Summary.SOURCE_REFUSES: a_job(Status.RETRYING, wait_cause="no_credit", **later),
        Summary.CAP_REACHED: a_job(Status.RETRYING, wait_cause="cap_reached", paused_at=NOW),
        Summary.SOURCE_PAUSED: a_job(Status.PENDING, source_paused=True),
        Summary.RETRY_FOR_ADMIN: a_job(Status.FAILED, last_error="page_changed", next_retry_at=later["not_before"]),
        Summary.STOPPED_FOR_ADMIN: a_job(Status.FAILED, last_error="page_changed"),
        Summary.STOPPED: a_job(Status.FAILED),
        Summary.CANCELLED: a_job(Status.CANCELLED),
        Summary.DONE: a_job(Status.COMPLETED),
    }
    with app.test_request_context():
        if summary in jobs:
            assert summary_sentence(jobs[summary], NOW) == summary
            assert statuses.summary_words(jobs[summary], NOW)
        else:
            assert statuses._PLAIN[summary]


def test_a_reason_of_an_earlier_parser_keeps_its_meaning(app: Flask) -> None:
    with app.test_request_context(headers={"Accept-Language": "en"}):
        earlier = statuses.row_reason_words(Reason.TOO_LONG, "447911123456", "ES")
        assert earlier == statuses.reason_words(Reason.TOO_LONG)
        now = statuses.row_reason_words(Reason.OTHER_COUNTRY, "447911123456", "ES")
        assert now.endswith("We can read: +447911123456.")
        assert statuses.row_reason_words(None, "", "ES") == ""
