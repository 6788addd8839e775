"""Graceful Ctrl-C: the first one lets lookups in flight finish and be saved, the second one ends at once."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self


class Interrupt:
    """A flag for a `with` block: the first SIGINT or SIGTERM sets it, the next one has its usual effect."""

    def __init__(self) -> None:
        self._requested = threading.Event()
        self._before: dict[int, Any] = {}

    def is_set(self) -> bool:
        """Return whether the first signal has come."""
        return self._requested.is_set()

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._request) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._restore()

    def _request(self, number: int, frame: FrameType | None) -> None:
        self._requested.set()
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}
