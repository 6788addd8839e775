"""Lets one request through alone until one has come back; then it stands open. It knows nothing of requests."""

import threading
from collections.abc import Callable
from types import TracebackType

TICK_SECONDS = 0.1


class FirstRequestGate:
    """A `with` block for each request. When the first ends without having `shut` the gate, it is open for all."""

    def __init__(self, stop: Callable[[], bool]) -> None:
        self._stop = stop
        self._first = threading.Lock()
        self._open = False
        self._refusal: Exception | None = None
        self._inside = threading.local()

    def __enter__(self) -> None:
        self._inside.holds = False
        while not self._open and self._refusal is None and not self._stop():
            if self._first.acquire(timeout=TICK_SECONDS):
                if self._open or self._refusal is not None:
                    self._first.release()
                else:
                    self._inside.holds = True
                    return
        if self._refusal is not None:
            raise self._refusal

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._inside.holds:
            self._open = self._refusal is None
            self._first.release()

    def shut(self, refusal: Exception) -> None:
        """Nobody goes through any more: they get this refusal instead."""
        self._refusal = refusal
