"""Which file can be given back as a copy of the person's own, with the answers added."""

from collections.abc import Iterator
from typing import Protocol

from portal.documents.reader.file_type import extension_of
from portal.documents.storage import LocalStorage
from portal.jobs.export.added import AddedRow
from portal.jobs.export.in_place.errors import CannotWriteInPlace
from portal.jobs.export.in_place.workbook import OpenWorkbook, Place
from portal.jobs.export.lines import ExportPlan
from portal.jobs.models import ScrapingJob

IN_PLACE = {".xlsx": "xlsx", ".xlsm": "xlsx"}
"""The endings of uploads that come back as they were, each with the format under which they are asked for."""


class Copy(Protocol):
    """The person's file, looked through and ready to be copied."""

    @property
    def extension(self) -> str:
        """The ending of the copy's name, without a dot."""

    def copy(self, rows: Iterator[AddedRow]) -> Iterator[bytes]:
        """The copy with these rows, piece by piece."""

    def close(self) -> None:
        """Close the person's file. Closing twice is fine."""


def comes_back_as_it_was(job: ScrapingJob, kind: str) -> bool:
    """Whether a file with this ending is given back in place when all rows are asked for in this format."""
    return IN_PLACE.get(extension_of(job.file_name)) == kind


def open_copy(
    job: ScrapingJob, storage: LocalStorage, plan: ExportPlan, kind: str, extension: str | None = None
) -> Copy | None:
    """The person's own file, to be copied; None when this format is not theirs, their file cannot be changed, or its
    ending would have to be another than `extension`."""
    path = storage.path(job.document.storage_key)
    if plan.selects or not comes_back_as_it_was(job, kind) or not path.is_file():
        return None
    place = Place(job.sheet, plan.sheet_name, plan.width, plan.header_row, len(plan.labels()))
    try:
        found = OpenWorkbook(path, place)
    except CannotWriteInPlace:
        return None
    if extension in (None, found.extension):
        return found
    found.close()
    return None
