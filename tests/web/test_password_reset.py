"""A forgotten password, and the address in a letter by which one is chosen."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from email import message_from_bytes, policy

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from portal.accounts import LoginThrottle, User, password_links
from portal.accounts.login_throttle import FREE_PER_EMAIL, FREE_PER_NETWORK
from portal.accounts.password_links import VALID_FOR, Purpose, make_token
from portal.clock import utcnow
from portal.database import db, reading
from portal.notices.delivery import send_due
from portal.notices.models import Delivery, Notice
from portal.notices.password_mails import request_reset
from tests import services
from tests.support import cast
from tests.support.cast import PASSWORD
from tests.support.statements import statements

NEW = "a brand new pass phrase"
SECOND = timedelta(seconds=1)


def notices() -> list[Notice]:
    db.session.rollback()  # on SQLite, our own transaction would keep the others from writing
    with reading() as session:
        return list(session.scalars(select(Notice)))


def ask(email: str, now: datetime) -> None:
    db.session.rollback()
    request_reset(email, "192.0.2.1", now)


def link_in(app: Flask) -> str:
    """Send what is due, and take the path out of the one letter that lies in the data directory."""
    db.session.rollback()
    list(send_due(utcnow() + SECOND))
    (path,) = (app.config["PORTAL_DATA_DIR"] / "mail").glob("*.eml")
    letter = message_from_bytes(path.read_bytes(), policy=policy.default)
    text = letter.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    (found,) = re.findall(r"http://localhost(/reset/\S+)", text)
    return str(found)


def token_of(user: User, purpose: Purpose = Purpose.RESET, at: datetime | None = None) -> str:
    db.session.refresh(user)
    token = make_token(user, purpose, at or utcnow())
    db.session.rollback()
    return token


def signs_in(client: FlaskClient, email: str, password: str) -> bool:
    return client.post("/login", data={"email": email, "password": password}).status_code == 303


def test_alice_gets_a_letter_chooses_a_password_and_is_signed_out_everywhere(
    app: Flask, client: FlaskClient, as_alice: FlaskClient, alice: User
) -> None:
    assert "/forgot" in client.get("/login").text
    assert client.get("/forgot").status_code == 200
    assert client.post("/forgot", data={"email": f" {alice.email.upper()} "}).status_code == 200
    link = link_in(app)
    assert 'autocomplete="new-password"' in client.get(link).text
    answer = client.post(link, data={"password": NEW})
    assert (answer.status_code, answer.location) == (303, "/")
    assert "Your password has been saved." in client.get("/").text, "nobody types it twice"
    assert as_alice.get("/account").status_code == 302, "the open session is over"
    assert not signs_in(client, alice.email, PASSWORD)
    assert signs_in(client, alice.email, NEW)


def test_an_address_works_once_and_takes_every_other_one_along(client: FlaskClient, alice: User) -> None:
    first, second = token_of(alice), token_of(alice, Purpose.INVITE)
    assert client.post(f"/reset/{first}", data={"password": NEW}).status_code == 303
    for token in (first, second):
        assert client.get(f"/reset/{token}").status_code == 404
        assert client.post(f"/reset/{token}", data={"password": "another pass phrase"}).status_code == 404
    assert signs_in(client, alice.email, NEW)


def test_opening_the_address_changes_nothing(client: FlaskClient, alice: User) -> None:
    token = token_of(alice)
    before = [(user.password_hash, user.auth_epoch) for user in db.session.scalars(select(User))]
    for method in ("GET", "HEAD", "GET"):
        assert client.open(f"/reset/{token}", method=method).status_code == 200
    db.session.rollback()
    assert [(user.password_hash, user.auth_epoch) for user in db.session.scalars(select(User))] == before
    assert client.get("/forgot?email=alice@example.com").status_code == 200
    assert notices() == []


@pytest.mark.parametrize("purpose", list(Purpose))
def test_an_address_runs_out(client: FlaskClient, alice: User, purpose: Purpose) -> None:
    written = datetime.fromtimestamp(int(utcnow().timestamp()), utcnow().tzinfo)
    token = token_of(alice, purpose, written)
    assert password_links.read_token(token, written + VALID_FOR[purpose] - SECOND)
    assert password_links.read_token(token, written + VALID_FOR[purpose]) is None
    with time_machine.travel(written + VALID_FOR[purpose]):
        assert client.post(f"/reset/{token}", data={"password": NEW}).status_code == 404
    assert signs_in(client, alice.email, PASSWORD)


@pytest.mark.parametrize("change", ["password_hash", "auth_epoch", "is_active"])
def test_an_address_of_before_a_change_is_over(client: FlaskClient, alice: User, change: str) -> None:
    token = token_of(alice)
    setattr(alice, change, {"password_hash": "$argon2id$other", "auth_epoch": 2, "is_active": False}[change])
    db.session.commit()
    assert client.get(f"/reset/{token}").status_code == 404


@pytest.mark.parametrize(
    "forge",
    [lambda t: "x", lambda t: f"{t[:5]}{'A' if t[5] != 'A' else 'B'}{t[6:]}", lambda t: t * 20, lambda t: f".{t}"],
)
def test_a_forged_address_is_none(client: FlaskClient, alice: User, forge: Callable[[str], str]) -> None:
    assert client.get(f"/reset/{forge(token_of(alice))}").status_code == 404


def test_a_password_that_is_too_short_loses_nothing(client: FlaskClient, alice: User) -> None:
    token = token_of(alice)
    answer = client.post(f"/reset/{token}", data={"password": "short"})
    assert answer.status_code == 422 and 'role="alert"' in answer.text
    assert client.post(f"/reset/{token}", data={"password": NEW}).status_code == 303


def test_the_address_is_told_nowhere(app: Flask, client: FlaskClient, alice: User) -> None:
    ask(alice.email, utcnow())
    (notice,) = notices()
    assert notice.facts == {}
    token = link_in(app).removeprefix("/reset/")
    page = client.get(f"/reset/{token}")
    assert page.headers["Referrer-Policy"] == "strict-origin"
    assert "no-store" in page.headers["Cache-Control"]
    assert client.post(f"/reset/{token}", data={"password": "short"}).headers["Referrer-Policy"] == "strict-origin"
    assert client.put(f"/reset/{token}").status_code == 405, "a refusal is logged with its path"
    logged = (app.config["PORTAL_DATA_DIR"] / "logger.log").read_text()
    assert "/reset/***" in logged and token not in logged
    rows = str([tuple(row) for table in db.metadata.sorted_tables for row in db.session.execute(select(table))])
    assert token not in rows


def statements_of(app: Flask, email: str) -> list[str]:
    """What the database is asked for one request at /forgot."""
    with statements() as asked:
        answer = app.test_client().post("/forgot", data={"email": email})
    assert answer.status_code == 200
    return [one.text for one in asked]


def test_known_unknown_and_shut_out_get_the_same_answer_by_the_same_work(app: Flask, alice: User, bob: User) -> None:
    """Not a second is measured: what could take another time is the same statements, and no letter is written here."""
    bob.is_active = False
    db.session.commit()
    people = [alice.email, "nobody@example.com", bob.email]
    pages = [app.test_client().post("/forgot", data={"email": email}) for email in people]
    texts = {
        re.sub(r'"X-CSRFToken": "[^"]+"|value="[^"]+"', "", page.text.replace(email, ""))
        for page, email in zip(pages, people, strict=True)
    }
    assert len(texts) == 1 and {page.status_code for page in pages} == {200}
    work = [statements_of(app, email) for email in people]
    assert work[0] == work[1] == work[2]
    assert any(text.startswith("INSERT INTO notices") for text in work[0])
    assert {notice.user_id for notice in notices()} == {alice.id}


@pytest.mark.postgresql
def test_on_postgresql_too_it_is_one_statement(tmp_path, postgres_server: str) -> None:
    with services.new_database(postgres_server) as url:
        app = cast.make_app(tmp_path, DATABASE_URL=url)
        with app.app_context():
            alice = cast.make_user("alice@example.com")
            for email in (alice.email, "nobody@example.com"):
                ask(email, utcnow())
            (notice,) = notices()
            assert (notice.user_id, notice.state, notice.facts) == (alice.id, Delivery.DUE, {})
            db.session.remove()
            db.engine.dispose()


def test_asking_is_braked_for_known_and_unknown_alike_and_apart_from_signing_in(
    client: FlaskClient, alice: User
) -> None:
    for email in (alice.email, "nobody@example.com"):
        answers = [client.post("/forgot", data={"email": email}).status_code for _ in range(FREE_PER_EMAIL + 1)]
        assert answers == [200] * FREE_PER_EMAIL + [429]
    answer = client.post("/forgot", data={"email": alice.email})
    assert 'role="alert"' in answer.text and int(answer.headers["Retry-After"]) > 0
    assert signs_in(client, alice.email, PASSWORD)


def test_a_network_that_asks_for_many_is_braked(client: FlaskClient) -> None:
    asked = [
        client.post("/forgot", data={"email": f"{n}@example.com"}).status_code for n in range(FREE_PER_NETWORK + 1)
    ]
    assert asked == [200] * FREE_PER_NETWORK + [429]


def test_pressing_twice_is_one_letter(app: Flask, alice: User, now: datetime) -> None:
    for later in (0, 20):
        ask(alice.email, now + later * SECOND)
    assert len(notices()) == 1


def test_who_was_shut_out_meanwhile_gets_no_letter(app: Flask, alice: User, now: datetime) -> None:
    ask(alice.email, now)
    alice.is_active = False
    db.session.commit()
    assert list(send_due(now + SECOND)) == []
    assert [notice.state for notice in notices()] == [Delivery.DEAD]


def test_a_new_password_ends_the_wait_for_guesses_at_the_old_one(client: FlaskClient, alice: User) -> None:
    for _ in range(FREE_PER_EMAIL):
        client.post("/login", data={"email": alice.email, "password": "wrong"})
    assert client.post("/login", data={"email": alice.email, "password": PASSWORD}).status_code == 429
    client.post(f"/reset/{token_of(alice)}", data={"password": NEW})
    assert signs_in(client, alice.email, NEW)
    assert db.session.scalars(select(LoginThrottle)).all()


def test_without_a_mail_server_nobody_is_sent_to_their_mail(app: Flask, alice: User) -> None:
    """What is written lies in the data folder then, and whoever asked would wait for it in vain."""
    client = app.test_client()
    for server, word in (("", "Ask an administrator"), ("127.0.0.1", "Check your email")):
        app.config["MAIL_SERVER"] = server
        for email in (alice.email, "nobody@example.com"):
            assert (
                f"<h1>{word}</h1>"
                in client.post("/forgot", data={"email": email}, headers={"Accept-Language": "en"}).text
            )
