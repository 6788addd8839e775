"""The limiter and the breaker as a session uses them: before each request, and with its outcome afterwards.

`rate_limiter` and `circuit_breaker`, which all workers share, provide them; a test may pass others.
"""

from collections.abc import Callable
from typing import Protocol


class Limiter(Protocol):
    """As `rate_limiter.RateLimiter`."""

    def wait(self, stop: Callable[[], bool]) -> None: ...
    def pause(self, seconds: float) -> None: ...
    def report(self, outcome: str) -> None: ...


class Breaker(Protocol):
    """As `circuit_breaker.CircuitBreaker`."""

    def check(self) -> None: ...
    def succeeded(self) -> None: ...
    def failed(self) -> None: ...
    def trip(self, reason: str) -> None: ...
