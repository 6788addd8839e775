"""What goes with every answer, and from where a change is taken."""

import re
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal.accounts import User
from portal.web.headers import trusted_hosts
from tests.support import cast

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
EVERY_ADDRESS = ["/login", "/account", "/nowhere", "/healthz", "/static/favicon.svg"]


@pytest.mark.parametrize("address", EVERY_ADDRESS)
def test_every_answer_carries_the_headers(client: FlaskClient, address: str) -> None:
    with client.get(address) as answer:
        headers = answer.headers
    assert headers["Content-Security-Policy"] == POLICY
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "camera=()" in headers["Permissions-Policy"]
    assert "Strict-Transport-Security" not in headers


def test_a_file_that_is_part_of_a_page_carries_only_what_browsers_obey_there(client: FlaskClient) -> None:
    with client.get("/static/portal.css") as answer:
        headers = answer.headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "Content-Security-Policy" not in headers


@pytest.mark.parametrize("address", ["/reset/", "/setup/", "/notices/stop/"])
def test_an_address_that_is_a_key_is_told_to_no_page_and_to_no_log(
    app: Flask, client: FlaskClient, address: str
) -> None:
    app.config["WTF_CSRF_ENABLED"] = True
    key = "WzEsInRlbGxfZmFpbGVkIl0.forged_key-of-ours"
    answers = [
        client.get(address + key), client.put(address + key),
        client.post(address + key), client.post(address + key, headers={"Sec-Fetch-Site": "cross-site"}),
    ]  # fmt: skip
    assert {answer.status_code for answer in answers} <= {400, 403, 404, 405}
    assert {answer.headers["Referrer-Policy"] for answer in answers} == {"strict-origin"}
    assert {answer.headers["Cache-Control"] for answer in answers} == {"no-store"}
    logged = (app.config["PORTAL_DATA_DIR"] / "logger.log").read_text()
    assert f"{address}***" in logged and key not in logged


@pytest.mark.parametrize("address", ["/login", "/account", "/nowhere"])
def test_a_page_is_kept_nowhere_and_differs_by_person_language_and_fragment(client: FlaskClient, address: str) -> None:
    answer = client.get(address)
    assert answer.headers["Cache-Control"] == "no-store"
    assert {"HX-Request", "Cookie", "Accept-Language"} <= set(answer.vary.to_header().split(", "))


def test_over_https_the_browser_is_told_to_stay_there_and_the_cookie_is_tied_to_the_host(tmp_path: Path) -> None:
    app = cast.make_app(tmp_path, PUBLIC_URL="https://portal.example")
    answer = app.test_client().get("/login", base_url="https://portal.example")
    assert answer.headers["Strict-Transport-Security"].startswith("max-age=31536000")
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-session=")
    assert "Secure" in cookie
    chosen = app.test_client().post("/look", data={"theme": "dark"}, base_url="https://portal.example")
    assert any(kept.startswith("__Host-theme=") for kept in chosen.headers.getlist("Set-Cookie"))


def test_a_static_file_is_kept_for_a_year_under_the_address_of_its_content(app: Flask, client: FlaskClient) -> None:
    with app.test_request_context():
        address = app.url_for("static", filename="portal.css", _external=False)
    assert "?v=" in address
    with client.get(address) as kept:
        assert kept.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert "Set-Cookie" not in kept.headers
    with client.get("/static/portal.css") as plain:
        assert "max-age" not in plain.headers["Cache-Control"]
    assert client.get("/static/missing.css?v=1").headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "localhost@evil.example", "[::1", ""])
def test_the_portal_answers_to_no_other_name(client: FlaskClient, host: str) -> None:
    answer = client.get("/login", headers={"Host": host})
    assert answer.status_code == 400
    assert "evil" not in answer.text
    assert "Location" not in answer.headers


@pytest.mark.parametrize("host", ["localhost", "localhost:8000", "127.0.0.1:8000"])
def test_the_portal_answers_to_its_own_names(client: FlaskClient, host: str) -> None:
    assert client.get("/login", headers={"Host": host}).status_code == 200


def test_the_trusted_names_are_those_of_public_url_and_this_machine() -> None:
    assert trusted_hosts("https://portal.example:8443", "0.0.0.0") == ["127.0.0.1", "localhost", "portal.example"]
    assert "10.0.0.7" in trusted_hosts("http://127.0.0.1:8000", "10.0.0.7")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 303),
        ({"Sec-Fetch-Site": "none"}, 303),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://localhost"}, 303),
        ({}, 303),
    ],
)
def test_a_change_is_taken_only_from_our_own_pages(client: FlaskClient, headers: dict[str, str], status: int) -> None:
    assert client.post("/look", data={"theme": "dark"}, headers=headers).status_code == status


def test_a_link_from_another_site_opens_a_page(client: FlaskClient) -> None:
    assert client.get("/login", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200


@pytest.fixture
def guarded(app: Flask) -> FlaskClient:
    """A browser at a portal that asks for CSRF tokens, as the real one does."""
    app.config["WTF_CSRF_ENABLED"] = True
    return app.test_client()


def test_every_change_without_a_token_is_refused(app: Flask, guarded: FlaskClient, alice: User) -> None:
    asked = 0
    # A mail program's "unsubscribe" has no form of ours (RFC 8058): there, the signed address is what is checked.
    by_address = {"/notices/stop/<token>": 404}
    for rule in app.url_map.iter_rules():
        for method in (rule.methods or set()) & {"POST", "PUT", "PATCH", "DELETE"}:
            address = rule.build(dict.fromkeys(rule.arguments, 1), append_unknown=False)
            answer = guarded.open(address[1] if address else rule.rule, method=method)
            assert answer.status_code == by_address.get(rule.rule, 400), (method, rule.rule)
            assert answer.headers["Cache-Control"] == "no-store"
            asked += 1
    assert asked >= 4


def test_a_form_of_ours_carries_a_token_that_is_taken(guarded: FlaskClient, alice: User) -> None:
    page = guarded.get("/login").text
    token = page.split('name="csrf_token" value="')[1].split('"')[0]
    form = {"email": alice.email, "password": cast.PASSWORD}
    assert guarded.post("/login", data=form).status_code == 400
    assert guarded.post("/login", data={**form, "csrf_token": token}).status_code == 303


def test_a_token_in_the_header_is_taken_too_as_htmx_sends_it(guarded: FlaskClient) -> None:
    page = guarded.get("/login").text
    token = page.split('"X-CSRFToken": "')[1].split('"')[0]
    assert guarded.post("/look", data={"theme": "dark"}, headers={"X-CSRFToken": token}).status_code == 303


def test_no_change_is_made_by_get(app: Flask) -> None:
    for address in ("/logout", "/look"):
        assert app.test_client().get(address).status_code == 405


def test_a_file_whose_address_has_its_version_carries_nothing_to_ask_again_with(client: FlaskClient) -> None:
    (address,) = re.findall(r'rel="stylesheet" href="([^"]+)"', client.get("/login").text)
    for encoding in ("", "br"):
        with client.get(address, headers={"Accept-Encoding": encoding}) as answer:
            assert "immutable" in answer.headers["Cache-Control"]
            assert not {"ETag", "Last-Modified"} & set(answer.headers.keys())


def test_a_page_says_in_its_head_what_the_portal_is_for(client: FlaskClient) -> None:
    said = re.search(
        r'<meta name="description" content="([^"]+)">', client.get("/login", headers={"Accept-Language": "en"}).text
    )
    assert said and "telephone numbers" in said[1]
