"""A new list over an old one on a telephone, with and without JavaScript: the earlier file is chosen, the two are
compared, and only what has changed is looked up."""

import csv
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.looking import NARROW, keep, sticking_out, violations
from tests.browser.tabs import Tabs
from tests.browser.walking import download, download_csv, figures, start, upload, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300)]


def listed(path: Path, numbers: range, changed: int = 0) -> Path:
    """A list of customers as an ERP writes it; every so many have another number."""
    rows = [f"C-{n:04};Ana {n % 9};{600100000 + n + (5000 if changed and n % changed == 0 else 0)}" for n in numbers]
    path.write_text("\n".join(["Cliente;Nombre;Teléfono", *rows]), encoding="utf-8")
    return path


def look(page: Page, name: str) -> None:
    keep(page, name)
    assert (violations(page), sticking_out(page)) == ([], [])
    page.reload()  # axe leaves empty styles, which a swap would copy and the policy refuse


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_on_a_telephone(tabs: Tabs, here: str, signed_in: Any, tmp_path: Path, script: bool) -> None:
    ends = "con" if script else "sin"
    page = tabs.open(
        here, storage_state=signed_in, java_script_enabled=script, viewport={"width": NARROW, "height": 740},
        color_scheme="dark" if script else "light",
    )  # fmt: skip
    upload(page, listed(tmp_path / f"enero {ends}.csv", range(60)))
    start(page)
    wait_for(page, "completed")

    upload(page, listed(tmp_path / f"febrero {ends}.csv", range(10, 70), 20))
    assert figures(page)["to_look_up"] == 60
    page.get_by_role("link", name="I have an earlier list").click()
    page.wait_for_url("**/earlier-list*")
    if script:
        look(page, "earlier-list-choose")
    page.get_by_role("button", name="Compare with this one").first.click()
    said = page.locator(".merge-said")
    expect(said).to_have_text("48 rows with the same phone, 2 with another phone, 10 new, 10 no longer there.")
    expect(page.locator("#merge")).to_contain_text("compared by the column A · Cliente")
    assert figures(page)["to_look_up"] == 12 and figures(page)["carried"] == 48
    if script:
        look(page, "earlier-list-compared")
        page.select_option("#merge-asks", "all")
        expect(page.locator("[data-figure=to_look_up] b")).to_have_text("60")
        page.select_option("#merge-key", "2")  # the telephone itself
        expect(said).to_have_text("48 rows with the same phone, 0 with another phone, 12 new, 12 no longer there.")
        page.select_option("#merge-key", "0")
        expect(said).to_contain_text("2 with another phone")
        page.select_option("#merge-asks", "unanswered")
        expect(page.locator("[data-figure=to_look_up] b")).to_have_text("12")
    start(page)
    wait_for(page, "completed")
    rows = list(csv.DictReader(StringIO(download_csv(page)), delimiter=";"))
    told = [row["Compared with the earlier list"] for row in rows]
    assert (told.count("Same phone"), told.count("New row"), len(rows)) == (48, 10, 60)
    assert told[10] == "Other phone: it was 600100020"
    if script:
        look(page, "earlier-list-job")
    gone = download(page, "#job-merge a[href$='earlier-rows']")
    rows = list(csv.DictReader(StringIO(gone.read_text("utf-8-sig"))))
    assert [row["Cliente"] for row in rows] == [f"C-{n:04}" for n in range(10)] and rows[0]["Status"] == "Found"
