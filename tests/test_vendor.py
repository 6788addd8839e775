"""What others wrote and we carry along: unchanged, with its licence, and the bundle really is its parts."""

import base64
import hashlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = [ROOT / "static/vendor/htmx-4.0.1", ROOT / "tests/vendor/axe-core-4.14.1"]


def sums(folder: Path) -> dict[str, str]:
    """The sums that VERSION lists, by file name."""
    lines = (folder / "VERSION").read_text().splitlines()
    return {name: digest for digest, name in (line.split() for line in lines if line.startswith("sha384-"))}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_file_is_listed_with_the_sum_it_has(folder: Path) -> None:
    listed = sums(folder)
    assert set(listed) == {file.name for file in folder.iterdir()} - {"VERSION"}
    for name, digest in listed.items():
        made = base64.b64encode(hashlib.sha384((folder / name).read_bytes()).digest()).decode()
        assert digest == f"sha384-{made}", name


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_licence_and_the_origin_stand_beside_the_files(folder: Path) -> None:
    assert (folder / "LICENSE").stat().st_size > 100
    assert "from the npm package" in (folder / "VERSION").read_text()


def test_no_other_folder_is_carried_along() -> None:
    found = {folder for place in ("static/vendor", "tests/vendor") for folder in (ROOT / place).iterdir()}
    assert found == set(FOLDERS)


def test_no_script_of_ours_evaluates_text_or_asks_another_host() -> None:
    for script in (ROOT / "static").glob("*.js"):
        text = script.read_text()
        for word in ("eval(", "new Function", "http://", "https://", ".style.", "setAttribute('style"):
            assert word not in text, (script.name, word)
