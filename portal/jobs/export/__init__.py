"""The file that a person gets back: their own, with the answers in columns of their own behind it.

Available at any time, even while the job runs. All rows of an Excel workbook come in a copy of that workbook, which
`copy` opens and the room `in_place` writes, and chosen rows of it in a small one of the same formats. Selections of
other files, and files that cannot be copied so, come in a new file with the rows of the chosen sheet: `lines` decides
what is in a line; `xlsx` and `csv_file` turn lines into a file. Memory stays flat: the sheet and the ledger are read
once, side by side, and neither is ever whole in memory.
"""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO

from portal.clock import utcnow
from portal.database import db
from portal.documents.storage import Storage
from portal.jobs.export.column_templates import (
    answers_added,
    empty_columns,
    forget_choice,
    keep_choice,
    kept_choice,
    kept_or_default,
)
from portal.jobs.export.columns import (
    CHANGE,
    DEFAULT,
    LONGEST_NAME,
    TITLES,
    Column,
    ColumnChoice,
    ColumnsRefused,
    Pick,
    answer_headings,
    beside_own,
    checked,
    choice_from,
    columns_of,
    own_names,
    titles_of,
)
from portal.jobs.export.copy import comes_back_as_it_was, extra_sheets, loss_words, open_copy, own_format, own_formats
from portal.jobs.export.csv_file import csv_pieces
from portal.jobs.export.download_groups import Group, RowChoice, UnknownGroup, counts_by_value, groups_of, is_group
from portal.jobs.export.in_place.extra_sheet import ExtraSheet
from portal.jobs.export.lines import ExportPlan, RowFilter, added_rows, fields_of_job, plan_for
from portal.jobs.export.names import download_name, group_title
from portal.jobs.export.preview import preview_columns
from portal.jobs.export.result_preview import ResultPreview, preview_result
from portal.jobs.export.summary import summary_sheet
from portal.jobs.export.xlsx import CellFormats, write_xlsx
from portal.jobs.models import ScrapingJob

__all__ = [
    "CHANGE", "LONGEST_NAME", "MIMETYPES", "OF_ENDING", "TITLES", "Column", "ColumnChoice", "ColumnsRefused",
    "Download", "FileFormat", "Group", "NotTheirFormat", "Pick", "ResultPreview", "RowChoice", "RowFilter",
    "UnknownGroup", "answer_headings", "answers_added", "beside_own", "checked", "choice_from", "columns_of",
    "comes_back_as_it_was", "counts_by_value", "download_name", "empty_columns", "export", "fields_of_job",
    "forget_choice", "group_title", "groups_of", "keep_choice", "kept_choice", "kept_or_default", "loss_words",
    "open_download", "own_format", "own_names", "preview_columns", "preview_result", "titles_of", "write_export",
]  # fmt: skip

PIECE_BYTES = 256 * 1024


class FileFormat(StrEnum):
    """The formats that can be asked for, named by their file extension."""

    XLSX = "xlsx"  # for an upload with macros, the answer is an xlsm
    CSV = "csv"
    ODS = "ods"  # only for an upload of that kind; when it cannot be changed, the answer is an xlsx


MIMETYPES = {
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "xlsm": "application/vnd.ms-excel.sheet.macroEnabled.12",
    # In the encoding of the person's file, which no header could name better than the file itself.
    "csv": "text/csv",
    "ods": "application/vnd.oasis.opendocument.spreadsheet",
    "tsv": "text/tab-separated-values",
    "txt": "text/plain",
}


OF_ENDING = {
    "xlsx": FileFormat.XLSX, "xlsm": FileFormat.XLSX, "ods": FileFormat.ODS,
    **dict.fromkeys(("csv", "tsv", "txt"), FileFormat.CSV),
}  # fmt: skip


class NotTheirFormat(ValueError):
    """A file with this ending can only be a copy of the person's own."""


@dataclass(frozen=True)
class Download:
    """A file on its way to a person. `pieces` are made while they are taken; close it in any case."""

    pieces: Iterator[bytes]
    close: Callable[[], None]
    extension: str
    size: int | None = None  # bytes; None when it is not known before the end
    is_replacement: bool = False  # a new workbook, as the person's own cannot be changed

    @property
    def mimetype(self) -> str:
        """The file's type for the browser."""
        return MIMETYPES[self.extension]


def open_download(
    job: ScrapingJob,
    storage: Storage,
    kind: FileFormat | str | None = FileFormat.XLSX,
    *,
    rows: RowFilter | str = RowFilter.ALL,
    group: str | None = None,
    choice: RowChoice | None = None,
    extension: str | None = None,
    columns: ColumnChoice = DEFAULT,
) -> Download:
    """The job's file, with any ending of that format or, when `extension` is given, with that one. Without a format it
    is that of the person's file, if we write it. `columns` are those that are added; a workbook with all rows gets a
    sheet with totals if they say so.

    In the reader's language and time zone, also while the pieces are taken: outside a request, wrap all of it in
    `force_locale`.

    Commits, to end the session's transaction: a download must not block writers meanwhile.
    Raises ValueError for an unknown format or row filter, UnknownGroup, NotTheirFormat when only the person's own file
    can have that ending and it cannot be copied, and FileNotFoundError when the document's rows are gone.
    """
    kind = FileFormat(kind or own_format(job))
    if group is not None and not is_group(group):
        raise UnknownGroup(group)
    if kind == FileFormat.ODS and not comes_back_as_it_was(job, kind):
        raise NotTheirFormat(kind)
    plan = plan_for(job, storage, RowFilter(rows), group, choice, columns)
    own = open_copy(job, storage, plan, kind, extension)
    is_replacement = own is None and kind != FileFormat.CSV and not plan.selects and comes_back_as_it_was(job, kind)
    if own is None and kind == FileFormat.ODS and extension is None:
        kind = FileFormat.XLSX
    formats = own_formats(job, storage, plan) if own is None and kind == FileFormat.XLSX else {}
    sheets = extra_sheets(own, plan) if own is not None else []
    totals = [summary_sheet(job, plan, utcnow())] if columns.with_summary and not plan.selects else []
    db.session.commit()
    # What is written in the terminal has a job that ends with the command.
    mark = plan.mark if extension is None else ""
    if own is not None:
        return Download(own.copy(added_rows(plan), [*sheets, *totals], mark), own.close, own.extension)
    if extension not in (None, kind.value) or kind == FileFormat.ODS:
        raise NotTheirFormat(extension)
    if not plan.sheet_path.is_file():
        raise FileNotFoundError(plan.sheet_path)
    if kind == FileFormat.CSV:
        return Download(csv_pieces(plan), lambda: None, kind.value)
    file = _written(replace(plan, mark=mark), formats, totals)
    size = file.seek(0, 2)
    file.seek(0)
    return Download(_pieces(file), file.close, kind.value, size, is_replacement)


def export(
    job: ScrapingJob,
    storage: Storage,
    kind: FileFormat | str = FileFormat.XLSX,
    *,
    rows: RowFilter | str = RowFilter.ALL,
    group: str | None = None,
    columns: ColumnChoice = DEFAULT,
) -> BinaryIO:
    """The same as a temporary file, open at its start; closing deletes it."""
    download = open_download(job, storage, kind, rows=rows, group=group, columns=columns)
    out = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    try:
        _save(download, out)
        out.seek(0)
    except BaseException:
        out.close()
        raise
    return out


def write_export(
    job: ScrapingJob,
    storage: Storage,
    path: Path,
    *,
    rows: RowFilter | str = RowFilter.ALL,
    columns: ColumnChoice = DEFAULT,
) -> Download:
    """Write the file to `path`, completely or not at all, in the format of its ending. Returns what it was.

    Raises the same as `open_download`.
    """
    extension = path.suffix.lower().lstrip(".")
    with _atomic_file(path) as out:
        download = open_download(job, storage, OF_ENDING[extension], rows=rows, extension=extension, columns=columns)
        _save(download, out)
    return download


def _save(download: Download, out: BinaryIO) -> None:
    try:
        for piece in download.pieces:
            out.write(piece)
    finally:
        download.close()


def _written(plan: ExportPlan, formats: CellFormats, sheets: list[ExtraSheet]) -> BinaryIO:
    out = tempfile.TemporaryFile()  # noqa: SIM115 - the download closes it
    try:
        write_xlsx(plan, out, formats, [(one.name, one.rows) for one in sheets])
    except BaseException:
        out.close()
        raise
    return out


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    while piece := file.read(PIECE_BYTES):
        yield piece


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
