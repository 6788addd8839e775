"""Tell whether the parser of xls sees all that is in one: then it need not be converted before it is read.

The parser gives nothing of errors, hidden rows and times as they are shown, takes some formulas for empty, and holds
every place of a sheet up to its last cell. Only for the child process. Records: [MS-XLS] 2.4.
"""

import struct
from pathlib import Path

from portal.documents.reader.ole_check import workbook_stream
from portal.documents.reader.sheet_file import FORMAT_ROWS
from portal.documents.reader.time_text import code_of, writer_of

_BOF, _FORMAT, _XF, _DATE_1904 = 0x0809, 0x041E, 0x00E0, 0x0022
_FORMULA, _BOOL_OR_ERROR, _ROW = 0x0006, 0x0205, 0x0208
_NUMBERS = frozenset({0x0203, 0x027E, _SEVERAL := 0x00BD})
_LOOKED_AT = frozenset({_BOF, _FORMAT, _XF, _DATE_1904, _FORMULA, _BOOL_OR_ERROR, _ROW, *_NUMBERS})
_WORKSHEET = 0x0010
_BIFF8 = 0x0600
_ROW_HIDDEN = 0x20
_MOST_PLACES = 3_000_000  # of a sheet, that the parser may hold
_head_of = struct.Struct("<HH").unpack_from
_row_of = struct.Struct("<H").unpack_from


Formats = dict[int, dict[int, str]]
"""The code of a number's format by row (from 1) and column (from 0)."""


def formats_if_plain(path: Path) -> list[Formats] | None:
    """Return the formats in the first rows of each sheet when the rows that the parser reads are all that the file has:
    it is of Excel 97 or newer, counts its days from 1900, and has no formulas, errors, hidden rows, times or wide gaps.
    Else None. `check_ole` was satisfied with it."""
    try:
        return _Records(workbook_stream(path)).formats()
    except (struct.error, IndexError, ValueError, StopIteration):
        return None


class _Records:
    """The records of a workbook, looked through once."""

    def __init__(self, stream: bytes) -> None:
        self._stream = stream
        self._codes: dict[int, str] = {}  # of formats
        self._looks: list[int] = []  # the format of each look
        self._sheets: list[dict[tuple[int, int], int]] = []  # the look of each number in the first rows
        self._last_row = self._width = 0

    def formats(self) -> list[Formats] | None:
        """Return the formats of each sheet; None for a workbook that is not plain."""
        stream, at, end = self._stream, 0, len(self._stream) - 4
        if _head_of(stream)[0] != _BOF or struct.unpack_from("<H", stream, 4)[0] != _BIFF8:
            return None
        while at <= end:
            record, size = _head_of(stream, at)
            if record in _NUMBERS and _row_of(stream, at + 4)[0] >= FORMAT_ROWS:
                pass  # nearly all records
            elif record in _LOOKED_AT and not self._is_plain(record, stream[at + 4 : at + 4 + size]):
                return None
            at += 4 + size
        if self._last_row * self._width > _MOST_PLACES or any(map(writer_of, map(self._code, self._looks))):
            return None
        return [self._of(sheet) for sheet in self._sheets]

    def _is_plain(self, record: int, body: bytes) -> bool:
        if record == _ROW:
            self._last_row, self._width = max(self._last_row, _word(body, 0)), max(self._width, _word(body, 4))
            return not body[12] & _ROW_HIDDEN
        if record in _NUMBERS:
            if self._sheets:
                self._note(record, body)
        elif record == _BOF:
            if _word(body, 2) == _WORKSHEET:
                self._sheets.append({})
        elif record == _FORMAT:
            number, length, wide = struct.unpack_from("<HHB", body)
            self._codes[number] = body[5:].decode("utf-16-le" if wide & 1 else "latin-1", "replace")[:length]
        elif record == _XF:
            self._looks.append(_word(body, 2))
        else:
            return not (record == _FORMULA or body[-1:] == b"\x01" or (record == _DATE_1904 and body[:1] == b"\x01"))
        return True

    def _note(self, record: int, body: bytes) -> None:
        row, column = _word(body, 0) + 1, _word(body, 2)
        if record == _SEVERAL:  # numbers side by side, each with its look
            for n in range((len(body) - 6) // 6):
                self._sheets[-1][row, column + n] = _word(body, 4 + 6 * n)
        else:
            self._sheets[-1][row, column] = _word(body, 4)

    def _code(self, number: int) -> str:
        return code_of(number, self._codes)

    def _of(self, sheet: dict[tuple[int, int], int]) -> Formats:
        formats: Formats = {}
        for (row, column), look in sheet.items():
            code = self._code(self._looks[look]) if look < len(self._looks) else ""
            if code and code not in ("General", "@"):
                formats.setdefault(row, {})[column] = code
        return formats


def _word(body: bytes, at: int) -> int:
    return int.from_bytes(body[at : at + 2], "little")
