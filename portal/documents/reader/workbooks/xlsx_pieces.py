"""A sheet of an xlsx in pieces of whole rows, in which each row and each cell says where it is. Pure."""

import re
from collections.abc import Iterator
from typing import Any

from portal.documents.reader.sheet_file import column_letter

_PIECE_BYTES = 1024 * 1024
_LONGEST_ROW = 16 * 1024 * 1024
REF = re.compile(rb'\br="([A-Z]{1,3})(\d{1,7})"')
ROW_NO = re.compile(rb'\br="(\d{1,7})"')


def row_pieces(file: Any) -> Iterator[tuple[bytes, bytes]]:
    """Read a sheet in pieces of whole rows, each with the prefix of its elements (`x:`, usually none)."""
    row_no = 0
    for prefix, piece in _whole_rows(file):
        if re.search(b"<" + prefix + rb"(?:c|row)(?! r=)(?=[\s/>])(?![^<>]*\br=)", piece):
            piece = _placed(piece, prefix, row_no)
        last = ROW_NO.search(piece, max(piece.rfind(b"<" + prefix + b"row"), 0))
        row_no = int(last[1]) if last else row_no
        yield prefix, piece


def _whole_rows(file: Any) -> Iterator[tuple[bytes, bytes]]:
    """The sheet's bytes in pieces of whole rows, as they are."""
    carry, prefix = file.read(_PIECE_BYTES), b""
    root = re.search(rb"<(\w+:)?worksheet\b", carry)
    if root is not None:
        prefix = root[1] or b""
    start = b"<" + prefix + b"row"
    while more := file.read(_PIECE_BYTES):
        cut = carry.rfind(start)
        if cut > 0:
            yield prefix, carry[:cut]
            carry = carry[cut:]
        carry += more
        if len(carry) > _LONGEST_ROW:
            return
    yield prefix, carry


def _placed(piece: bytes, prefix: bytes, row_no: int) -> bytes:
    """Give each row and cell the place that it may leave out: it follows the one before. `row_no` is that of the last
    row of the piece before."""
    every = re.compile(b"<" + prefix + rb"(?:row|(?P<cell>c))\b(?P<attributes>[^<>]*?)/?>")
    first_cell = re.compile(rb"\s*<" + prefix + rb'c\b[^<>]*\br="[A-Z]{1,3}(\d{1,7})"')
    column = 0

    def place(found: re.Match[bytes]) -> bytes:
        nonlocal row_no, column
        if found["cell"]:
            ref = REF.search(found["attributes"])
            column = column_no(ref[1]) + 1 if ref else column + 1
            said = b"" if ref else b' r="%s%d"' % (column_letter(column - 1).encode(), row_no)
        else:
            number = ROW_NO.search(found["attributes"])
            own = number or first_cell.match(piece, found.end())
            row_no, column = int(own[1]) if own else row_no + 1, 0
            said = b"" if number else b' r="%d"' % row_no
        at = found.start("attributes") - found.start()
        return found[0][:at] + said + found[0][at:]

    return every.sub(place, piece)


def column_no(letters: bytes) -> int:
    """Return the position (from 0) of a column by its letters."""
    column = 0
    for letter in letters:
        column = column * 26 + letter - 64
    return column - 1
