"""The admins' list and what is done with many at once: alice and bob own files, ada is the admin."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from html import unescape

import pytest
from flask.testing import FlaskClient, FlaskCliRunner

from portal.accounts import User
from portal.clock import utcnow
from portal.database import db
from portal.jobs import queries
from portal.jobs.core.job_tables import SweepState
from portal.jobs.core.status import Status
from portal.jobs.models import ScrapingJob
from tests.support import scenes

MakeJob = Callable[..., ScrapingJob]
BULK = ("/admin/jobs/retry", "/admin/jobs/time-out")


def listed(client: FlaskClient, query: str = "") -> dict[int, str]:
    page = client.get(f"/admin/jobs{query}").get_data(as_text=True)
    return {int(job): status for job, status in re.findall(r'<tr id="job-row-(\d+)" data-status="(\w+)"', page)}


def status_of(job: ScrapingJob) -> Status:
    db.session.rollback()
    return db.session.get_one(ScrapingJob, job.id, populate_existing=True).status


def told(client: FlaskClient, address: str, **form: object) -> str:
    answer = client.post(address, data=form, follow_redirects=True)
    assert answer.status_code == 200
    found = re.search(r'class="flashes.*?</svg><div>(.*?)</div>', answer.get_data(as_text=True), re.S)
    assert found, "nothing was told"
    return unescape(found[1])


def test_an_admin_sees_everybodys_jobs(as_ada: FlaskClient, alice: User, bob: User, make_job: MakeJob) -> None:
    hers, his = make_job(alice), scenes.completed(make_job(bob))
    assert listed(as_ada) == {hers.id: "pending", his.id: "completed"}
    page = as_ada.get("/admin/jobs").get_data(as_text=True)
    assert "alice@example.com" in page and "bob@example.com" in page


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_for_others_there_is_no_such_page(
    as_alice: FlaskClient, client: FlaskClient, make_job: MakeJob, alice: User, method: str
) -> None:
    job = scenes.failed(make_job(alice), final=True)
    for address in ("/admin/jobs",) if method == "GET" else BULK:
        assert as_alice.open(address, method=method, data={"ids": job.id, "why": "x"}).status_code == 404
        assert client.open(address, method=method, data={"ids": job.id}).status_code == 302
    assert status_of(job) == Status.FAILED


@pytest.mark.parametrize("address", BULK)
def test_what_changes_many_refuses_get(as_ada: FlaskClient, address: str) -> None:
    assert as_ada.get(address).status_code == 405


def test_the_list_is_filtered_by_status_person_day_and_text(
    as_ada: FlaskClient, alice: User, bob: User, make_job: MakeJob, now: datetime
) -> None:
    hers, his = make_job(alice, now=now), scenes.completed(make_job(bob, now=now - timedelta(days=3)))
    assert list(listed(as_ada, "?status=completed")) == [his.id]
    assert list(listed(as_ada, "?user=bob")) == [his.id]
    assert list(listed(as_ada, f"?since={now:%Y-%m-%d}")) == [hers.id]
    assert list(listed(as_ada, f"?q={hers.id}")) == [hers.id]
    assert list(listed(as_ada, "?q=bob@")) == [his.id]
    assert list(listed(as_ada, f"?until={now - timedelta(days=2):%Y-%m-%d}")) == [his.id]
    assert len(listed(as_ada, "?since=never&until=0&status=none&after=x&sort=x&source=&cause=&last=x")) == 2
    assert listed(as_ada, "?source=nowhere") == {}
    assert "Clear filters" in as_ada.get("/admin/jobs?q=nothing").get_data(as_text=True)


def test_htmx_gets_the_list_alone(as_ada: FlaskClient, alice: User, make_job: MakeJob) -> None:
    make_job(alice)
    fragment = as_ada.get("/admin/jobs", headers={"HX-Request": "true"}).get_data(as_text=True)
    assert "job-row-" in fragment and "<html" not in fragment


def test_ticked_jobs_are_retried_and_the_others_are_told_of(
    as_ada: FlaskClient, alice: User, make_job: MakeJob
) -> None:
    stopped, done, other = (
        scenes.failed(make_job(alice), final=True),
        scenes.completed(make_job(alice)),
        make_job(alice),
    )
    said = told(as_ada, BULK[0], ids=[stopped.id, done.id, 999_999], why="the source is back")
    assert f"1 file is being retried. #{stopped.id} {stopped.file_name}." in said
    assert "1 was skipped because of its status (1 × Completed)" in said
    assert f"#{done.id}" in said
    assert [status_of(job) for job in (stopped, done, other)] == [Status.RETRYING, Status.COMPLETED, Status.PENDING]
    noted = queries.timeline(stopped)[0]
    assert (noted.kind, noted.actor, noted.facts["why"]) == ("retried", "ada@example.com", "the source is back")


def test_all_that_match_the_filters_are_retried(as_ada: FlaskClient, alice: User, bob: User, make_job: MakeJob) -> None:
    hers = [scenes.failed(make_job(alice), final=True) for _ in range(3)]
    his = scenes.failed(make_job(bob), final=True)
    assert "3 files are being retried." in told(as_ada, BULK[0], all=1, user="alice")
    assert {status_of(job) for job in hers} == {Status.RETRYING}
    assert status_of(his) == Status.FAILED


def test_the_filters_survive_what_was_done(as_ada: FlaskClient, alice: User, make_job: MakeJob) -> None:
    job = scenes.failed(make_job(alice), final=True)
    answer = as_ada.post(BULK[0], data={"ids": job.id, "status": "failed", "q": "clientes"})
    assert answer.headers["Location"] == "/admin/jobs?status=failed&q=clientes"


def test_a_time_out_without_a_reason_changes_nothing(as_ada: FlaskClient, alice: User, make_job: MakeJob) -> None:
    job = scenes.in_status(make_job(alice), Status.PROCESSING)
    assert "Enter a reason" in told(as_ada, BULK[1], ids=job.id, why=" ")
    assert status_of(job) == Status.PROCESSING


def test_only_jobs_that_a_worker_has_are_timed_out(as_ada: FlaskClient, alice: User, make_job: MakeJob) -> None:
    held, waiting = scenes.in_status(make_job(alice), Status.PROCESSING), make_job(alice)
    said = told(as_ada, BULK[1], all=1, why="the machine is going away")
    assert "1 file was marked as timed out." in said
    assert "(1 × Queued)" in said
    assert [status_of(job) for job in (held, waiting)] == [Status.TIMEOUT, Status.PENDING]


def test_nothing_ticked_is_said(as_ada: FlaskClient, alice: User, make_job: MakeJob) -> None:
    make_job(alice)
    assert "No files selected" in told(as_ada, BULK[0], ids="x")


def test_what_the_command_counts_stands_on_the_tabs(
    as_ada: FlaskClient, runner: FlaskCliRunner, alice: User, make_job: MakeJob
) -> None:
    for status in Status:
        scenes.in_status(make_job(alice), status)
    scenes.completed(make_job(alice))
    said = runner.invoke(args=["check-scraping-jobs", "--dry-run"]).output.split("3.")[1]
    page = as_ada.get("/admin/jobs").get_data(as_text=True)
    tabs = dict(re.findall(r'data-tab="(\w+)">.*?data-count="(\d+)"', page, re.S))
    assert list(tabs.values()) == re.findall(r"(\d+)$", said, re.M)[:7] == ["1", "1", "2", "1", "1", "1", "1"]


def test_a_sweep_that_is_late_is_shown_in_red(as_ada: FlaskClient) -> None:
    def red() -> bool:
        return 'data-kind="bad"' in as_ada.get("/admin/jobs").get_data(as_text=True)

    assert red()  # it has never run
    state = SweepState(id=1, began_at=utcnow(), ended_at=utcnow())
    db.session.add(state)
    db.session.commit()
    assert not red()
    db.session.get_one(SweepState, 1).ended_at = utcnow() - timedelta(minutes=4)
    db.session.commit()
    assert red()
