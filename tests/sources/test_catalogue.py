"""Recipes and secrets are read while the portal runs, and a broken file does not remove a working source."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from portal import sources
from portal.sources import catalogue
from portal.sources.catalogue_state import CatalogueState
from portal.sources.http.source import HttpSource
from portal.sources.recipes.folder import RecipeFile
from tests.support.recipes import JSON


class Clock:
    """Advances by `step` at each call: by two seconds, so that every check is due."""

    def __init__(self) -> None:
        self.now = 1e9
        self.step = 2.0

    def __call__(self) -> float:
        self.now += self.step
        return self.now


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "sources"
    folder.mkdir()
    catalogue.configure(None, folder, {"TEST_KEY": "from the start"}, secrets_file=tmp_path / "secrets.env")
    yield folder
    catalogue.configure(None, tmp_path / "nothing", {})


@pytest.fixture
def refresh() -> Callable[[], bool]:
    clock = Clock()
    return lambda: catalogue.refresh(clock)


def write(folder: Path, name: str = "one", title: str = "", more: str = "") -> Path:
    path = folder / f"{name}.toml"
    text = JSON.format(url="http://127.0.0.1:9", rate="5/s", concurrency=2, timeout=1).replace("json-test", name)
    path.write_text(f'title = "{title or name}"\n{text}{more}')
    return path


def only() -> RecipeFile:
    (found,) = catalogue.recipe_files()
    return found


def test_it_follows_new_changed_and_removed_recipes(folder: Path, refresh: Callable[[], bool]) -> None:
    assert "one" not in sources.names()
    path = write(folder)
    assert refresh() and "one" in sources.names()
    first = sources.get("one")
    assert not refresh(), "nothing has changed"
    write(folder, title="Another title")
    assert refresh() and sources.facts_of("one").title == {"": "Another title"}
    assert sources.get("one") is not first
    path.unlink()
    assert refresh() and "one" not in sources.names()


def test_a_broken_file_keeps_its_last_good_version(folder: Path, refresh: Callable[[], bool]) -> None:
    path = write(folder)
    refresh()
    good = sources.get("one")
    path.write_text('name = "one"\nkind = "telepathy"\n')
    refresh()
    assert only().mistakes and only().kept is not None and only().usable and not only().valid
    assert sources.get("one") is good
    path.write_text("name = ")  # half written
    refresh()
    assert sources.get("one") is good
    write(folder, title="Well again")
    refresh()
    assert only().valid and only().kept is None and sources.get("one") is not good


def test_a_recipe_that_was_never_valid_is_not_offered(folder: Path, refresh: Callable[[], bool]) -> None:
    (folder / "bad.toml").write_text('name = "bad"\n')
    refresh()
    assert not only().usable and "bad" not in sources.names()


def test_a_valid_file_replaces_a_broken_one_of_the_same_name(folder: Path, refresh: Callable[[], bool]) -> None:
    path = write(folder)
    refresh()
    path.write_text("broken")
    (folder / "two.toml").write_text(write(folder, "zzz").read_text().replace('"zzz"', '"one"'))
    (folder / "zzz.toml").unlink()
    refresh()
    assert [(one.path.name, one.usable) for one in catalogue.recipe_files()] == [
        ("one.toml", False),
        ("two.toml", True),
    ]
    assert "one" in sources.names()


def test_other_sources_stay_the_same_objects(folder: Path, refresh: Callable[[], bool]) -> None:
    write(folder)
    refresh()
    first = sources.get("one")
    write(folder, "two")
    assert refresh() and sources.get("one") is first


def test_a_secret_in_the_file_wins_until_it_is_removed(
    folder: Path, tmp_path: Path, refresh: Callable[[], bool]
) -> None:
    write(folder)
    refresh()
    secrets = tmp_path / "secrets.env"
    secrets.write_text("TEST_KEY='new $and {odd}'\n")
    assert refresh()
    source = sources.get("one")
    assert isinstance(source, HttpSource) and source._environ["TEST_KEY"] == "new $and {odd}"
    secrets.write_text("TEST_KEY=\n")
    assert refresh() and only().missing == ("TEST_KEY",)
    assert not only().usable, "its last good version would have no secret either"
    secrets.unlink()
    assert refresh() and only().usable


def test_an_unreadable_secrets_file_changes_nothing(folder: Path, tmp_path: Path, refresh: Callable[[], bool]) -> None:
    write(folder)
    (tmp_path / "secrets.env").write_text("TEST_KEY=good\n")
    refresh()
    (tmp_path / "secrets.env").write_bytes(b"TEST_KEY=\xff\xfe\n")
    refresh()
    assert only().usable and sources.get("one")._environ["TEST_KEY"] == "good"  # type: ignore[attr-defined]


def test_a_sample_that_comes_later_heals_its_recipe(folder: Path, refresh: Callable[[], bool]) -> None:
    write(folder, more='[[test]]\nnumber = "+34612345678"\nresponse = "ok.json"\n')
    refresh()
    assert not only().usable
    (folder / "ok.json").write_text("{}")
    assert refresh() and only().usable


def test_it_checks_the_files_once_a_second(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    looks: list[int] = []
    monkeypatch.setattr(CatalogueState, "stamp_now", lambda self: looks.append(1) or ())
    clock.step = 0.1
    for _ in range(25):
        catalogue.refresh(clock)
    assert len(looks) == 3


def test_a_missing_folder_is_no_error(folder: Path, refresh: Callable[[], bool]) -> None:
    path = write(folder)
    refresh()
    path.unlink()
    os.rmdir(folder)
    assert refresh() and catalogue.recipe_files() == ()
