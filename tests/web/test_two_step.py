"""Two-step sign-in: set up with an app, asked after the password, replaced by a recovery code, reset by an admin."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

import pyotp
import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient, FlaskCliRunner
from sqlalchemy import select

from portal.accounts import LoginSession, RecoveryCode, User
from portal.accounts.login_throttle import FREE_PER_EMAIL
from portal.accounts.two_step import TO_FINISH
from portal.audit import AuditEntry
from portal.database import db
from portal.notices.models import Notice
from tests.support.cast import NOW, PASSWORD

HALF_MINUTE = timedelta(seconds=30)


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOW, tick=False) as clock:
        yield clock


def fresh(user: User) -> User:
    db.session.rollback()
    db.session.refresh(user)
    return user


def code_of(user: User, at: datetime) -> str:
    return pyotp.TOTP(str(fresh(user).totp_key)).at(at)


def switch_on(browser: FlaskClient, user: User, at: datetime = NOW) -> list[str]:
    """Set two-step sign-in up as a person does; returns the recovery codes."""
    assert browser.post("/account/two-step", data={"password": PASSWORD}).location == "/account/two-step"
    page = browser.get("/account/two-step")
    assert 'aria-label="QR code' in page.text
    shown = browser.post("/account/two-step/confirm", data={"code": code_of(user, at)})
    assert shown.status_code == 200
    codes = re.findall(r"<code>([a-z2-9-]+)</code>", shown.text)
    assert len(set(codes)) == 10
    return codes


def give_password(client: FlaskClient, user: User, goal: str = "/") -> None:
    answer = client.post("/login", data={"email": user.email, "password": PASSWORD, "next": goal})
    assert answer.location == "/login/code"
    assert client.get("/account").status_code == 302, "the password alone is not enough"


def enter(client: FlaskClient, code: str) -> int:
    return client.post("/login/code", data={"code": code}).status_code


def test_after_the_password_a_code_is_asked_for(
    client: FlaskClient, as_alice: FlaskClient, alice: User, clock: time_machine.Traveller
) -> None:
    switch_on(as_alice, alice)
    give_password(client, alice, "/account")
    assert 'autocomplete="one-time-code"' in client.get("/login/code").text
    assert enter(client, "000000") == 401
    clock.shift(HALF_MINUTE)
    answer = client.post("/login/code", data={"code": f" {code_of(alice, NOW + HALF_MINUTE)} "})
    assert (answer.status_code, answer.location) == (303, "/account")
    assert client.get("/account").status_code == 200


def test_a_code_works_once_whoever_saw_it(
    app: Flask, client: FlaskClient, as_alice: FlaskClient, alice: User, clock: time_machine.Traveller
) -> None:
    recovery = switch_on(as_alice, alice)
    for code in (code_of(alice, NOW), recovery[0]):
        outcomes = []
        for browser in (app.test_client(), app.test_client()):
            give_password(browser, alice)
            outcomes.append(enter(browser, code))
        assert outcomes[-1] == 401
    assert db.session.scalars(select(RecoveryCode).where(RecoveryCode.used_at.is_not(None))).one()
    assert outcomes == [303, 401], "a recovery code signs in, once"


def test_the_code_of_the_step_before_and_after_is_taken_and_no_older_one(
    app: Flask, as_alice: FlaskClient, alice: User, clock: time_machine.Traveller
) -> None:
    switch_on(as_alice, alice)
    clock.shift(10 * HALF_MINUTE)
    for steps, status in ((8, 401), (12, 401), (9, 303), (11, 303)):
        browser = app.test_client()
        give_password(browser, alice)
        assert enter(browser, code_of(alice, NOW + steps * HALF_MINUTE)) == status, steps


def test_guessing_codes_is_braked_as_passwords_are(
    client: FlaskClient, as_alice: FlaskClient, alice: User, clock: time_machine.Traveller
) -> None:
    switch_on(as_alice, alice)
    give_password(client, alice)
    assert [enter(client, f"{n:06}") for n in range(FREE_PER_EMAIL + 1)] == [401] * FREE_PER_EMAIL + [429]
    clock.shift(HALF_MINUTE)
    assert enter(client, code_of(alice, NOW + HALF_MINUTE)) == 303, "the right person gets in after the wait"


def test_the_second_step_has_to_follow_soon_and_a_new_password_ends_it(
    client: FlaskClient, as_alice: FlaskClient, alice: User, clock: time_machine.Traveller
) -> None:
    recovery = switch_on(as_alice, alice)
    give_password(client, alice)
    clock.shift(TO_FINISH + timedelta(seconds=1))
    assert client.get("/login/code").location == "/login"
    assert enter(client, recovery[0]) == 303
    assert client.get("/account").status_code == 302
    give_password(client, alice)
    fresh(alice).auth_epoch += 1
    db.session.commit()
    enter(client, recovery[0])
    assert client.get("/account").status_code == 302


def test_switching_on_shows_the_codes_once_ends_other_sessions_and_is_mailed(
    app: Flask, client: FlaskClient, as_alice: FlaskClient, alice: User, clock: time_machine.Traveller
) -> None:
    client.post("/login", data={"email": alice.email, "password": PASSWORD})
    codes = switch_on(as_alice, alice)
    assert client.get("/account").status_code == 302
    assert as_alice.get("/account/two-step").location == "/account#two-step", "the key is not shown again"
    kept = str(db.session.execute(select(RecoveryCode.code_hash)).all())
    assert not any(code in kept or code.replace("-", "") in kept for code in codes)
    assert [notice.facts for notice in db.session.scalars(select(Notice))] == [{"what": "two_step_on"}]
    logged = (app.config["PORTAL_DATA_DIR"] / "logger.log").read_text()
    assert str(fresh(alice).totp_key) not in logged and not any(code in logged for code in codes)


@pytest.mark.parametrize("path", ["", "/codes", "/off"])
def test_each_change_asks_for_the_password(
    as_alice: FlaskClient, alice: User, clock: time_machine.Traveller, path: str
) -> None:
    if path:
        switch_on(as_alice, alice)
    before = (fresh(alice).totp_key, alice.totp_on_at)
    answer = as_alice.post(f"/account/two-step{path}", data={"password": "wrong"})
    assert answer.status_code == 422 and 'role="alert"' in answer.text
    assert (fresh(alice).totp_key, alice.totp_on_at) == before


def test_new_recovery_codes_replace_the_old_and_switching_off_forgets_all(
    client: FlaskClient, as_alice: FlaskClient, alice: User, clock: time_machine.Traveller
) -> None:
    old = switch_on(as_alice, alice)
    shown = as_alice.post("/account/two-step/codes", data={"password": PASSWORD}).text
    new = re.findall(r"<code>([a-z2-9-]+)</code>", shown)
    assert len(new) == 10 and not set(new) & set(old)
    give_password(client, alice)
    assert [enter(client, old[0]), enter(client, new[0].upper())] == [401, 303]
    assert as_alice.post("/account/two-step/off", data={"password": PASSWORD}).status_code == 303
    assert (fresh(alice).totp_key, alice.totp_on_at) == (None, None)
    assert db.session.scalars(select(RecoveryCode)).all() == []


def test_an_admin_resets_it_with_a_reason_and_nobody_their_own(
    client: FlaskClient, as_alice: FlaskClient, as_ada: FlaskClient, alice: User, ada: User,
    clock: time_machine.Traveller,
) -> None:  # fmt: skip
    switch_on(as_alice, alice)
    path = f"/admin/users/{alice.id}/two-step"
    assert as_ada.post(path, data={"why": ""}).status_code == 422
    assert as_ada.post(f"/admin/users/{ada.id}/two-step", data={"why": "mine"}).status_code == 422
    assert as_ada.post(path, data={"why": "lost telephone"}).status_code == 303
    assert client.post("/login", data={"email": alice.email, "password": PASSWORD}).location == "/"
    notes = db.session.scalars(select(AuditEntry).order_by(AuditEntry.id)).all()
    assert [(note.admin, note.verb) for note in notes] == [
        (alice.email, "two_step_on"), (ada.email, "two_step_reset")
    ]  # fmt: skip
    assert {notice.facts["what"] for notice in db.session.scalars(select(Notice))} == {"two_step_on", "two_step_off"}


def test_the_operator_resets_it_in_the_terminal(
    runner: FlaskCliRunner, as_alice: FlaskClient, alice: User, clock: time_machine.Traveller
) -> None:
    switch_on(as_alice, alice)
    assert runner.invoke(args=["reset-two-step", "nobody@example.com"]).exit_code == 1
    assert runner.invoke(args=["reset-two-step", alice.email]).exit_code == 0
    assert fresh(alice).totp_on_at is None
    assert db.session.scalars(select(AuditEntry.verb).order_by(AuditEntry.id)).all()[-1] == "two_step_reset"


def test_no_session_is_left_of_a_sign_in_that_was_not_finished(
    client: FlaskClient, as_alice: FlaskClient, alice: User, clock: time_machine.Traveller
) -> None:
    switch_on(as_alice, alice)
    db.session.rollback()
    before = len(db.session.scalars(select(LoginSession)).all())
    give_password(client, alice)
    db.session.rollback()
    assert len(db.session.scalars(select(LoginSession)).all()) == before
