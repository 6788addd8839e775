"""A file → its sheets, read in a process of its own that can be killed without loss. Pure: no Flask, no database.

It must not parse anything of the file itself: that is what the child process is for.
"""

import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from signal import SIGHUP, SIGINT, SIGTERM
from typing import IO, Any

from portal.documents.reader.header_guess import guess
from portal.documents.reader.limits import FileProblem, ReadLimits, Unreadable
from portal.documents.reader.sheet_file import header_of, sample

__all__ = ["FileProblem", "ReadLimits", "ReadingFailed", "SheetFacts", "Unreadable", "header_of", "read", "sample"]

# The child is given an empty `portal` package: the real one would load Flask and the database into a process that is
# to read one file, and would cost it half a second.
_START = """
import runpy, sys, types
portal = types.ModuleType("portal")
portal.__path__ = [sys.argv.pop(1)]
sys.modules["portal"] = portal
runpy.run_module("portal.documents.reader.child", run_name="__main__", alter_sys=True)
"""
_PORTAL = Path(__file__).resolve().parents[2]
_REPORT_BYTES = 1024 * 1024
_log = logging.getLogger(__name__)


class ReadingFailed(RuntimeError):
    """The reading process was stopped or broke for a reason that is not the file's: worth another try."""


@dataclass
class SheetFacts:
    """What the check page needs of one sheet. A sheet with a `problem` is listed but cannot be chosen."""

    index: int  # place in the document, from 0; also its place in Document.sheets
    name: str
    hidden: bool = False
    rows: int = 0  # as Excel counts, header and empty rows within included
    columns: int = 0
    header_row: int = 0  # guessed, as Excel counts; 0 = the sheet has none
    number_column: int = 0  # guessed, from 0
    header: list[str] = field(default_factory=list)  # texts of the header row
    sample: list[list[str]] = field(default_factory=list)  # first 10 rows below it, from row header_row + 1 on
    problem: str | None = None  # a code of limits.Problem
    problem_facts: dict[str, Any] = field(default_factory=dict)

    @property
    def data_rows(self) -> int:
        """Rows below the guessed header."""
        return max(self.rows - self.header_row, 0)

    @property
    def usable(self) -> bool:
        """Whether there is anything to look up."""
        return self.problem is None and self.data_rows > 0

    def to_dict(self) -> dict[str, Any]:
        """For a JSON column."""
        return asdict(self)

    @classmethod
    def from_dict(cls, facts: dict[str, Any]) -> "SheetFacts":
        """What `to_dict` gave, after a trip through JSON."""
        return cls(**facts)


def read(
    path: Path, file_name: str, sheet_path: Callable[[int], Path], limits: ReadLimits, country: str = "ES"
) -> list[SheetFacts]:
    """Read the file and write each sheet's rows to `sheet_path(index)`, in whose folder there must be room.

    Raises Unreadable when the file cannot be used, ReadingFailed when it is worth another try.
    """
    if path.stat().st_size == 0:
        raise Unreadable(FileProblem.EMPTY)
    folder = Path(tempfile.mkdtemp(prefix=f"{path.name}.reading-", dir=sheet_path(0).parent))
    try:
        found = [SheetFacts.from_dict(facts) for facts in _ask_child(path, file_name, folder, limits)]
        for facts in found:
            _fill_in(facts, folder / f"{facts.index}.jsonl", limits, country)
        _must_be_usable(found)
        for facts in found:
            if facts.problem is None:
                os.replace(folder / f"{facts.index}.jsonl", sheet_path(facts.index))
        return found
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _fill_in(facts: SheetFacts, path: Path, limits: ReadLimits, country: str) -> None:
    """The guesses, and whether the sheet has too many rows below its header."""
    if facts.problem is not None:
        return
    facts.header_row, facts.number_column = guess(path, country)
    if facts.data_rows > limits.max_rows:
        facts.problem = FileProblem.TOO_MANY_ROWS.value
        facts.problem_facts = {"rows": facts.data_rows, "limit": limits.max_rows}
        return
    facts.header = header_of(path, facts.header_row, facts.columns)
    facts.sample = sample(path, facts.header_row, width=facts.columns)


def _must_be_usable(found: list[SheetFacts]) -> None:
    """Raises Unreadable when the sheet that a person would see first cannot be used, or none can.

    With a problem on a later sheet only, the document is still good: that sheet alone cannot be chosen.
    """
    visible = [facts for facts in found if not facts.hidden and (facts.usable or facts.problem)]
    first = next(iter(visible), None) or next((facts for facts in found if facts.usable or facts.problem), None)
    if first is None:
        raise Unreadable(FileProblem.NO_ROWS)
    if first.problem is not None:
        raise Unreadable(FileProblem(first.problem), first.problem_facts)


def _ask_child(path: Path, file_name: str, folder: Path, limits: ReadLimits) -> list[dict[str, Any]]:
    """Run the child and give what it found. Any signal means that the file could not be read safely."""
    command = [sys.executable, "-I", "-c", _START, str(_PORTAL)]
    command += [str(path.resolve()), file_name, str(folder.resolve()), limits.to_json(), str(os.getpid())]
    with tempfile.TemporaryFile() as answer, tempfile.TemporaryFile() as complaint:
        # A session of its own: a signal to the worker's whole group (a deploy, Ctrl-C) must not look like a bomb.
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=answer, stderr=complaint,
            cwd=folder, env={"LANG": "C.UTF-8"}, start_new_session=True,
        )  # fmt: skip
        try:
            code: int | None = child.wait(timeout=limits.wall_seconds)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            child.kill()
            child.wait()
        if said := _tail(complaint):
            _log.warning("reading %s ended with %s: %s", path.name, code, said)
        return _judge(code, answer)


def _judge(code: int | None, answer: IO[bytes]) -> list[dict[str, Any]]:
    """What the child's end means."""
    if code is None or (code < 0 and -code not in (SIGTERM, SIGINT, SIGHUP)):
        raise Unreadable(FileProblem.UNSAFE)
    if code != 0:
        raise ReadingFailed(f"the reading process ended with {code}")
    answer.seek(0)
    report = json.loads(answer.read(_REPORT_BYTES))
    if "problem" in report:
        raise Unreadable(FileProblem(report["problem"]), report["facts"])
    sheets: list[dict[str, Any]] = report["sheets"]
    return sheets


def _tail(complaint: IO[bytes]) -> str:
    """The last of what the child wrote to stderr, for the log."""
    size = complaint.seek(0, os.SEEK_END)
    complaint.seek(max(0, size - 2000))
    return complaint.read().decode("utf-8", "replace").strip()
