"""One browser and one whole portal for all tests of this folder."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.browser.tabs import SLOW_MS, Tabs, tabs_in
from tests.browser.walking import EMAIL, PASSWORD
from tests.runner.portal_process import Portal, a_portal
from tests.services import wait_until
from tests.support.chromium import ARGUMENTS, chromium_path

SET_UP_ADDRESS = re.compile(r"http://\S+/setup/\S+")


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """The browser. It ends with this folder's tests: while it runs, nobody else may start Playwright."""
    program = chromium_path()
    expect.set_options(timeout=SLOW_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture
def tabs(chromium: Browser) -> Iterator[Tabs]:
    """Pages of this test, none of which may complain."""
    with tabs_in(chromium) as tabs:
        yield tabs


@pytest.fixture(scope="package")
def portal() -> Iterator[Portal]:
    """What `make run` starts: web, workers, scheduler and Valkey. It takes seconds, so the tests share it. Sources may
    be on this machine."""
    with a_portal(SOURCES_ALLOW_PRIVATE="127.0.0.0/8") as portal:
        portal.start()
        yield portal


@pytest.fixture(scope="package")
def set_up_address(portal: Portal) -> str:
    """The address that stands in the terminal for the first admin. It works once: `signed_in` uses it."""
    found = wait_until(lambda: SET_UP_ADDRESS.search(portal.output), 60, "the terminal shows the set-up address")
    return str(found.group())


@pytest.fixture(scope="package")
def signed_in(portal: Portal, set_up_address: str, chromium: Browser) -> Any:
    """The cookies of the portal's first admin, who got in by the set-up address."""
    with tabs_in(chromium) as tabs:
        page = tabs.open(address_of(portal))
        page.goto(set_up_address)
        page.fill("[name=email]", EMAIL)
        page.fill("[name=password]", PASSWORD)
        page.click("main form button.btn")
        page.wait_for_url(address_of(portal) + "/")
        expect(page.locator(".alert[data-kind=ok]")).to_contain_text("Welcome")
        return page.context.storage_state()


def address_of(portal: Portal) -> str:
    return f"http://127.0.0.1:{portal.port}"


@pytest.fixture
def here(portal: Portal) -> str:
    """Where the portal is."""
    return address_of(portal)
