"""Who reaches what, and what every view may ask of a request."""

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from portal.accounts import User
from portal.database import allow_writing, db, only_read
from portal.web.access import admin_required, safe_next, wants_fragment
from tests.support.databases import ON_BOTH, ON_SQLITE

HX = {"HX-Request": "true"}


@pytest.fixture
def app(app: Flask) -> Flask:
    """The portal with one page for admins and some that tell about their database session."""

    @app.get("/for-admins")
    @admin_required
    def for_admins() -> str:
        return "welcome"

    @app.route("/mode", methods=["GET", "POST"])
    def mode() -> str:
        return str(db.session.connection().get_execution_options().get("sqlite_read_only", False))

    @app.route("/writes", methods=["GET", "HEAD", "POST"])
    def writes() -> str:
        db.session.commit()  # as a page does between two looks
        db.session.execute(text("UPDATE users SET time_zone = 'Europe/Madrid'"))
        db.session.commit()
        return "written"

    @app.get("/writes-all-the-same")
    def writes_all_the_same() -> str:
        before = db.session.scalar(text("SELECT count(*) FROM users"))
        with allow_writing():
            db.session.execute(text("UPDATE users SET time_zone = 'Europe/Madrid'"))
            db.session.commit()
        with pytest.raises(DBAPIError):
            db.session.execute(text("DELETE FROM users"))
        db.session.rollback()
        return str(before == db.session.scalar(text("SELECT count(*) FROM users WHERE time_zone = 'Europe/Madrid'")))

    @app.post("/has-begun")
    def has_begun() -> str:
        return str(db.session().in_transaction())

    return app


def test_a_stranger_goes_to_the_login_and_comes_back(client: FlaskClient) -> None:
    assert client.get("/for-admins?a=1&b=2").location == "/login?next=/for-admins?a%3D1%26b%3D2"


def test_a_stranger_who_posts_comes_back_to_the_page_they_pressed_the_button_on(client: FlaskClient) -> None:
    answer = client.post("/account", headers={"Referer": "http://localhost/account?tab=2"})
    assert answer.location == "/login?next=/account?tab%3D2"


def test_htmx_is_told_by_a_header_to_go_to_the_login(client: FlaskClient) -> None:
    answer = client.get("/account", headers={**HX, "HX-Current-URL": "http://localhost/jobs/7?outcome=failed"})
    assert answer.status_code == 401
    assert answer.headers["HX-Redirect"] == "/login?next=/jobs/7?outcome%3Dfailed"
    assert answer.text == ""


@pytest.mark.parametrize("here", ["", "nonsense", "http://[bad", "https://evil.example//evil.example/x"])
def test_htmx_at_a_strange_place_comes_back_to_the_first_page(client: FlaskClient, here: str) -> None:
    assert client.get("/account", headers={**HX, "HX-Current-URL": here}).headers["HX-Redirect"] == "/login?next=/"


def test_the_admins_page_exists_for_ada(as_ada: FlaskClient) -> None:
    assert as_ada.get("/for-admins").text == "welcome"


def test_the_admins_page_does_not_exist_for_bob(as_bob: FlaskClient) -> None:
    assert as_bob.get("/for-admins").status_code == 404


@pytest.mark.parametrize("path", ["/", "/jobs/7", "/jobs/7?outcome=failed&page=2", "/login", "/á?q=ñ"])
def test_a_place_on_this_site_is_kept(path: str) -> None:
    assert safe_next(path) == path


@pytest.mark.parametrize(
    "elsewhere",
    [
        None,
        "",
        "jobs",
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "/\\/evil.example",
        "\\\\evil.example",
        "http://evil.example",
        "https:evil.example",
        "javascript:alert(1)",
        "/\t/evil.example",
        "/\n/evil.example",
        "\x00//evil.example",
        "/a b",
        "/\u2028/evil.example",
    ],
)
def test_a_place_that_could_be_elsewhere_is_the_first_page(elsewhere: str | None) -> None:
    assert safe_next(elsewhere) == "/"


@pytest.mark.parametrize(
    ("headers", "fragment"),
    [
        ({}, False),
        (HX, True),
        ({**HX, "HX-Request-Type": "partial"}, True),
        ({**HX, "HX-Request-Type": "full"}, False),
        ({**HX, "HX-History-Restore-Request": "true"}, False),
    ],
)
def test_htmx_gets_a_part_unless_it_wants_the_page(app: Flask, headers: dict[str, str], fragment: bool) -> None:
    with app.test_request_context("/", headers=headers):
        assert wants_fragment() is fragment


@ON_SQLITE  # its one writer
def test_a_page_that_reads_takes_no_write_lock_and_a_change_does(client: FlaskClient) -> None:
    assert client.get("/mode").text == "True"
    assert client.post("/mode").text == "False"


@ON_BOTH
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_page_cannot_write(app: Flask, alice: User, client: FlaskClient, method: str) -> None:
    assert client.open("/writes", method=method).status_code == 503
    assert db.session.get_one(User, alice.id).time_zone != "Europe/Madrid"


@ON_BOTH
def test_a_change_can(app: Flask, alice: User, client: FlaskClient) -> None:
    assert client.post("/writes").text == "written"


@ON_BOTH
def test_a_page_writes_what_it_must_and_only_reads_again(app: Flask, alice: User, client: FlaskClient) -> None:
    assert client.get("/writes-all-the-same").text == "True"


@ON_BOTH
def test_what_reads_says_so_before_it_begins(app: Flask, alice: User) -> None:
    db.session.scalar(text("SELECT count(*) FROM users"))
    with pytest.raises(RuntimeError, match="before"):
        only_read()


def test_a_page_is_served_while_somebody_else_writes(app: Flask, as_alice: FlaskClient) -> None:
    with db.engine.begin() as writer:  # holds SQLite's write lock
        writer.execute(text("UPDATE users SET time_zone = 'Europe/Madrid'"))
        assert as_alice.get("/account").status_code == 200


def test_loading_the_person_leaves_the_session_of_a_change_alone(as_alice: FlaskClient) -> None:
    assert as_alice.post("/has-begun").text == "False"


@pytest.mark.parametrize("cookie", ["forged", "a.b.c", "", "eyJfdXNlcl9pZCI6IjEifQ.aaaaaa.bbbbbb"])
def test_a_forged_cookie_is_nobody(client: FlaskClient, alice: User, cookie: str) -> None:
    client.set_cookie("masterfilter", cookie)
    assert client.get("/account").status_code == 302
