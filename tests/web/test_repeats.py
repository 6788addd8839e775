"""Repeating a file from its page, and what changed since last time."""

import csv
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal.accounts import User
from portal.clock import utcnow
from portal.database import db
from portal.jobs import repeats
from portal.jobs.attempt import runner
from portal.jobs.attempt.runner import Conditions
from portal.jobs.core.retry_backoff import Backoff
from portal.jobs.models import ScrapingJob
from portal.sources.base import Answer, Outcome
from tests.support.cast import make_job, mobile
from tests.support.sources import CountingSource

WEEKLY = {"every": "week", "weekday": "0", "at": "08:00"}


def complete(job: ScrapingJob) -> None:
    runner.run(job.id, job.attempt, Conditions(worker="w", lease_seconds=60, backoff=Backoff()))
    db.session.refresh(job)


@pytest.fixture
def job(app: Flask, alice: User, counting: CountingSource) -> ScrapingJob:
    job = make_job(app, alice, 3, source="counting", now=utcnow())
    complete(job)
    return job


def test_a_person_repeats_a_file_and_stops_it(as_alice: FlaskClient, job: ScrapingJob) -> None:
    assert "Repeat this file at fixed times" in as_alice.get(f"/jobs/{job.id}").text
    assert as_alice.post(f"/jobs/{job.id}/repeat", data=WEEKLY).status_code == 303
    page = as_alice.get(f"/jobs/{job.id}").text
    assert "every Monday at 8:00" in page and "Madrid time" in page
    as_alice.post(f"/jobs/{job.id}/repeat/stop")
    assert "every Monday" not in as_alice.get(f"/jobs/{job.id}").text.split('id="job-repeat"')[1]


@pytest.mark.parametrize(
    "wrong",
    [
        {}, {"every": "year"}, {**WEEKLY, "at": "25:00"}, {**WEEKLY, "at": ""}, {**WEEKLY, "weekday": "7"},
        {"every": "month", "monthday": "0", "at": "8:00"}, {"every": "month", "monthday": "x", "at": "8:00"},
    ],
)  # fmt: skip
def test_a_rule_that_says_no_time_is_explained(as_alice: FlaskClient, job: ScrapingJob, wrong: dict[str, str]) -> None:
    answer = as_alice.post(f"/jobs/{job.id}/repeat", data=wrong)
    assert answer.status_code == 422 and "Choose how often and at what time" in answer.text
    assert repeats.of_job(job) is None


def test_nobody_else_repeats_or_sees_it(as_bob: FlaskClient, as_ada: FlaskClient, job: ScrapingJob) -> None:
    for client in (as_bob, as_ada):
        assert client.post(f"/jobs/{job.id}/repeat", data=WEEKLY).status_code == 404
    assert as_bob.get(f"/jobs/{job.id}/changes").status_code == 404


def test_what_changed_is_a_page_and_a_file(as_alice: FlaskClient, job: ScrapingJob, counting: CountingSource) -> None:
    as_alice.post(f"/jobs/{job.id}/repeat", data=WEEKLY)
    (job_id,) = repeats.run_due(utcnow() + timedelta(days=8))
    counting.script = lambda e164: Answer(Outcome.FOUND, {"seen": "=1+1" if e164.endswith(mobile(1)) else e164})
    complete(again := db.session.get_one(ScrapingJob, job_id))
    assert "What changed since last time" in as_alice.get(f"/jobs/{again.id}").text
    page = as_alice.get(f"/jobs/{again.id}/changes").text
    assert "1 number is not the same" in page and "=1+1" in page and f"+34{mobile(2)}" not in page
    (head, row) = csv.reader(as_alice.get(f"/jobs/{again.id}/changes.csv").text.lstrip("\ufeff").splitlines())
    assert row[1:] == [f"+34{mobile(1)}", "seen", f"+34{mobile(1)}", "'=1+1"] and len(head) == 5
    assert as_alice.get(f"/jobs/{job.id}/changes").status_code == 404  # nobody knows what was before
