"""The xlsx of a workbook in one of Excel's older formats, which is copied when it comes back.

It is made when the workbook is read; of one that could be read without, right after that, or else by whoever needs it
first.
"""

from contextlib import suppress
from pathlib import Path

from portal.documents.models import Document, Reading
from portal.documents.reader.file_type import is_converted
from portal.documents.reader.limits import ReadLimits
from portal.documents.reader.parent import ReadingFailed, convert
from portal.documents.storage import CONVERTED, Storage

_NOT_CONVERTED = "unconverted"  # the part that says that it cannot be done, so that it is tried once


def comes_as_xlsx(document: Document, storage: Storage) -> bool:
    """Return whether the workbook comes back as an xlsx, whether that is made already or not. Raises StorageAway."""
    key = document.storage_key
    if storage.path(key, CONVERTED).exists():
        return True
    try:
        return is_converted(storage.fetch(key), document.file_name) and not storage.path(key, _NOT_CONVERTED).exists()
    except FileNotFoundError:
        return False


def converted_path(document: Document, storage: Storage) -> Path | None:
    """Return where the xlsx is, made now if need be; None for other kinds of files, for one that cannot be converted,
    and while the machine cannot. Raises StorageAway."""
    key = document.storage_key
    with suppress(FileNotFoundError):
        return storage.fetch(key, CONVERTED)
    if document.state != Reading.READY or storage.path(key, _NOT_CONVERTED).exists():
        return None
    try:
        source = storage.fetch(key)
    except FileNotFoundError:
        return None
    limits = ReadLimits(max_rows=max((facts["rows"] for facts in document.sheets), default=0))
    try:
        is_there = convert(source, document.file_name, storage.path(key, CONVERTED), limits)
    except (ReadingFailed, OSError):  # the machine failed: the next one to ask tries again
        return None
    if not is_there:
        with suppress(OSError):
            storage.path(key, _NOT_CONVERTED).touch()
        return None
    storage.put_derived(key, CONVERTED)
    return storage.fetch(key, CONVERTED)
