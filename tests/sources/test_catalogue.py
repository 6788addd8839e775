"""Recipes and secrets are taken up while the portal runs, and a broken file does not take a working source away."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from portal import sources
from portal.sources import catalogue
from portal.sources.http.source import HttpSource
from portal.sources.recipes.folder import RecipeFile
from tests.support.recipes import JSON


class Clock:
    """Goes on two seconds at each question, so that every look is due; `slow` keeps it."""

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
def look() -> Callable[[], bool]:
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


def test_a_new_recipe_is_offered_a_changed_one_is_read_and_a_removed_one_is_gone(
    folder: Path, look: Callable[[], bool]
) -> None:
    assert "one" not in sources.names()
    path = write(folder)
    assert look() and "one" in sources.names()
    first = sources.get("one")
    assert not look(), "nothing has changed"
    write(folder, title="Another title")
    assert look() and sources.facts_of("one").title == {"": "Another title"}
    assert sources.get("one") is not first
    path.unlink()
    assert look() and "one" not in sources.names()


def test_a_broken_file_keeps_its_last_good_version_and_says_what_is_wrong(
    folder: Path, look: Callable[[], bool]
) -> None:
    path = write(folder)
    look()
    good = sources.get("one")
    path.write_text('name = "one"\nkind = "telepathy"\n')
    look()
    assert only().mistakes and only().kept is not None and only().usable and not only().valid
    assert sources.get("one") is good
    path.write_text("name = ")  # half written
    look()
    assert sources.get("one") is good
    write(folder, title="Well again")
    look()
    assert only().valid and only().kept is None and sources.get("one") is not good


def test_one_that_was_never_good_is_offered_to_nobody(folder: Path, look: Callable[[], bool]) -> None:
    (folder / "bad.toml").write_text('name = "bad"\n')
    look()
    assert not only().usable and "bad" not in sources.names()


def test_a_good_file_of_the_same_name_comes_before_a_broken_ones_last_version(
    folder: Path, look: Callable[[], bool]
) -> None:
    path = write(folder)
    look()
    path.write_text("broken")
    (folder / "two.toml").write_text(write(folder, "zzz").read_text().replace('"zzz"', '"one"'))
    (folder / "zzz.toml").unlink()
    look()
    assert [(one.path.name, one.usable) for one in catalogue.recipe_files()] == [
        ("one.toml", False),
        ("two.toml", True),
    ]
    assert "one" in sources.names()


def test_other_sources_stay_the_objects_that_they_are(folder: Path, look: Callable[[], bool]) -> None:
    write(folder)
    look()
    first = sources.get("one")
    write(folder, "two")
    assert look() and sources.get("one") is first


def test_a_secret_of_the_file_is_taken_up_and_wins_and_a_removed_one_is_missed(
    folder: Path, tmp_path: Path, look: Callable[[], bool]
) -> None:
    write(folder)
    look()
    secrets = tmp_path / "secrets.env"
    secrets.write_text("TEST_KEY='new $and {odd}'\n")
    assert look()
    source = sources.get("one")
    assert isinstance(source, HttpSource) and source._environ["TEST_KEY"] == "new $and {odd}"
    secrets.write_text("TEST_KEY=\n")
    assert look() and only().missing == ("TEST_KEY",)
    assert not only().usable, "its last good version would have no secret either"
    secrets.unlink()
    assert look() and only().usable


def test_a_file_of_secrets_that_cannot_be_read_changes_nothing(
    folder: Path, tmp_path: Path, look: Callable[[], bool]
) -> None:
    write(folder)
    (tmp_path / "secrets.env").write_text("TEST_KEY=good\n")
    look()
    (tmp_path / "secrets.env").write_bytes(b"TEST_KEY=\xff\xfe\n")
    look()
    assert only().usable and sources.get("one")._environ["TEST_KEY"] == "good"  # type: ignore[attr-defined]


def test_a_sample_that_comes_later_heals_its_recipe(folder: Path, look: Callable[[], bool]) -> None:
    write(folder, more='[[test]]\nnumber = "+34612345678"\nresponse = "ok.json"\n')
    look()
    assert not only().usable
    (folder / "ok.json").write_text("{}")
    assert look() and only().usable


def test_the_files_are_looked_at_once_a_second_at_most(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    looks: list[int] = []
    monkeypatch.setattr(catalogue, "_stamp", lambda: looks.append(1) or ())
    clock.step = 0.1
    for _ in range(25):
        catalogue.refresh(clock)
    assert len(looks) == 3


def test_a_folder_that_is_gone_takes_nothing_down(folder: Path, look: Callable[[], bool]) -> None:
    path = write(folder)
    look()
    path.unlink()
    os.rmdir(folder)
    assert look() and catalogue.recipe_files() == ()
