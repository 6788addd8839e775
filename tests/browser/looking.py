"""What is looked for on any page: what axe finds, and whether anything sticks out. SHOTS=folder keeps what was seen."""

import os
from pathlib import Path

from playwright.sync_api import Page

from portal.config import ROOT

AXE = (ROOT / "tests" / "vendor" / "axe-core-4.14.1" / "axe.min.js").read_text()
SHOTS = os.environ.get("SHOTS")
WIDE, NARROW = 1280, 360

_RUN = """async ([within, rules]) => {
  const only = rules.length ? {runOnly: rules} : {};
  const found = await axe.run(within || document, {resultTypes: ["violations"], ...only});
  return found.violations.map((one) => `${one.id}: ${one.nodes.map((node) => node.html.slice(0, 160)).join(" | ")}`);
}"""
# What is wider than the page and no region that scrolls by itself holds it.
_STICKS_OUT = """() => {
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= width) return [];
  return [...document.querySelectorAll("main *, header *")]
    .filter((node) => node.getBoundingClientRect().right > width + 1 && !node.closest(".scroll, .vh"))
    .map((node) => node.outerHTML.slice(0, 120)).slice(0, 3);
}"""


def violations(page: Page, within: str = "", rules: tuple[str, ...] = ()) -> list[str]:
    """What axe finds on the page as it stands: in all of it or in what a selector names, by all rules or by
    these. It is not bound by the page's policy."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(f"{AXE}; 0")
    return list(page.evaluate(_RUN, [within, list(rules)]))


def sticking_out(page: Page) -> list[str]:
    """What makes the page scroll sideways."""
    return list(page.evaluate(_STICKS_OUT))


def keep(page: Page, name: str) -> None:
    """A picture of the whole page, when somebody wants to look."""
    if SHOTS:
        Path(SHOTS).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(SHOTS) / f"{name}.png", full_page=True)
