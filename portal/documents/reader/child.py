"""The process that parses a file: `portal.documents.reader.child PATH NAME FOLDER LIMITS PARENT`, started by `parent`.

It takes away its own means first (memory, time, file size) and dies with its parent. Whatever happens in here, the
portal goes on: a hostile workbook of 1.4 KiB aborts the reader, and no `try` catches that. What it found goes to
stdout as one JSON object: {"sheets": [...]} or {"problem": code, "facts": {...}}. It must not know the database.
The parsers are imported within functions, so that they too are loaded under the limits.
"""

import json
import resource
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from portal.documents.reader.limits import FileProblem, ReadLimits, Unreadable
from portal.tether import die_with


def confine(limits: ReadLimits, parent: int) -> None:
    """Take away what reading a file does not need."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Python would make an exception of it, and blame the file
    die_with(parent)
    resource.setrlimit(resource.RLIMIT_AS, (limits.memory_bytes, limits.memory_bytes))
    resource.setrlimit(resource.RLIMIT_CPU, (limits.cpu_seconds, limits.cpu_seconds + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (limits.output_bytes, limits.output_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def read_into(path: Path, file_name: str, folder: Path, limits: ReadLimits) -> list[dict[str, Any]]:
    """Write every sheet's rows to `<n>.jsonl` in `folder` and say what the sheets are. Raises Unreadable."""
    from portal.documents.reader import file_type, sheet_file

    kind = file_type.kind_of(path, file_name)
    budget = sheet_file.Budget(limits)
    found = []
    for index, (name, hidden, rows) in enumerate(_sheets(path, file_name, kind, limits)):
        facts = {"index": index, "name": name[:100], "hidden": hidden, "rows": 0, "columns": 0}
        try:
            facts["rows"], facts["columns"] = sheet_file.write_sheet(folder / f"{index}.jsonl", rows, limits, budget)
        except Unreadable as error:
            if error.problem is not FileProblem.TOO_MANY_COLUMNS:
                raise
            facts |= {"problem": error.problem, "problem_facts": error.facts}  # the other sheets may still do
        found.append(facts)
    return found


def _sheets(
    path: Path, file_name: str, kind: str, limits: ReadLimits
) -> Iterator[tuple[str, bool, Iterator[list[Any]]]]:
    from portal.documents.reader import csv_text, file_type, workbook, xlsb_check, zip_check

    if kind == file_type.FileType.TEXT:
        yield Path(file_name).stem[:100], False, csv_text.read_rows(path, file_type.ending_of(file_name))
        return
    if kind == file_type.FileType.ZIP:
        zip_check.check_zip(path, limits)
        xlsb_check.check_xlsb(path)
    for sheet in workbook.read_sheets(path, limits):
        yield sheet.name, sheet.hidden, sheet.rows


def _report(path: Path, file_name: str, folder: Path, limits: ReadLimits) -> dict[str, Any]:
    """What is said to the parent. Anything that a file can make a parser raise is the file's doing."""
    from python_calamine import PasswordError

    try:
        return {"sheets": read_into(path, file_name, folder, limits)}
    except Unreadable as error:
        return {"problem": error.problem, "facts": error.facts}
    except MemoryError:
        return {"problem": FileProblem.UNSAFE, "facts": {}}
    except OSError as error:
        if error.errno is not None:
            raise  # a full disk or a file that is gone is not the file's fault
        return {"problem": FileProblem.DAMAGED, "facts": {}}
    except PasswordError:
        return {"problem": FileProblem.ENCRYPTED, "facts": {}}
    except BaseException as error:  # the reader's panics are no Exceptions
        print(f"{type(error).__name__}: {error}"[:2000], file=sys.stderr)
        return {"problem": FileProblem.DAMAGED, "facts": {}}


def main(arguments: list[str]) -> None:
    """Read one file and report."""
    path, file_name, folder, limits_json, parent = arguments
    limits = ReadLimits.from_json(limits_json)
    confine(limits, int(parent))
    json.dump(_report(Path(path), file_name, Path(folder), limits), sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1:])
