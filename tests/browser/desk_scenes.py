"""What the gallery shows on the desk's pages of sources and money: a source that charges, with a draft in every step,
with limits, spending and an excluded list."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flask import Flask

from portal.accounts import User
from portal.application import remember_recipes
from portal.causes import CauseCode
from portal.clock import utcnow
from portal.database import db
from portal.jobs.core.spending_tables import CapScope
from portal.jobs.models import ScrapingJob
from portal.jobs.shares import Holding
from portal.jobs.spending import caps, reservations
from portal.jobs.spending.reservations import Account, month_of
from portal.sources import catalogue, drafts, exclusions, recipe_store
from portal.sources.drafts import SIGNS_IN, DraftSample
from portal.sources.editor.login_outline import outline_of, written
from portal.sources.http.response import SourceResponse
from tests.support.cast import make_job, mobile
from tests.support.recipes import LOOPBACK

CENT = 10**7
RECIPE = """# what our contract says
name = "operador"
title = { en = "Current operator", es = "Operador actual" }
kind = "json"

[request]
url = "https://api.example.com/v1/lookup?msisdn={digits}"
headers = { Authorization = "Bearer {secret:EXAMPLE_TOKEN}" }

[limits]
rate = "10/s"
cache = "30 days"

[outcome]
not_found = [{ json = "status == 'unknown'" }]

[fields]
operator = { path = "data.carrier.name", required = true, label = { en = "Operator", es = "Operador" } }
ported = { path = "data.ported", type = "bool", label = { en = "Ported", es = "Portado" } }

[cost]
price = 0.0125
currency = "EUR"
"""
BULK = """name = "por-tandas"
kind = "batch"

[[before]]
url = "https://api.example.com/oauth/token"
method = "POST"
body = "client_id={secret:EXAMPLE_CLIENT}&client_secret={secret:EXAMPLE_SECRET}"
headers = { Content-Type = "application/x-www-form-urlencoded" }
take = { token = "data.jwt" }
keep = { path = "data.expires_in" }

[request]
url = "https://api.example.com/bulk"
method = "POST"
headers = { Authorization = "Bearer {token}" }
body = '{"items": [{numbers}]}'

[batch]
size = 50
each = '{"to": "{digits}"}'
items = "@"
key = "@"

[batch.poll]
url = "https://api.example.com/bulk/{ticket}"
ticket = "bulkId"
ready = [{ json = "state == 'done'" }]
"""
FOUND = {"status": "ok", "data": {"carrier": {"name": "Telefónica Móviles España", "mccmnc": "21407"}, "ported": True}}
REFUSED, NO_KEY = {"errors": {"msisdn": ["is not a telephone number"]}}, {"message": "Unauthenticated."}
ANSWERS = [
    ("exists", 200, FOUND), ("unknown", 200, {"status": "unknown", "data": None}), ("wrong", 422, REFUSED),
    ("key", 401, NO_KEY),
]  # fmt: skip


@contextmanager
def priced_source(app: Flask, folder: Path) -> Iterator[None]:
    """The portal offers a source that charges, from its folder."""
    sources = folder / "sources"
    sources.mkdir()
    (sources / "operador.toml").write_text(RECIPE)
    secrets = dict.fromkeys(("EXAMPLE_TOKEN", "EXAMPLE_CLIENT", "EXAMPLE_SECRET"), "k-3f9a81c2d7")
    catalogue.configure(None, sources, secrets, LOOPBACK, keys=app.config["SIGNING_KEYS"])
    app.config["SOURCES_DIR"] = sources
    remember_recipes(app)
    try:
        yield
    finally:
        catalogue.configure(None, folder / "nowhere", {})


def fill(app: Flask, alice: User, ada_email: str) -> dict[str, str]:
    """Make everything, and return the pages of the desk by their names."""
    now, alice_id = utcnow(), alice.id
    db.session.commit()  # a version is written in a transaction of its own
    for text in (RECIPE.replace('"10/s"', '"5/s"'), RECIPE):
        recipe_store.note_version("operador.toml", text, ada_email, now)
    answered = _draft("operador", RECIPE, ada_email)
    for nth, (meaning, status, body) in enumerate(ANSWERS):
        _sample(answered, f"+34{mobile(nth)}", meaning, status, json.dumps(body).encode())
    bulk = _draft("por-tandas", BULK, ada_email)
    signed_in = json.dumps({"data": {"token_type": "bearer", "jwt": "eyJhbGciOiJIUzI1NiJ9.e30", "expires_in": 3600}})
    _sample(bulk, f"+34{mobile(1)}", SIGNS_IN, 200, written(outline_of(SourceResponse(200, {}, signed_in.encode()))))
    accepted = {"bulkId": "b77-42", "state": "accepted"}
    _sample(bulk, f"+34{mobile(1)}", "exists", 200, json.dumps(accepted).encode())
    account = Account(alice_id, "operador", "EUR")
    reservations.settle(Holding(0, 0, 0), account, month_of(now), released=0, spent=1430 * CENT, unsure=2 * CENT)
    db.session.commit()
    for scope, whose, amount in ((CapScope.PORTAL, "", 5000), (CapScope.PERSON, str(alice_id), 1500)):
        caps.set_cap(scope, whose, "EUR", amount * CENT, ada_email, now)
    exclusions.add("Lista Robinson", now.date(), {f"+34{mobile(n)}" for n in range(40)}, ada_email, now)
    return {
        "editor": "/admin/editor",
        **{f"editor-{step}": f"/admin/editor/{answered}/{step}" for step in ("answers", "rules", "offer", "text")},
        "editor-bulk": f"/admin/editor/{bulk}/answers",
        "admin-sources": "/admin/sources",
        "admin-a-source": "/admin/sources/operador",
        "admin-versions": "/admin/sources/operador/versions",
        "admin-spending": "/admin/spending",
        "admin-exclusions": "/admin/exclusions",
        "admin-erasures": "/admin/erasures",
    }


def capped(app: Flask, alice: User) -> ScrapingJob:
    """A file that is paused at its own limit."""
    job = make_job(app, alice, 40, source="operador", now=utcnow())
    job.status, job.paused_at, job.wait_cause = "retrying", utcnow(), CauseCode.CAP_REACHED
    job.cost, job.cost_unsure, job.cost_cap, job.attempt, job.currency = 30 * CENT, CENT, 32 * CENT, 1, "EUR"
    db.session.commit()
    return job


def _draft(name: str, text: str, by: str) -> str:
    return drafts.create(text.replace(f'"{name}"', f'"{name}-nuevo"'), by, utcnow(), number=f"+34{mobile(0)}")


def _sample(token: str, number: str, meaning: str, status: int, body: bytes) -> None:
    sent = {"method": "GET", "url": "https://api.example.com/v1", "headers": [["Accept", "*/*"]], "body": "",
            "status": status, "answer_headers": [], "answer_body": "", "seconds": 0.2}  # fmt: skip
    facts = {"status": status, "headers": {"content-type": "application/json"}, "is_whole": True, "seconds": 0.214,
             "reason": "", "sent": sent}  # fmt: skip
    now = utcnow()
    row = DraftSample(draft=token, number=number, meaning=meaning, spoilt=meaning == "key", asked_at=now, taken_at=now)
    row.facts, row.body = facts, body
    db.session.add(row)
    db.session.commit()
