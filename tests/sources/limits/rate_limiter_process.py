"""A worker as the rate limiter sees it, in its own process: threads take slots as fast as allowed, and record when.

`python -m tests.sources.limits.rate_limiter_process REDIS_URL RATE THREADS SECONDS` prints the moments, one a line.
"""

import sys
import threading
import time

from redis import Redis

from portal.sources.base import SourceBusy
from portal.sources.limits.rate_limiter import RateLimiter


def main(url: str, rate: str, threads: str, seconds: str) -> None:
    """Take slots until the time is over. The clock is the machine's, which all processes share."""
    limiter = RateLimiter(Redis.from_url(url), "shared", float(rate))
    taken: list[float] = []
    end = time.monotonic() + float(seconds)

    def take_slots() -> None:
        try:
            while True:
                limiter.wait(lambda: time.monotonic() > end)
                taken.append(time.monotonic())
        except SourceBusy:
            return

    crowd = [threading.Thread(target=take_slots) for _ in range(int(threads))]
    for thread in crowd:
        thread.start()
    for thread in crowd:
        thread.join()
    print("\n".join(map(str, taken)))


main(*sys.argv[1:])
