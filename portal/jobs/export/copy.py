"""Which file can be given back as a copy of the person's own, with the answers added, and what it then loses.

A workbook in one of Excel's older formats is converted; that is the one that is copied.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from flask_babel import get_locale, gettext

from portal.documents.converted import comes_as_xlsx, converted_path
from portal.documents.models import Document, Reading
from portal.documents.reader.csv_text import TextDialect
from portal.documents.reader.file_type import TEXTS, extension_of, markup_type_of
from portal.documents.reader.sheet_file import column_letter
from portal.documents.storage import Storage, StorageAway
from portal.jobs.export.added import AddedRow
from portal.jobs.export.formats import Shows
from portal.jobs.export.in_place.column_formats import formats_of
from portal.jobs.export.in_place.errors import CannotWriteInPlace
from portal.jobs.export.in_place.extra_sheet import ExtraSheet
from portal.jobs.export.in_place.ods.workbook import SIGNATURES, OpenOds
from portal.jobs.export.in_place.package import Package
from portal.jobs.export.in_place.parts import find_parts
from portal.jobs.export.in_place.selection import OpenSelection
from portal.jobs.export.in_place.text import OpenText
from portal.jobs.export.in_place.workbook import OpenWorkbook, Place
from portal.jobs.export.lines import ExportPlan
from portal.jobs.models import ScrapingJob

NEXT_HEADING = 5  # columns further on it may stand: some headings of a list are empty
LARGE_ROWS = 20_000  # looked through in a tenth of a second
WORKBOOKS = frozenset({".xlsx", ".xlsm"})
OLD_WORKBOOKS = frozenset({".xls", ".xlsb"})  # come back as xlsx
IN_PLACE = dict.fromkeys(WORKBOOKS | OLD_WORKBOOKS, "xlsx")
"""The endings of uploads that come back as they were, each with the format under which they are asked for."""
OTHERS_IN_PLACE = {**dict.fromkeys(TEXTS, "csv"), ".ods": "ods"}


class Copy(Protocol):
    """The person's file, looked through and ready to be copied."""

    @property
    def extension(self) -> str:
        """The ending of the copy's name, without a dot."""

    @property
    def first_added(self) -> int:
        """The position (from 0) of the first added column."""

    def copy(self, rows: Iterator[AddedRow], sheets: Sequence[ExtraSheet] = (), mark: str = "") -> Iterator[bytes]:
        """The copy with these rows, more sheets and the job's mark, piece by piece. A text has no place for a mark."""

    def close(self) -> None:
        """Close the person's file. Closing twice is fine."""


def comes_back_as_it_was(job: ScrapingJob, kind: str) -> bool:
    """Whether a file with this ending is given back in place when all rows are asked for in this format."""
    return (IN_PLACE | OTHERS_IN_PLACE).get(extension_of(job.file_name)) == kind


def own_format(job: ScrapingJob) -> str:
    """The format in which the person's file comes back: theirs, or xlsx when we do not write theirs."""
    return (IN_PLACE | OTHERS_IN_PLACE).get(extension_of(job.file_name), "xlsx")


def look_ahead(document: Document, storage: Storage) -> None:
    """Look through the large sheets of a document that was just read, so that its downloads start at once."""
    path = None
    if document.state == Reading.READY:
        with suppress(StorageAway):
            path = _stored_path(document, storage)
    if path is None:
        return
    for facts in document.sheets:
        if facts["rows"] >= LARGE_ROWS and facts["problem"] is None:
            head = facts["header_row"]
            table = _table_width(head, facts["header"], {facts["number_column"], *facts["number_columns"]})
            place = Place(facts["index"], facts["name"], facts["columns"], head, 0, table)
            with suppress(CannotWriteInPlace):
                open_at(path, document.file_name, place, dialect=dialect_of(document)).close()


def workbook_path(document: Document, storage: Storage) -> Path | None:
    """The workbook to which answers are added: the stored file, or what an older one was converted to. None for other
    kinds of files, and while it is not there."""
    known = extension_of(document.file_name) in WORKBOOKS | OLD_WORKBOOKS  # what says .xls may well be an xlsx
    return converted_path(document, storage) or (_fetched(document, storage) if known else None)


def _stored_path(document: Document, storage: Storage) -> Path | None:
    return converted_path(document, storage) or _fetched(document, storage)


def _fetched(document: Document, storage: Storage) -> Path | None:
    """The file, fetched to this machine; None when it is nowhere. Raises StorageAway."""
    try:
        return storage.fetch(document.storage_key)
    except FileNotFoundError:
        return None


def _survey_file(path: Path, sheet: int) -> Path:
    """Beside the stored file, with which it is deleted."""
    return path.with_name(f"{path.name}.survey-{sheet}.json")


def loss_words(document: Document, storage: Storage) -> str:
    """What the file that comes back will lack, as a sentence to read before the start; empty when it lacks nothing.

    A quick look at the package only: a sheet that cannot be changed for its own sake is noticed when it is written.
    """
    extension = extension_of(document.file_name)
    try:
        converted, path = comes_as_xlsx(document, storage), _fetched(document, storage)
    except StorageAway:
        return ""
    if converted:
        if path is not None and markup_type_of(path) is not None:
            return gettext(
                "Your file has the name of an Excel file, but it is a web page or XML. You will get a real Excel file "
                "(.xlsx) with all its rows and values. It will not have its colours, formulas, pictures or links."
            )
        return gettext(
            "You will get a modern Excel file (.xlsx) with all your sheets, values and formats. It will not have "
            "formulas (their results stay), macros, charts, pictures, comments, links, filters or rules."
        )
    if extension not in IN_PLACE | {".ods": "ods"} or path is None:
        return ""
    try:
        with Package(path) as package:
            signed = SIGNATURES in package if extension == ".ods" else find_parts(package, 0).is_signed
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


def own_formats(job: ScrapingJob, storage: Storage, plan: ExportPlan) -> dict[tuple[int, Shows], int | str]:
    """How the columns of the person's sheet show numbers and dates, for a new workbook; empty where it is not known."""
    path = workbook_path(job.document, storage)
    if path is None:
        return {}
    return formats_of(path, job.sheet, plan.sheet_name, plan.header_row)


def extra_sheets(own: Copy, plan: ExportPlan) -> list[ExtraSheet]:
    """A sheet that names the added columns, when there is no heading row for it."""
    if plan.header_row:
        return []
    head = [gettext("Column"), gettext("Contents")]
    named = [[column_letter(column), label] for column, label in enumerate(plan.labels(), own.first_added)]
    return [ExtraSheet(gettext("Columns"), [head, *named])]


def open_copy(
    job: ScrapingJob, storage: Storage, plan: ExportPlan, kind: str, extension: str | None = None
) -> Copy | None:
    """The person's own file, to be copied, or the chosen rows of their workbook. None when this format is not theirs,
    their file cannot be changed, or its ending would have to be another than `extension`."""
    path = _stored_path(job.document, storage)
    if not comes_back_as_it_was(job, kind) or path is None or (plan.selects and kind != "xlsx"):
        return None
    try:
        table = _table_width(plan.header_row, plan.own_headings, plan.number_columns)
        place = Place(job.sheet, plan.sheet_name, plan.width, plan.header_row, len(plan.labels()), table)
        locale = get_locale()
        usual = ",;\t|" if locale is not None and locale.language == "en" else ";,\t|"
        dialect = dialect_of(job.document)
        found = open_at(path, job.file_name, place, usual, selects=plan.selects, dialect=dialect)
    except CannotWriteInPlace:
        return None
    if extension in (None, found.extension):
        return found
    found.close()
    return None


def _table_width(header_row: int, header: Sequence[str], numbers: Collection[int]) -> int | None:
    """The columns of the table with the numbers: up to the last heading that follows on the others. None without
    headings."""
    if not header_row:
        return None
    width = max(numbers) + 1
    for column, text in enumerate(header):
        if width <= column < width + NEXT_HEADING and text.strip():
            width = column + 1
    return width


def dialect_of(document: Document) -> TextDialect | None:
    """How a text file was read; None for others, and for one that was read by an older version."""
    text = document.sheets[0].get("text") if document.sheets else None
    return TextDialect(**text) if text else None


def open_at(
    path: Path,
    file_name: str,
    place: Place,
    delimiters: str = ";,\t|",
    *,
    selects: bool = False,
    dialect: TextDialect | None = None,
) -> Copy:
    """Open the file for adding to it, or for taking rows of a workbook. A text file of one column gets the first
    delimiter that is nowhere in it. Raises CannotWriteInPlace."""
    extension, survey_file = extension_of(file_name), _survey_file(path, place.sheet)
    if extension in TEXTS:
        return OpenText(path, extension, place.width, place.header_row, delimiters, survey_file, dialect)
    if selects:
        return OpenSelection(path, place, survey_file)
    if extension == ".ods":
        return OpenOds(path, place, survey_file)
    return OpenWorkbook(path, place, survey_file)
