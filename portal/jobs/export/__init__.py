"""The file that a person gets back: the same rows, order and columns as theirs, followed by the answers.

Available at any time, even while the job runs. Only the chosen sheet is written, under its own name. Memory stays flat:
the sheet and the ledger are read once, side by side, and neither is ever whole in memory.

`lines` decides what is in a line; `xlsx` and `csv_file` turn lines into a file.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO

from portal.database import db
from portal.documents.storage import LocalStorage
from portal.jobs.export.csv_file import write_csv
from portal.jobs.export.download_groups import Group, UnknownGroup, groups_of, is_group
from portal.jobs.export.lines import ExportPlan, RowFilter, plan_for
from portal.jobs.export.names import download_name, group_title
from portal.jobs.export.xlsx import write_xlsx
from portal.jobs.models import ScrapingJob

__all__ = [
    "MIMETYPES", "FileFormat", "Group", "RowFilter", "UnknownGroup", "download_name", "export", "group_title",
    "groups_of",
    "write_export",
]  # fmt: skip


class FileFormat(StrEnum):
    """The formats that can be downloaded, named by their file extension."""

    XLSX = "xlsx"
    CSV = "csv"


MIMETYPES = {
    FileFormat.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    FileFormat.CSV: "text/csv; charset=utf-8",
}


def export(
    job: ScrapingJob,
    storage: LocalStorage,
    kind: FileFormat | str = FileFormat.XLSX,
    *,
    rows: RowFilter | str = RowFilter.ALL,
    group: str | None = None,
) -> BinaryIO:
    """The job's file, open at its start; closing deletes it. In the reader's language and time zone: outside a request,
    wrap the call in `force_locale`.

    Commits, to end the session's transaction: a download must not block writers meanwhile.
    Raises ValueError for an unknown format or row filter, UnknownGroup, and FileNotFoundError when the document's
    rows are gone.
    """
    kind, plan = FileFormat(kind), _planned(job, storage, rows, group)
    out = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    try:
        _write(plan, kind, out)
        out.seek(0)
    except BaseException:
        out.close()
        raise
    return out


def write_export(
    job: ScrapingJob,
    storage: LocalStorage,
    path: Path,
    kind: FileFormat | str | None = None,
    *,
    rows: RowFilter | str = RowFilter.ALL,
) -> None:
    """Write the file to `path`, completely or not at all. `kind` defaults to the file extension."""
    kind = FileFormat(kind or path.suffix.lower().lstrip("."))
    plan = _planned(job, storage, rows, None)
    with _atomic_file(path) as out:
        _write(plan, kind, out)


def _planned(job: ScrapingJob, storage: LocalStorage, rows: RowFilter | str, group: str | None) -> ExportPlan:
    if group is not None and not is_group(group):
        raise UnknownGroup(group)
    plan = plan_for(job, storage, RowFilter(rows), group)
    db.session.commit()
    if not plan.sheet_path.is_file():
        raise FileNotFoundError(plan.sheet_path)
    return plan


def _write(plan: ExportPlan, kind: FileFormat, out: BinaryIO) -> None:
    (write_xlsx if kind == FileFormat.XLSX else write_csv)(plan, out)


@contextmanager
def _atomic_file(path: Path) -> Iterator[BinaryIO]:
    """A temporary file next to `path` that replaces it once complete; until then the old file stays."""
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as out:
            yield out
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
