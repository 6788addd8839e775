"""From a pasted command to a source that people can choose: ada walks it for six APIs, without typing TOML; a worker
asks, and no secret comes back."""

import re
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal.clock import utcnow
from portal.database import db
from portal.jobs import dispatch
from portal.sources import catalogue, drafts, registry, secret_store, shelf
from portal.sources.base import Outcome
from portal.sources.drafts import DraftSample
from portal.sources.editor.drafted import name_in
from portal.sources.recipe_store import versions
from portal.sources.recipes.loader import recipe_of
from portal.sources.secret_store import SecretStore
from portal.sources.selftest import run_tests
from tests.support import apis
from tests.support.provider import Answered, Asked, provider
from tests.web.editor.walking import SENT, accept, ask, paste, press, work

PRICE = {"price": "0,004", "currency": "EUR"}
STEPS = ("answers", "rules", "offer", "text")
WALKS = {
    "operator": (["Movistar", "21407", "true"], {"operator": "Movistar", "mcc_mnc": "21407", "ported": "yes"}),
    "bearer": (["Orange", "mobile", "ES"], {"operator": "Orange", "line_type": "mobile", "country": "ES"}),
    "xml": (["Vodafone", "Madrid"], {"operator": "Vodafone", "province": "Madrid"}),
    "page": (["MásMóvil", "Móvil"], {"operator": "MásMóvil", "line_type": "Móvil"}),
    "csv": (["Digi", "si"], {"operator": "Digi", "ported": "yes"}),
    "batch": (["Yoigo"], {"operator": "Yoigo"}),
    "credits": (
        ["21407", "Movistar", "false"],
        {"mcc_mnc": "21407", "original_operator": "Movistar", "ported": "no"},
    ),
}


@pytest.mark.parametrize("name", list(WALKS))
def test_an_api_becomes_a_source(app: Flask, as_ada: FlaskClient, tmp_path: Path, name: str) -> None:
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
        text = (drafts.find(here.rpartition("/")[2]) or drafts.listed()[0]).text
        proofs = run_tests(recipe_of(text, tmp_path / "x.toml"))
        assert len(proofs) >= 2 and all(proof.passed for proof in proofs), text
        assert {Outcome.FOUND, Outcome.NOT_FOUND} <= {proof.case.outcome for proof in proofs}
        assert SENT[3:] not in text.partition("[[test]]")[2] and "12345677" not in text  # nobody's number stays
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


def test_what_the_command_lacks_is_asked_for_and_said(as_ada: FlaskClient) -> None:
    seen = as_ada.post("/admin/editor", data={"command": "curl -F a=@b https://x.com/34612345678"})
    assert seen.status_code == 422 and "-F" in seen.get_data(as_text=True)
    here = paste(as_ada, 'curl "https://api.example.com/{phone}?key=$KEY"')
    page = as_ada.get(f"{here}/answers").text
    assert 'name="secret:EXAMPLE_KEY"' in page and "key=…" in page  # and where the request has it
    assert as_ada.post(f"{here}/samples", data={"exists": SENT, "price": "0"}).status_code == 422
    keyed = {"price": "0", "secret:EXAMPLE_KEY": apis.KEY}
    for text in ("hello", "612345678 / 622345678"):
        refused = as_ada.post(f"{here}/samples", data={"exists": text, **keyed})
        assert refused.status_code == 422 and "in the cell" not in refused.text
    assert db.session.query(DraftSample).count() == 0
    typed = {
        "url": "https://api.example.com/v2/{digits}?key={secret:EXAMPLE_KEY}",
        "headers": "Accept: text/csv",
        "body": "",
    }
    assert as_ada.post(f"{here}/request", data={**typed, "form": "00"}).status_code == 303
    text = (drafts.find(here.rpartition("/")[2]) or drafts.listed()[0]).text
    assert "/v2/00{digits}?key={secret:EXAMPLE_KEY}" in text and 'Accept = "text/csv"' in text
    wrong = as_ada.post(f"{here}/request", data={**typed, "url": "http://10.0.0.1/{digits}"})
    assert wrong.status_code == 422 and "line" in wrong.get_data(as_text=True)
    as_ada.post(f"{here}/delete")
    assert drafts.listed() == [] and "EXAMPLE_KEY" not in catalogue.known_secrets()


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"price": ""}, "Say what a lookup costs first"),
        ({}, "Say what a lookup costs first"),
        ({"price": "a cent"}, "Write the price as a figure"),
        ({"price": "0,01", "currency": "euros"}, "EUR, USD"),
    ],
)
def test_the_price_comes_before_the_first_question(as_ada: FlaskClient, form: dict[str, str], said: str) -> None:
    here = paste(as_ada, f"curl https://api.example.com/{SENT[1:]}")
    page = as_ada.get(f"{here}/answers").text
    assert 'name="price" type="text" value=""' in page and "A lookup costs" not in page
    answer = as_ada.post(f"{here}/samples", data={"exists": SENT, "unknown": "612345677", **form})
    assert answer.status_code == 422 and said in answer.text and 'value="612345677"' in answer.text
    assert db.session.query(DraftSample).count() == 0
    as_ada.post(f"{here}/samples", data={"exists": SENT, "price": "0,012", "currency": "€", "per": "found"})
    assert db.session.query(DraftSample).count() == 1
    text = drafts.listed()[0].text
    assert 'price = 0.012\nper = "found"\ncurrency = "EUR"' in text
    assert "A lookup costs €0.012, only for numbers with data." in as_ada.get(f"{here}/answers").text


def test_an_address_inside_the_network_gets_no_request(app: Flask, as_ada: FlaskClient) -> None:
    catalogue.configure(dispatch.connection(), app.config["SOURCES_DIR"], {}, keys=app.config["SIGNING_KEYS"])
    with provider(apis.page_api) as server:
        here = paste(as_ada, apis.command("page", server.url))
        refused = as_ada.post(f"{here}/samples", data={"exists": SENT, "price": "0"})
        assert refused.status_code == 422 and "inside your own network" in refused.text
        token = here.rpartition("/")[2]
        drafts.change(token, drafts.listed()[0].text + '[cost]\nprice = 0\ncurrency = "EUR"\n', "ada", utcnow())
        drafts.add_sample(token, SENT, "exists", utcnow())
        work()
        assert server.asked == []
    page = as_ada.get(f"{here}/answers").get_data(as_text=True)
    assert 'data-tone="bad"' in page, re.findall(r"data-sample.*?</li>", page, re.DOTALL)
    assert "line 6" in as_ada.get(f"{here}/text").get_data(as_text=True)


def echo(asked: Asked) -> Answered:
    """An API that tells back what it was sent, and a script."""
    told = {
        "told": asked.headers["Authorization"],
        "asked": asked.query,
        "x": "<script>alert(1)</script>",
        "operator": "M",
    }
    return Answered(told)


def test_no_secret_and_no_markup_of_an_answer_reaches_a_page(as_ada: FlaskClient) -> None:
    with provider(echo) as server:
        here = paste(as_ada, f"curl '{server.url}/?n=34612345678&token={apis.KEY}' -H 'Authorization: {apis.PASSWORD}'")
        ask(as_ada, here)
        press(as_ada, here, "M")
        for step in STEPS:
            page = as_ada.get(f"{here}/{step}").get_data(as_text=True)
            assert apis.KEY not in page and apis.PASSWORD not in page and "<script>alert" not in page
    (row,) = db.session.query(DraftSample)
    assert row.body is not None and apis.KEY.encode() not in row.body and b"***" in row.body


def test_text_and_forms_are_one_document(as_ada: FlaskClient, tmp_path: Path) -> None:
    with provider(apis.bearer_api) as server:
        here = paste(as_ada, apis.command("bearer", server.url))
        ask(as_ada, here)
        press(as_ada, here, "Orange")
        draft = drafts.find(here.rpartition("/")[2])
        assert draft is not None
        page = as_ada.get(f"{here}/text").get_data(as_text=True)
        seen = re.search(r'name="seen" value="(\w+)"', page)
        assert seen is not None
        text = draft.text.replace("[fields]", "# kept\n[fields]  # too")
        wrong = as_ada.post(f"{here}/text", data={"text": f"{text}\nx = [", "seen": seen[1]})
        assert wrong.status_code == 422 and f"line {text.count(chr(10)) + 2}" in wrong.get_data(as_text=True)
        assert as_ada.post(f"{here}/text", data={"text": text, "seen": "older"}).status_code == 409
        assert as_ada.post(f"{here}/text", data={"text": text, "seen": seen[1]}).status_code == 303
        press(as_ada, here, "mobile")
        as_ada.post(f"{here}/offer", data={"rate": "5", "unit": "min", "title_es": "Uno", "title_en": "One"})
        form = {"name:operator": "network", "es:operator": "Red", "type:operator": "text", "required:operator": "yes"}
        as_ada.post(f"{here}/fields", data=form)
    found = drafts.find(here.rpartition("/")[2])
    assert found is not None and "# kept\n[fields]  # too\nnetwork = {" in found.text
    assert 'rate = "5/min"' in found.text and "line_type" in found.text and "operator =" not in found.text
    (proof,) = run_tests(recipe_of(found.text, tmp_path / "x.toml"))
    assert proof.passed and "network" in proof.case.expect


def test_a_draft_has_a_name_that_no_other_draft_has(as_ada: FlaskClient) -> None:
    for _ in range(3):
        paste(as_ada, f"curl https://api.example.com/{SENT[1:]}")
    assert sorted(name_in(one.text) for one in drafts.listed()) == ["example", "example-2", "example-3"]


def test_the_figures_of_an_answer_may_be_its_price(as_ada: FlaskClient) -> None:
    priced = Answered({"operator": "M", "billing": {"cost": 0.0125, "currency": "EUR"}, "mcc": "214"})
    with provider(lambda _: priced) as server:
        here = paste(as_ada, f"curl {server.url}/{SENT[1:]}")
        ask(as_ada, here, price="0,02")
        press(as_ada, here, "M")
        page = as_ada.get(f"{here}/offer").text
        assert '<option value="billing.cost" label="billing.cost: 0.0125">' in page
        form = {"title_es": "x", "title_en": "x", "price": "0,02", "price_path": "billing.cost", "currency": "eur"}
        as_ada.post(f"{here}/offer", data=form)
    text = drafts.listed()[0].text
    assert 'price = "billing.cost"' in text and "most = 0.02" in text and 'currency = "EUR"' in text
    assert "0.0125" in as_ada.get("/admin/spending").text  # booked anew, as the answer says


def test_an_answer_that_misleads_is_removed_and_what_it_cost_stays(as_ada: FlaskClient) -> None:
    with provider(apis.bearer_api) as server:
        here = paste(as_ada, apis.command("bearer", server.url))
        ask(as_ada, here, price="0,02", unknown="+34612345671")  # which it knows after all
        page = as_ada.get(f"{here}/answers").text
        remove = re.findall(r'action="(/admin/editor/[^"]+/samples/\d+/delete)"', page)
        assert len(remove) == 2 and "Remove the answer for +34612345671" in page
        assert as_ada.post(remove[1]).location.endswith("/answers#asked")
    page = as_ada.get(f"{here}/answers").text
    assert page.count("data-sample=") == 1 and "+34612345671" not in page
    assert "0.04" in as_ada.get("/admin/spending").text


def test_versions_have_an_author_and_go_back(as_ada: FlaskClient) -> None:
    with provider(apis.bearer_api) as server:
        here = paste(as_ada, apis.command("bearer", server.url))
        ask(as_ada, here)
        press(as_ada, here, "Orange")
        typed = {"title_es": "Uno", "title_en": "One", "name": "uno", "offer": "yes"}
        as_ada.post(f"{here}/offer", data={**typed, "rate": "5"})
        first = registry.data_version("uno")
        edit = as_ada.post("/admin/sources/uno/drafts").location
        assert edit.rpartition("/")[0] == here
        as_ada.post(f"{here}/offer", data={**typed, "rate": "7"})
        assert registry.data_version("uno") != first
    page = as_ada.get("/admin/sources/uno/versions").get_data(as_text=True)
    assert page.count("data-version=") == 2
    assert re.search(r'data-line="added">\+rate = &#34;7/s&#34;', page) and 'data-line="gone">-rate' in page
    newest, oldest = versions("uno.toml")
    assert newest.author == oldest.author == "ada@example.com"
    as_ada.post(f"/admin/sources/uno/versions/{oldest.id}")
    assert registry.data_version("uno") == first and len(versions("uno.toml")) == 3


def test_what_another_process_has_just_saved_is_known(app: Flask, as_ada: FlaskClient) -> None:
    """The web has two processes, and the next page may come from the other one."""
    here = paste(as_ada, 'curl "https://api.example.com/{phone}?key=$KEY"')
    folder, url = app.config["SOURCES_DIR"], app.config["SQLALCHEMY_DATABASE_URI"]
    secret_store.save("EXAMPLE_KEY", apis.KEY, app.config["SIGNING_KEYS"], "ada@example.com", utcnow())
    assert 'id="secret-1"' not in as_ada.get(f"{here}/answers").text
    text = drafts.listed()[0].text.replace('name = "example"', 'name = "other"') + '[fields]\noperator = "operator"\n'
    shelf.place_text("other.toml", text, folder, url, "ada@example.com", utcnow())
    assert as_ada.get("/admin/sources/other").status_code == 200
    assert as_ada.get("/admin/sources/nobody").status_code == 404
    shelf.place_text("third.toml", text.replace('"other"', '"third"'), folder, url, "ada@example.com", utcnow())
    assert "/admin/sources/third" in as_ada.get("/admin/sources").text
