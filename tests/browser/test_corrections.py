"""Bad cells are brought to none with the keyboard alone, with and without JavaScript: forty of 300 on the check page,
and those that are left on the job's page when it has ended."""

import csv
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

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


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_after_the_job_with_the_keyboard_alone(
    tabs: Tabs, here: str, signed_in: Any, tmp_path: Path, script: bool
) -> None:
    file = tmp_path / "despues.csv"
    cells = ["600200001", "60020OO02", "pedir a Ana", "pedir a Luis", "600200003"]
    file.write_text("\n".join(["Nombre;Teléfono", *(f"Ana;{cell}" for cell in cells)]), encoding="utf-8")
    tabs.forgive("status of 422")  # a number that is none
    page = tabs.open(here, storage_state=signed_in, java_script_enabled=script)
    upload(page, file)
    start(page)
    ended(page, script=script)
    expect(page.locator("#fix input[data-fix]")).to_have_count(3)

    page.locator("#fix [name=accept][value=letters]").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#fix input[data-fix]")).to_have_count(2)
    page.locator("#fix input[data-fix]").first.focus()
    for number in ("600200004", "12"):  # the second one is none
        page.keyboard.type(number)
        page.keyboard.press("Enter" if script else "Tab")
    if not script:
        page.keyboard.press("Shift+Tab")
        page.keyboard.press("Enter")
    expect(page.locator("#fix input[data-fix]")).to_have_count(1)
    wrong = page.locator("#fix [aria-invalid=true]")
    expect(wrong).to_have_value("12")
    if script:
        expect(wrong).to_be_focused()
    else:
        wrong.focus()
    page.keyboard.press("Control+A")
    page.keyboard.type("600200005")
    page.keyboard.press("Enter")
    expect(page.locator("#fix input[data-fix]")).to_have_count(0)
    page.locator("#fix [name=look_up]").focus()
    page.keyboard.press("Enter")
    ended(page, script=script)
    expect(page.locator("#fix")).to_have_count(0)
    rows = list(csv.DictReader(StringIO(download_csv(page)), delimiter=";"))
    assert [row["Teléfono"] for row in rows] == cells
    assert [row["Corrected number"].lstrip("'") for row in rows] == [
        "", "+34600200002", "+34600200004", "+34600200005", "",
    ]  # fmt: skip
    assert {row["Status"] for row in rows} == {"Found"}


def ended(page: Page, *, script: bool) -> None:
    """Until the job has ended; without a script the page is opened again and again."""
    if script:
        wait_for(page, "completed")
        return
    for _ in range(60):
        if page.locator("#job-live").get_attribute("data-status") == "completed":
            return
        page.wait_for_timeout(250)
        page.reload()
    pytest.fail("the job did not end")
