"""What a person does with a job. Each action has its five: it works; it refuses GET; a stranger goes to the login; bob
gets 404; the wrong status changes nothing. alice owns the file, bob is another user, ada is the admin."""

import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from portal.accounts import User
from portal.audit import AuditEntry
from portal.database import db
from portal.jobs import queries
from portal.jobs.core import derived
from portal.jobs.core.job_tables import CellAnswer, Event
from portal.jobs.core.status import Status
from portal.jobs.models import ScrapingJob
from portal.sources.base import Outcome
from tests.support import scenes

MakeJob = Callable[..., ScrapingJob]
HX = {"HX-Request": "true"}
S = Status

# action → a status it works in, the status it leads to, one in which it changes nothing, and what is filled in
ACTIONS: dict[str, tuple[Status, Status, Status, dict[str, Any]]] = {
    "retry": (S.FAILED, S.RETRYING, S.COMPLETED, {}),
    "cancel": (S.PROCESSING, S.CANCELLED, S.COMPLETED, {}),
    "pause": (S.PROCESSING, S.PROCESSING, S.COMPLETED, {}),
    "resume": (S.RETRYING, S.RETRYING, S.COMPLETED, {}),
    "time-out": (S.PROCESSING, S.TIMEOUT, S.COMPLETED, {"why": "it hangs"}),
    "limits": (S.PENDING, S.PENDING, S.PENDING, {"max_retries": 7, "timeout_minutes": 90}),
}
ADMINS_ONLY = ("time-out", "limits")
POSTS = (*ACTIONS, "delete")


def standing(job: ScrapingJob) -> ScrapingJob:
    db.session.rollback()
    return db.session.get_one(ScrapingJob, job.id, populate_existing=True)


def everything_of(job: ScrapingJob) -> tuple[Any, ...]:
    now = standing(job)
    columns = tuple(getattr(now, column.key) for column in ScrapingJob.__table__.columns)
    rows = db.session.execute(db.select(CellAnswer.row_no, CellAnswer.outcome).where(CellAnswer.job_id == job.id)).all()
    events = db.session.scalars(db.select(Event.kind).where(Event.job_id == job.id)).all()
    return columns, rows, events


def page_of(client: FlaskClient, job: ScrapingJob) -> str:
    return unescape(client.get(f"/jobs/{job.id}").get_data(as_text=True))


def set_the_scene(job: ScrapingJob, action: str) -> ScrapingJob:
    scenes.in_status(job, ACTIONS[action][0])
    if action == "resume":
        job.paused_at = scenes.NOW
        db.session.commit()
    return job


@pytest.mark.parametrize("action", ACTIONS)
def test_it_works_and_is_noted_with_who_did_it(
    as_alice: FlaskClient, as_ada: FlaskClient, alice: User, make_job: MakeJob, action: str
) -> None:
    job = set_the_scene(make_job(alice), action)
    _before, after, _never, filled_in = ACTIONS[action]
    client, who = (as_ada, "ada@example.com") if action in ADMINS_ONLY else (as_alice, "alice@example.com")
    answer = client.post(f"/jobs/{job.id}/{action}", data=filled_in)
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/jobs/{job.id}")
    assert standing(job).status == after
    assert queries.timeline(job)[0].actor == who
    kind = "info" if action == "cancel" else "ok"
    assert f'class="alert" data-kind="{kind}"' in client.get(f"/jobs/{job.id}").get_data(as_text=True)


@pytest.mark.parametrize("action", [action for action in POSTS if action != "delete"])
def test_it_refuses_get(as_ada: FlaskClient, alice: User, make_job: MakeJob, action: str) -> None:
    assert as_ada.get(f"/jobs/{make_job(alice).id}/{action}").status_code == 405


def test_asking_to_delete_deletes_nothing(as_alice: FlaskClient, alice: User, make_job: MakeJob) -> None:
    job = make_job(alice)
    before = everything_of(job)
    assert "Delete clientes.xlsx?" in as_alice.get(f"/jobs/{job.id}/delete").get_data(as_text=True)
    assert everything_of(job) == before


@pytest.mark.parametrize("action", POSTS)
def test_a_stranger_goes_to_the_login(client: FlaskClient, alice: User, make_job: MakeJob, action: str) -> None:
    job = make_job(alice)
    before = everything_of(job)
    answer = client.post(f"/jobs/{job.id}/{action}", data={"why": "x"})
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/login")
    assert everything_of(job) == before


@pytest.mark.parametrize("action", POSTS)
def test_bob_gets_404(as_bob: FlaskClient, alice: User, make_job: MakeJob, action: str) -> None:
    job = scenes.in_status(make_job(alice), ACTIONS[action][0]) if action in ACTIONS else make_job(alice)
    before = everything_of(job)
    assert as_bob.post(f"/jobs/{job.id}/{action}", data={"why": "x"}).status_code == 404
    assert everything_of(job) == before


@pytest.mark.parametrize("action", ADMINS_ONLY)
def test_what_is_for_admins_is_not_there_for_its_owner(
    as_alice: FlaskClient, alice: User, make_job: MakeJob, action: str
) -> None:
    job = set_the_scene(make_job(alice), action)
    before = everything_of(job)
    assert as_alice.post(f"/jobs/{job.id}/{action}", data=ACTIONS[action][3]).status_code == 404
    assert everything_of(job) == before


@pytest.mark.parametrize("action", [action for action in ACTIONS if action != "limits"])
def test_the_wrong_status_changes_nothing_and_is_no_error(
    as_ada: FlaskClient, alice: User, make_job: MakeJob, action: str
) -> None:
    job = scenes.in_status(make_job(alice), ACTIONS[action][2])
    before = everything_of(job)
    answer = as_ada.post(f"/jobs/{job.id}/{action}", data=ACTIONS[action][3], follow_redirects=True)
    assert answer.status_code == 200
    assert "the status is already “Completed”" in unescape(answer.get_data(as_text=True))
    assert everything_of(job) == before


def test_a_paused_file_is_called_paused_when_nothing_changed(
    as_alice: FlaskClient, alice: User, make_job: MakeJob
) -> None:
    job = make_job(alice)
    as_alice.post(f"/jobs/{job.id}/pause")
    again = unescape(as_alice.post(f"/jobs/{job.id}/pause", follow_redirects=True).get_data(as_text=True))
    assert "the status is already “Paused”" in again and standing(job).status == S.PENDING


def test_the_retry_button_pressed_twice_starts_one(as_alice: FlaskClient, alice: User, make_job: MakeJob) -> None:
    job = scenes.failed(make_job(alice, 4), final=True)
    shown = page_of(as_alice, job)
    form = dict(re.findall(r'name="(round|chosen)" value="(\w+)"', shown))
    assert form == {"round": "1", "chosen": "1"}
    pressed = {**form, "reasons": "temporary"}
    as_alice.post(f"/jobs/{job.id}/retry", data=pressed)
    scenes.claim(standing(job))
    scenes.answer(job, [Outcome.FAILED], reason="temporary")
    ScrapingJob.fail(job.id, job.attempt, "numbers_unanswered", scenes.NOW, scenes.BACKOFF)
    db.session.commit()
    before = everything_of(job)
    as_alice.post(f"/jobs/{job.id}/retry", data=pressed)  # the other tab still shows the first round
    assert everything_of(job) == before
    assert standing(job).round == 2


def test_the_retry_button_names_how_many_it_looks_up(as_alice: FlaskClient, alice: User, make_job: MakeJob) -> None:
    job = scenes.failed(make_job(alice, 8), found=3, reasons=("temporary", "temporary", "blocked"), final=True)
    page = page_of(as_alice, job)
    ticked = re.findall(r'name="reasons" value="(\w+)"( checked)?', page)
    assert ticked == [("temporary", " checked"), ("blocked", "")]
    assert "Retry 4 numbers" in page  # two that failed for a while and two that were never looked up
    as_alice.post(f"/jobs/{job.id}/retry", data={"round": 1, "chosen": 1, "reasons": "temporary"})
    assert standing(job).waiting_numbers == 4
    assert standing(job).failed_count == 1


def test_the_count_follows_the_ticks_without_javascript_too(
    as_alice: FlaskClient, alice: User, make_job: MakeJob
) -> None:
    job = scenes.failed(make_job(alice, 8), found=3, reasons=("temporary", "temporary", "blocked"), final=True)
    before = everything_of(job)
    form = {"round": 1, "chosen": 1, "reasons": ["blocked", "temporary"], "recount": 1}
    answer = as_alice.post(f"/jobs/{job.id}/retry", data=form, follow_redirects=True)
    assert "Retry 5 numbers" in answer.get_data(as_text=True)
    fragment = as_alice.post(f"/jobs/{job.id}/retry", data={**form, "reasons": "blocked"}, headers=HX)
    assert "Retry 3 numbers" in fragment.get_data(as_text=True)
    assert everything_of(job) == before


def test_a_retry_of_nothing_starts_nothing(as_alice: FlaskClient, alice: User, make_job: MakeJob) -> None:
    job = scenes.failed(make_job(alice, 3), found=2, reasons=("blocked",), final=True)
    before = everything_of(job)
    as_alice.post(f"/jobs/{job.id}/retry", data={"round": 1, "chosen": 1})
    assert everything_of(job) == before


def test_a_program_that_only_presses_retry_gets_all(as_alice: FlaskClient, alice: User, make_job: MakeJob) -> None:
    job = scenes.failed(make_job(alice, 3), found=1, reasons=("blocked", "temporary"), final=True)
    assert as_alice.post(f"/jobs/{job.id}/retry").status_code == 303
    assert standing(job).waiting_numbers == 2


def test_cancel_says_what_is_kept(as_alice: FlaskClient, alice: User, make_job: MakeJob) -> None:
    job = make_job(alice, 5)
    scenes.claim(job)
    scenes.answer(job, [Outcome.FOUND] * 2)
    assert "2 numbers are ready: they are kept" in page_of(as_alice, job)
    answer = as_alice.post(f"/jobs/{job.id}/cancel", headers={"HX-Request": "true"})
    assert 'class="toast" data-kind="info"' in answer.get_data(as_text=True), "it is no success"
    assert standing(job).processed_numbers == 2


def test_delete_takes_the_job_away_and_goes_to_the_list(
    app: Flask, as_alice: FlaskClient, alice: User, make_job: MakeJob
) -> None:
    job = scenes.completed(make_job(alice))
    answer = as_alice.post(f"/jobs/{job.id}/delete")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    assert as_alice.get(f"/jobs/{job.id}").status_code == 404
    assert as_alice.post(f"/jobs/{job.id}/delete").status_code == 404


def test_time_out_needs_a_reason(as_ada: FlaskClient, alice: User, make_job: MakeJob) -> None:
    job = scenes.in_status(make_job(alice), S.PROCESSING)
    before = everything_of(job)
    answer = as_ada.post(f"/jobs/{job.id}/time-out", data={"why": "  "})
    assert answer.status_code == 422
    assert 'role="alert"' in answer.get_data(as_text=True)
    assert everything_of(job) == before


def test_the_owner_reads_the_admins_reason(
    as_alice: FlaskClient, as_ada: FlaskClient, alice: User, make_job: MakeJob
) -> None:
    job = scenes.in_status(make_job(alice), S.PROCESSING)
    as_ada.post(f"/jobs/{job.id}/time-out", data={"why": "the source's line is cut"})
    page = page_of(as_alice, job)
    assert "Reason given: the source's line is cut" in page
    assert "ada@example.com" in page


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"max_retries": 3},
        {"max_retries": -1, "timeout_minutes": 5},
        {"max_retries": 3, "timeout_minutes": 0},
        {"max_retries": "x", "timeout_minutes": 5},
    ],
)
def test_impossible_limits_change_nothing(
    as_ada: FlaskClient, alice: User, make_job: MakeJob, wrong: dict[str, Any]
) -> None:
    job = make_job(alice)
    before = everything_of(job)
    assert as_ada.post(f"/jobs/{job.id}/limits", data=wrong).status_code == 422
    assert everything_of(job) == before


@pytest.mark.parametrize("action", ["retry", "cancel", "pause"])
def test_htmx_gets_the_parts_that_changed_and_a_word(
    as_alice: FlaskClient, alice: User, make_job: MakeJob, action: str
) -> None:
    job = set_the_scene(make_job(alice), action)
    answer = as_alice.post(f"/jobs/{job.id}/{action}", headers=HX)
    body = answer.get_data(as_text=True)
    assert answer.status_code == 200
    assert '<hx-partial hx-target="#toasts"' in body
    assert f'id="job-live" class="stack" data-status="{ACTIONS[action][1]}"' in body


@pytest.mark.parametrize("status", list(Status))
def test_only_buttons_that_work_are_shown(as_ada: FlaskClient, alice: User, make_job: MakeJob, status: Status) -> None:
    job = scenes.in_status(make_job(alice), status)
    page = page_of(as_ada, job)
    for action in ("retry", "cancel", "pause", "resume", "time-out", "limits"):
        shown = f'action="/jobs/{job.id}/{action}"' in page
        assert shown == (action.replace("-", "_") in derived.actions(standing(job))), action


WITH_A_REASON = {
    "retry": "retry",
    "cancel": "cancel",
    "pause": "pause",
    "resume": "resume",
    "limits": "limits",
    "put-first": "put_first",
    "delete": "delete",
}


@pytest.mark.parametrize("action", WITH_A_REASON)
def test_why_an_admin_changed_somebody_elses_file_is_kept_with_the_name(
    as_ada: FlaskClient, as_alice: FlaskClient, alice: User, make_job: MakeJob, action: str
) -> None:
    job = set_the_scene(make_job(alice), action) if action in ACTIONS else make_job(alice)
    place = f"/jobs/{job.id}/delete" if action == "delete" else f"/jobs/{job.id}"
    field = f'id="why-{WITH_A_REASON[action]}"'
    assert field in as_ada.get(place).get_data(as_text=True)
    assert field not in as_alice.get(place).get_data(as_text=True), "nobody is asked about an own file"
    data = {**(ACTIONS[action][3] if action in ACTIONS else {}), "why": "Luis asked for it"}
    assert as_ada.post(f"/jobs/{job.id}/{action}", data=data).status_code == 303
    told = [event for event in queries.timeline(standing(job)) if event.facts.get("why")]
    assert [(event.actor, event.facts["why"]) for event in told] == [("ada@example.com", "Luis asked for it")]
    (entry,) = db.session.scalars(select(AuditEntry).where(AuditEntry.verb == WITH_A_REASON[action]))
    assert (entry.admin, entry.reason) == ("ada@example.com", "Luis asked for it")


def test_why_an_admin_changed_a_spending_limit_is_kept_too(as_ada: FlaskClient, alice: User, make_job: MakeJob) -> None:
    job = make_job(alice)
    as_ada.post(f"/jobs/{job.id}/cost-cap", data={"cost_cap": "2.50", "why": "Luis pays"})
    assert queries.timeline(standing(job))[0].facts["why"] == "Luis pays"
    assert db.session.scalars(select(AuditEntry.reason).where(AuditEntry.verb == "cost_cap")).all() == ["Luis pays"]
    assert "Reason given: Luis pays" in page_of(as_ada, job)


def test_an_owner_gives_no_reason(as_alice: FlaskClient, alice: User, make_job: MakeJob) -> None:
    job = make_job(alice)
    as_alice.post(f"/jobs/{job.id}/cancel", data={"why": "typed by a program"})
    assert [event.facts.get("why") for event in queries.timeline(standing(job))] == [None, None]
