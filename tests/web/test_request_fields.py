"""What no column can hold comes with a request: it is no fault of ours, on either database."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.routing import BaseConverter, IntegerConverter, UnicodeConverter

from portal.accounts import LoginThrottle, User
from portal.database import db
from portal.web.request_fields import id_list
from tests import services
from tests.conftest import Browser, _signed_in
from tests.support import cast

NUL = "a\0b"
FAR = ("9" * 30, "-" + "9" * 30, "99999999999")


@pytest.fixture
def on_postgresql(tmp_path: Path, postgres_server: str) -> Iterator[Flask]:
    """The portal on a database of its own: SQLite takes what PostgreSQL refuses."""
    with services.new_database(postgres_server) as url:
        app = cast.make_app(tmp_path, DATABASE_URL=url)
        app.test_client_class = Browser
        with app.app_context():
            yield app
            db.session.remove()
            db.engine.dispose()


def test_a_nul_in_any_field_is_left_out(on_postgresql: Flask) -> None:
    stranger, ada = on_postgresql.test_client(), cast.make_user("ada@example.com", admin=True)
    as_ada = _signed_in(on_postgresql, ada)
    assert stranger.post("/login", data={"email": NUL, "password": NUL}).status_code == 401
    assert stranger.post("/forgot", data={"email": f"ada@example.com{NUL[1]}"}).status_code == 200
    assert len(db.session.scalars(select(LoginThrottle)).all()) == 4, "each of both was counted"
    for place in ("/admin/jobs", "/admin/audit", "/admin/metrics", "/figures", "/admin/users", "/admin/notices", "/"):
        fields = dict.fromkeys(("source", "cause", "found", "admin", "q", "user", "state", "status", "after"), NUL)
        assert as_ada.get(place, query_string=fields).status_code == 200, place
    form = {"why": NUL, "all": "1", "source": NUL, "cause": NUL, "found": NUL, "key": NUL, "verb": "retry"}
    for place in ("plan", "retry", "cancel"):
        assert as_ada.post(f"/admin/jobs/{place}", data=form).status_code in (200, 303), place
    assert as_ada.post(f"/admin/users/{ada.id}/limits", data={"max_rows": "7", "why": NUL}).status_code == 303
    assert db.session.get_one(User, ada.id, populate_existing=True).max_rows == 7


def test_no_address_has_a_nul(on_postgresql: Flask) -> None:
    as_ada = _signed_in(on_postgresql, cast.make_user("ada@example.com", admin=True))
    words = [rule for rule in on_postgresql.url_map.iter_rules() if any(map(_takes_words, rule._converters.values()))]
    assert len(words) > 20
    for rule in words:
        path = re.sub(r"<([^>:]+)>", NUL, re.sub(r"<id:[^>]+>", "1", rule.rule))
        for method in sorted((rule.methods or set()) & {"GET", "POST"}):
            assert as_ada.open(path, method=method).status_code == 404, (method, rule.rule)


def _takes_words(converter: BaseConverter) -> bool:
    return isinstance(converter, UnicodeConverter)


@pytest.mark.parametrize("far", FAR)
def test_a_number_that_no_column_holds_is_nothings(as_ada: FlaskClient, ada: User, make_job, far: str) -> None:
    job = make_job(ada)
    for place in ("/admin/audit", "/admin/operations", "/admin/notices"):
        assert as_ada.get(f"{place}?before={far}").status_code == 200, place
    assert as_ada.post(f"/jobs/{job.id}/retry", data={"round": far}).status_code == 303
    assert as_ada.post(f"/jobs/{job.id}/limits", data={"max_retries": far, "timeout_minutes": far}).status_code == 422


def test_an_id_that_no_column_holds_is_in_no_address(app: Flask, as_ada: FlaskClient, ada: User, make_job) -> None:
    job = make_job(ada)
    assert as_ada.get(f"/jobs/{job.id}").status_code == 200
    assert {as_ada.get(f"/jobs/{far}").status_code for far in (0, 2**31, 2**63, "9" * 5000)} == {404}
    converters = {type(one) for rule in app.url_map.iter_rules() for one in rule._converters.values()}
    assert IntegerConverter not in converters, "use <id:…>"


def test_a_field_of_ids_keeps_what_can_be_one() -> None:
    assert id_list("7,x,,7, 8,2147483647,2147483648,99999999999,-1") == [7, 2147483647]
