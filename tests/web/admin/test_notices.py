"""What was told, on the pages: the admins' log, a letter as it went out, sent again; and what each person wants."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from itsdangerous import URLSafeSerializer
from sqlalchemy import select

from portal.accounts import User
from portal.database import db
from portal.jobs import queries
from portal.jobs.models import ScrapingJob
from portal.notices.delivery import send_due
from portal.notices.models import Delivery, Notice
from portal.notices.preferences import preferences_of
from portal.notices.unsubscribe import unsubscribe_address
from tests.support import scenes
from tests.support.cast import NOW

MakeJob = Callable[..., ScrapingJob]


@pytest.fixture
def told(alice: User, make_job: MakeJob) -> Notice:
    """Alice's file has stopped, and she was told."""
    job = scenes.failed(make_job(alice, 3), NOW, final=True)
    list(send_due(NOW))
    return db.session.scalars(select(Notice).where(Notice.job_id == job.id)).one()


def shown(client: FlaskClient, address: str, status: int = 200) -> str:
    answer = client.get(address)
    assert answer.status_code == status, address
    return answer.get_data(as_text=True)


def settings_of(user: User) -> dict[str, bool]:
    db.session.rollback()
    kept = preferences_of(user.id)
    return {name: bool(getattr(kept, name)) for name in ("tell_failed", "tell_completed", "daily_summary")}


def test_admins_see_what_was_told_to_whom(told: Notice, as_ada: FlaskClient) -> None:
    page = shown(as_ada, "/admin/notices")
    assert "alice@example.com" in page and "clientes.xlsx" in page and "A file stopped" in page
    assert "No messages" in shown(as_ada, "/admin/notices?state=dead")
    assert "clientes.xlsx" in shown(as_ada, "/admin/notices?state=sent&before=99")
    assert "No messages" in shown(as_ada, f"/admin/notices?before={told.id}")
    assert "alice@example.com" in shown(as_ada, "/admin/notices?state=nonsense&before=nonsense")


def test_a_letter_is_shown_as_text_and_in_a_frame_that_can_do_nothing(told: Notice, as_ada: FlaskClient) -> None:
    page = as_ada.get(f"/admin/notices/{told.id}")
    assert "1 result is ready." in page.get_data(as_text=True)
    assert "frame-src 'self'" in page.headers["Content-Security-Policy"]
    letter = as_ada.get(f"/admin/notices/{told.id}/email")
    policy = letter.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and policy.endswith("sandbox") and "script" not in policy
    assert "<style>" in letter.get_data(as_text=True)
    for seen in (page, letter):
        assert "/notices/stop/" not in seen.get_data(as_text=True), "whoever has it could stop alice's mails"


def test_the_log_is_for_admins_alone(told: Notice, client: FlaskClient, as_bob: FlaskClient) -> None:
    for address in ("/admin/notices", f"/admin/notices/{told.id}", f"/admin/notices/{told.id}/email"):
        shown(as_bob, address, 404)
        assert "/login" in client.get(address).headers["Location"]
    assert as_bob.post(f"/admin/notices/{told.id}/again").status_code == 404
    assert client.post(f"/admin/notices/{told.id}/again").status_code == 302


def test_one_that_is_not_there_is_a_404(as_ada: FlaskClient) -> None:
    for address in ("/admin/notices/7", f"/admin/notices/{2**40}", "/admin/notices/7/email"):
        shown(as_ada, address, 404)
    assert as_ada.post("/admin/notices/7/again").status_code == 404


def test_sent_again_it_goes_out_once_more_under_the_same_name(told: Notice, as_ada: FlaskClient, app: Flask) -> None:
    address = f"/admin/notices/{told.id}/again"
    assert as_ada.get(address).status_code == 405
    assert as_ada.post(address).status_code == 303
    db.session.refresh(told)
    assert told.state == Delivery.DUE
    assert as_ada.post(address).status_code == 303, "the second press changes nothing"
    assert len(list(send_due(NOW + timedelta(days=9999)))) == 1
    assert [path.name for path in (app.config["PORTAL_DATA_DIR"] / "mail").iterdir()] == [f"{told.dedupe}.eml"]


def test_those_given_up_are_counted_where_an_admin_looks(told: Notice, as_ada: FlaskClient) -> None:
    count = '<span class="num">1</span>'
    assert count not in shown(as_ada, "/admin/jobs")
    told.state, told.answer = Delivery.DEAD, "550 5.1.1 <script>"
    db.session.commit()
    as_ada.application.extensions["desk_counts"].counted_at = None  # it is kept for some seconds
    assert count in shown(as_ada, "/admin/jobs")
    page = shown(as_ada, "/admin/notices")
    assert "1 message could not be delivered." in page and "<script>" not in page.replace('<script src="', "")


def test_the_files_timeline_says_who_was_told(told: Notice, alice: User, as_alice: FlaskClient) -> None:
    assert "Notified (Email, alice@example.com): A file stopped." in shown(as_alice, f"/jobs/{told.job_id}")


def test_a_digest_stands_on_the_timeline_of_each_of_its_files(
    alice: User, as_alice: FlaskClient, make_job: MakeJob
) -> None:
    jobs = [scenes.failed(make_job(alice, 3), NOW, final=True) for _ in range(2)]
    assert [event.kind for event in queries.timeline(jobs[0])].count("notified") == 0, "not yet notified"
    list(send_due(NOW))
    for job in jobs:
        page = shown(as_alice, f"/jobs/{job.id}")
        assert "Notified (Email, alice@example.com): A file stopped. Sent together with other files." in page


def test_a_letter_that_was_refused_stands_there_with_its_next_try(told: Notice, as_alice: FlaskClient) -> None:
    told.state, told.sent_at, told.due_at = Delivery.DUE, None, NOW + timedelta(minutes=2)
    db.session.commit()
    page = shown(as_alice, f"/jobs/{told.job_id}")
    assert "Not delivered yet (Email, alice@example.com): A file stopped. Next attempt:" in page


def test_a_person_chooses_what_they_are_told(alice: User, as_alice: FlaskClient) -> None:
    assert settings_of(alice) == {"tell_failed": True, "tell_completed": True, "daily_summary": False}
    assert as_alice.post("/account/notices", data={"tell_failed": "1", "daily_summary": "1"}).status_code == 303
    assert settings_of(alice) == {"tell_failed": True, "tell_completed": False, "daily_summary": False}
    page = shown(as_alice, "/account")
    assert 'name="tell_failed" value="1" checked' in page and 'name="tell_completed" value="1" checked' not in page
    assert "daily_summary" not in page, "that is for admins"
    assert as_alice.get("/account/notices").status_code == 405


def test_strangers_keep_nothing(client: FlaskClient) -> None:
    assert client.post("/account/notices").status_code == 302


def path_of(app: Flask, user: User, kind: str = "job_completed") -> str:
    return unsubscribe_address(kind, user.id).removeprefix(app.config["PUBLIC_URL"])


def test_a_scanner_that_opens_the_link_stops_nothing(app: Flask, alice: User, client: FlaskClient) -> None:
    address = path_of(app, alice)
    page = shown(client, address)
    assert "Unsubscribe" in page and "alice" not in page
    assert settings_of(alice)["tell_completed"]


def test_one_click_stops_that_kind_without_a_session_or_a_forms_token(
    app: Flask, alice: User, bob: User, client: FlaskClient
) -> None:
    app.config["WTF_CSRF_ENABLED"] = True
    address = path_of(app, alice)
    assert client.post(address, data={"List-Unsubscribe": "One-Click"}).status_code == 200
    assert settings_of(alice) == {"tell_failed": True, "tell_completed": False, "daily_summary": False}
    assert settings_of(bob)["tell_completed"]
    assert client.post(address).status_code == 200, "pressed twice, it stays so"


@pytest.mark.parametrize("token", ["x", "WzEsInRlbGxfZmFpbGVkIl0.forged", "WzEsImlzX2FkbWluIl0", "%00"])
def test_an_address_that_we_did_not_sign_is_a_404(alice: User, client: FlaskClient, token: str) -> None:
    for ask in (client.get, client.post):
        assert ask(f"/notices/stop/{token}").status_code == 404
    assert settings_of(alice)["tell_failed"]


def test_a_token_of_another_purpose_stops_nothing(app: Flask, alice: User, client: FlaskClient) -> None:
    other = URLSafeSerializer(app.config["SECRET_KEY"], salt="another").dumps([alice.id, "tell_failed"])
    assert client.post(f"/notices/stop/{other}").status_code == 404
