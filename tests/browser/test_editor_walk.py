"""From a provider's documentation to a source that a file is looked up with, as an administrator walks it: with and
without JavaScript, against a real API of this machine, by real workers."""

import csv
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.looking import NARROW, WIDE, keep, sticking_out, uneven, violations
from tests.browser.tabs import Tabs
from tests.browser.walking import download_csv, start, upload, wait_for
from tests.support import apis
from tests.support.provider import Provider, provider

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300)]

KNOWN, UNKNOWN, WRONG = "612345678", "612345677", "612345679"
MOST_CLICKS, MOST_FIELDS = 10, 7
TO_BODY = "document.activeElement === document.body"


@dataclass
class Hand:
    """What a person does with the mouse and the keyboard: each is counted, and no press may leave the focus nowhere."""

    page: Page
    is_seen: bool  # whether each page is looked at by axe
    clicks: int = 0
    fields: int = 0
    lost: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def press(self, what: Locator) -> None:
        said = what.inner_text()
        what.click()
        self.page.wait_for_load_state()
        self.clicks += 1
        try:
            self.page.wait_for_function(f"!({TO_BODY})", timeout=5000)
        except Exception as error:  # which press it was is what the test has to say
            self.lost.append(f"{said}: {error}")

    def button(self, name: str) -> None:
        self.press(self.page.locator("main").get_by_role("button", name=name).first)

    def fill(self, label: str, text: str) -> None:
        self.page.get_by_label(label, exact=True).first.fill(text)
        self.fields += 1

    def look(self, name: str) -> None:
        """Nothing is wrong with the page, in both themes, wide and narrow."""
        if not self.is_seen:
            return
        for theme in ("light", "dark"):
            self.page.emulate_media(color_scheme=theme)
            for width in (WIDE, NARROW):
                self.page.set_viewport_size({"width": width, "height": 900})
                keep(self.page, f"walk-{name}-{theme}-{width}")
                found = [*violations(self.page), *sticking_out(self.page), *uneven(self.page)]
                self.faults += [f"{name} {theme} {width}: {fault}" for fault in found]
        self.page.emulate_media(color_scheme="light")
        self.page.set_viewport_size({"width": WIDE, "height": 900})
        self.page.reload()  # axe leaves empty styles, which a swap would copy and the policy refuse


def paste(hand: Hand, server: Provider) -> None:
    """The request and the login, as documentation has them."""
    page = hand.page
    page.goto("/admin/editor")
    hand.look("new")
    lookup = f"curl -H 'Authorization: Bearer <access_token>' '{server.url}/v1/lookup?msisdn=34{KNOWN}'"
    hand.fill("Paste a curl command, an HTTP request, or an address", lookup)
    hand.button("Continue")
    hand.look("pasted")
    hand.press(page.locator("#login > summary"))
    login = f"POST {server.url}/login HTTP/1.1\nContent-Type: {apis.FORM}\n\nuser={apis.USER}&password={apis.PASSWORD}"
    hand.fill("The command that gets the token", login)
    hand.button("Use this request first")
    # The token was found in the answer of the login, by itself.
    expect(page.locator("#login [data-chosen]")).to_contain_text("access_token")
    assert page.evaluate("document.documentElement.innerHTML").count(apis.TOKEN) == 0
    hand.look("login")


def ask_and_choose(hand: Hand) -> None:
    """The price, the samples, and the values that become columns."""
    page = hand.page
    hand.fill("One that it does not know", UNKNOWN)
    hand.fill("A wrong one", WRONG)
    hand.fill("Price of a lookup", "0,01")
    hand.press(page.get_by_role("button", name="Ask", exact=True))
    samples = page.locator(".samples [data-sample]")
    expect(samples).to_have_count(4)
    expect(page.locator(".samples [data-tone=busy]")).to_have_count(0)
    hand.look("asked")
    for key, column in (("name", "Operator"), ("ported", "Ported")):
        hand.press(page.locator("#chosen .tree button", has=page.locator(f".key:text-is('{key}')")))
        expect(page.locator(".chosen-field").last).to_contain_text(column)
    hand.look("chosen")


def offer(hand: Hand, name: str) -> None:
    """The rules, the name, and the press that makes it a source."""
    page = hand.page
    hand.press(page.locator("#chosen").get_by_role("link", name="Continue"))
    expect(page.locator("[name=accept]")).to_have_count(3)
    hand.look("rules")
    hand.button("Use these rules")
    expect(page.locator("[data-right=no]")).to_have_count(0)
    hand.look("ruled")
    hand.press(page.locator("main").get_by_role("link", name="Continue"))
    hand.look("offer")
    hand.fill("In English", f"The {name}")
    hand.fill("Short name", name)
    page.locator("main").get_by_role("button", name="Offer this source").click()
    hand.clicks += 1
    expect(page.locator(".alert[data-kind=ok]")).to_contain_text("The source is ready")
    expect(page.locator("h1")).to_contain_text(f"The {name}")


def look_up(page: Page, name: str, path: Path, *, script: bool) -> list[list[str]]:
    """A file with the three numbers through it, and its rows as they come back."""
    path.write_text("\n".join(["Línea", KNOWN, UNKNOWN, WRONG]), encoding="utf-8")
    upload(page, path)
    page.click("[data-part=source] > summary")
    page.select_option("#source", name)
    if not script:
        page.locator("[data-part=source] [name=recount]").first.click()
    expect(page.locator("[data-part=source] > summary")).to_contain_text(f"The {name}")
    start(page)
    wait_for(page, "completed")
    return list(csv.reader(download_csv(page).splitlines()))


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_an_administrator_makes_a_source_and_a_file_is_looked_up_with_it(
    tabs: Tabs, here: str, signed_in: Any, tmp_path: Path, script: bool
) -> None:
    name = "walked" if script else "walked-plain"
    page = tabs.open(here, storage_state=signed_in, java_script_enabled=script)
    hand = Hand(page, is_seen=script)
    with provider(apis.session_api) as server:
        paste(hand, server)
        ask_and_choose(hand)
        offer(hand, name)
        assert hand.lost == [] and hand.faults == []
        assert hand.clicks <= MOST_CLICKS and hand.fields <= MOST_FIELDS, (hand.clicks, hand.fields)
        rows = look_up(page, name, tmp_path / f"{name}.csv", script=script)
    assert [row[1] for row in rows[1:]] == ["Found", "Not found", "Rejected"]
    assert "Movistar" in rows[1] and "Operator" in rows[0]
    page.goto("/admin/spending")
    expect(page.locator("main")).to_contain_text(f"The {name}")
