"""A worker as the pacer sees it, in a process of its own: threads that ask as fast as they may, and write down when.

`python -m tests.sources.limits.rate_limiter_process REDIS_URL RATE THREADS SECONDS` prints the moments, one a line.
"""

import sys
import threading
import time

from redis import Redis

from portal.sources.base import SourceBusy
from portal.sources.limits.rate_limiter import RateLimiter


def main(url: str, rate: str, threads: str, seconds: str) -> None:
    """Ask until the time is over. The clock is the machine's, which all processes share."""
    pacer = RateLimiter(Redis.from_url(url), "shared", float(rate))
    asked: list[float] = []
    end = time.monotonic() + float(seconds)

    def ask() -> None:
        try:
            while True:
                pacer.wait(lambda: time.monotonic() > end)
                asked.append(time.monotonic())
        except SourceBusy:
            return

    crowd = [threading.Thread(target=ask) for _ in range(int(threads))]
    for thread in crowd:
        thread.start()
    for thread in crowd:
        thread.join()
    print("\n".join(map(str, asked)))


main(*sys.argv[1:])
