"""Sources for tests, which count lookups and fail on purpose."""

import threading
from collections import Counter
from collections.abc import Callable

from portal.sources.base import Answer, Outcome

Script = Callable[[str], Answer]


def found(e164: str) -> Answer:
    return Answer(Outcome.FOUND, {"seen": e164})


def failing(e164: str) -> Answer:
    return Answer(Outcome.FAILED, reason="temporary")


class CountingSource:
    """Answers as its script says, and counts the lookups of each number."""

    name = "counting"
    fields = ("seen",)
    data_version = "1"

    def __init__(self, script: Script = found, concurrency: int = 1) -> None:
        self.script = script
        self.concurrency = concurrency
        self.calls: Counter[str] = Counter()
        self._lock = threading.Lock()

    def lookup(self, e164: str) -> Answer:
        with self._lock:
            self.calls[e164] += 1
        return self.script(e164)

    def seconds_for(self, numbers: int) -> float:
        return numbers / 100
