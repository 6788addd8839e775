"""Takes the pictures of docs/design.md: `make pictures`. They show the pages of the gallery, so that they are the same
each time but for the dates."""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, NamedTuple

from playwright.sync_api import Browser, sync_playwright

from portal.config import ROOT
from tests.browser.gallery import Gallery, gallery
from tests.browser.tabs import tabs_in
from tests.support.cast import PASSWORD
from tests.support.chromium import ARGUMENTS, chromium_path

FOLDER = ROOT / "docs" / "design"


class Picture(NamedTuple):
    """A page of the gallery, as wide as a desk's screen or a telephone's, by day or by night."""

    name: str
    page: str
    theme: Literal["light", "dark"]
    width: int
    height: int


PICTURES = (
    Picture("first-visit", "home-first-visit", "light", 960, 760),
    Picture("check", "check-ready", "light", 960, 560),
    Picture("result", "job-completed", "light", 960, 640),
    Picture("result-dark", "job-completed", "dark", 960, 640),
    Picture("telephone", "job-processing", "dark", 360, 640),
)


def take(made: Gallery, browser: Browser, folder: Path) -> None:
    """Write each picture into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with tabs_in(browser) as tabs:
        for picture in PICTURES:
            person, path = made.pages[picture.page]
            size = {"width": picture.width, "height": picture.height}
            page = tabs.open(made.address, locale="es-ES", color_scheme=picture.theme, viewport=size)
            page.goto("/login")
            page.fill("[name=email]", person)
            page.fill("[name=password]", PASSWORD)
            page.click("main form button.btn")
            page.wait_for_url(made.address + "/")
            page.goto(path)
            page.screenshot(path=folder / f"{picture.name}.png")


def main(folder: Path) -> None:
    """Take them all."""
    with TemporaryDirectory() as data, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=list(ARGUMENTS))
        with gallery(Path(data)) as made:
            take(made, browser, folder)
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
