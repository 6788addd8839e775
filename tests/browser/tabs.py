"""Pages in which nothing goes wrong unseen: whatever the console says, a page error or a refusal by the security policy
counts as a complaint. It must not know any page."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page

SLOW_MS = 45_000  # on an idle machine nothing takes a tenth of it

# The browser says most refusals in its console, but not all of them.
_SAY_REFUSALS = """addEventListener("securitypolicyviolation", (event) =>
  console.error(`refused by the policy: ${event.violatedDirective} ${event.blockedURI}`));"""


@dataclass
class Tabs:
    """Opens pages, each in a browser profile of its own, and keeps what they complain of."""

    browser: Browser
    complaints: list[str] = field(default_factory=list)
    forgiven: list[str] = field(default_factory=list)
    _contexts: list[BrowserContext] = field(default_factory=list)

    def profile(self, address: str, **options: Any) -> BrowserContext:
        """A new profile whose pages begin at `address`. English unless `locale` says otherwise."""
        given = {"locale": "en-GB", "viewport": {"width": 1280, "height": 900}, "reduced_motion": "reduce"}
        context = self.browser.new_context(base_url=address, **{**given, **options})
        context.set_default_timeout(SLOW_MS)
        context.add_init_script(_SAY_REFUSALS)
        context.on("console", self._heard)
        context.on("weberror", lambda error: self._complain(f"page error: {error.error}"))
        self._contexts.append(context)
        return context

    def open(self, address: str, **options: Any) -> Page:
        """A page in a new profile."""
        return self.profile(address, **options).new_page()

    def forgive(self, words: str) -> None:
        """A complaint with these words is what the test wants to see."""
        self.forgiven.append(words)

    def _heard(self, message: ConsoleMessage) -> None:
        if message.text:
            self._complain(f"{message.text} ({message.location.get('url', '')})")

    def _complain(self, text: str) -> None:
        if not any(words in text for words in self.forgiven):
            self.complaints.append(text)

    def close(self) -> None:
        for context in self._contexts:
            context.close()


@contextmanager
def tabs_in(browser: Browser) -> Iterator[Tabs]:
    """Tabs that are closed in the end, and then must have had nothing to complain of."""
    tabs = Tabs(browser)
    try:
        yield tabs
    finally:
        tabs.close()
    assert tabs.complaints == [], tabs.complaints
