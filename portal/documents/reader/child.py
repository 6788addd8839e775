"""The process that parses a file: `portal.documents.reader.child TASK PATH FOLDER LIMITS PARENT`, started by `parent`.

It limits its own memory, time and file size first, and dies with its parent. A crash in here does not harm the portal:
a hostile workbook of 1.4 KiB aborts the parser, and no `try` catches that. It writes one JSON object to stdout:
{"sheets": [...]} or {"problem": code, "facts": {...}}. It must not know the database. The parsers are imported inside
functions, so that they too are loaded under the limits. TASK is `read`, for the rows of each sheet, `convert`, for
an old workbook as `converted.xlsx`, or `convert_and_read`.
"""

import errno
import gc
import json
import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from portal.documents.reader.limits import CONVERTED, MACHINE_FAILED, FileProblem, ReadLimits, Unreadable
from portal.documents.reader.sandbox import lock_in
from portal.tether import die_with

if TYPE_CHECKING:
    from portal.documents.reader.sheet_file import RawSheet

MACHINE_FAULTS = (
    errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.ENOENT, errno.EACCES, errno.EMFILE, errno.ENFILE,
)  # fmt: skip


def confine(limits: ReadLimits, parent: int, path: Path, folder: Path) -> None:
    """Limit this process to what reading the file needs, and end it when the process `parent` ends.

    Should memory run out all the same, the kernel ends this process first. A signal ends it as if nobody had changed
    what it does: a worker started under nohup, or Python's own KeyboardInterrupt, would be blamed on the file.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    die_with(parent)
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (limits.memory_bytes, limits.memory_bytes))
    resource.setrlimit(resource.RLIMIT_CPU, (limits.cpu_seconds, limits.cpu_seconds + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (limits.output_bytes, limits.output_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    lock_in([path], folder)


def read_into(path: Path, said: dict[str, str], folder: Path, limits: ReadLimits) -> list[dict[str, Any]]:
    """Write each sheet's rows to `<n>.jsonl` in `folder`; return one dictionary of facts a sheet. Raises Unreadable."""
    from portal.documents.reader import file_mark, file_type, sheet_file

    kind = file_type.file_type_of(path, said["name"])
    budget = sheet_file.Budget(limits)
    found = []
    for index, sheet in enumerate(_sheets(path, said, folder, kind, limits)):
        facts = {"index": index, "name": sheet.name[:100], "hidden": sheet.hidden, "far": sheet.far, "text": sheet.text,
                 "formats": sheet.formats if index < sheet_file.SHEETS_WITH_FORMATS else {}}  # fmt: skip
        try:
            written = sheet_file.write_sheet(
                folder / f"{index}.jsonl", sheet.rows, limits, budget, sheet.hidden_rows
            )  # fmt: skip
            facts |= {"rows": written.rows, "columns": written.columns, "counted": written.counted,
                      "hidden_rows": written.hidden}  # fmt: skip
        except Unreadable as error:
            if error.problem is not FileProblem.TOO_MANY_COLUMNS:
                raise
            facts |= {"problem": error.problem, "problem_facts": error.facts}  # the other sheets may still be usable
        found.append(facts)
    if found and kind == file_type.FileType.ZIP:
        found[0]["mark"] = file_mark.mark_of(path)
    return found


def _sheets(path: Path, said: dict[str, str], folder: Path, kind: str, limits: ReadLimits) -> "Iterator[RawSheet]":
    from portal.documents.reader import file_type

    if kind == file_type.FileType.TEXT:
        from portal.documents.reader import csv_text, sheet_file  # without the parser of workbooks: it takes a while

        choice = csv_text.TextChoice(said["encoding"], said["delimiter"])
        dialect = csv_text.dialect_of(path, file_type.extension_of(said["name"]), choice)
        rows = csv_text.read_rows(path, dialect)
        yield sheet_file.RawSheet(Path(said["name"]).stem[:100], False, rows, text=asdict(dialect))
        return
    from portal.documents.reader import ole_check, xlsb_check, zip_check
    from portal.documents.reader.workbooks import workbook

    if kind == file_type.FileType.ZIP:
        zip_check.check_zip(path, limits)
        xlsb_check.check_xlsb(path)
    elif kind == file_type.FileType.OLE:
        ole_check.check_ole(path)
    else:  # a page or XML that could not be converted
        raise Unreadable(FileProblem.WRONG_TYPE, {"found": "html"})
    yield from workbook.read_sheets(path, folder, limits)


def convert_into(path: Path, said: dict[str, str], folder: Path, limits: ReadLimits) -> list[dict[str, Any]]:
    """Write an old workbook as `converted.xlsx` in `folder`; return the names of its sheets. Raises Unreadable."""
    from portal.documents.reader.conversion import convert

    return [{"name": name} for name in convert.convert(path, said["name"], folder / CONVERTED, limits)]


def convert_and_read(path: Path, said: dict[str, str], folder: Path, limits: ReadLimits) -> list[dict[str, Any]]:
    """Do both tasks. For small files: what both need of the memory counts together. An xls of which the parser sees all
    is only read: it is converted when its person waits for nothing."""
    from portal.documents.reader import file_type

    if file_type.file_type_of(path, said["name"]) == file_type.FileType.OLE:
        from portal.documents.reader import ole_check, sheet_file, xls_check

        ole_check.check_ole(path)
        formats = xls_check.formats_if_plain(path)
        if formats is not None:
            reports = read_into(path, said, folder, limits)
            for report, found in zip(reports[: sheet_file.SHEETS_WITH_FORMATS], formats, strict=False):
                report["formats"] = found
            return reports
    convert_into(path, said, folder, limits)
    return read_into(folder / CONVERTED, said, folder, limits)


TASKS = {"read": read_into, "convert": convert_into, "convert_and_read": convert_and_read}


def _report(task: str, path: Path, said: dict[str, str], folder: Path, limits: ReadLimits) -> dict[str, Any]:
    """Do the task and return the report for the parent. Whatever the parser raises is the file's fault."""
    _load_parser(path)
    try:
        return {"sheets": TASKS[task](path, said, folder, limits)}
    except Unreadable as error:
        return {"problem": error.problem, "facts": error.facts}
    except MemoryError:
        return {"problem": FileProblem.UNSAFE, "facts": {}}
    except OSError as error:
        if error.errno in MACHINE_FAULTS:
            print(f"the machine failed: {error}"[:2000], file=sys.stderr)
            sys.exit(MACHINE_FAILED)
        # More output than its limit (EFBIG) is not safe; without a number it is the parser's own error.
        return {"problem": FileProblem.DAMAGED if error.errno is None else FileProblem.UNSAFE, "facts": {}}
    except BaseException as error:  # a panic of the Rust parser is not an Exception
        if type(error).__name__ == "PasswordError":  # by its name: the parser need not be loaded for a text
            return {"problem": FileProblem.ENCRYPTED, "facts": {}}
        print(f"{type(error).__name__}: {error}"[:2000], file=sys.stderr)
        return {"problem": FileProblem.DAMAGED, "facts": {}}


def _load_parser(path: Path) -> None:
    """Load the parser of workbooks for a file that may be one. Where that fails, it is not the file's fault."""
    try:
        with path.open("rb") as file:
            may_be_workbook = file.read(2) in (b"PK", b"\xd0\xcf")
    except OSError as error:
        if error.errno in MACHINE_FAULTS:  # the task comes upon it as well, and reports it
            return
        raise
    if may_be_workbook:
        import python_calamine  # noqa: F401


def main(arguments: list[str]) -> None:
    """Read one file and print the report. `arguments`: task, path, folder, limits as JSON, parent's pid; the file's
    name comes by stdin, as other users can read a command line, with the encoding and delimiter that were chosen."""
    task, path, folder, limits_json, parent = arguments
    limits, said = ReadLimits.from_json(limits_json), json.load(sys.stdin)
    confine(limits, int(parent), Path(path), Path(folder))
    gc.disable()  # it would look through all rows again and again, and the process ends soon
    json.dump(_report(task, Path(path), said, Path(folder), limits), sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1:])
