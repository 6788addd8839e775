"""Check a zipped workbook's directory before unpacking it: entries, encryption, sizes, ratios. Pure.

Runs in the child process only: merely opening a directory of half a million entries takes a lot of memory.
"""

import zipfile
from pathlib import Path

from portal.documents.reader.limits import MIB, FileProblem, ReadLimits, Unreadable

_ENCRYPTED = 0x1
_SMALL_BYTES = MIB  # below this a high ratio is harmless: an almost empty style sheet is compressed a hundredfold
_MANIFEST = "META-INF/manifest.xml"
_WORKBOOKS = {"xl/workbook.xml", "xl/workbook.bin", "content.xml"}


def check_zip(path: Path, limits: ReadLimits) -> None:
    """Raise Unreadable when the directory is broken, encrypted, above the limits, or not a workbook's."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            if len(entries) > limits.max_entries:
                raise Unreadable(FileProblem.UNSAFE)
            if any(entry.flag_bits & _ENCRYPTED for entry in entries):
                raise Unreadable(FileProblem.ENCRYPTED)
            for entry in entries:
                if entry.file_size > max(_SMALL_BYTES, limits.max_ratio * entry.compress_size):
                    raise Unreadable(FileProblem.UNSAFE)
            if sum(entry.file_size for entry in entries) > limits.max_unpacked_bytes:
                raise Unreadable(FileProblem.TOO_LARGE, {"limit": limits.max_unpacked_bytes // MIB})
            names = {entry.filename.replace("\\", "/").lstrip("/").lower() for entry in entries}
            if not names & _WORKBOOKS and "[content_types].xml" not in names:
                raise Unreadable(FileProblem.WRONG_TYPE, {"found": "zip"})
            if _MANIFEST in archive.namelist() and b"encryption-data" in archive.read(_MANIFEST):
                raise Unreadable(FileProblem.ENCRYPTED)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, UnicodeError, EOFError, OSError) as error:
        raise Unreadable(FileProblem.DAMAGED) from error
