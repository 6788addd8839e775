"""Read a file's sheets in a child process, which can be killed without loss. Pure: no Flask, no database.

This module must not parse any part of the file: the child process does that.
"""

import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from signal import SIGHUP, SIGINT, SIGTERM
from typing import IO, Any

from portal.documents.reader.csv_text import TextChoice
from portal.documents.reader.file_type import is_converted
from portal.documents.reader.header_guess import guess_sheet
from portal.documents.reader.limits import CONVERTED, MACHINE_FAILED, FileProblem, ReadLimits, Unreadable
from portal.documents.reader.sheet_file import LeftOut, header_of, sample
from portal.documents.reader.total_rows import total_rows

__all__ = [
    "FileProblem", "ReadLimits", "ReadingFailed", "SheetFacts", "Unreadable", "header_of", "read", "sample",
]  # fmt: skip

# The child gets an empty `portal` package: the real one would load Flask and the database, which takes half a second,
# into a process that only reads one file.
_START = """
import runpy, sys, types
portal = types.ModuleType("portal")
portal.__path__ = [sys.argv.pop(1)]
sys.modules["portal"] = portal
runpy.run_module("portal.documents.reader.child", run_name="__main__", alter_sys=True)
"""
_PORTAL = Path(__file__).resolve().parents[2]
_REPORT_BYTES = 1024 * 1024
TOGETHER_BYTES = 4 * 1024 * 1024  # old workbooks up to it are converted and read by one process
STEP_SECONDS = 0.25  # how soon a stop is noticed
_log = logging.getLogger(__name__)


class ReadingFailed(RuntimeError):
    """The reading process was stopped or broke for a reason other than the file: try again later."""


class MachineFailed(ReadingFailed):
    """The machine failed, or has to stop: a full disk, a missing file, a deploy. It says nothing about the file."""


@dataclass
class SheetFacts:
    """What the check page needs to know of one sheet. A sheet with a `problem` is listed but cannot be chosen."""

    index: int  # position in the document, from 0; the same as in Document.sheets
    name: str
    hidden: bool = False
    rows: int = 0  # number of the last row as Excel counts: header and empty rows in between included
    columns: int = 0
    header_row: int = 0  # guessed, as Excel counts; 0 = no header
    number_column: int = 0  # guessed, from 0
    number_columns: list[int] = field(default_factory=list)  # those that are ticked at first, when there are several
    likely_columns: list[int] = field(default_factory=list)  # all that look like numbers, the likeliest first
    numbers: int = 0  # about how many rows have a number in the guessed column
    country: str = ""  # guessed, for numbers without a prefix; "" when this file was read by an older version
    rival_countries: list[str] = field(default_factory=list)  # others that the numbers are valid in as well
    country_from: str = ""  # a CountryFrom
    country_column: int | None = None  # that names the country of each row, if it names several
    header: list[str] = field(default_factory=list)  # texts of the header row
    sample: list[list[str]] = field(default_factory=list)  # the first 10 rows below the header
    problem: str | None = None  # a FileProblem
    problem_facts: dict[str, Any] = field(default_factory=dict)
    counted: int | None = None  # rows without those in wide gaps; empty: all (it was read by an older version)
    hidden_rows: int = 0  # filled rows that the sheet does not show, for a filter or by hand
    total_rows: list[int] = field(default_factory=list)  # that sum up the list or end it, as Excel counts
    far: int = 0  # cells far to the right that are left aside
    text: dict[str, Any] = field(default_factory=dict)  # of a text file: the fields of its csv_text.TextDialect
    formats: dict[str, dict[str, str]] = field(default_factory=dict)  # of the first rows: code by row and column
    mark: str = ""  # of the portal's own download that this is, on the first sheet: see file_mark

    @property
    def data_rows(self) -> int:
        """Number of rows below the guessed header, without those in wide gaps."""
        return max((self.rows if self.counted is None else self.counted) - self.header_row, 0)

    def format_at(self, row_no: int, column: int) -> str:
        """Return the number format's code of a cell in the first rows; empty when it has none, or it is not known."""
        return self.formats.get(str(row_no), {}).get(str(column), "")

    def format_of(self, column: int, header_row: int) -> str:
        """Return the code that all first rows below the headings have in a column; empty when they differ."""
        codes = {row.get(str(column), "") for row_no, row in self.formats.items() if int(row_no) > header_row}
        return codes.pop() if len(codes) == 1 else ""

    @property
    def usable(self) -> bool:
        """Whether the sheet has rows that can be looked up."""
        return self.problem is None and self.data_rows > 0

    @property
    def proposed_columns(self) -> tuple[int, ...]:
        """The columns that are ticked as long as nobody has chosen others, in the sheet's order."""
        return tuple(sorted({self.number_column, *self.number_columns}))

    def left_out(self, hidden: bool = False, totals: bool = True) -> LeftOut:
        """Return the rows to leave alone: the hidden ones, if there are any, and those with totals."""
        return LeftOut(hidden and self.hidden_rows > 0, frozenset(self.total_rows if totals else ()))

    def has_header_row(self, row: int) -> bool:
        """Return whether `row` (0: no header) can be the header: there are rows below it."""
        return 0 <= row < self.rows

    def has_column(self, column: int) -> bool:
        """Return whether there is a column at this position."""
        return 0 <= column < self.columns

    def to_dict(self) -> dict[str, Any]:
        """Return the facts as a dictionary for a JSON column."""
        return asdict(self)

    @classmethod
    def from_dict(cls, facts: dict[str, Any]) -> "SheetFacts":
        """Rebuild the facts from what `to_dict` returned, after a round trip through JSON. What only a newer version of
        the portal knows is left out."""
        return cls(**{name: value for name, value in facts.items() if name in cls.__dataclass_fields__})


def read(
    path: Path,
    file_name: str,
    sheet_path: Callable[[int], Path],
    limits: ReadLimits,
    country: str = "ES",
    stopped: Callable[[], bool] = lambda: False,
    converted: Path | None = None,
    choice: TextChoice = TextChoice(),  # noqa: B008
) -> list[SheetFacts]:
    """Read the file and write each sheet's rows to `sheet_path(index)`, whose folder also holds the temporary files.

    A workbook in one of Excel's older formats, or a page or XML in its place, is written as xlsx and read from there;
    the xlsx becomes `converted`. When that is not possible within the limits, the file itself is read. `choice` is what
    the person chose for a text file.

    `country` (two letters) is assumed for numbers without a prefix; once `stopped()` is true, reading ends. Raises
    Unreadable when the file cannot be used, ReadingFailed when another try may succeed, and its subclass MachineFailed
    or OSError when the file has nothing to do with it.
    """
    if path.stat().st_size == 0:
        raise Unreadable(FileProblem.EMPTY)
    folder = Path(tempfile.mkdtemp(prefix=f"{path.name}.reading-", dir=sheet_path(0).parent))
    try:
        reports, source = _read_by_xlsx(path, file_name, folder, limits, stopped, choice)
        found = [SheetFacts.from_dict(facts) for facts in reports]
        for facts in found:
            add_guesses(facts, folder / f"{facts.index}.jsonl", limits, country)
        _require_usable(found)
        for facts in found:
            if facts.problem is None:
                os.replace(folder / f"{facts.index}.jsonl", sheet_path(facts.index))
        if converted is not None and source != path:
            os.replace(source, converted)
        return found
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _read_by_xlsx(
    path: Path,
    file_name: str,
    folder: Path,
    limits: ReadLimits,
    stopped: Callable[[], bool],
    choice: TextChoice,
) -> tuple[list[dict[str, Any]], Path]:
    """Read the xlsx that the file is converted to, or the file itself, when that is as good or cannot be helped; return
    the reports and which one was read."""
    if is_converted(path, file_name):
        try:
            if path.stat().st_size <= TOGETHER_BYTES:
                reports = _run_child("convert_and_read", path, file_name, folder, limits, stopped)
                return reports, folder / CONVERTED if (folder / CONVERTED).exists() else path
            _run_child("convert", path, file_name, folder, limits, stopped)
            return _run_child("read", folder / CONVERTED, file_name, folder, limits, stopped), folder / CONVERTED
        except MachineFailed:
            raise
        except (Unreadable, ReadingFailed) as error:
            _log.info("%s is not converted: %s", path.name, error)
    return _run_child("read", path, file_name, folder, limits, stopped, choice), path


def convert(path: Path, file_name: str, target: Path, limits: ReadLimits) -> bool:
    """Write a workbook that was read as it is again as xlsx; return whether there is one at `target` now.

    False for a file that is not converted, or cannot be. Raises MachineFailed or OSError as `read` does.
    """
    if not is_converted(path, file_name):
        return False
    folder = Path(tempfile.mkdtemp(prefix=f"{path.name}.reading-", dir=target.parent))
    try:
        _run_child("convert", path, file_name, folder, limits)
        os.replace(folder / CONVERTED, target)
    except MachineFailed:
        raise
    except (Unreadable, ReadingFailed) as error:
        _log.info("%s is not converted: %s", path.name, error)
        return False
    else:
        return True
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def add_guesses(facts: SheetFacts, path: Path, limits: ReadLimits, country: str) -> None:
    """Add the guesses to the facts, or the problem that the sheet has too many rows below its header."""
    if facts.problem is not None:
        return
    guessed = guess_sheet(path, country)
    facts.header_row, facts.number_column = guessed.header_row, guessed.column
    facts.number_columns, facts.country_column = list(guessed.ticked), guessed.country_column
    facts.likely_columns = list(guessed.columns)
    facts.country, facts.rival_countries = guessed.country.country, list(guessed.country.rivals)
    facts.country_from = guessed.country.taken_from.value
    facts.numbers = round(guessed.numbers * max(1.0, facts.data_rows / max(guessed.rows_read, 1)))
    if facts.data_rows > limits.max_rows:
        facts.problem = FileProblem.TOO_MANY_ROWS.value
        facts.problem_facts = {"rows": facts.data_rows, "limit": limits.max_rows}
        return
    facts.total_rows = total_rows(path, facts.header_row, country)
    facts.header = header_of(path, facts.header_row, facts.columns)
    facts.sample = sample(path, facts.header_row, width=facts.columns)


def _require_usable(found: list[SheetFacts]) -> None:
    """Raise Unreadable when no sheet is usable, or when the one that certainly has the numbers is not.

    A problem on another sheet does not spoil the document: only that sheet cannot be chosen.
    """
    if not any(facts.usable or facts.problem for facts in found):
        raise Unreadable(FileProblem.NO_ROWS)
    first = likeliest_sheet([facts for facts in found if facts.usable or facts.problem])
    usable = any(facts.usable and facts.numbers for facts in found)
    if first is not None and first.problem is not None and not usable:
        raise Unreadable(FileProblem(first.problem), first.problem_facts)


def likeliest_sheet(sheets: Sequence[SheetFacts]) -> SheetFacts | None:
    """Return the first of these sheets with about as many telephone numbers as any, visible ones before hidden ones;
    without numbers, the first one."""
    for hidden in (False, True):
        seen = [facts for facts in sheets if facts.hidden == hidden]
        most = max((facts.numbers for facts in seen), default=0)
        if most:
            return next(facts for facts in seen if facts.numbers >= most / 2)
    return next((facts for facts in sheets if not facts.hidden), next(iter(sheets), None))


def _run_child(
    task: str,
    path: Path,
    file_name: str,
    folder: Path,
    limits: ReadLimits,
    stopped: Callable[[], bool] = lambda: False,
    choice: TextChoice = TextChoice(),  # noqa: B008
) -> list[dict[str, Any]]:
    """Run the child process for a task and return its facts, one dictionary a sheet."""
    command = [sys.executable, "-I", "-c", _START, str(_PORTAL), task]
    command += [str(path.resolve()), str(folder.resolve()), limits.to_json(), str(os.getpid())]
    with tempfile.TemporaryFile() as name, tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        said = {"name": file_name.encode("utf-8", "replace").decode(), **asdict(choice)}
        name.write(json.dumps(said).encode())
        name.seek(0)
        # In its own session: a signal to the worker's whole group (a deploy, Ctrl-C) must not look like a hostile file.
        child = subprocess.Popen(
            command, stdin=name, stdout=output, stderr=errors,
            cwd=folder, env={"LANG": "C.UTF-8"}, start_new_session=True,
        )  # fmt: skip
        try:
            code = _wait(child, limits.wall_seconds, stopped)
        finally:
            child.kill()
            child.wait()
        if error_text := _tail(errors):
            _log.warning("reading %s ended with %s: %s", path.name, code, error_text)
        return _result_of(code, output)


def _wait(child: subprocess.Popen[bytes], seconds: float, stopped: Callable[[], bool]) -> int | None:
    """Wait for the child's end and return its exit code; None when it takes too long. Raises MachineFailed when this
    process has to stop."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if stopped():
            raise MachineFailed("the worker has to stop")
        with suppress(subprocess.TimeoutExpired):
            return child.wait(timeout=STEP_SECONDS)
    return None


def _result_of(code: int | None, output: IO[bytes]) -> list[dict[str, Any]]:
    """Interpret how the child ended, and return its sheets.

    A timeout or an unexpected signal means that the file cannot be read safely; SIGTERM, SIGINT and SIGHUP, which
    somebody sent to the process, mean nothing about the file.
    """
    if code is None or (code < 0 and -code not in (SIGTERM, SIGINT, SIGHUP)):
        raise Unreadable(FileProblem.UNSAFE)
    if code == MACHINE_FAILED or code < 0:
        raise MachineFailed(f"the reading process ended with {code}")
    if code != 0:
        raise ReadingFailed(f"the reading process ended with {code}")
    output.seek(0)
    report = json.loads(output.read(_REPORT_BYTES))
    if "problem" in report:
        raise Unreadable(FileProblem(report["problem"]), report["facts"])
    sheets: list[dict[str, Any]] = report["sheets"]
    return sheets


def _tail(errors: IO[bytes]) -> str:
    """Return the end of what the child wrote to stderr, for the log."""
    size = errors.seek(0, os.SEEK_END)
    errors.seek(max(0, size - 2000))
    return errors.read().decode("utf-8", "replace").strip()
