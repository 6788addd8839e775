"""The admins' pages about people: each button works for ada, and for nobody else there is such a page."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from html import unescape
from io import BytesIO
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import inspect, select, update

from portal.accounts import AccountError, User, admin, session_user, start_session
from portal.accounts.admin import AccountStatus, NotAnAdmin, account_status
from portal.audit import AuditEntry
from portal.clock import utcnow
from portal.database import db, reading, writing
from portal.documents.choice import SheetChoice
from portal.documents.models import Document, Reading
from portal.jobs import commands
from portal.jobs.models import ScrapingJob
from portal.jobs.quotas import quota_of
from portal.jobs.worker import tasks
from portal.notices.models import Notice
from tests.support import cast
from tests.support.cast import PASSWORD

MakeJob = Callable[..., ScrapingJob]
MINUTE = timedelta(minutes=1)
FORMS: dict[str, dict[str, str]] = {
    "deactivate": {"why": "has left"}, "reactivate": {},
    "role": {"role": "admin", "why": "helps", "password": PASSWORD},
    "limits": {"max_rows": "7", "files_per_day": "2", "retention_days": "0"}, "password-link": {},
}  # fmt: skip


def post(client: FlaskClient, user: User | int, verb: str, **form: str) -> Any:
    user_id = user if isinstance(user, int) else user.id
    return client.post(f"/admin/users/{user_id}/{verb}", data=form or FORMS[verb])


def now_is(user: User) -> User:
    """The person as they are now, in no session."""
    db.session.rollback()  # on SQLite, our own transaction would keep the others from writing
    with reading() as session:
        return session.get_one(User, inspect(user).identity[0])


def audited() -> list[tuple[str, str | None, str | None]]:
    db.session.rollback()
    with reading() as session:
        return [(note.verb, note.facts.get("owner"), note.reason) for note in session.scalars(select(AuditEntry))]


def everything() -> list[Any]:
    db.session.rollback()
    tables = [db.metadata.tables[name] for name in ("users", "notices", "audit")]
    with reading() as session:
        return [session.execute(select(table)).all() for table in tables]


def upload(client: FlaskClient, rows: int = 3) -> Any:
    text = "Teléfono\n" + "\n".join(cast.mobile(n) for n in range(rows))
    return client.post("/documents", data={"file": (BytesIO(text.encode()), "lista.csv")})


# ── who may ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_no_button_works_by_a_link_for_a_stranger_or_for_bob(
    client: FlaskClient, as_bob: FlaskClient, as_ada: FlaskClient, alice: User
) -> None:
    before = everything()
    for verb in FORMS:
        assert as_ada.get(f"/admin/users/{alice.id}/{verb}").status_code == 405
        assert post(client, alice, verb).location.startswith("/login")
        assert post(as_bob, alice, verb).status_code == 404
        assert post(as_ada, 987654, verb).status_code == 404
    for path in ("/admin/users", f"/admin/users/{alice.id}"):
        assert as_bob.get(path).status_code == 404
        assert client.get(path).status_code == 302
    assert as_bob.post("/admin/users", data={"email": "x@example.com"}).status_code == 404
    assert everything() == before


def test_a_role_that_is_taken_after_the_page_looked_at_it_is_no_role(
    app: Flask, as_ada: FlaskClient, ada: User, alice: User
) -> None:
    def take_it() -> None:
        with writing() as session:
            session.execute(update(User).where(User.is_admin).values(is_admin=False))

    app.before_request_funcs[None].append(take_it)
    assert post(as_ada, alice, "deactivate").status_code == 404
    assert now_is(alice).is_active and audited() == []


# ── the list ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_ada_sees_everybody_with_state_role_files_and_limits(
    as_ada: FlaskClient, alice: User, bob: User, make_job: MakeJob
) -> None:
    make_job(alice), make_job(alice)
    alice.max_rows, bob.is_active = 700, False
    db.session.commit()
    seen = as_ada.get("/admin/users").text
    assert re.search(rf'user-row-{alice.id}" data-account-status="active".*?700 rows', seen, re.S)
    assert re.search(rf'user-row-{alice.id}".*?class="num">2</td>', seen, re.S)
    assert f'user-row-{bob.id}" data-account-status="deactivated"' in seen
    found = as_ada.get("/admin/users?q=ALI", headers={"HX-Request": "true"}).text
    assert f"user-row-{alice.id}" in found and f"user-row-{bob.id}" not in found and "<html" not in found
    assert "Show all users" in as_ada.get("/admin/users?q=%25").text, "a % is a letter like any other"


def test_the_list_has_pages(as_ada: FlaskClient) -> None:
    db.session.add_all(User(email=f"p{n:02}@example.com", password_hash="!x", created_at=cast.NOW) for n in range(30))
    db.session.commit()
    assert as_ada.get("/admin/users?page=2").text.count('id="user-row-') == 6
    assert as_ada.get("/admin/users?page=99&q=p").text.count('id="user-row-') == 6


# ── inviting ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_invitation_without_a_mail_server_shows_its_address_once(as_ada: FlaskClient, client: FlaskClient) -> None:
    answer = as_ada.post("/admin/users", data={"email": " Carla@Example.com ", "role": "user"})
    assert answer.status_code == 200
    link = re.search(r">http://localhost(/reset/[^<]+)</textarea>", answer.text)
    assert link is not None and f"body=http%3A%2F%2Flocalhost{link[1].replace('/', '%2F')}" in answer.text, (
        "it can be sent from there"
    )
    db.session.rollback()
    carla = db.session.scalars(select(User).where(User.email == "carla@example.com")).one()
    assert account_status(carla) == AccountStatus.INVITED and not carla.is_admin
    assert "/reset/" not in as_ada.get(f"/admin/users/{carla.id}").text
    assert client.post("/login", data={"email": carla.email, "password": carla.password_hash}).status_code == 401
    assert 'autocomplete="new-password"' in client.get(link[1]).text
    assert client.post(link[1], data={"password": PASSWORD}).status_code == 303
    assert client.post("/login", data={"email": carla.email, "password": PASSWORD}).status_code == 303
    assert account_status(now_is(carla)) == AccountStatus.ACTIVE
    assert audited() == [("user_invite", "carla@example.com", None), ("password_chosen", None, None)]


def test_an_invitation_with_a_mail_server_is_a_letter(app: Flask, as_ada: FlaskClient) -> None:
    app.config["MAIL_SERVER"] = "127.0.0.1"
    answer = as_ada.post("/admin/users", data={"email": "carla@example.com", "role": "admin", "password": PASSWORD})
    assert answer.status_code == 303
    assert "/reset/" not in as_ada.get(answer.location).text
    db.session.rollback()
    notice = db.session.scalars(select(Notice)).one()
    assert (notice.kind, notice.facts) == ("invite", {})
    page = as_ada.get(f"/admin/notices/{notice.id}")
    assert page.status_code == 200 and "/reset/" not in page.text, "the letter is its reader's alone"
    assert as_ada.get(f"/admin/notices/{notice.id}/email").status_code == 404


def test_an_address_that_is_wrong_or_taken_is_said_and_invites_nobody(as_ada: FlaskClient, alice: User) -> None:
    before = everything()
    for email in ("nonsense", "ñandú@example.com", "alice@example.com", "ALICE@example.com"):
        answer = as_ada.post("/admin/users", data={"email": email})
        assert answer.status_code == 422
        assert 'role="alert"' in answer.text and f'value="{email}"' in answer.text
    assert everything() == before


# ── shutting out ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_who_is_shut_out_is_signed_out_at_once_in_pages_fragments_and_downloads(
    as_ada: FlaskClient, as_alice: FlaskClient, client: FlaskClient, alice: User, make_job: MakeJob
) -> None:
    job = make_job(alice)
    here = f"/jobs/{job.id}"
    assert as_alice.get(f"{here}/live").status_code == 200
    assert post(as_ada, alice, "deactivate").status_code == 303
    for path in ("/", here, f"{here}/live", f"{here}/results.csv", "/jobs/live?ids=1"):
        assert as_alice.get(path).location.startswith("/login"), path
    asked = as_alice.get(f"{here}/live", headers={"HX-Request": "true"})
    assert asked.status_code == 401 and asked.headers["HX-Redirect"].startswith("/login"), "an open page goes away"
    assert as_alice.post(f"{here}/retry").location.startswith("/login")
    assert client.post("/login", data={"email": alice.email, "password": PASSWORD}).status_code == 401
    assert audited() == [("user_shut_out", "alice@example.com", "has left")]
    assert post(as_ada, alice, "reactivate").status_code == 303
    assert as_alice.get("/").status_code == 302, "an old session does not come back with its person"
    assert client.post("/login", data={"email": alice.email, "password": PASSWORD}).status_code == 303


def test_shutting_out_needs_a_reason(as_ada: FlaskClient, alice: User) -> None:
    answer = post(as_ada, alice, "deactivate", why="  ")
    assert answer.status_code == 422 and 'role="alert"' in answer.text
    assert now_is(alice).is_active and audited() == []


def test_what_is_so_already_is_said_and_changes_nothing(as_ada: FlaskClient, alice: User) -> None:
    post(as_ada, alice, "deactivate")
    before = everything()
    for verb, form in (("deactivate", {"why": "again"}), ("role", {"role": "user", "why": "x"}), ("password-link", {})):
        answer = post(as_ada, alice, verb, **form) if form else as_ada.post(f"/admin/users/{alice.id}/{verb}")
        assert answer.status_code == 303
    assert as_ada.get(f"/admin/users/{alice.id}").text.count('data-kind="info"') == 3
    post(as_ada, alice, "limits", max_rows="", files_per_day="")
    assert everything() == before


# ── role ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_nobody_becomes_an_administrator_without_the_password_of_who_does_it(as_ada: FlaskClient, alice: User) -> None:
    before = everything()
    for password in ("", "wrong"):
        answer = post(as_ada, alice, "role", role="admin", why="helps", password=password)
        assert answer.status_code == 422 and 'role="alert"' in answer.text
        form = {"email": "carla@example.com", "role": "admin", "password": password}
        answer = as_ada.post("/admin/users", data=form)
        assert answer.status_code == 422 and 'role="alert"' in answer.text
    assert everything() == before


def test_a_role_holds_from_the_next_request_on(as_ada: FlaskClient, as_alice: FlaskClient, alice: User) -> None:
    assert as_alice.get("/admin/users").status_code == 404
    post(as_ada, alice, "role")
    assert as_alice.get("/admin/users").status_code == 200
    post(as_ada, alice, "role", role="user", why="no more")
    assert as_alice.get("/admin/users").status_code == 404
    assert [verb for verb, *_ in audited()] == ["user_made_admin", "user_no_admin"]


@pytest.mark.parametrize(("verb", "form"), [("role", {"role": "user", "why": "x"}), ("deactivate", {"why": "x"})])
def test_nobody_takes_the_portal_from_oneself(as_ada: FlaskClient, ada: User, verb: str, form: dict[str, str]) -> None:
    answer = post(as_ada, ada, verb, **form)
    assert answer.status_code == 422 and "another administrator" in unescape(answer.text)
    assert now_is(ada).is_admin and ada.is_active and audited() == []


def test_of_two_admins_who_take_it_from_each_other_one_stays(app: Flask, ada: User, alice: User) -> None:
    alice.is_admin = True
    db.session.commit()
    ada, alice = now_is(ada), now_is(alice)
    assert admin.set_role(alice.id, False, ada.id, "x", utcnow())
    with pytest.raises(NotAnAdmin):
        admin.set_role(ada.id, False, alice.id, "x", utcnow())
    with pytest.raises(AccountError):
        admin.deactivate(ada.id, ada.id, "x", utcnow())
    assert now_is(ada).is_admin


# ── limits ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_person_has_the_portals_limits_until_an_admin_gives_them_their_own(
    app: Flask, as_ada: FlaskClient, as_alice: FlaskClient, alice: User, now: datetime
) -> None:
    assert quota_of(alice.id, now)[:2] == (5000, None)
    post(as_ada, alice, "limits")
    assert quota_of(now_is(alice).id, now)[:2] == (7, 2)
    assert now_is(alice).retention_days == 0
    post(as_ada, alice, "limits", max_rows="", files_per_day="")
    assert quota_of(alice.id, now)[:2] == (5000, None)
    assert now_is(alice).retention_days is None


def test_a_limit_that_is_none_is_refused(as_ada: FlaskClient, alice: User) -> None:
    for name, text in (
        ("max_rows", "0"), ("max_rows", "-1"), ("max_rows", "x"), ("max_rows", "1000001"),
        ("files_per_day", "1.5"), ("files_per_day", "10001"), ("retention_days", "36501"),
    ):  # fmt: skip
        answer = post(as_ada, alice, "limits", **{name: text})
        assert answer.status_code == 422 and 'role="alert"' in answer.text
    assert now_is(alice).max_rows is None and audited() == []
    assert "up to 1,000,000 rows" in answer.text, "the range is said"


def test_limits_that_were_refused_need_not_be_written_again(as_ada: FlaskClient, alice: User) -> None:
    seen = post(as_ada, alice, "limits", max_rows="-1", files_per_day="12", why="a large customer").text
    assert 'value="-1"' in seen and 'value="12"' in seen and 'value="a large customer"' in seen


def test_without_a_mail_server_the_page_of_a_person_promises_no_letter(
    app: Flask, as_ada: FlaskClient, alice: User
) -> None:
    assert "We will email them" not in as_ada.get(f"/admin/users/{alice.id}").text
    app.config["MAIL_SERVER"] = "127.0.0.1"
    assert "We will email them" in as_ada.get(f"/admin/users/{alice.id}").text


@pytest.mark.parametrize(("rows", "state"), [(7, Reading.READY), (8, Reading.REFUSED)])
def test_a_file_with_more_rows_than_its_owner_may_have_is_refused_with_the_figure(
    app: Flask, as_alice: FlaskClient, alice: User, rows: int, state: Reading
) -> None:
    alice.max_rows = 7
    db.session.commit()
    assert upload(as_alice, rows).status_code == 303
    tasks.read_document(db.session.scalars(select(Document.id)).one())
    document = db.session.scalars(select(Document)).one()
    assert document.state == state
    if state == Reading.REFUSED:
        assert document.problem_facts["limit"] == 7
        db.session.rollback()
        assert re.search(r"\b7\b", as_alice.get(f"/documents/{document.id}").text)


def test_a_limit_that_came_after_the_reading_holds_at_the_start(app: Flask, alice: User, now: datetime) -> None:
    document = cast.make_document(app, alice, [cast.mobile(n) for n in range(8)])
    alice.max_rows = 7
    db.session.commit()
    with pytest.raises(commands.CannotStart, match="too_many_rows"):
        commands.start(document, SheetChoice(0, 1, (0,), "ES"), "offline", alice, now, push=False)


def test_as_many_files_a_day_as_they_may_and_more_after_their_midnight(
    app: Flask, as_alice: FlaskClient, alice: User, make_job: MakeJob
) -> None:
    late = datetime.fromisoformat("2026-05-05T21:30:00+00:00")  # 23:30 in Madrid
    alice.files_per_day = 2
    db.session.commit()
    first = cast.make_job(app, alice, now=late)
    cast.make_job(app, alice, now=late)
    first.deleted_at = late
    db.session.commit()
    with pytest.raises(commands.CannotStart, match="files_spent"):
        cast.make_job(app, alice, now=late + 29 * MINUTE)
    db.session.rollback()
    assert quota_of(alice.id, late).spent, "a deleted file goes on counting"
    assert not quota_of(alice.id, late + 30 * MINUTE).spent
    assert cast.make_job(app, alice, now=late + 30 * MINUTE).id


def test_uploads_that_are_never_started_are_counted_too_until_removed(
    app: Flask, as_alice: FlaskClient, alice: User
) -> None:
    alice.files_per_day = 2
    db.session.commit()

    def upload() -> int:
        return as_alice.post("/documents", data={"file": (BytesIO(b"a;b\n612345678;x\n"), "a.csv")}).status_code

    assert [upload() for _ in range(3)] == [303, 303, 422]
    document = db.session.scalars(select(Document).order_by(Document.id)).first()
    as_alice.post(f"/documents/{document.id}/delete")
    assert [upload() for _ in range(2)] == [303, 422]
    db.session.rollback()
    for document in db.session.scalars(select(Document)):
        document.state = Reading.REFUSED
    db.session.commit()
    assert upload() == 303, "one that could not be read may be tried again"
    assert [upload() for _ in range(8)][-1] == 422


def test_who_has_spent_the_day_is_told_at_the_upload_and_at_the_start(
    app: Flask, as_alice: FlaskClient, alice: User
) -> None:
    waiting = cast.make_document(app, alice, [cast.mobile(1)])
    alice.files_per_day = 1
    db.session.commit()
    cast.make_job(app, alice, now=utcnow())
    count = db.session.query(Document).count()
    refused = upload(as_alice)
    assert refused.status_code == 422 and "today’s limit of files" in refused.text and 'role="alert"' in refused.text
    form = {"sheet": "0", "column": "0", "country": "ES", "source": "offline", "header_row": "1"}
    answer = as_alice.post(f"/documents/{waiting.id}/jobs", data=form)
    assert answer.status_code == 422 and "today’s limit of files" in answer.text
    db.session.rollback()
    assert db.session.query(ScrapingJob).count() == 1 and db.session.query(Document).count() == count


# ── letters and being seen ──────────────────────────────────────────────────────────────────────────────────────────


def test_ada_has_a_letter_sent(as_ada: FlaskClient, as_alice: FlaskClient, alice: User) -> None:
    answer = post(as_ada, alice, "password-link")
    assert answer.status_code == 200 and "/reset/" in answer.text
    assert as_alice.get("/").status_code == 200, "until it is used, nothing changes"
    assert audited() == [("user_password_reset", "alice@example.com", None)]


def test_being_seen_is_written_every_five_minutes_at_most(app: Flask, alice: User, now: datetime) -> None:
    token = start_session(now_is(alice), now)
    for minutes, seen in ((1, 0), (4, 0), (6, 6), (8, 6), (12, 12)):
        session_user(token, now + minutes * MINUTE)
        assert now_is(alice).seen_at == now + seen * MINUTE, minutes


def test_what_was_done_is_read_among_the_audit_notes(as_ada: FlaskClient, alice: User) -> None:
    post(as_ada, alice, "limits", max_rows="9", why="a large customer")
    seen = as_ada.get("/admin/audit").text
    assert "changed the limits of" in seen and "a large customer" in seen and f'/admin/users/{alice.id}"' in seen
