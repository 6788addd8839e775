"""The shelf of providers: ada enters the keys of one, and it is a source; no key comes back."""

from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal import sources
from portal.application import remember_recipes
from portal.sources import catalogue, shelf

KEYS = {"NUMVERIFY_KEY": "a-very-secret-key"}


@pytest.fixture(autouse=True)
def own_recipes(app: Flask, tmp_path: Path):
    """A portal without a folder of recipes, as it is after its installation."""
    app.config["SOURCES_DIR"] = tmp_path / "sources"
    catalogue.configure(None, tmp_path / "sources", {})
    remember_recipes(app)
    yield
    catalogue.configure(None, tmp_path / "nowhere", {})


def test_it_says_what_each_provider_costs_and_covers(as_ada: FlaskClient) -> None:
    seen = as_ada.get("/admin/shelf").get_data(as_text=True)
    for one in shelf.all_recipes():
        assert one.entry.provider in seen and one.entry.documentation in seen
        assert all(f'name="{secret}"' in seen for secret in one.recipe.secrets)


@pytest.mark.parametrize("has_folder", [False, True])
def test_a_key_is_all_that_it_asks_for(app: Flask, as_ada: FlaskClient, tmp_path: Path, has_folder: bool) -> None:
    if has_folder:
        (tmp_path / "sources").mkdir()
    answer = as_ada.post("/admin/shelf/numverify", data=KEYS)
    assert answer.status_code == 302 and answer.location.endswith("/admin/sources/numverify")
    assert "numverify" in sources.names()
    assert (tmp_path / "sources" / "numverify.toml").is_file() is has_folder
    for address in ("/admin/shelf", "/admin/sources/numverify", "/admin/sources"):
        seen = as_ada.get(address).get_data(as_text=True)
        assert "numverify" in seen and KEYS["NUMVERIFY_KEY"] not in seen


def test_without_a_key_nothing_changes(as_ada: FlaskClient) -> None:
    answer = as_ada.post("/admin/shelf/numverify", data={"NUMVERIFY_KEY": " "}, follow_redirects=True)
    assert 'role="alert"' in answer.get_data(as_text=True) and "numverify" not in sources.names()
    assert as_ada.post("/admin/shelf/nobody", data=KEYS).status_code == 404


def test_a_recipe_that_is_there_stays_as_it_is(as_ada: FlaskClient, tmp_path: Path) -> None:
    (tmp_path / "sources").mkdir()
    mine = tmp_path / "sources" / "numverify.toml"
    mine.write_text("# mine")
    as_ada.post("/admin/shelf/numverify", data=KEYS)
    assert mine.read_text() == "# mine"
