"""Which file can be given back as a copy of the person's own, with the answers added, and what it then loses."""

from collections.abc import Iterator
from typing import Protocol

from flask_babel import gettext

from portal.documents.models import Document
from portal.documents.reader.file_type import extension_of
from portal.documents.storage import LocalStorage
from portal.jobs.export.added import AddedRow
from portal.jobs.export.in_place.errors import CannotWriteInPlace
from portal.jobs.export.in_place.package import Package
from portal.jobs.export.in_place.parts import find_parts
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


def loss_words(document: Document, storage: LocalStorage) -> str:
    """What the file that comes back will lack, as a sentence to read before the start; empty when it lacks nothing.

    A quick look at the package only: a sheet that cannot be changed for its own sake is noticed when it is written.
    """
    path = storage.path(document.storage_key)
    if extension_of(document.file_name) not in IN_PLACE or not path.is_file():
        return ""
    try:
        with Package(path) as package:
            signed = find_parts(package, 0).is_signed
    except CannotWriteInPlace:
        return gettext(
            "We cannot add columns to this workbook. You will get a new one with the rows of the chosen sheet, without "
            "its formats and other sheets."
        )
    if not signed:
        return ""
    return gettext(
        "This workbook is digitally signed. The file you download has no signature, as it would not be valid."
    )


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
