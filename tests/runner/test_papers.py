"""The operator's documentation is up to date: README, `.env.example`, `make help`."""

import re
import subprocess

import pytest

from portal.config import ROOT, SETTINGS, Setting

README = (ROOT / "README.md").read_text()
EXAMPLE = (ROOT / ".env.example").read_text()


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_the_readme_has_every_setting(setting: Setting) -> None:
    row = re.search(rf"^\| `{setting.name}` \| (.*?) \| .+ \|$", README, re.M)
    assert row, f"{setting.name} has no row in the table"
    assert row[1] == (f"`{setting.default}`" if setting.default else "–")


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_the_example_has_every_setting(setting: Setting) -> None:
    assert f"\n# {setting.name}={setting.default}\n" in f"\n{EXAMPLE}\n"


def test_neither_has_unknown_settings() -> None:
    known = {setting.name for setting in SETTINGS}
    assert set(re.findall(r"^\| `([A-Z_]+)` \|", README, re.M)) <= known
    assert set(re.findall(r"^#? ?([A-Z_]+)=", EXAMPLE, re.M)) <= known


def test_make_prints_every_command() -> None:
    shown = subprocess.run(["make", "-s"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for command in ("run", "test", "check", "bench", "chaos", "seed", "lock", "clean"):
        assert re.search(rf"^  make {command} +\S", shown, re.M)
