"""The browser of the tests: where it is, and how it is started."""

import os
import shutil
from pathlib import Path

from tests.support.processes import missing

# First the one without windows: the same Chromium, but a browser with windows, which nobody sees, takes a third more of
# the processor's time for each page.
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

# Without a sandbox: tests run as root. The rest keeps the browser from the network, from work of its own, and from
# optimizing scripts: a page is seen for a second or two, in which that takes more processor time than it saves.
ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--js-flags=--no-opt --no-maglev",
)  # fmt: skip


def chromium_path() -> str:
    """The browser's program: the system's, else the one that Playwright fetched. Without, the test skips or fails."""
    for name in NAMES:
        if found := shutil.which(name):
            return found
    cache = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or Path.home() / ".cache" / "ms-playwright")
    fetched = [*sorted(cache.glob("chromium-*/chrome-*/chrome")), *sorted(cache.glob("chromium_headless*/*/*shell"))]
    return str(fetched[-1]) if fetched else missing("Chromium")
