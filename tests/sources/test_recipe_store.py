"""The last good text of a recipe outlives a restart with a mistake, and reaches a machine that has no folder."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask
from redis import Redis

from portal import sources
from portal.application import remember_recipes
from portal.clock import utcnow
from portal.database import db
from portal.sources import catalogue
from portal.sources.recipe_store import KeptRecipe, RecipeStore
from portal.sources.saved_bell import SavedBell
from tests.sources.test_catalogue import Clock, write
from tests.support.databases import ON_BOTH

SECRETS = {"TEST_KEY": "x"}


@pytest.fixture
def folder(app: Flask, tmp_path: Path) -> Iterator[Path]:
    (folder := tmp_path / "sources").mkdir()
    yield folder
    catalogue.configure(None, tmp_path / "nothing", {})


@pytest.fixture
def restart(app: Flask) -> Callable[..., None]:
    """A new process, on a machine with this folder."""

    def start(folder: Path, secrets: dict[str, str] = SECRETS) -> None:
        db.session.rollback()
        catalogue.configure(None, folder, secrets)
        remember_recipes(app)

    return start


@pytest.fixture
def refresh() -> Callable[[], bool]:
    clock = Clock()
    clock.step = catalogue.STORE_SECONDS + 1
    return lambda: catalogue.refresh(clock)


def kept() -> dict[str, str]:
    db.session.rollback()
    found = {one.file: one.text for one in db.session.scalars(db.select(KeptRecipe))}
    db.session.rollback()  # on SQLite our transaction would keep the catalogue's writes waiting
    return found


@ON_BOTH
def test_a_restart_with_a_mistake_goes_on_with_the_last_good_text(
    folder: Path, restart: Callable[..., None], refresh: Callable[[], bool]
) -> None:
    path = write(folder, title="Good")
    sample = folder / "sample.json"
    sample.write_text("{}")
    path.write_text(path.read_text() + '[[test]]\nnumber = "+34612345678"\nresponse = "sample.json"\n')
    restart(folder)
    version = sources.data_version("one")
    path.write_text("name = ")
    restart(folder)
    (found,) = catalogue.recipe_files()
    assert found.usable and not found.valid, "offered, and listed with its mistake"
    assert sources.data_version("one") == version, "answers that were paid for stay good"
    assert kept()["one.toml"].count("[[test]]") == 1
    write(folder, title="Better")
    assert refresh() and 'title = "Better"' in kept()["one.toml"]
    path.unlink()
    assert refresh() and "one" not in sources.names() and kept() == {}


@ON_BOTH
def test_a_machine_without_the_folder_follows_the_one_that_has_it(
    folder: Path, restart: Callable[..., None], refresh: Callable[[], bool], tmp_path: Path
) -> None:
    write(folder)
    restart(folder)
    first = sources.data_version("one")
    restart(tmp_path / "not here")
    assert sources.data_version("one") == first and sources.get("one").concurrency
    with db.session.begin():
        row = db.session.get_one(KeptRecipe, "one.toml")
        row.text = row.text.replace('title = "one"', 'title = "Newer"')
    db.session.rollback()
    assert refresh() and sources.data_version("one") != first
    assert not refresh(), "nothing has changed"
    restart(tmp_path / "not here", {})
    assert "one" not in sources.names(), "without its secret nobody can use it"
    shutil.rmtree(folder)
    folder.mkdir()
    restart(folder)
    assert "one" not in sources.names(), "an empty folder is one without recipes"
    assert list(kept()) == ["one.toml"], "another machine may have it"


def test_without_its_table_everything_goes_on(app: Flask, folder: Path, restart: Callable[..., None]) -> None:
    write(folder)
    db.drop_all()
    restart(folder)
    assert "one" in sources.names()


def test_what_another_process_says_that_it_saved_is_read_at_the_next_look(
    app: Flask, folder: Path, restart: Callable[..., None], valkey: str
) -> None:
    """The table is asked once a minute; whoever saves something says so by Redis, as nothing else needs to be asked."""
    text = write(folder).read_text()
    shutil.rmtree(folder)
    with Redis.from_url(valkey) as redis, Redis.from_url(valkey) as other:
        redis.flushall()
        catalogue.configure(redis, folder, SECRETS)
        remember_recipes(app)
        store, clock = RecipeStore(app.config["SQLALCHEMY_DATABASE_URI"]), Clock()
        assert not catalogue.refresh(clock)  # by this clock the table was just asked
        clock.step = catalogue.CHECK_SECONDS + 0.1
        assert store.keep({"one.toml": text}, (), utcnow())
        assert not catalogue.refresh(clock) and sources.names() == ("offline",)
        SavedBell(other).ring()
        assert catalogue.refresh(clock) and "one" in sources.names()
        assert not catalogue.refresh(clock)
        redis.flushall()  # rubbish or nothing: it is only asked once more
        other.set(SavedBell(other).key, b"\xff{")
        assert not catalogue.refresh(clock) and "one" in sources.names()
