"""Signing in and out, and a person's own account."""

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal.accounts import User
from portal.database import db
from tests.support.cast import PASSWORD

NEW = "a brand new pass phrase"
ELSEWHERE = [
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "https://evil.example",
    "HTTPS:evil.example",
    "javascript:alert(1)",
    "/\t/evil.example",
    "\n//evil.example",
    "/%0d%0aSet-Cookie: a=b\r\nX: y",
    " //evil.example",
    "evil.example",
]


def sign_in(client: FlaskClient, email: str, password: str = PASSWORD, **more: str):
    return client.post("/login", data={"email": email, "password": password, **more})


def is_signed_in(client: FlaskClient) -> bool:
    return client.get("/account").status_code == 200


def test_alice_signs_in_and_comes_to_the_first_page(client: FlaskClient, alice: User) -> None:
    answer = sign_in(client, alice.email)
    assert (answer.status_code, answer.location) == (303, "/")
    assert is_signed_in(client)


def test_the_letters_of_an_address_may_be_large_and_have_spaces_around(client: FlaskClient, alice: User) -> None:
    sign_in(client, "  Alice@Example.COM ")
    assert is_signed_in(client)


def test_a_wrong_password_and_an_unknown_address_get_the_same_answer(client: FlaskClient, alice: User) -> None:
    client.post("/look", data={"locale": "en"})
    wrong, unknown = sign_in(client, alice.email, "wrong"), sign_in(client, "nobody@example.com", "wrong")
    assert wrong.status_code == unknown.status_code == 401
    for answer in (wrong, unknown):
        assert answer.text.count('role="alert"') == 1
        assert "The email address or password is wrong." in answer.text
    assert not is_signed_in(client)


def test_the_address_stays_in_the_form_after_a_wrong_password_and_the_password_does_not(client: FlaskClient) -> None:
    text = sign_in(client, "typed@example.com", "typed-password").text
    assert 'value="typed@example.com"' in text
    assert "typed-password" not in text


def test_an_empty_form_is_no_error_of_ours(client: FlaskClient) -> None:
    assert client.post("/login", data={}).status_code == 401


def test_a_password_of_a_megabyte_is_not_hashed(client: FlaskClient, alice: User) -> None:
    assert sign_in(client, alice.email, "x" * 400_000).status_code == 401


def test_who_is_shut_out_cannot_sign_in_and_is_out_at_the_next_request(
    client: FlaskClient, as_alice: FlaskClient, alice: User
) -> None:
    alice.is_active = False
    db.session.commit()
    assert not is_signed_in(as_alice)
    assert sign_in(client, alice.email).status_code == 401


def test_signing_in_leads_back_to_where_one_was(client: FlaskClient, alice: User) -> None:
    asked = client.get("/account?tab=2")
    assert asked.location == "/login?next=/account?tab%3D2"
    assert 'name="next" value="/account?tab=2"' in client.get(asked.location).text
    assert sign_in(client, alice.email, next="/account?tab=2").location == "/account?tab=2"


@pytest.mark.parametrize("goal", ELSEWHERE)
def test_signing_in_never_leads_to_another_site(client: FlaskClient, alice: User, goal: str) -> None:
    assert sign_in(client, alice.email, next=goal).location == "/"
    assert client.get("/login", query_string={"next": goal}).location == "/"


def test_who_is_signed_in_does_not_see_the_login_again(as_alice: FlaskClient) -> None:
    assert as_alice.get("/login?next=/account").location == "/account"


def test_signing_out_makes_a_stolen_cookie_worthless(app: Flask, as_alice: FlaskClient) -> None:
    thief = app.test_client()
    cookie = as_alice.get_cookie("masterfilter")
    assert cookie is not None
    thief.set_cookie("masterfilter", cookie.value)
    assert is_signed_in(thief)
    assert as_alice.post("/logout").location == "/login"
    assert not is_signed_in(as_alice)
    assert not is_signed_in(thief)


def test_signing_out_refuses_get(as_alice: FlaskClient) -> None:
    assert as_alice.get("/logout").status_code == 405
    assert is_signed_in(as_alice)


def test_a_stranger_can_sign_out_without_harm(client: FlaskClient) -> None:
    assert client.post("/logout").location == "/login"


def test_signing_in_drops_what_the_browser_carried_before(client: FlaskClient, alice: User) -> None:
    with client.session_transaction() as session:
        session["planted"] = "by somebody else"
    sign_in(client, alice.email)
    with client.session_transaction() as session:
        assert "planted" not in session


def test_two_sign_ins_have_different_tokens(app: Flask, alice: User) -> None:
    tokens = set()
    for _ in range(2):
        browser = app.test_client()
        sign_in(browser, alice.email)
        with browser.session_transaction() as session:
            tokens.add(session["_user_id"])
    assert len(tokens) == 2
    assert all(len(token) > 40 for token in tokens)


def test_a_stranger_has_no_account_page(client: FlaskClient) -> None:
    assert client.get("/account").location == "/login?next=/account"
    assert client.post("/account", data={"locale": "es"}).location == "/login?next=/"


def test_alice_chooses_her_language_and_time_zone(as_alice: FlaskClient, alice: User) -> None:
    answer = as_alice.post("/account", data={"locale": "es", "time_zone": "America/Mexico_City"})
    assert (answer.status_code, answer.location) == (303, "/account")
    db.session.refresh(alice)
    assert (alice.locale, alice.time_zone) == ("es", "America/Mexico_City")
    page = as_alice.get("/account").text
    assert '<html lang="es"' in page
    assert '<option value="America/Mexico_City" selected>' in page


def test_an_unknown_language_or_time_zone_is_given_back_to_the_portal(as_alice: FlaskClient, alice: User) -> None:
    as_alice.post("/account", data={"locale": "xx", "time_zone": "../../etc/passwd"})
    db.session.refresh(alice)
    assert (alice.locale, alice.time_zone) == (None, None)


def test_the_language_button_outweighs_what_the_account_said(as_alice: FlaskClient, alice: User) -> None:
    assert '<html lang="en"' in as_alice.get("/account").text
    as_alice.post("/look", data={"locale": "es", "next": "/account"})
    assert '<html lang="es"' in as_alice.get("/account").text
    db.session.refresh(alice)
    assert alice.locale == "es"


def test_a_new_password_keeps_this_browser_and_ends_every_other(
    app: Flask, client: FlaskClient, as_alice: FlaskClient, alice: User
) -> None:
    sign_in(client, alice.email)
    answer = as_alice.post("/account", data={"password": PASSWORD, "new_password": NEW})
    assert answer.status_code == 303
    assert "Your password has been changed" in as_alice.get("/account").text
    assert not is_signed_in(client)
    assert sign_in(client, alice.email).status_code == 401
    assert sign_in(client, alice.email, NEW).status_code == 303


def test_a_wrong_present_password_changes_nothing(as_alice: FlaskClient, client: FlaskClient, alice: User) -> None:
    answer = as_alice.post("/account", data={"password": "wrong", "new_password": NEW})
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert sign_in(client, alice.email).status_code == 303


@pytest.mark.parametrize(("new", "sentence"), [("x" * 11, "too short"), ("x" * 1025, "too long")])
def test_a_new_password_has_12_to_1024_letters(as_alice: FlaskClient, new: str, sentence: str) -> None:
    answer = as_alice.post("/account", data={"password": PASSWORD, "new_password": new})
    assert answer.status_code == 422
    assert sentence in answer.text


@pytest.mark.parametrize("new", ["x" * 12, "x" * 1024])
def test_any_letters_will_do(as_alice: FlaskClient, new: str) -> None:
    assert as_alice.post("/account", data={"password": PASSWORD, "new_password": new}).status_code == 303


def test_no_page_shows_the_hash_or_the_password(as_alice: FlaskClient) -> None:
    page = as_alice.get("/account").text
    assert "argon2" not in page
    assert PASSWORD not in page
