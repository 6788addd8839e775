"""Detect the type of a file from its extension AND its first bytes. Pure and cheap: it parses nothing.

The content decides how a file is read: a workbook with another workbook's extension is still read. A file is refused
if either its extension or its content is not a spreadsheet's.
"""

import codecs
import re
from enum import StrEnum
from pathlib import Path, PurePath

from portal.documents.reader.limits import FileProblem, Unreadable

HEAD_BYTES = 64 * 1024
_CHUNK_BYTES = 1024 * 1024
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_BOMS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_XML_2003 = "urn:schemas-microsoft-com:office:spreadsheet"
_HTML = re.compile(r"<(?:html|table|body|!doctype html)\b")
_OTHER_TYPES = {
    b"\x89PNG": "png", b"\xff\xd8\xff": "jpeg", b"GIF8": "gif", b"%PDF": "pdf", b"\x1f\x8b": "gzip",
    b"Rar!": "rar", b"7z\xbc\xaf": "7z", b"SQLite format 3": "sqlite", b"\x7fELF": "program", b"{\\rtf": "rtf",
}  # fmt: skip


class FileType(StrEnum):
    """The ways to read a file."""

    ZIP = "zip"  # xlsx, xlsm, xlsb, ods
    OLE = "ole"  # xls, or an encrypted xlsx
    HTML = "html"  # a web page in the place of a workbook
    XML_2003 = "xml_2003"  # XML of Excel 2003, in the place of a workbook
    TEXT = "text"  # csv, tsv


WORKBOOKS = frozenset({".xlsx", ".xlsm", ".xls", ".xlsb", ".ods"})
TEXTS = frozenset({".csv", ".tsv", ".txt"})
EXTENSIONS = WORKBOOKS | TEXTS


def extension_of(file_name: str) -> str:
    """Return the file name's extension in lower case, such as `.xlsx`."""
    return PurePath(file_name.strip()).suffix.lower()


def is_converted(path: Path, file_name: str) -> bool:
    """Return whether this is read by way of an xlsx: one of Excel's older formats, xls or xlsb, a page or XML."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    extension = extension_of(file_name)
    if head.startswith(_OLE):
        return True
    return (extension == ".xlsb" and head.startswith(_ZIP)) or (
        extension in WORKBOOKS and _markup_type(head) is not None
    )


def markup_type_of(path: Path) -> FileType | None:
    """Return HTML or XML_2003 when a file is that, whatever its name says."""
    with path.open("rb") as file:
        return _markup_type(file.read(HEAD_BYTES))


def _markup_type(head: bytes) -> FileType | None:
    encoding = wide_encoding(head) or "latin-1"
    text = head.decode(encoding, "replace").lstrip("\ufeff\xef\xbb\xbf \t\r\n").lower()
    if not text.startswith("<"):
        return None
    if _XML_2003 in text:
        return FileType.XML_2003
    return FileType.HTML if _HTML.search(text) else None


def file_type_of(path: Path, file_name: str) -> FileType:
    """Return the file's type. Raises Unreadable: empty, wrong_type (facts: found) or encrypted."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if not head:
        raise Unreadable(FileProblem.EMPTY)
    extension = extension_of(file_name)
    if extension not in EXTENSIONS:
        raise Unreadable(FileProblem.WRONG_TYPE, {"found": extension.lstrip(".")[:20]})
    if head.startswith(_ZIP) and extension in WORKBOOKS:
        return FileType.ZIP
    if head.startswith(_OLE) and extension in WORKBOOKS:
        return _ole_type(path)
    if extension in WORKBOOKS and (markup := _markup_type(head)) is not None:
        return markup
    # Many programs save plain text as .xls and call it Excel; Excel itself opens such files.
    if extension in TEXTS or extension == ".xls":
        _require_text(head)
        return FileType.TEXT
    raise Unreadable(FileProblem.WRONG_TYPE, {"found": _content_name(head)})


def _content_name(head: bytes) -> str:
    """Name the type that the first bytes show, such as `pdf`; empty when unknown."""
    found = next((name for magic, name in _OTHER_TYPES.items() if head.startswith(magic)), "")
    if not found and head.lstrip()[:1] == b"<":
        return "html"
    return found


def _require_text(head: bytes) -> None:
    """Raise Unreadable when the first bytes are not text."""
    found = "zip" if head.startswith(_ZIP) else _content_name(head)
    if found or head.startswith(_OLE):
        raise Unreadable(FileProblem.WRONG_TYPE, {"found": found})
    if wide_encoding(head) is None and sum(byte < 32 and byte not in b"\t\n\r\f\v\x1a\x1b" for byte in head):
        raise Unreadable(FileProblem.WRONG_TYPE, {"found": ""})


def wide_encoding(head: bytes) -> str | None:
    """Return the encoding that a byte order mark names, or UTF-16 without a mark, recognised by its zero bytes."""
    for mark, encoding in _BOMS.items():
        if head.startswith(mark):
            return encoding
    even, odd = head[:4096:2].count(0), head[1:4096:2].count(0)
    half = max(len(head[:4096]) // 2, 1)
    if odd > half * 0.4 and even < half * 0.05:
        return "utf-16-le"
    if even > half * 0.4 and odd < half * 0.05:
        return "utf-16-be"
    return None


def _ole_type(path: Path) -> FileType:
    """Return OLE for an xls. The container may also hold an encrypted xlsx or a Word file; its stream names decide."""
    encrypted, workbooks = "EncryptedPackage".encode("utf-16-le"), ("Workbook", "Book")
    names = [f"{name}\0".encode("utf-16-le") for name in workbooks]
    found, tail = False, b""
    with path.open("rb") as file:
        while piece := file.read(_CHUNK_BYTES):
            window = tail + piece
            if encrypted in window:
                raise Unreadable(FileProblem.ENCRYPTED)
            found = found or any(name in window for name in names)
            tail = window[-64:]
    if not found:
        raise Unreadable(FileProblem.WRONG_TYPE, {"found": ""})
    return FileType.OLE
