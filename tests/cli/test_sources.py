"""`flask source list|test|try`."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskCliRunner

from portal import cli
from portal.application import remember_recipes
from portal.clock import utcnow
from portal.sources import catalogue
from portal.sources.recipe_store import RecipeStore
from portal.sources.recipes.folder import EXAMPLES
from tests.support.misbehaving import Misbehaving, always, misbehaving
from tests.support.recipes import JSON, LOOPBACK, SECRETS


@pytest.fixture
def server() -> Iterator[Misbehaving]:
    with misbehaving() as server:
        yield server


@pytest.fixture
def folder(app: Flask, server: Misbehaving) -> Iterator[Path]:
    """Return the application's folder of recipes, with one recipe in it."""
    app.config["DEFAULT_LOCALE"] = "en"
    folder = app.config["SOURCES_DIR"]
    folder.mkdir()
    (folder / "mine.toml").write_text(JSON.format(url=server.url, rate="100/s", concurrency=2, timeout=5))
    catalogue.configure(None, folder, SECRETS, LOOPBACK)
    yield folder
    catalogue.configure(None, folder / "nowhere", {})


def test_the_list_has_sources_and_mistakes(folder: Path, runner: FlaskCliRunner) -> None:
    (folder / "bad.toml").write_text('name = "bad"\nkind = "soap"\n')
    (folder / "poor.toml").write_text(
        (folder / "mine.toml").read_text().replace("TEST_KEY", "NO_KEY").replace("json-t", "poor-t")
    )
    catalogue.configure(None, folder, SECRETS, LOOPBACK)
    said = runner.invoke(args=["source", "list"]).output
    assert "offline" in said and "json-test" in said and "Up to 100 numbers a second." in said
    assert "bad.toml, line 2, kind: Use one of these: json, batch, html." in said
    assert (
        "poor.toml: the secret NO_KEY is missing. Set it with `flask --app app secret set`, or in secrets.env." in said
    )


def test_the_bundled_recipes_pass(folder: Path, runner: FlaskCliRunner) -> None:
    for path in EXAMPLES.glob("*.toml"):
        done = runner.invoke(args=["source", "test", path.stem])
        assert done.exit_code == 0, done.output
        assert re.search(rf"{path.name}: (\d) of \1 tests pass", done.output)


def test_a_failed_recipe_names_the_field(folder: Path, runner: FlaskCliRunner) -> None:
    (folder / "ok.json").write_text('{"status": "ok", "data": {"operator": "Orange"}}')
    with (folder / "mine.toml").open("a") as file:
        file.write('[[test]]\nnumber = "+34612345678"\nresponse = "ok.json"\nexpect = { operator = "Movistar" }\n')
    done = runner.invoke(args=["source", "test"])
    assert done.exit_code == 1
    assert "the field operator is “Orange” instead of “Movistar”" in done.output
    assert "1 recipe failed its tests." in done.output


def test_an_unknown_recipe(folder: Path, runner: FlaskCliRunner) -> None:
    done = runner.invoke(args=["source", "test", "nobody"])
    assert done.exit_code == 1 and "nobody" in done.output


def test_try_shows_request_and_response_without_secrets(
    folder: Path, runner: FlaskCliRunner, server: Misbehaving
) -> None:
    server.key = SECRETS["TEST_KEY"]
    done = runner.invoke(args=["source", "try", "json-test", "612 345 678"])
    assert done.exit_code == 0, done.output
    assert f"> GET {server.url}/v1/lookup/%2B34612345678" in done.output
    assert "> Authorization: Bearer •••" in done.output and SECRETS["TEST_KEY"] not in done.output
    assert "< 200" in done.output and '"operator": "Op 678"' in done.output
    assert "Operator now: Op 678" in done.output


@pytest.mark.parametrize(("fault", "words"), [("unauthorized", "our credentials"), ("error500", "did not answer")])
def test_try_says_why_there_is_no_answer(
    folder: Path, runner: FlaskCliRunner, server: Misbehaving, fault: str, words: str
) -> None:
    server.plan = always(fault)
    done = runner.invoke(args=["source", "try", "json-test", "612345678"])
    assert done.exit_code == 1 and words in done.output


def test_try_works_offline(folder: Path, runner: FlaskCliRunner) -> None:
    assert "Line type" in runner.invoke(args=["source", "try", "offline", "612345678"]).output


def test_an_answer_brings_no_control_character_to_the_terminal(
    folder: Path, runner: FlaskCliRunner, server: Misbehaving
) -> None:
    server.raw[""] = 200, "application/json", '{"status": "ok", "data": {"operator": "a\x9b31m\u2028b"}}'.encode()
    shown = runner.invoke(args=["source", "try", "json-test", "612345678"]).output
    assert "\\u2028b" in shown
    assert not re.findall("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]", shown)


def test_all_commands_print_through_one_door() -> None:
    """click prints whatever it is given; `cli.terminal` makes it printable first."""
    texts = {
        path.name: path.read_text() for path in Path(cli.__file__).parent.rglob("*.py") if path.name != "terminal.py"
    }
    raw = re.compile(r"click\.s?echo\(|\bprint\(|click\.ClickException\(")
    assert [name for name, text in texts.items() if raw.search(text)] == []


def test_recipes_in_the_database_are_tested_and_tried_where_there_is_no_folder(
    app: Flask, folder: Path, runner: FlaskCliRunner
) -> None:
    text = (folder / "mine.toml").read_text()
    own = """[[test]]
number = "+34612345678"
answer = '{"status": "ok", "data": {"operator": "Orange"}}'
expect = { operator = "Orange" }
"""
    (folder / "mine.toml").unlink()
    folder.rmdir()
    url = app.config["SQLALCHEMY_DATABASE_URI"]
    assert RecipeStore(url).keep({"kept.toml": text + own}, (), utcnow())
    catalogue.configure(None, folder, SECRETS, LOOPBACK)
    remember_recipes(app)
    done = runner.invoke(args=["source", "test", "json-test"])
    assert done.exit_code == 0 and "kept.toml: 1 of 1 tests pass." in done.output
    shown = runner.invoke(args=["source", "try", "json-test", "612345678"]).output
    assert "GET" in shown and "cannot be read" not in shown
