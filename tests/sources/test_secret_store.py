"""Secrets that are kept for all machines: encrypted, never shown, and beaten by those of the machine itself."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient, FlaskCliRunner

from portal import audit, sources
from portal.accounts import User
from portal.application import remember_recipes
from portal.clock import utcnow
from portal.database import db
from portal.jobs.health.secrets import SecretPlace, secrets_listed
from portal.sources import catalogue, secret_store
from portal.sources.secret_store import Cipher, KeptSecret
from tests.sources.test_catalogue import Clock, write
from tests.support.databases import ON_BOTH

VALUE = "a-very-secret-key"


@pytest.fixture
def folder(app: Flask, tmp_path: Path) -> Iterator[Path]:
    (folder := tmp_path / "sources").mkdir()
    yield folder
    catalogue.configure(None, tmp_path / "nothing", {})


@pytest.fixture
def restart(app: Flask) -> Callable[..., None]:
    """A new process, on a machine with this folder and these variables."""

    def start(folder: Path, environ: dict[str, str]) -> None:
        db.session.rollback()
        catalogue.configure(None, folder, environ)
        remember_recipes(app)

    return start


def place(app: Flask, name: str = "TEST_KEY") -> SecretPlace:
    db.session.rollback()
    return {one.name: one.place for one in secrets_listed(app.config["SIGNING_KEYS"])}[name]


@ON_BOTH
def test_a_secret_reaches_processes_that_run_already(
    app: Flask, folder: Path, restart: Callable[..., None], tmp_path: Path
) -> None:
    write(folder)
    restart(folder, {})
    assert "one" not in sources.names() and place(app) == SecretPlace.NOWHERE
    secret_store.save("TEST_KEY", VALUE, app.config["SIGNING_KEYS"], "ada@example.com", utcnow())
    assert VALUE not in db.session.scalar(db.select(KeptSecret.token))
    db.session.rollback()
    clock = Clock()
    clock.step = catalogue.SECRETS_SECONDS + 1
    assert catalogue.refresh(clock) and "one" in sources.names() and place(app) == SecretPlace.DATABASE
    assert catalogue.without_secrets(f"key={VALUE}") == catalogue.without_secrets(f"key={VALUE}").replace(VALUE, "")
    assert not catalogue.refresh(clock), "nothing has changed"
    restart(tmp_path / "not here", {})
    (found,) = catalogue.recipe_files()
    assert found.valid, "a machine with neither folder nor secrets has both from the database"
    assert secret_store.forget("TEST_KEY", "ada@example.com", utcnow())
    assert not secret_store.forget("TEST_KEY", "ada@example.com", utcnow())
    assert catalogue.refresh(clock) and "one" not in sources.names()
    (found,) = catalogue.recipe_files()
    assert (found.missing, found.mistakes) == (("TEST_KEY",), ())


def test_what_is_set_on_the_machine_wins(app: Flask, folder: Path, restart: Callable[..., None]) -> None:
    write(folder)
    secret_store.save("TEST_KEY", VALUE, app.config["SIGNING_KEYS"], "ada@example.com", utcnow())
    restart(folder, {"TEST_KEY": "mine"})
    assert catalogue.without_secrets("mine") != "mine" and catalogue.without_secrets(VALUE) == VALUE
    assert place(app) == SecretPlace.HERE
    restart(folder, {"TEST_KEY": " "})
    assert catalogue.without_secrets(VALUE) != VALUE, "an empty one is none"


def test_tokens_are_read_with_earlier_keys_and_only_under_their_name() -> None:
    old, new = "o" * 40, "n" * 40
    token = Cipher([old]).encrypt("KEY", VALUE)
    assert Cipher([old, new]).decrypt("KEY", token) == VALUE
    assert Cipher([new]).decrypt("KEY", token) is None
    assert Cipher([old]).decrypt("OTHER", token) is None
    assert Cipher([old]).decrypt("KEY", token[:-4]) is None


def test_a_change_of_the_key_is_seen_and_mended(
    app: Flask, folder: Path, restart: Callable[..., None], runner: FlaskCliRunner
) -> None:
    write(folder)
    old, new = "o" * 40, "n" * 40
    secret_store.save("TEST_KEY", VALUE, [old], "ada@example.com", utcnow())
    app.config["SIGNING_KEYS"] = [new]
    restart(folder, {})
    assert place(app) == SecretPlace.UNREADABLE and "one" not in sources.names()
    failed = runner.invoke(args=["secret", "renew"])
    assert failed.exit_code == 1 and "TEST_KEY" in failed.output
    app.config["SIGNING_KEYS"] = [old, new]
    assert runner.invoke(args=["secret", "renew"]).exit_code == 0
    app.config["SIGNING_KEYS"] = [new]
    restart(folder, {})
    assert place(app) == SecretPlace.DATABASE and "one" in sources.names()


def test_commands_set_list_and_delete_without_showing_a_value(
    app: Flask, folder: Path, restart: Callable[..., None], runner: FlaskCliRunner
) -> None:
    write(folder)
    restart(folder, {})
    done = runner.invoke(args=["secret", "set", "TEST_KEY", "--stdin"], input=f"{VALUE}\n")
    listed = runner.invoke(args=["secret", "list"])
    assert "TEST_KEY" in listed.output and "one" in listed.output and VALUE not in done.output + listed.output
    assert runner.invoke(args=["secret", "set", "TEST_KEY", "--stdin"], input="\n").exit_code == 1
    assert [runner.invoke(args=["secret", "delete", "TEST_KEY"]).exit_code for _ in range(2)] == [0, 1]


def test_a_recipe_is_kept_without_a_folder(
    app: Flask, folder: Path, restart: Callable[..., None], runner: FlaskCliRunner, tmp_path: Path
) -> None:
    path = write(folder)
    restart(tmp_path / "not here", {"TEST_KEY": "x"})
    (wrong := tmp_path / "wrong.toml").write_text("name = ")
    assert runner.invoke(args=["source", "save", str(wrong)]).exit_code == 1
    clock = Clock()
    clock.step = catalogue.STORE_SECONDS + 1
    assert runner.invoke(args=["source", "save", str(path)]).exit_code == 0
    assert catalogue.refresh(clock) and "one" in sources.names()
    assert runner.invoke(args=["source", "forget", path.name]).exit_code == 0
    assert catalogue.refresh(clock) and "one" not in sources.names()


def test_an_administrator_sets_a_secret_and_nobody_reads_it(
    app: Flask, folder: Path, restart: Callable[..., None], as_ada: FlaskClient, as_alice: FlaskClient, ada: User
) -> None:
    write(folder)
    restart(folder, {})
    assert 'data-place="nowhere"' in as_ada.get("/admin/sources").text
    assert as_ada.post("/admin/secrets", data={"name": "TEST_KEY", "value": VALUE}).status_code == 303
    page = as_ada.get("/admin/sources").text
    assert 'data-place="database"' in page and VALUE not in page
    assert "one" in sources.names(), "this process uses it at once"
    for wrong in ({"name": "TEST_KEY", "value": ""}, {"name": "no name", "value": "x"}):
        as_ada.post("/admin/secrets", data=wrong)
    assert as_alice.post("/admin/secrets", data={"name": "TEST_KEY", "value": "hers"}).status_code == 404
    assert as_ada.post("/admin/secrets/TEST_KEY/delete").status_code == 303
    page = as_ada.get("/admin/sources").text
    assert 'data-place="nowhere"' in page
    db.session.rollback()
    noted = [(one.verb, one.object_id, one.facts) for one in audit.entries().entries]
    assert noted == [("secret_deleted", "TEST_KEY", {}), ("secret_set", "TEST_KEY", {})]
