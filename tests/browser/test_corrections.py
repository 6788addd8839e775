"""Forty bad cells of 300 are brought to none on the check page with the keyboard alone, with and without JavaScript."""

import csv
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.tabs import Tabs
from tests.browser.walking import download_csv, figures, start, upload, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300)]
BAD = 40


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_with_the_keyboard_alone(tabs: Tabs, here: str, signed_in: Any, tmp_path: Path, script: bool) -> None:
    cells = [f"600{n:06}" for n in range(300 - BAD)]
    offered = [f"61{n:02}1122O" for n in range(20)]  # the letter O
    unreadable = [f"pedir a Ana {n}" for n in range(20)]
    file = tmp_path / "lista.csv"
    lines = [f"Ana;{cell}" for cell in (*cells, *offered, *unreadable)]
    file.write_text("\n".join(["Nombre;Teléfono", *lines]), encoding="utf-8")
    page = tabs.open(here, storage_state=signed_in, java_script_enabled=script)
    upload(page, file)
    expect(page.locator("#fix")).to_be_visible()
    assert figures(page)["invalid"] == BAD

    page.locator("[name=accept][value=letters]").focus()
    page.keyboard.press("Enter")
    expect(page.locator("[data-figure=invalid] b")).to_have_text("20")

    page.locator("input[data-fix]").first.focus()
    for n in range(20):
        page.keyboard.type(f"622{n:03}345")
        page.keyboard.press("Enter" if script else "Tab")
    if not script:
        page.keyboard.press("Shift+Tab")
        page.keyboard.press("Enter")
    expect(page.locator("[data-figure=invalid] b")).to_have_text("0")
    page.reload()
    expect(page.locator("#corrected tbody tr")).to_have_count(BAD)

    start(page)
    if not script:  # the rest is the same
        return
    wait_for(page, "completed")
    rows = list(csv.DictReader(StringIO(download_csv(page)), delimiter=";"))
    given = {row["Teléfono"]: row["Corrected number"].lstrip("'") for row in rows if row["Corrected number"]}
    assert given == {
        **{cell: f"+34{cell[:-1]}0" for cell in offered},
        **{cell: f"+34622{n:03}345" for n, cell in enumerate(unreadable)},
    }
    assert len(rows) == 300
