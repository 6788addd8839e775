"""Sessions end: when idle, when old, when the person or the password changed."""

import hashlib
from datetime import datetime, timedelta

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from portal.accounts import LoginSession, User, create_user, end_session, session_user, start_session
from portal.accounts.sessions import MAX_AGE, MAX_IDLE
from portal.database import db, reading
from tests.support.cast import PASSWORD

SECOND = timedelta(seconds=1)


@pytest.fixture
def token(app: Flask, now: datetime) -> str:
    return start_session(create_user("carla@example.com", PASSWORD, now=now), now)


def kept() -> LoginSession | None:
    with reading() as session:
        return session.scalar(select(LoginSession))


def test_a_session_gives_its_person_apart_from_any_database_session(app: Flask, token: str, now: datetime) -> None:
    carla = session_user(token, now)
    assert carla is not None
    assert carla.email == "carla@example.com"
    assert carla not in db.session
    assert carla.get_id() == token


def test_the_table_keeps_only_the_hash_of_what_the_cookie_carries(app: Flask, token: str) -> None:
    row = kept()
    assert row is not None
    assert row.id == hashlib.sha256(token.encode()).hexdigest()


@pytest.mark.parametrize(("later", "lives"), [(MAX_IDLE - SECOND, True), (MAX_IDLE, False), (MAX_IDLE + SECOND, False)])
def test_a_session_ends_after_twelve_idle_hours(
    app: Flask, token: str, now: datetime, later: timedelta, lives: bool
) -> None:
    assert (session_user(token, now + later) is not None) is lives


def test_a_session_that_is_used_lives_on_and_ends_after_fourteen_days(app: Flask, token: str, now: datetime) -> None:
    moment = now
    while moment + timedelta(hours=11) < now + MAX_AGE:
        moment += timedelta(hours=11)
        assert session_user(token, moment) is not None, moment
    assert session_user(token, now + MAX_AGE - SECOND) is not None
    assert session_user(token, now + MAX_AGE) is None


def test_being_seen_is_noted_once_a_minute(app: Flask, token: str, now: datetime) -> None:
    for seconds, noted in ((59, 0), (60, 60), (119, 60), (120, 120)):
        session_user(token, now + timedelta(seconds=seconds))
        row = kept()
        assert row is not None
        assert row.seen_at == now + timedelta(seconds=noted)


def test_a_session_of_before_the_last_new_password_is_over(app: Flask, token: str, now: datetime) -> None:
    user = db.session.scalars(select(User)).one()
    user.auth_epoch += 1
    db.session.commit()
    assert session_user(token, now) is None


def test_a_session_that_was_ended_is_over(app: Flask, token: str, now: datetime) -> None:
    end_session(token)
    assert session_user(token, now) is None
    assert kept() is None


@pytest.mark.parametrize("guessed", ["", "1", "x" * 5000])
def test_a_guessed_token_is_nobody(app: Flask, token: str, now: datetime, guessed: str) -> None:
    assert session_user(guessed, now) is None


def test_sessions_that_are_over_are_cleared_away_at_the_next_sign_in(app: Flask, token: str, now: datetime) -> None:
    carla = session_user(token, now)
    assert carla is not None
    start_session(carla, now + MAX_IDLE + SECOND)
    assert len(db.session.scalars(select(LoginSession)).all()) == 1


def test_the_browser_is_sent_to_the_login_after_twelve_idle_hours(app: Flask, alice: User) -> None:
    client = app.test_client()
    with time_machine.travel(datetime.now().astimezone(), tick=False) as clock:
        client.post("/login", data={"email": alice.email, "password": PASSWORD})
        clock.shift(MAX_IDLE - SECOND)
        assert client.get("/account").status_code == 200
        clock.shift(MAX_IDLE)
        there = client.get("/account").location
        assert there == "/login?next=/account"
        assert "Tu sesión ha terminado" in client.get(there).text
    assert "Tu sesión ha terminado" not in app.test_client().get(there).text


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(client: FlaskClient, alice: User) -> None:
    cookies = client.post("/login", data={"email": alice.email, "password": PASSWORD}).headers.getlist("Set-Cookie")
    (cookie,) = (one for one in cookies if one.startswith("masterfilter="))
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Expires" not in cookie


def test_no_cookie_remembers_a_browser_past_its_session(client: FlaskClient, alice: User) -> None:
    answer = client.post("/login", data={"email": alice.email, "password": PASSWORD, "remember": "1"})
    assert "remember_token" not in str(answer.headers)
    client.delete_cookie("masterfilter")
    client.set_cookie("remember_token", "1|forged")
    assert client.get("/account").status_code == 302
