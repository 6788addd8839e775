"""Looks up the same numbers with Scrapy, in a separate environment: `python -m bench.scrapy_source PORT IN_FLIGHT`.

It reads numbers from its input, one a line, and prints the seconds from the first request to the last response.
"""

import sys
import time
from collections.abc import AsyncIterator
from typing import Any

import scrapy  # type: ignore[import-not-found]
from scrapy.crawler import CrawlerProcess  # type: ignore[import-not-found]


class Numbers(scrapy.Spider):  # type: ignore[misc]
    """Requests every number once and reads each response."""

    name = "numbers"

    async def start(self) -> AsyncIterator[Any]:
        self.began = time.perf_counter()
        for e164 in self.e164s:
            yield scrapy.Request(f"http://127.0.0.1:{self.port}/{e164[1:]}", dont_filter=True)

    def parse(self, response: Any) -> Any:
        yield response.json()

    def closed(self, reason: str) -> None:
        print(time.perf_counter() - self.began)


def main(port: str, in_flight: str) -> None:
    """Run the spider without the features of Scrapy that the other clients lack."""
    settings = {
        "CONCURRENT_REQUESTS": int(in_flight), "CONCURRENT_REQUESTS_PER_DOMAIN": int(in_flight), "DOWNLOAD_DELAY": 0,
        "ROBOTSTXT_OBEY": False, "COOKIES_ENABLED": False, "RETRY_ENABLED": False, "LOG_ENABLED": False,
        "TELNETCONSOLE_ENABLED": False, "HTTPPROXY_ENABLED": False, "REDIRECT_ENABLED": False,
    }  # fmt: skip
    process = CrawlerProcess(settings)
    process.crawl(Numbers, port=port, e164s=sys.stdin.read().split())
    process.start()


if __name__ == "__main__":
    main(*sys.argv[1:])
