"""The brake on guessing passwords."""

import threading
from datetime import datetime, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from portal.accounts import LoginThrottle, TooManyTries, User
from portal.accounts.login_throttle import (
    FREE_PER_EMAIL,
    FREE_PER_NETWORK,
    FREE_PER_WIDE_NETWORK,
    LONGEST_WAIT_SECONDS,
    count_try,
    take_back_try,
    wait_seconds,
)
from portal.accounts.visitors import KNOWN_FOR, Visitor, device_in, remember_device
from portal.database import db
from tests.support.cast import PASSWORD

HOME = "192.0.2.7"


def seconds_to_wait(email: str, ip: str, now: datetime) -> int:
    """Count one try: 0 when it was let through."""
    try:
        count_try(email, ip, now)
    except TooManyTries as brake:
        return brake.seconds
    return 0


def test_the_sixth_wrong_password_has_to_wait_and_so_has_the_right_one(client: FlaskClient, alice: User) -> None:
    form = {"email": alice.email, "password": "wrong"}
    assert [client.post("/login", data=form).status_code for _ in range(5)] == [401] * 5
    sixth = client.post("/login", data=form)
    assert sixth.status_code == 429
    assert 0 < int(sixth.headers["Retry-After"]) <= 30
    assert 'role="alert"' in sixth.text
    assert client.post("/login", data={**form, "password": PASSWORD}).status_code == 429


def test_a_stranger_cannot_keep_out_who_has_signed_in_in_this_browser_before(
    app: Flask, client: FlaskClient, alice: User
) -> None:
    assert client.post("/login", data={"email": alice.email, "password": PASSWORD}).status_code == 303
    client.post("/logout")
    stranger, other = app.test_client(), app.test_client()
    for _ in range(FREE_PER_NETWORK + 1):
        last = stranger.post("/login", data={"email": alice.email, "password": "wrong"}).status_code
    assert last == 429
    assert other.post("/login", data={"email": alice.email, "password": PASSWORD}).status_code == 429, (
        "without a cookie"
    )
    assert client.post("/login", data={"email": alice.email, "password": PASSWORD}).status_code == 303


def test_a_known_browser_is_braked_by_itself_and_for_its_own_account_only(
    app: Flask, client: FlaskClient, alice: User, bob: User
) -> None:
    client.post("/login", data={"email": alice.email, "password": PASSWORD})
    client.post("/logout")
    form = {"email": alice.email, "password": "wrong"}
    assert [client.post("/login", data=form).status_code for _ in range(6)] == [401] * 5 + [429]
    assert client.post("/login", data={**form, "password": PASSWORD}).status_code == 429
    assert app.test_client().post("/login", data={**form, "password": PASSWORD}).status_code == 303
    form["email"] = bob.email
    assert [client.post("/login", data=form).status_code for _ in range(6)] == [401] * 5 + [429]


@pytest.mark.parametrize("spoil", ["forged", "another", "old", "new password"])
def test_a_device_cookie_counts_only_while_it_is_ours_hers_and_fresh(
    app: Flask, alice: User, bob: User, now: datetime, spoil: str
) -> None:
    cookie = remember_device(Visitor(HOME), alice, now)
    assert device_in(Visitor(HOME, devices=cookie), alice, now)
    if spoil == "forged":
        cookie = cookie[:-2] + ("AA" if cookie[-2:] != "AA" else "BB")
    if spoil == "new password":
        alice.auth_epoch += 1
    later = now + KNOWN_FOR if spoil == "old" else now
    whose = bob if spoil == "another" else alice
    assert device_in(Visitor(HOME, devices=cookie), whose, later) is None
    assert device_in(Visitor(HOME, devices="x" * 9000), whose, later) is None


def test_guessing_at_an_unknown_address_is_braked_alike(client: FlaskClient) -> None:
    form = {"email": "nobody@example.com", "password": "wrong"}
    assert [client.post("/login", data=form).status_code for _ in range(6)] == [401] * 5 + [429]


def test_guessing_the_present_password_is_braked_too(as_alice: FlaskClient) -> None:
    form = {"password": "wrong", "new_password": "x" * 12}
    assert [as_alice.post("/account", data=form).status_code for _ in range(6)] == [422] * 5 + [429]


def test_the_wait_doubles_up_to_fifteen_minutes_and_is_never_longer() -> None:
    waits = [wait_seconds(failures, FREE_PER_EMAIL) for failures in range(1, 12)]
    assert waits == [0, 0, 0, 0, 30, 60, 120, 240, 480, 900, 900]
    assert wait_seconds(10**9, FREE_PER_EMAIL) == LONGEST_WAIT_SECONDS


def test_after_the_wait_there_is_one_more_try(app: Flask, now: datetime) -> None:
    for _ in range(FREE_PER_EMAIL):
        assert seconds_to_wait("a@example.com", HOME, now) == 0
    assert seconds_to_wait("a@example.com", HOME, now + timedelta(seconds=29)) == 1
    later = now + timedelta(seconds=30)
    assert seconds_to_wait("a@example.com", HOME, later) == 0
    assert seconds_to_wait("a@example.com", HOME, later) == 60


def test_a_refused_try_does_not_make_the_wait_longer(app: Flask, now: datetime) -> None:
    for _ in range(FREE_PER_EMAIL):
        count_try("a@example.com", HOME, now)
    assert {seconds_to_wait("a@example.com", HOME, now) for _ in range(50)} == {30}


def test_one_address_being_braked_leaves_another_alone(app: Flask, now: datetime) -> None:
    for _ in range(FREE_PER_EMAIL):
        count_try("a@example.com", HOME, now)
    assert seconds_to_wait("b@example.com", HOME, now) == 0


def test_a_network_that_tries_many_addresses_is_braked(app: Flask, now: datetime) -> None:
    for n in range(FREE_PER_NETWORK):
        assert seconds_to_wait(f"{n}@example.com", HOME, now) == 0
    assert seconds_to_wait("one-more@example.com", HOME, now) == 30
    assert seconds_to_wait("one-more@example.com", "198.51.100.1", now) == 0


def test_the_addresses_of_one_ipv6_customer_count_as_one(app: Flask, now: datetime) -> None:
    for n in range(FREE_PER_NETWORK):
        assert seconds_to_wait(f"{n}@example.com", f"2001:db8:1:2::{n:x}", now) == 0
    assert seconds_to_wait("x@example.com", "2001:db8:1:2:ffff::1", now) == 30
    assert seconds_to_wait("x@example.com", "2001:db8:1:3::1", now) == 0


def test_many_networks_of_one_ipv6_site_are_braked_together(app: Flask, now: datetime) -> None:
    for n in range(FREE_PER_WIDE_NETWORK):
        assert seconds_to_wait(f"{n}@example.com", f"2001:db8:1:{n:x}::1", now) == 0
    assert seconds_to_wait("x@example.com", "2001:db8:1:ffff::1", now) == 30
    assert seconds_to_wait("x@example.com", "2001:db8:2:1::1", now) == 0


def test_a_right_password_clears_the_address_but_not_the_network(app: Flask, now: datetime) -> None:
    for n in range(FREE_PER_NETWORK - 1):
        count_try(f"{n}@example.com", HOME, now)
    for _ in range(3):  # somebody with an account of their own cannot wash the network clean with it
        count_try("own@example.com", HOME, now)
        take_back_try("own@example.com", HOME, now)
    count_try("a@example.com", HOME, now)
    assert seconds_to_wait("b@example.com", HOME, now) == 30


def test_many_tries_at_once_do_not_slip_through(app: Flask, now: datetime) -> None:
    let_through = []
    start = threading.Barrier(8)

    def guess() -> None:
        with app.app_context():
            start.wait(10)
            for _ in range(2):
                if seconds_to_wait("a@example.com", HOME, now) == 0:
                    let_through.append(1)

    guessers = [threading.Thread(target=guess) for _ in range(8)]
    for one in guessers:
        one.start()
    for one in guessers:
        one.join(60)
    assert len(let_through) == FREE_PER_EMAIL


def test_failures_are_forgotten_after_a_day_and_leave_no_row(app: Flask, now: datetime) -> None:
    count_try("a@example.com", HOME, now)
    count_try("b@example.com", "198.51.100.1", now + timedelta(days=1, seconds=1))
    assert len(db.session.scalars(select(LoginThrottle)).all()) == 2


def test_the_table_names_nobody(app: Flask, now: datetime) -> None:
    count_try("a@example.com", HOME, now)
    text = str([(row.key, row.failures) for row in db.session.scalars(select(LoginThrottle))])
    assert "example" not in text
    assert HOME not in text


@pytest.mark.parametrize("ip", ["", "unix:", "not an address"])
def test_a_strange_address_of_the_sender_is_no_error(app: Flask, now: datetime, ip: str) -> None:
    assert seconds_to_wait("a@example.com", ip, now) == 0
