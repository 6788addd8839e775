"""The check page's other ways to start: the first numbers only, and later."""

from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal.clock import utcnow
from tests.support.cast import mobile
from tests.web.check_page import jobs, read, upload


def test_the_first_numbers_are_tried_before_the_others(app: Flask, as_alice: FlaskClient) -> None:
    document_id = upload(as_alice, "\n".join(["Phone", *map(mobile, range(21))]).encode(), "long.csv")
    read(app, document_id)
    assert "Try the first 20" in as_alice.get(f"/documents/{document_id}").text
    assert as_alice.post(f"/documents/{document_id}/jobs", data={"first": "20"}).status_code == 303
    (job,) = jobs()
    assert job.pause_after == 20 and job.not_before is None


def test_a_short_file_offers_no_trial(as_alice: FlaskClient, document_id: int) -> None:
    page = as_alice.get(f"/documents/{document_id}").text
    assert "Try the first" not in page and "Start later" in page


def test_a_file_starts_at_the_readers_local_time(as_alice: FlaskClient, document_id: int) -> None:
    day = (utcnow() + timedelta(days=9)).date()
    as_alice.post(f"/documents/{document_id}/jobs", data={"later": "1", "start_at": f"{day}T08:30"})
    (job,) = jobs()
    assert job.not_before is not None
    local = datetime.fromisoformat(f"{day}T08:30")
    assert timedelta(0) < local.replace(tzinfo=UTC) - job.not_before <= timedelta(hours=2)  # Madrid is ahead of UTC
    shown = as_alice.get(f"/jobs/{job.id}").text
    assert "Start now" in shown and "Starts:" in shown and "8:30" in shown


@pytest.mark.parametrize(
    ("start_at", "says"),
    [
        ("", "Choose the day and the time"),
        ("mañana", "Choose the day and the time"),
        ("2020-01-01T08:00", "has passed"),
        ("2199-01-01T08:00", "within the next year"),
        ("9999-12-31T23:59", "within the next year"),
        ("0001-01-01T00:00", "has passed"),
    ],
)
def test_a_moment_that_cannot_be_used_is_explained(
    as_alice: FlaskClient, document_id: int, start_at: str, says: str
) -> None:
    answer = as_alice.post(f"/documents/{document_id}/jobs", data={"later": "1", "start_at": start_at})
    assert answer.status_code == 422 and says in answer.text
    assert not jobs()
