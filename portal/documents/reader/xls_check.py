"""Tell whether the parser of xls sees all that is in one: then it need not be converted before it is read.

The parser gives nothing of errors, hidden rows and times as they are shown, takes some formulas for empty, and holds
every place of a sheet up to its last cell. Only for the child process. Records: [MS-XLS] 2.4.
"""

import struct
from pathlib import Path

from portal.documents.reader.ole_check import workbook_stream
from portal.documents.reader.time_text import code_of, writer_of

_BOF, _FORMAT, _XF, _DATE_1904 = 0x0809, 0x041E, 0x00E0, 0x0022
_FORMULA, _BOOL_OR_ERROR, _ROW = 0x0006, 0x0205, 0x0208
_LOOKED_AT = frozenset({_FORMAT, _XF, _DATE_1904, _FORMULA, _BOOL_OR_ERROR, _ROW})
_BIFF8 = 0x0600
_ROW_HIDDEN = 0x20
_MOST_PLACES = 3_000_000  # of a sheet, that the parser may hold
_head_of = struct.Struct("<HH").unpack_from


def is_plain(path: Path) -> bool:
    """Whether the rows that the parser reads are all that the file has: it is of Excel 97 or newer, counts its days
    from 1900, and has no formulas, errors, hidden rows, times or wide gaps. `check_ole` was satisfied with it."""
    try:
        return _is_plain(workbook_stream(path))
    except (struct.error, IndexError, ValueError, StopIteration):
        return False


def _is_plain(stream: bytes) -> bool:
    codes: dict[int, str] = {}
    used: set[int] = set()
    if _head_of(stream)[0] != _BOF or struct.unpack_from("<H", stream, 4)[0] != _BIFF8:
        return False
    at, end = 0, len(stream) - 4
    last_row = width = 0
    while at <= end:
        record, size = _head_of(stream, at)
        if record in _LOOKED_AT:
            body = stream[at + 4 : at + 4 + size]
            if record == _ROW:
                last_row, width = max(last_row, _word(body, 0)), max(width, _word(body, 4))
                if body[12] & _ROW_HIDDEN:
                    return False
            elif record == _FORMAT:
                number, length, wide = struct.unpack_from("<HHB", body)
                codes[number] = body[5:].decode("utf-16-le" if wide & 1 else "latin-1", "replace")[:length]
            elif record == _XF:
                used.add(_word(body, 2))
            elif record == _FORMULA or body[-1:] == b"\x01" or (record == _DATE_1904 and body[:1] == b"\x01"):
                return False
        at += 4 + size
    return last_row * width <= _MOST_PLACES and not any(writer_of(code_of(number, codes)) for number in used)


def _word(body: bytes, at: int) -> int:
    return int.from_bytes(body[at : at + 2], "little")
