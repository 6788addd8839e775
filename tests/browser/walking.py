"""The way of a file through the portal's pages, as a person walks it, and what a person reads there."""

import re
from collections import Counter
from pathlib import Path
from typing import Any

from openpyxl import load_workbook
from playwright.sync_api import Page, expect

EMAIL, PASSWORD = "ada@example.com", "correct horse battery"
Rows = list[list[Any]]


def upload(page: Page, path: Path) -> None:
    """From the first page to the check page of this file, once it has been read."""
    page.goto("/")
    page.set_input_files("#file", path)
    if page.locator("form[enctype] button").is_visible():  # without a script
        page.click("form[enctype] button")
    page.wait_for_url(re.compile(r"/documents/\d+"))
    expect(page.locator("#figures")).to_be_visible()


def figures(page: Page) -> dict[str, int]:
    """What the check page says the file comes to."""
    tiles = page.locator("#figures [data-figure]").all()
    return {str(tile.get_attribute("data-figure")): whole(tile.locator("b").inner_text()) for tile in tiles}


def start(page: Page) -> None:
    """From the check page to the job's page."""
    page.click("#start-bar button[data-kind=primary]")
    page.wait_for_url(re.compile(r"/jobs/\d+"))


def wait_for(page: Page, status: str) -> None:
    """Until the open page says so by itself."""
    expect(page.locator("#job-live")).to_have_attribute("data-status", status)


def sums(page: Page) -> Counter[str]:
    """The tiles of the job's page: how many rows each word stands for."""
    tiles = page.locator("#job-live .tile").all()
    counted = {tile.locator("span").inner_text(): whole(tile.locator("b").inner_text()) for tile in tiles}
    return Counter({word: count for word, count in counted.items() if count})


def download(page: Page, link: str = "#job-download") -> Path:
    """The file that the link gives, under a path of the browser's; the job page's main one unless said."""
    with page.expect_download() as coming:
        page.click(link)
    assert coming.value.failure() is None
    return Path(coming.value.path())


def download_csv(page: Page) -> str:
    """The text that the second download gives."""
    page.click("#job-get-more > summary")
    return download(page, "#job-get-more a[href$='.csv']").read_text("utf-8-sig")


def download_excel(page: Page) -> Path:
    """The workbook of a file that is none: the main download, or for those with a format of their own another."""
    link = "#job-get-more a[href$='.xlsx']"
    if not page.locator(link).count():
        return download(page)
    page.click("#job-get-more > summary")
    return download(page, link)


def rows_of(path: Path, sheet: str | None = None) -> Rows:
    """Every row of a workbook's sheet, the first one unless named, as openpyxl reads it."""
    with path.open("rb") as file:  # a download's path has no ending, and openpyxl wants one
        workbook = load_workbook(file)
        found = workbook[sheet] if sheet else workbook.worksheets[0]
        return [list(row) for row in found.iter_rows(values_only=True)]


def whole(text: str) -> int:
    """A figure as it is written for people: 4,812."""
    return int(re.sub(r"\D", "", text))
