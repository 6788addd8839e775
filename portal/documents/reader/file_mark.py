"""The mark in a download of the portal, by which it is recognised when it comes back. Only for the child process.

It is a property of the document, signed; whoever reads it here does not judge it.
"""

import re
import zipfile
from contextlib import suppress
from pathlib import Path

PROPERTY = "Masterfilter"
LONGEST_MARK = 200  # characters
_PARTS = re.compile(r"(?:docprops/custom\d*\.xml|meta\.xml)", re.IGNORECASE)
_LARGEST_BYTES = 1024 * 1024
# In an xlsx a property with its value inside, in an ods with its value as text.
_MARK = re.compile(rb'name="' + PROPERTY.encode() + rb'"[^>]*>(?:\s*<[\w:]+(?:\s[^>]*)?>)?([\w.\-]{1,200})<')


def mark_of(path: Path) -> str:
    """The mark of a workbook; empty when it has none."""
    odd = suppress(zipfile.BadZipFile, OSError, KeyError, ValueError, NotImplementedError, RuntimeError)
    with odd, zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            name = entry.filename.replace("\\", "/").lstrip("/")
            if _PARTS.fullmatch(name) and entry.file_size <= _LARGEST_BYTES:
                found = _MARK.search(archive.read(entry))
                if found:
                    return found[1].decode("ascii")
    return ""
