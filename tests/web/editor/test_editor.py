"""From a pasted command to a source that people can choose: ada walks it for six APIs, without typing TOML; a worker
asks, and no secret comes back."""

import html
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal.application import remember_recipes
from portal.database import db
from portal.jobs import dispatch
from portal.jobs.worker import tasks
from portal.sources import catalogue, drafts, registry
from portal.sources.base import Outcome
from portal.sources.drafts import DraftSample
from portal.sources.secret_store import SecretStore
from tests import services
from tests.conftest import Browser
from tests.support import apis
from tests.support.cast import make_app
from tests.support.provider import provider
from tests.support.recipes import LOOPBACK

SENT = "+34612345678"


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    """A portal with a real Valkey, and without a folder of recipes, as it is after its installation."""
    with services.valkey() as url:
        app = make_app(tmp_path, REDIS_URL=url)
        app.test_client_class = Browser
        with app.app_context():
            catalogue.configure(
                dispatch.connection(), tmp_path / "sources", {}, LOOPBACK, keys=app.config["SIGNING_KEYS"]
            )
            app.config["SOURCES_DIR"] = tmp_path / "sources"
            remember_recipes(app)
            yield app
            catalogue.configure(None, tmp_path / "nowhere", {})
            db.session.remove()
            db.engine.dispose()
            dispatch.connection().close()


def paste(client: FlaskClient, command: str) -> str:
    """Paste a command, and return the draft's address."""
    answer = client.post("/admin/editor", data={"command": command})
    assert answer.status_code == 303, answer.get_data(as_text=True)
    return answer.location.rpartition("/")[0]


def ask(client: FlaskClient, here: str, **numbers: str) -> None:
    """Ask with these numbers, and be the worker."""
    answer = client.post(f"{here}/samples", data={"exists": SENT, **numbers})
    assert answer.status_code == 303, answer.get_data(as_text=True)
    for row in db.session.query(DraftSample).filter_by(taken_at=None):
        tasks.take_sample(row.id)


def press(client: FlaskClient, here: str, *values: str) -> None:
    """Press these values of the first answer."""
    for value in values:
        page = client.get(f"{here}/answers").get_data(as_text=True)
        rows = re.findall(r'name="add" value="(\d+)".*?<span class="value">(.*?)</span>', page)
        place = next(number for number, text in rows if html.unescape(text) == value)
        sample = re.search(r"fields\?sample=(\d+)", page)
        assert sample is not None
        client.post(f"{here}/fields?sample={sample[1]}", data={"add": place})


def accept(client: FlaskClient, here: str) -> str:
    """Use every proposed rule, and return the page after it."""
    page = client.get(f"{here}/rules").get_data(as_text=True)
    ticked = [html.unescape(one) for one in re.findall(r'name="accept" value="(.*?)"', page)]
    client.post(f"{here}/rules", data={"accept": ticked, "missing": "not_found" if 'name="missing"' in page else ""})
    return client.get(f"{here}/rules").get_data(as_text=True)


PRICE = {"price": "0,004", "currency": "EUR"}
STEPS = ("answers", "rules", "offer", "text")
WALKS = {
    "operator": (["Movistar", "21407", "true"], {"operator": "Movistar", "mcc_mnc": "21407", "ported": "yes"}),
    "bearer": (["Orange", "mobile", "ES"], {"operator": "Orange", "line_type": "mobile", "country": "ES"}),
    "xml": (["Vodafone", "Madrid"], {"operator": "Vodafone", "province": "Madrid"}),
    "page": (["MásMóvil", "Móvil"], {"operator": "MásMóvil", "line_type": "Móvil"}),
    "csv": (["Digi", "si"], {"operator": "Digi", "ported": "yes"}),
    "batch": (["Yoigo"], {"operator": "Yoigo"}),
}


@pytest.mark.parametrize("name", list(WALKS))
def test_an_api_becomes_a_source(app: Flask, as_ada: FlaskClient, name: str) -> None:
    pressed, expected = WALKS[name]
    with provider(apis.APIS[name]) as server:
        here = paste(as_ada, apis.command(name, server.url))
        wrong = {} if name in ("page", "csv", "batch") else {"wrong": "+34612345679"}
        ask(as_ada, here, unknown="+34612345677", spoilt="" if name == "page" else "yes", **wrong)
        press(as_ada, here, *pressed)
        page = accept(as_ada, here)
        assert not re.findall(r'data-right="no".*?</tr>', page, re.DOTALL), drafts.find(here.rpartition("/")[2]).text
        typed = {
            "title_es": "Operador",
            "title_en": "Operator",
            "name": f"my-{name}",
            "rate": "50",
            "price": "0,004",
            "currency": "EUR",
        }
        answer = as_ada.post(f"{here}/offer", data={**typed, "offer": "yes"})
        assert answer.status_code == 303, answer.get_data(as_text=True)
        source = registry.get(f"my-{name}")
        found = source.lookup(SENT)
        assert (found.outcome, dict(found.fields)) == (Outcome.FOUND, expected)
        assert source.lookup("+34612345677").outcome == Outcome.NOT_FOUND
        if wrong:
            assert source.lookup("+34612345679").outcome == Outcome.REJECTED
    kept = SecretStore(app.config["SQLALCHEMY_DATABASE_URI"], app.config["SIGNING_KEYS"]).secrets() or {}
    shown = "".join(
        as_ada.get(f"{here}/{step}").get_data(as_text=True) for step in ("answers", "rules", "offer", "text")
    )
    assert not [value for value in kept.values() if value in shown and value != apis.USER]
    assert sorted(kept.values()) == {
        "operator": [apis.USER, apis.PASSWORD], "xml": [apis.USER, apis.PASSWORD], "page": [],
    }.get(name, [apis.KEY])  # fmt: skip
