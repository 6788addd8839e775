"""What a person sees when something goes wrong."""

import io
import json
from pathlib import Path

import pytest
from flask import Flask, abort, g, request
from flask.testing import FlaskClient
from flask_login import AnonymousUserMixin

from portal.accounts import User
from portal.database import db
from portal.web.access import STRANGERS_BYTES
from portal.web.errors import drain_request

HX = {"HX-Request": "true"}
STATUSES = [400, 403, 404, 405, 413, 418, 429, 500, 503]


@pytest.fixture
def app(app: Flask) -> Flask:
    """The portal with an address that fails as asked."""
    app.config["PROPAGATE_EXCEPTIONS"] = False

    @app.get("/fail/<int:status>")
    def fail(status: int) -> str:
        abort(status)

    @app.get("/crash")
    def crash() -> str:
        raise ValueError("secret of the inside")

    @app.post("/take")
    def take() -> str:
        return str(len(request.get_data()))

    return app


@pytest.mark.parametrize("status", STATUSES)
def test_an_error_is_a_page_in_plain_words_with_a_reference(client: FlaskClient, status: int) -> None:
    client.post("/look", data={"locale": "en"})
    answer = client.get(f"/fail/{status}")
    assert answer.status_code == status
    assert f'data-error="{status}"' in answer.text
    assert "<h1>" in answer.text
    assert "Reference for your administrator: " in answer.text
    for inside in ("Error", "Exception", "Traceback", "Werkzeug"):
        assert inside not in answer.text


@pytest.mark.parametrize("status", STATUSES)
def test_htmx_gets_only_a_message_for_the_corner(client: FlaskClient, status: int) -> None:
    answer = client.get(f"/fail/{status}", headers=HX)
    assert answer.status_code == status
    assert answer.text.startswith('<hx-partial hx-target="#toasts" hx-swap="beforeend">')
    assert "<html" not in answer.text


def test_a_crash_shows_nothing_of_the_inside_and_its_traceback_is_found_by_the_reference(
    app: Flask, as_alice: FlaskClient
) -> None:
    answer = as_alice.get("/crash")
    assert answer.status_code == 500
    assert "ValueError" not in answer.text
    assert "secret of the inside" not in answer.text
    reference = answer.text.split("administrator: ")[1].split("<")[0]
    lines = (Path(app.config["PORTAL_DATA_DIR"]) / "logger.log").read_text().splitlines()
    told = [json.loads(line) for line in lines if reference in line]
    assert any("ValueError: secret of the inside" in entry.get("exception", "") for entry in told), told


def test_two_requests_have_two_references(client: FlaskClient) -> None:
    texts = [client.get("/nowhere").text.split("administrador: ")[1].split("<")[0] for _ in range(2)]
    assert texts[0] != texts[1]


def test_a_missing_page_keeps_the_frame_for_who_is_signed_in(as_alice: FlaskClient, alice: User) -> None:
    page = as_alice.get("/nowhere").text
    assert "This page does not exist" in page
    assert alice.email in page


def test_a_file_that_is_too_large_is_told_the_limit(app: Flask, client: FlaskClient) -> None:
    client.post("/look", data={"locale": "en"})
    answer = client.post("/take", data=b"x" * (app.config["MAX_CONTENT_LENGTH"] + 1))
    assert answer.status_code == 413
    assert "up to 20 MB" in answer.text
    assert "up to 20 MB" in client.post("/take", data=b"x" * (app.config["MAX_CONTENT_LENGTH"] + 1), headers=HX).text


def test_a_form_that_is_too_old_says_so(app: Flask, client: FlaskClient) -> None:
    app.config["WTF_CSRF_ENABLED"] = True
    answer = client.post("/look", data={"theme": "dark"}, headers={"Accept-Language": "en"})
    assert answer.status_code == 400
    assert "This form has expired" in answer.text


def test_a_wrong_method_says_which_are_right(client: FlaskClient) -> None:
    assert "POST" in client.get("/look").headers["Allow"]


def test_with_the_database_away_there_is_still_a_page(app: Flask, as_alice: FlaskClient) -> None:
    with db.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE users RENAME TO gone")
    answer = as_alice.get("/account")
    assert answer.status_code == 500
    assert 'data-error="500"' in answer.text
    assert as_alice.get("/healthz").status_code == 200


@pytest.mark.parametrize(("somebody", "most"), [(False, STRANGERS_BYTES), (True, 3 * STRANGERS_BYTES)])
def test_of_a_body_that_is_refused_only_a_little_is_read_from_a_stranger(
    app: Flask, alice: User, somebody: bool, most: int
) -> None:
    body = io.BytesIO(b"x" * (3 * STRANGERS_BYTES))
    with app.test_request_context("/", method="POST", input_stream=body, content_length=3 * STRANGERS_BYTES):
        g._login_user = alice if somebody else AnonymousUserMixin()
        drain_request()
    assert body.tell() == most
