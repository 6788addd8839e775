"""What a site's robots.txt allows, fetched once a day for each site. The caller decides what to do when it refuses."""

import threading
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from protego import Protego

from portal.sources.http.client import NoResponse
from portal.sources.http.response import SourceResponse
from portal.sources.recipes.filling import FilledRequest
from portal.sources.recipes.model import Request

AGENT = "masterfilter"
CACHE_SECONDS = 86_400.0
Send = Callable[[FilledRequest, Request], SourceResponse]


class Robots:
    """The rules of the sites that one source requests pages from."""

    def __init__(self, send: Send, clock: Callable[[], float] = time.monotonic) -> None:
        self._send = send
        self._clock = clock
        self._known: dict[str, tuple[Protego, float]] = {}
        self._lock = threading.Lock()

    def allow(self, url: str) -> bool:
        """Whether we may request this page. Raises NoResponse when robots.txt cannot be fetched."""
        return bool(self._rules(url).can_fetch(url, AGENT))

    def delay_seconds(self, url: str) -> float | None:
        """The pause between two requests that the site asks for, or None."""
        delay = self._rules(url).crawl_delay(AGENT)
        return float(delay) if delay else None

    def _rules(self, url: str) -> Protego:
        parts = urlsplit(url)
        site = f"{parts.scheme}://{parts.netloc}"
        with self._lock:  # one thread fetches, the others wait for it
            rules, until = self._known.get(site, (None, 0.0))
            if rules is None or self._clock() > until:
                rules = self._fetch(site)
                self._known[site] = (rules, self._clock() + CACHE_SECONDS)
            return rules

    def _fetch(self, site: str) -> Protego:
        address = f"{site}/robots.txt"
        response = self._send(
            FilledRequest("GET", address, {}, None, ()), Request(address, redirects=1, max_body_bytes=500_000)
        )
        if response.status >= 500 or response.status == 429:
            raise NoResponse("robots", may_have_come=False)  # RFC 9309: no request while robots.txt is unreachable
        return Protego.parse(response.text if response.status == 200 else "")
