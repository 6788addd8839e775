"""What kind of file this is: by the end of its name AND its first bytes. Pure and cheap; it parses nothing.

Content decides the reader: a workbook whose name has another workbook's ending is still read. A name that no
spreadsheet has, or content that none has, is refused.
"""

import codecs
from enum import StrEnum
from pathlib import Path, PurePath

from portal.documents.reader.limits import FileProblem, Unreadable

HEAD_BYTES = 64 * 1024
_CHUNK_BYTES = 1024 * 1024
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_BOMS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_OTHER_KINDS = {
    b"\x89PNG": "png", b"\xff\xd8\xff": "jpeg", b"GIF8": "gif", b"%PDF": "pdf", b"\x1f\x8b": "gzip",
    b"Rar!": "rar", b"7z\xbc\xaf": "7z", b"SQLite format 3": "sqlite", b"\x7fELF": "program", b"{\\rtf": "rtf",
}  # fmt: skip


class FileType(StrEnum):
    """How a file is read."""

    ZIP = "zip"  # xlsx, xlsm, xlsb, ods
    OLE = "ole"  # xls, or an encrypted xlsx
    TEXT = "text"  # csv, tsv


WORKBOOKS = frozenset({".xlsx", ".xlsm", ".xls", ".xlsb", ".ods"})
TEXTS = frozenset({".csv", ".tsv", ".txt"})
ENDINGS = WORKBOOKS | TEXTS


def ending_of(file_name: str) -> str:
    """The name's ending in lower case, as `.xlsx`."""
    return PurePath(file_name.strip()).suffix.lower()


def kind_of(path: Path, file_name: str) -> FileType:
    """The file's kind. Raises Unreadable: empty, wrong_type (facts: found) or encrypted."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if not head:
        raise Unreadable(FileProblem.EMPTY)
    ending = ending_of(file_name)
    if ending not in ENDINGS:
        raise Unreadable(FileProblem.WRONG_TYPE, {"found": ending.lstrip(".")[:20]})
    if head.startswith(_ZIP) and ending in WORKBOOKS:
        return FileType.ZIP
    if head.startswith(_OLE) and ending in WORKBOOKS:
        return _which_ole(path)
    # Many programs write their "Excel" as plain text under the name .xls, and Excel itself opens that.
    if ending in TEXTS or ending == ".xls":
        _must_be_text(head)
        return FileType.TEXT
    raise Unreadable(FileProblem.WRONG_TYPE, {"found": _name_of(head)})


def _name_of(head: bytes) -> str:
    """What the first bytes say the file is, or nothing."""
    found = next((name for magic, name in _OTHER_KINDS.items() if head.startswith(magic)), "")
    if not found and head.lstrip()[:1] == b"<":
        return "html"
    return found


def _must_be_text(head: bytes) -> None:
    """Raises Unreadable for what is not lines of cells."""
    found = "zip" if head.startswith(_ZIP) else _name_of(head)
    if found or head.startswith(_OLE):
        raise Unreadable(FileProblem.WRONG_TYPE, {"found": found})
    if wide_encoding(head) is None and sum(byte < 32 and byte not in b"\t\n\r\f\v\x1a\x1b" for byte in head):
        raise Unreadable(FileProblem.WRONG_TYPE, {"found": ""})


def wide_encoding(head: bytes) -> str | None:
    """The encoding that a byte order mark names, or UTF-16 without a mark by where its zero bytes stand."""
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


def _which_ole(path: Path) -> FileType:
    """An old container holds an xls, an encrypted xlsx, or a Word file: the names of its streams tell."""
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
