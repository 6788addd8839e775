"""What an admin sees of somebody's is audited without the number, and no telephone number gets into an address."""

import re
from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from portal.accounts import User
from portal.audit import AuditEntry
from portal.database import db
from portal.jobs.models import ScrapingJob
from portal.notices.models import Channel, Delivery, Notice
from tests.support import cast, scenes

MakeJob = Callable[..., ScrapingJob]
NUMBER = "612000003"


def audited() -> list[tuple[str, str, str | None]]:
    db.session.rollback()
    entries = db.session.scalars(select(AuditEntry).order_by(AuditEntry.id)).all()
    assert not [entry for entry in entries if NUMBER in str((entry.facts, entry.reason, entry.object_id))]
    return [(entry.admin, entry.verb, entry.object_id) for entry in entries]


def test_a_row_is_searched_without_its_number_in_any_address(
    app: Flask, as_alice: FlaskClient, as_bob: FlaskClient, alice: User
) -> None:
    job = scenes.completed(cast.make_job(app, alice))
    assert 'method="post" action="/jobs/1/rows"' in as_alice.get(f"/jobs/{job.id}").text
    answer = as_alice.post(f"/jobs/{job.id}/rows", data={"q": NUMBER, "outcome": "all"})
    assert answer.status_code == 303 and NUMBER not in answer.location
    page = as_alice.get(answer.location).text
    assert f'value="{NUMBER}"' in page
    assert not [link for link in re.findall(r'(?:href|hx-get|action)="([^"]+)"', page) if NUMBER in link]
    assert NUMBER[-6:] in page and cast.mobile(1)[-6:] not in re.sub("(?s)<aside.*", "", page.split('id="job-rows"')[1])
    assert as_bob.post(f"/jobs/{job.id}/rows", data={"q": NUMBER}).status_code == 404
    assert as_alice.get(f"/jobs/{job.id}?find=unknown").status_code == 200


def test_what_an_admin_does_with_others_numbers_letters_and_results_is_audited(
    app: Flask, as_ada: FlaskClient, as_alice: FlaskClient, alice: User, ada: User
) -> None:
    job = scenes.completed(cast.make_job(app, alice))
    for user in (alice, ada):
        db.session.add(
            Notice(
                dedupe=f"n{user.id}", kind="account_changed", channel=Channel.MAIL, user_id=user.id, facts={},
                state=Delivery.SENT, created_at=cast.NOW, due_at=cast.NOW,
            )
        )  # fmt: skip
    db.session.commit()
    hers, own = db.session.scalars(select(Notice.id).where(Notice.kind == "account_changed").order_by(Notice.id)).all()
    job_id = job.id
    as_ada.post("/admin/jobs/search", data={"q": f"+34 {NUMBER}"})
    for _ in range(2):
        as_ada.get(f"/admin/notices/{hers}")
        as_ada.get(f"/admin/notices/{hers}/email")
    as_ada.get(f"/admin/notices/{own}")
    as_ada.post(f"/admin/notices/{hers}/again")
    for browser in (as_alice, as_ada):
        browser.get(f"/jobs/{job_id}/results.csv").close()
    as_ada.post("/admin/sources/offline/try", data={"number": NUMBER})
    as_ada.post("/admin/sources/offline/resume")
    assert audited() == [
        (ada.email, "phone_searched", None), (ada.email, "notice_read", str(hers)),
        (ada.email, "notice_resent", str(hers)), (ada.email, "results_downloaded", str(job_id)),
        (ada.email, "number_tried", "offline"),
    ]  # fmt: skip
    page = as_ada.get("/admin/audit").text
    assert "made a change" not in page and NUMBER not in page


def test_an_admin_made_in_the_terminal_is_audited(app: Flask, runner) -> None:
    runner.invoke(args=["create-user", "eva@example.com", "--admin", "--password-stdin"], input="kettle moss nine\n")
    assert audited() == [("system (CLI)", "user_created", "1")]


def test_the_download_of_an_expired_file_leads_to_the_page_that_explains(
    app: Flask, as_alice: FlaskClient, as_bob: FlaskClient, alice: User
) -> None:
    job = scenes.completed(cast.make_job(app, alice))
    job.expired_at = job.deleted_at = cast.NOW
    db.session.commit()
    job_id = job.id
    answer = as_alice.get(f"/jobs/{job_id}/results.xlsx")
    assert (answer.status_code, answer.location) == (303, f"/jobs/{job_id}")
    assert as_bob.get(f"/jobs/{job_id}/results.xlsx").status_code == 404


@pytest.mark.parametrize(
    ("since", "until", "told"), [("2026-05-05", "2026-05-04", True), ("2026-05-04", "2026-05-04", False)]
)
def test_reversed_dates_get_a_sentence(as_ada: FlaskClient, since: str, until: str, told: bool) -> None:
    page = as_ada.get("/admin/jobs", query_string={"since": since, "until": until}).text
    assert ("Swap the two dates" in page and 'role="alert"' in page) is told
