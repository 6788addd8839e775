"""No field and no address brings a page down: every field that a form of ours has, and every address, with nasty
values. Seeded, so that a failure can be repeated."""

import json
import random
import re
from base64 import urlsafe_b64encode
from typing import Any

import pytest
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient

from portal.accounts import User, passwords
from portal.jobs.core.status import Status
from tests.support import cast, scenes

SEED = 20261129
OTHERS = {"kind": "xlsx", "name": "offline", "token": "x", "filename": "x", "source": "offline"}


def cursor(*place: Any) -> str:
    return urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


NASTY = [
    "", " ", "0", "-1", "9" * 20, "9" * 5000, "1e309", "nan", "²", "٣", "\0", "\ud7ff", "%00", "'\"<img src=x>",
    "{{7*7}}", "%s%n", "../../etc/passwd", "\r\nX: y", "\u2028\u202e\x9b", "a" * 9000, "0001-01-01", "9999-12-31",
    cursor({"at": "0001-01-01T00:00:00+14:00"}, 1), cursor({"at": "9999-12-31T23:59:59-14:00"}, 1), cursor("\ud800", 1),
    "[", "true", cursor({"at": []}, {}), cursor([[]], 10**400), "SJ-9999999999-A999999", "#9999999999",
    "+34 612 345 678",
]  # fmt: skip
KNOWN = {
    "status": "failed", "sort": "name", "sheet": "0", "column": "0", "country": "ES", "source": "offline",
    "header_row": "1", "chosen": "1", "role": "user", "why": "x", "found": "x", "verb": "retry",
}  # fmt: skip
PASSWORDS = {
    "auth.sign_in", "auth.first_admin", "auth.choose", "auth.change_account", "auth.ask", "auth.begin_two_step",
    "auth.renew_recovery_codes", "auth.switch_two_step_off",
}  # fmt: skip
PASSWORD_FIELDS = ("email", "password", "new_password", "code", "address")
MORE = {"after", "before", "ids", "v", "page", "shown_sheet", "begun", "since", "until", "find", "session", "reasons"}


def fields_of(pages: list[str]) -> list[str]:
    found = set(re.findall(r'\sname="([\w-]+)"', " ".join(pages))) - {"csrf_token", "viewport", "color-scheme"}
    return sorted(found | MORE | set(KNOWN))


@pytest.mark.parametrize("who", ["alice", "ada", "nobody"])
def test_no_value_of_a_field_or_an_address_is_an_error_of_ours(
    app: Flask, client: FlaskClient, as_alice: FlaskClient, as_ada: FlaskClient, alice: User, who: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    # Slow on purpose: with its real cost, the forms with a password would take a minute.
    monkeypatch.setattr(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    browser = {"alice": as_alice, "ada": as_ada, "nobody": client}[who]
    job = scenes.in_status(cast.make_job(app, alice), Status.FAILED)
    ids = {"job_id": job.id, "document_id": job.document_id, "user_id": alice.id}
    pages = ["/", "/account", f"/jobs/{job.id}", f"/documents/{job.document_id}", "/admin/jobs", "/admin/users"]
    fields = fields_of([browser.get(page).text for page in pages])
    assert len(fields) > 20
    chance = random.Random(SEED)
    asked = 0
    for rule in sorted(app.url_map.iter_rules(), key=str):
        values = {name: ids.get(name, OTHERS.get(name, 1)) for name in rule.arguments}
        built = rule.build(values)
        if built is None or rule.endpoint == "static":
            continue
        for method in sorted((rule.methods or set()) & {"GET", "POST"}):
            ends_the_rest = "delete" in rule.endpoint or rule.endpoint == "auth.logout"
            rounds = 0 if ends_the_rest else 4 if rule.endpoint in PASSWORDS and method == "POST" else 2
            for _ in range(rounds):
                data = {**KNOWN, **{name: chance.choice(NASTY) for name in chance.sample(fields, 6)}}
                if rule.endpoint in PASSWORDS:  # else the fields that they have are seldom among the six
                    data |= {name: chance.choice([*NASTY, cast.PASSWORD]) for name in PASSWORD_FIELDS}
                data = {name: value if method == "POST" else value[:3000] for name, value in data.items()}
                headers = {"HX-Request": "true"} if chance.random() < 0.3 else {}
                where = {"query_string": data} if method == "GET" else {"data": data}
                with browser.open(built[1], method=method, headers=headers, **where) as answer:
                    text = answer.get_data(as_text=True) if answer.status_code >= 500 else ""
                # Without Redis some are not ready, or cannot do it now; but a page that would write says so as well.
                busy = rule.endpoint.startswith("health.") or method == "POST"
                allowed = answer.status_code == 503 and busy
                assert answer.status_code < 500 or allowed, (method, built[1], data, text[:500])
                assert len(answer.headers.get("Location", "")) < 8000, (method, built[1])
                asked += 1
            for nasty in chance.sample(NASTY, 2) if rule.arguments else ():
                path = re.sub(r"<[^>]+>", lambda _, bad=nasty: bad[:900].replace("?", "").replace("#", ""), rule.rule)
                with browser.open(path, method=method) as answer:
                    assert answer.status_code < 500, (method, path)
    assert asked > 100


@pytest.mark.parametrize("shown", ["9" * 5000, "²" * 30])
def test_a_sheet_that_no_page_showed_is_none(as_alice: FlaskClient, alice: User, app: Flask, shown: str) -> None:
    document = cast.make_document(app, alice, ["612345678"])
    form = {"sheet": "0", "column": "0", "country": "ES", "source": "offline", "shown_sheet": shown}
    assert as_alice.post(f"/documents/{document.id}/jobs", data=form).status_code in (303, 422)


@pytest.mark.parametrize(
    "place",
    [
        cursor({"at": "0001-01-01T00:00:00+14:00"}, 1), cursor({"at": "9999-12-31T23:59:59-14:00"}, 1),
        cursor("\ud800", 1), cursor({"at": 5}, 1),
    ],
)  # fmt: skip
@pytest.mark.parametrize("sort", ["created", "name", "status", "-updated"])
def test_a_place_in_a_list_that_nobody_was_given_is_none(as_ada: FlaskClient, place: str, sort: str) -> None:
    assert as_ada.get("/admin/jobs", query_string={"after": place, "sort": sort}).status_code == 200


def test_a_recount_with_thousands_of_reasons_has_a_short_address(
    app: Flask, as_alice: FlaskClient, alice: User
) -> None:
    job = scenes.in_status(cast.make_job(app, alice), Status.FAILED)
    form = {"recount": "1", "chosen": "1", "reasons": [f"r{n}" for n in range(900)]}
    assert len(as_alice.post(f"/jobs/{job.id}/retry", data=form).location) < 500
