"""How long a failed job waits for its next retry. Pure: callers may pass the random draw, so that tests reach its
bounds.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Backoff:
    """`min(cap, base × factor^(n−1))`, plus or minus the share `spread`. Spans are in seconds."""

    base_seconds: float = 120
    factor: float = 4
    cap_seconds: float = 3600
    spread: float = 0.2

    def wait_seconds(self, retry: int, draw: Callable[[], float] = random.random) -> float:
        """Return the wait before retry number `retry`, counted from 1. `draw` returns a number from 0 to 1. Raises
        ValueError below 1."""
        if retry < 1:
            raise ValueError("retries count from 1")
        # Bound the power first: a job with hundreds of retries must not overflow a float.
        plain = min(self.cap_seconds, self.base_seconds * self.factor ** min(retry - 1, 60))
        return plain * (1 - self.spread + 2 * self.spread * draw())
