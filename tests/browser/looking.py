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


# What stands beside each other is level: labels and controls of a row of fields, an icon and its sentence, a box and
# the first line of its words; and a table's words begin where the heading of its card does.
_UNEVEN = """() => {
  const box = (node) => node.getBoundingClientRect();
  const seen = (node) => node && box(node).width > 1 && box(node).height > 1;
  const words = (node) => {
    const range = document.createRange();
    range.selectNodeContents(node);
    return range.getClientRects()[0];
  };
  const apart = (a, b) => Math.abs(a - b) > 1;
  const found = [], say = (what, node) => found.push(`${what}: ${node.outerHTML.slice(0, 120)}`);
  for (const row of document.querySelectorAll("main .fields")) {
    const fields = [...row.children].filter((one) => one.matches(".field") && seen(one));
    fields.slice(1).forEach((one, at) => {
      if (box(one).top >= box(fields[at]).bottom) return;
      for (const part of ["label", "input, select, textarea"]) {
        const [a, b] = [fields[at], one].map((field) => field.querySelector(part));
        if (a && b && apart(box(a).top, box(b).top)) return say("fields", one);
      }
    });
  }
  for (const icon of document.querySelectorAll("main .row > .icon:first-child")) {
    const beside = icon.nextElementSibling;
    if (seen(icon) && seen(beside) && box(beside).top >= box(icon).bottom) say("icon alone", icon.parentElement);
  }
  for (const tick of document.querySelectorAll("main .tick")) {
    const [input, span] = [tick.querySelector("input"), tick.querySelector("input + span")];
    const line = seen(input) && seen(span) && words(span);
    const off = line && (box(input).top + box(input).bottom - line.top - line.bottom) / 2;
    if (Math.abs(off) > 2.5) say("tick", tick);
  }
  for (const table of document.querySelectorAll("main .card:not(.flush) > table")) {
    const head = table.parentElement.querySelector(":scope > h2");
    const cells = [...table.querySelectorAll("th, td")];
    const first = cells.find((one) => seen(one.closest("thead") ?? one) && one.textContent.trim());
    if (head && first && apart(words(head).left, words(first).left)) say("table", first);
  }
  return found;
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


def uneven(page: Page) -> list[str]:
    """What is not level though it belongs together."""
    return list(page.evaluate(_UNEVEN))


def keep(page: Page, name: str) -> None:
    """A picture of the whole page, when somebody wants to look."""
    if SHOTS:
        Path(SHOTS).mkdir(parents=True, exist_ok=True)
        # A caret that it hides leaves style="" behind, which the policy refuses in whatever htmx puts there next.
        page.screenshot(path=Path(SHOTS) / f"{name}.png", full_page=True, caret="initial")
