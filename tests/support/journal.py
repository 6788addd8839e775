"""A source that writes every lookup to a file before it answers, so that a kill loses none of them.

One line for each lookup: the number, the process and the machine's monotonic time. Each line is one write with
O_APPEND, so that many processes can share the file and a killed one leaves only whole lines. A number's digits decide
what happens (`JournalSource.from_environ`): most are found, some always fail, some kill the process that looks them up,
some hang, some never let go of the interpreter, and some freeze their process while it holds SQLite's write lock.
"""

import os
import re
import signal
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from portal.database import db
from portal.sources.base import Answer, Outcome, SourceFacts

NAME = "journal"
WAYS = ("POISON", "KILL", "HANG", "HOLD", "FREEZE")
FACTS = SourceFacts(fields=("seen",), concurrency=1, data_version="1", seconds_per_number=0.01)


@dataclass(frozen=True)
class Lookup:
    """One line of the journal."""

    e164: str
    pid: int
    at_seconds: float  # monotonic, the same clock in every process


@dataclass
class Journal:
    """The file, read by the test."""

    path: Path

    def size(self) -> int:
        """The position of the next line."""
        return self.path.stat().st_size if self.path.exists() else 0

    def read(self, after: int = 0) -> list[Lookup]:
        """Every lookup from that position of the file on, in the order in which they began."""
        if not self.path.exists():
            return []
        with self.path.open("rb") as file:
            file.seek(after)
            words = (line.split() for line in file.read().decode().splitlines())
            return [Lookup(e164, int(pid), float(at)) for e164, pid, at in words]

    def count(self, after: int = 0) -> Counter[str]:
        """How often each number was looked up."""
        return Counter(lookup.e164 for lookup in self.read(after))


class JournalSource:
    """The source. The worker creates it from the environment that the test sets."""

    name = NAME
    fields = ("seen",)
    data_version = "1"

    def __init__(self, path: Path, seconds: float, concurrency: int, patterns: Mapping[str, str], gate: Path) -> None:
        self.concurrency = concurrency
        self._seconds = seconds
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._patterns = {what: re.compile(pattern) for what, pattern in patterns.items() if pattern}
        self._gate = gate

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> "JournalSource":
        """From JOURNAL_FILE, JOURNAL_SECONDS (of a lookup), JOURNAL_CONCURRENCY, and patterns of numbers:
        JOURNAL_POISON (always fail), JOURNAL_KILL (kill -9 the process that looks them up), JOURNAL_HANG (no answer
        while JOURNAL_FILE.hang exists), JOURNAL_HOLD (never let go of the interpreter) and JOURNAL_FREEZE (stop the
        process while it holds SQLite's write lock)."""
        path = Path(environ["JOURNAL_FILE"])
        patterns = {what: environ.get(f"JOURNAL_{what}", "") for what in WAYS}
        seconds = float(environ.get("JOURNAL_SECONDS", "0.01"))
        concurrency = int(environ.get("JOURNAL_CONCURRENCY", "4"))
        return cls(path, seconds, concurrency, patterns, path.with_suffix(".hang"))

    def lookup(self, e164: str) -> Answer:
        self._write(f"{e164} {os.getpid()} {time.monotonic():.6f}\n".encode())
        if self._is("KILL", e164):
            os.kill(os.getpid(), signal.SIGKILL)
        if self._is("HOLD", e164):
            re.search("^(a+)+$", "a" * 64 + "b")  # backtracks for longer than the universe exists, with the interpreter
        if self._is("FREEZE", e164):
            with db.engine.begin():
                os.kill(os.getpid(), signal.SIGSTOP)
        while self._is("HANG", e164) and self._gate.exists():
            time.sleep(0.02)
        time.sleep(self._seconds)
        if self._is("POISON", e164):
            return Answer(Outcome.FAILED, reason="temporary")
        return Answer(Outcome.FOUND, {"seen": e164})

    def _write(self, line: bytes) -> None:
        """Write the line, once there is room for it: a real source is on another machine, whose disk is not full."""
        while True:
            try:
                os.write(self._file, line)
                return
            except OSError:
                time.sleep(0.02)

    def _is(self, what: str, e164: str) -> bool:
        return what in self._patterns and self._patterns[what].search(e164) is not None

    def seconds_for(self, numbers: int) -> float:
        return numbers * self._seconds / self.concurrency


def repeated(counted: Mapping[str, int], numbers: Iterable[str]) -> int:
    """How many lookups of these numbers came after the first one of the same number."""
    return sum(max(0, counted.get(e164, 0) - 1) for e164 in numbers)
