"""A gate that lets one request through at a time until the first has come back, and then stays open until it is held.

Knows no request: any `with` block will do.
"""

import threading
from collections.abc import Callable
from types import TracebackType

TICK_SECONDS = 0.1


class FirstRequestGate:
    """A `with` block for each request. Once one has ended without calling `close` or `hold`, the gate is open for
    all."""

    def __init__(self, stop: Callable[[], bool]) -> None:
        self._stop = stop
        self._first = threading.Lock()
        self._open = False
        self._refusal: Exception | None = None
        self._local = threading.local()

    def __enter__(self) -> None:
        self._local.is_first = self._local.holds = False
        while not self._open and self._refusal is None and not self._stop():
            if self._first.acquire(timeout=TICK_SECONDS):
                if self._open or self._refusal is not None:
                    self._first.release()
                else:
                    self._local.is_first = True
                    return
        if self._refusal is not None:
            raise self._refusal

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._local.is_first:
            self._open = self._refusal is None and not self._local.holds
            self._first.release()

    def hold(self) -> None:
        """Let one request through at a time again, until one has ended without calling this."""
        self._open = False
        self._local.holds = True

    def close(self, refusal: Exception) -> None:
        """Raise this exception for every later request instead of letting it through."""
        self._refusal = refusal
