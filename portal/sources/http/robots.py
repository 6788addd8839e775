"""What a site's robots.txt allows us, asked once a day and site. It decides nothing about one that allows nothing."""

import threading
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from protego import Protego

from portal.sources.http.client import NoAnswer
from portal.sources.http.response import SourceResponse
from portal.sources.recipes.model import Request
from portal.sources.recipes.placeholders import Filled

AGENT = "masterfilter"
KEPT_SECONDS = 86_400.0
Send = Callable[[Filled, Request], SourceResponse]


class Robots:
    """The rules of the sites that one source asks."""

    def __init__(self, send: Send, clock: Callable[[], float] = time.monotonic) -> None:
        self._send = send
        self._clock = clock
        self._known: dict[str, tuple[Protego, float]] = {}
        self._lock = threading.Lock()

    def allow(self, url: str) -> bool:
        """Whether we may ask for this page. Raises NoAnswer when the site does not say."""
        return bool(self._rules(url).can_fetch(url, AGENT))

    def delay_seconds(self, url: str) -> float | None:
        """The pause between two requests that the site asks for."""
        delay = self._rules(url).crawl_delay(AGENT)
        return float(delay) if delay else None

    def _rules(self, url: str) -> Protego:
        parts = urlsplit(url)
        site = f"{parts.scheme}://{parts.netloc}"
        with self._lock:  # one thread asks, the others wait for it
            rules, until = self._known.get(site, (None, 0.0))
            if rules is None or self._clock() > until:
                rules = self._ask(site)
                self._known[site] = (rules, self._clock() + KEPT_SECONDS)
            return rules

    def _ask(self, site: str) -> Protego:
        address = f"{site}/robots.txt"
        reply = self._send(Filled("GET", address, {}, None, ()), Request(address, redirects=1, max_body_bytes=500_000))
        if reply.status >= 500 or reply.status == 429:
            raise NoAnswer("robots")  # RFC 9309: a site that cannot say is not asked
        return Protego.parse(reply.text if reply.status == 200 else "")
