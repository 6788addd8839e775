"""The palette names pages and files, and only those that the person may open."""

import re

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from portal.accounts import User
from portal.audit import AuditEntry
from portal.config import ROOT
from portal.database import db
from portal.web.navigation.places import PLACES, SHORTCUTS
from tests.support import cast


def found(client: FlaskClient, text: str) -> list[str]:
    return re.findall(r'<a href="([^"]+)"', client.post("/palette", data={"q": text}).text)


def test_pages_are_found_by_part_of_their_name_without_accents(as_alice: FlaskClient, alice: User) -> None:
    alice.locale = "es"
    db.session.commit()
    assert found(as_alice, "ESTADIST") == ["/figures"]
    assert "/help/account-security" in found(as_alice, "verificacion en dos")
    assert not any(path.startswith("/admin") for path in found(as_alice, ""))


def test_each_page_has_keys_of_its_own_and_opens(app: Flask, as_ada: FlaskClient) -> None:
    keys = [place.keys for place in PLACES if place.keys]
    assert len(keys) == len(set(keys))
    addresses = found(as_ada, "")
    assert len(addresses) == len(PLACES)
    assert {as_ada.get(path).status_code for path in addresses} == {200}
    script = (ROOT / "static" / "shortcuts.js").read_text()
    assert all(re.search(rf'\bown = {{[^}}]*["]?{re.escape(key)}["]?:', script) for key in SHORTCUTS if len(key) == 1)


def test_people_find_their_own_files_and_admins_those_of_all(
    app: Flask, as_alice: FlaskClient, as_bob: FlaskClient, as_ada: FlaskClient, alice: User
) -> None:
    job = cast.make_job(app, alice, 2)
    here = f"/jobs/{job.id}"
    assert here in found(as_alice, "clientes") and here not in found(as_bob, "clientes")
    for text in ("clientes", f"#{job.id}", "alice@example.com", f"sj-{job.id}-a1"):
        assert here in found(as_ada, text), text


def test_a_telephone_number_is_not_looked_for_as_it_is_typed(as_ada: FlaskClient, as_bob: FlaskClient) -> None:
    """The search of the list writes into the audit who looked for a number: a palette must not be a way around it."""
    page = as_ada.post("/palette", data={"q": "612 345 678"}).text
    assert (
        'action="/admin/jobs/search"' in page
        and 'value="612 345 678"' in page
        and "/jobs/" not in "".join(re.findall(r'href="([^"]+)"', page))
    )
    assert db.session.scalars(select(AuditEntry)).all() == []
    assert 'action="/lookups"' in as_bob.post("/palette", data={"q": "612 345 678"}).text


def test_the_way_back_leads_to_the_list_as_it_was_left(
    app: Flask, as_alice: FlaskClient, as_ada: FlaskClient, alice: User
) -> None:
    here = f"/jobs/{cast.make_job(app, alice, 2).id}"
    assert as_ada.get("/admin/jobs?status=pending&q=cli").status_code == 200
    page = as_ada.get(here).text
    assert '<a href="/admin/jobs?status=pending&amp;q=cli">All files</a>' in page
    assert re.search(r'href="/admin" aria-current="true"', page), "an administrator's own files are another place"
    assert as_alice.get("/?status=pending", headers={"HX-Request": "true"}).status_code == 200
    assert '<a href="/?status=pending">Files</a>' in as_alice.get(here).text
    *_, back = re.findall(r'name="next" value="([^"]+)"', as_ada.get(f"{here}/delete").text)
    gone = as_ada.post(f"{here}/delete", data={"next": back.replace("&amp;", "&")})
    assert gone.location == "/admin/jobs?status=pending&q=cli"
