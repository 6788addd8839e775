"""Ctrl-C as a wish and not as a blow: what is in flight is finished and saved. The second Ctrl-C ends at once."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self


class Interrupt:
    """While its block runs, the first SIGINT or SIGTERM sets it, and gives the next one its usual meaning back."""

    def __init__(self) -> None:
        self._wished = threading.Event()
        self._before: dict[int, Any] = {}

    def is_set(self) -> bool:
        """Whether somebody wants this to end."""
        return self._wished.is_set()

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._wish) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._give_back()

    def _wish(self, number: int, frame: FrameType | None) -> None:
        self._wished.set()
        self._give_back()

    def _give_back(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}
