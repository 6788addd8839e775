"""The first admin: a fresh portal has no usable login, and its set-up address works once."""

import threading
from datetime import datetime, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient, FlaskCliRunner
from sqlalchemy import delete, func, select

from portal.accounts import (
    AccountError,
    OneTimeLink,
    User,
    create_user,
    make_setup_link,
    setup_link_is_open,
    use_setup_link,
)
from portal.accounts.passwords import matches
from portal.clock import utcnow
from portal.database import db
from tests.support.cast import PASSWORD

FORM = {"email": "ada@example.com", "password": PASSWORD}
DAY = timedelta(hours=24)


def people() -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count(User.id))) or 0


def test_a_fresh_portal_says_where_to_look(client: FlaskClient) -> None:
    page = client.get("/login").text
    assert "terminal" in page
    assert client.post("/login", data=FORM).status_code == 401


def test_once_there_is_somebody_the_login_says_nothing_of_it(client: FlaskClient, alice: User) -> None:
    assert "terminal" not in client.get("/login").text


def test_the_address_makes_the_first_admin_and_signs_them_in(app: Flask, client: FlaskClient) -> None:
    token = make_setup_link(utcnow())
    assert client.get(f"/setup/{token}").status_code == 200
    answer = client.post(f"/setup/{token}", data=FORM)
    assert (answer.status_code, answer.location) == (303, "/")
    assert client.get("/account").status_code == 200
    ada = db.session.scalar(select(User))
    assert ada is not None
    assert (ada.email, ada.is_admin) == ("ada@example.com", True)


def test_the_address_works_once(client: FlaskClient) -> None:
    token = make_setup_link(utcnow())
    client.post(f"/setup/{token}", data=FORM)
    again = client.post(f"/setup/{token}", data={**FORM, "email": "eve@example.com"})
    assert again.status_code == 404
    assert client.get(f"/setup/{token}").status_code == 404
    assert people() == 1


def test_a_used_address_stays_used_when_its_admin_is_gone(app: Flask, now: datetime) -> None:
    token = make_setup_link(now) or ""
    use_setup_link(token, "ada@example.com", PASSWORD, now)
    db.session.execute(delete(User))
    db.session.commit()
    with pytest.raises(AccountError):
        use_setup_link(token, "eve@example.com", PASSWORD, now)


def test_of_two_who_use_it_at_once_one_becomes_the_admin(app: Flask) -> None:
    token = make_setup_link(utcnow())
    assert token is not None
    ends: list[str] = []
    start = threading.Barrier(2)

    def use(email: str) -> None:
        with app.app_context():
            start.wait(10)
            try:
                use_setup_link(token, email, PASSWORD, utcnow())
                ends.append("admin")
            except AccountError as error:
                ends.append(error.problem)

    both = [threading.Thread(target=use, args=(email,)) for email in ("ada@example.com", "eve@example.com")]
    for one in both:
        one.start()
    for one in both:
        one.join(30)
    assert sorted(ends) == ["link_expired", "admin"]
    assert people() == 1


@pytest.mark.parametrize(
    ("later", "is_open"), [(DAY - timedelta(seconds=1), True), (DAY, False), (DAY + timedelta(seconds=1), False)]
)
def test_the_address_holds_for_24_hours(app: Flask, now: datetime, later: timedelta, is_open: bool) -> None:
    token = make_setup_link(now)
    assert token is not None
    assert setup_link_is_open(token, now + later) is is_open
    if not is_open:
        with pytest.raises(AccountError):
            use_setup_link(token, "ada@example.com", PASSWORD, now + later)
    assert people() == 0


def test_a_new_address_ends_the_one_before(app: Flask, now: datetime) -> None:
    first, second = make_setup_link(now), make_setup_link(now)
    assert not setup_link_is_open(first or "", now)
    assert setup_link_is_open(second or "", now)


def test_there_is_no_address_once_there_is_somebody(client: FlaskClient, alice: User) -> None:
    assert make_setup_link(utcnow()) is None


def test_an_address_made_before_somebody_came_is_over(client: FlaskClient, now: datetime) -> None:
    token = make_setup_link(utcnow())
    create_user("ada@example.com", PASSWORD, admin=True, now=utcnow())
    assert client.get(f"/setup/{token}").status_code == 404
    assert client.post(f"/setup/{token}", data={**FORM, "email": "eve@example.com"}).status_code == 404


def test_a_guessed_address_is_over_too(client: FlaskClient) -> None:
    make_setup_link(utcnow())
    assert client.get("/setup/guessed").status_code == 404
    assert client.post("/setup/guessed", data=FORM).status_code == 404
    assert people() == 0


def test_only_the_hash_of_the_address_is_kept(app: Flask, now: datetime) -> None:
    token = make_setup_link(now)
    kept = db.session.scalar(select(OneTimeLink))
    assert kept is not None
    assert token not in (kept.token_hash, kept.purpose)


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ({**FORM, "email": "no address"}, "not a valid email address"),
        ({**FORM, "email": "a@b@c"}, "not a valid email address"),
        ({**FORM, "email": ""}, "not a valid email address"),
        ({**FORM, "password": "short"}, "too short"),
    ],
)
def test_a_mistake_in_the_form_does_not_use_the_address_up(
    client: FlaskClient, form: dict[str, str], sentence: str
) -> None:
    token = make_setup_link(utcnow())
    client.post("/look", data={"locale": "en"})
    answer = client.post(f"/setup/{token}", data=form)
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert sentence in answer.text
    assert client.post(f"/setup/{token}", data=FORM).status_code == 303


def test_the_command_prints_the_address_alone_and_from_public_url(runner: FlaskCliRunner, client: FlaskClient) -> None:
    printed = runner.invoke(args=["setup-address"]).output
    assert printed.startswith("http://localhost/setup/")
    assert printed.count("\n") == 1
    assert client.get(printed.strip().removeprefix("http://localhost")).status_code == 200


def test_the_command_prints_nothing_once_there_is_somebody(runner: FlaskCliRunner, alice: User) -> None:
    result = runner.invoke(args=["setup-address"])
    assert (result.exit_code, result.output) == (0, "")


def test_a_command_makes_a_person(runner: FlaskCliRunner) -> None:
    args = ["create-user", " Bob@Example.com ", "--password-stdin"]
    result = runner.invoke(args=args, input=PASSWORD + "\n")
    assert result.exit_code == 0, result.output
    bob = db.session.scalar(select(User))
    assert bob is not None
    assert (bob.email, bob.is_admin) == ("bob@example.com", False)
    assert bob.password_hash.startswith("$argon2id$")
    assert matches(bob.password_hash, PASSWORD)


def test_a_command_makes_an_admin_and_asks_twice_for_the_password(runner: FlaskCliRunner) -> None:
    result = runner.invoke(args=["create-user", "ada@example.com", "--admin"], input=f"{PASSWORD}\n{PASSWORD}\n")
    assert result.exit_code == 0, result.output
    assert PASSWORD not in result.output
    assert db.session.scalar(select(User.is_admin)) is True


def test_the_seeds_spelling_works_too(runner: FlaskCliRunner) -> None:
    args = ["create_user", "ada@example.com", "--admin", "--password-stdin"]
    assert runner.invoke(args=args, input=PASSWORD + "\n").exit_code == 0
    assert runner.invoke(args=["setup_address"]).output == ""


@pytest.mark.parametrize(("email", "password"), [("alice@example.com", PASSWORD), ("x", PASSWORD), ("x@y.z", "short")])
def test_a_refused_command_says_why_and_makes_nobody(
    runner: FlaskCliRunner, alice: User, email: str, password: str
) -> None:
    result = runner.invoke(args=["create-user", email, "--password-stdin"], input=password + "\n")
    assert result.exit_code == 1
    assert result.output.startswith("Error: ")
    assert "Traceback" not in result.output
    assert people() == 1
