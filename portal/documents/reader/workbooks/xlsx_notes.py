"""What the parser does not say of an xlsx: errors, formulas without a result, hidden rows, times as they are shown.

Looks through the XML of each sheet by bytes, which takes a tenth of the parser's time. Only for the child process. What
it cannot make out it leaves to the parser. Elements: ECMA-376 part 1, 18.2 and 18.3.
"""

import re
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from portal.documents.reader.limits import ReadLimits
from portal.documents.reader.sheet_file import FAR_COLUMNS, FEW_FAR, FORMAT_ROWS, Formula, column_letter
from portal.documents.reader.time_text import writer_of
from portal.documents.reader.workbooks.xlsx_parts import codes_of, sheets_of, target_of
from portal.documents.reader.workbooks.xlsx_pieces import REF, ROW_NO, column_no, row_pieces

FORMAT_COLUMNS = 100
_DENSE_CELLS = 3_000_000  # that the parser may hold: it holds the empty ones between the others as well
_THIN = 20  # times fewer cells than places for them


@dataclass
class SheetNotes:
    """Notes on one sheet: values by row (from 1) and column (from 0) that replace the parser's, and hidden rows."""

    cells: dict[int, dict[int, Any]] = field(default_factory=dict)
    hidden: set[int] = field(default_factory=set)
    last_row: int = 0
    filled: int = 0  # cells
    width: int = 0  # columns, without those of `far`
    far: int = 0  # cells to the right of the most columns that are allowed
    far_from: int = 0  # the first of their columns
    part: str = ""
    formats: dict[int, dict[int, str]] = field(default_factory=dict)  # of the first rows: the format's code by place

    @property
    def is_thin(self) -> bool:
        """Whether the parser would hold far more empty places than cells, or cells that are left aside."""
        area = self.last_row * max(self.width, 1)
        return self.has_far or (area > _DENSE_CELLS and self.filled * _THIN < area)

    @property
    def has_far(self) -> bool:
        """Whether a few cells stand far to the right of all others, and may be left aside."""
        return 0 < self.far <= FEW_FAR and 0 < self.width <= self.far_from - FAR_COLUMNS


class XlsxNotes:
    """The notes on a workbook's sheets, by their place among all of its sheets."""

    def __init__(self, path: Path, limits: ReadLimits) -> None:
        """Raises zipfile.BadZipFile, KeyError, ValueError, ParseError for what is no xlsx."""
        self._path, self._limits = path, limits
        with zipfile.ZipFile(path) as package:
            names = {name.replace("\\", "/").lstrip("/").lower(): name for name in package.namelist()}
            workbook = target_of(package, names, "", "/officeDocument")
            if workbook is None:
                raise KeyError("no workbook")
            self.parts = sheets_of(package, names, workbook)
            styles = target_of(package, names, workbook, "/styles")
            self._codes = codes_of(package, styles) if styles else {}
            self._times = {style: code for style, code in self._codes.items() if writer_of(code) is not None}

    def of(self, place: int) -> SheetNotes:
        """Look through one sheet. Returns empty notes when it is not there."""
        notes = SheetNotes()
        part = self.parts[place] if place < len(self.parts) else None
        if part is None:
            return notes
        notes.part = part
        for prefix, piece in self._pieces(part):
            patterns = _patterns(prefix, self._limits.max_columns)
            _measure(piece, patterns, notes)
            _look(piece, patterns, self._times, notes, self._limits)
            if self._codes and not notes.formats:
                notes.formats = _formats(piece, patterns, self._codes)
        if 0 < notes.far <= FEW_FAR or notes.last_row * self._limits.max_columns > _DENSE_CELLS:
            for prefix, piece in self._pieces(part):
                _measure_width(piece, _patterns(prefix, self._limits.max_columns), notes, self._limits)
        return notes

    def _pieces(self, part: str) -> Iterator[tuple[bytes, bytes]]:
        with zipfile.ZipFile(self._path) as package, package.open(part) as file:
            yield from row_pieces(file)


@dataclass(frozen=True)
class _Patterns:
    cell: bytes
    row: re.Pattern[bytes]
    error: re.Pattern[bytes]
    formula: re.Pattern[bytes]
    number: re.Pattern[bytes]
    far: re.Pattern[bytes]
    wide: re.Pattern[bytes]
    styled: re.Pattern[bytes]


_compiled: dict[tuple[bytes, int], _Patterns] = {}


def _patterns(prefix: bytes, most_columns: int) -> _Patterns:
    known = _compiled.get((prefix, most_columns))
    if known is None:
        p = prefix
        v = b"<" + p + b"v"
        formula = b"<" + p + rb"f\b([^<>]*?)(?:/>|>([^<]*)</" + p + b"f>)"
        start, end = b"<" + p + rb"c\b", b"</" + p + b"c>"
        no_value = v + rb"\s*/>|" + v + rb">\s*</" + p + b"v>"
        known = _compiled[prefix, most_columns] = _Patterns(
            cell=b"<" + p + b"c ",
            row=re.compile(b"<" + p + rb"row\b([^<>]*)>"),
            error=re.compile(
                start + rb'([^<>]*\bt="e"[^<>]*)>(?:(?!' + end + rb").){0,4000}?" + v + rb">([^<]*)<", re.DOTALL
            ),
            formula=re.compile(start + rb"([^<>]*)>\s*" + formula + rb"\s*(" + no_value + rb")?\s*" + end),
            number=re.compile(start + rb'([^<>]*\bs="(\d+)"[^<>]*)>(?:' + formula + rb")?" + v + rb">([^<]*)<"),
            far=re.compile(b"<" + p + rb'c r="(' + _beyond(most_columns) + rb')\d+"[^<>]*(?<!/)>'),
            wide=re.compile(b"<" + p + rb'c r="([A-Z]+)\d+"[^<>]*(?<!/)>'),
            styled=re.compile(start + rb'([^<>]*\bs="(\d+)"[^<>]*)(?<!/)>'),
        )  # fmt: skip
    return known


def _beyond(first: int) -> bytes:
    """A pattern for the letters of the columns from `first` (from 0) on; for one of two letters."""
    letters = column_letter(first)
    if len(letters) != 2:
        return b"[A-Z]{3}"
    one, two = letters[0], letters[1]
    return f"{one}[{two}-Z]|[{chr(ord(one) + 1)}-Z][A-Z]|[A-Z]{{3}}".encode() if one < "Z" else b"[A-Z]{3}"


_HIDDEN = re.compile(rb'\bhidden="(?:1|true)"')
_TYPE = re.compile(rb'\bt="(\w+)"')


def _look(piece: bytes, patterns: _Patterns, times: dict[bytes, str], notes: SheetNotes, limits: ReadLimits) -> None:
    """Look through some whole rows. What is rare is searched for only where its sign is in the bytes."""
    if b"hidden=" in piece:
        for row in patterns.row.finditer(piece):
            if _HIDDEN.search(row[1]) and (number := ROW_NO.search(row[1])):
                notes.hidden.add(int(number[1]))
    if b't="e"' in piece:
        for found in patterns.error.finditer(piece):
            _note(notes, found[1], _text(found[2]), limits)
    if patterns.cell[:-2] + b"f" in piece:
        for found in patterns.formula.finditer(piece):
            kind = _TYPE.search(found[1])
            if not (found[4] and kind and kind[1] == b"str"):  # a result that is an empty text
                _note(notes, found[1], Formula(_text(found[3] or b"")), limits)
    if times and any(b's="%s"' % style in piece for style in times):
        for found in patterns.number.finditer(piece):
            kind, code = _TYPE.search(found[1]), times.get(found[2])
            write = writer_of(code) if code and (kind is None or kind[1] == b"n") else None
            if write is not None and (text := write(_days(found[5]))) is not None:
                _note(notes, found[1], text, limits)


def _formats(piece: bytes, patterns: _Patterns, codes: dict[bytes, str]) -> dict[int, dict[int, str]]:
    """The formats of the cells in the first rows, by row (from 1) and column (from 0)."""
    formats: dict[int, dict[int, str]] = {}
    for found in patterns.styled.finditer(piece):
        ref = REF.search(found[1])
        if ref is not None and int(ref[2]) > FORMAT_ROWS:
            break
        code = codes.get(found[2])
        if ref is not None and code and (column := column_no(ref[1])) < FORMAT_COLUMNS:
            formats.setdefault(int(ref[2]), {})[column] = code
    return formats


def _measure(piece: bytes, patterns: _Patterns, notes: SheetNotes) -> None:
    notes.filled += piece.count(patterns.cell)
    last = piece.rfind(patterns.cell[:-2] + b"row")
    if last >= 0 and (row := patterns.row.match(piece, last)) and (number := ROW_NO.search(row[1])):
        notes.last_row = max(notes.last_row, int(number[1]))
    for far in patterns.far.finditer(piece):
        notes.far += 1
        column = column_no(far[1])
        notes.far_from = min(notes.far_from or column, column)


def _measure_width(piece: bytes, patterns: _Patterns, notes: SheetNotes, limits: ReadLimits) -> None:
    for letters in set(patterns.wide.findall(piece)):
        if (column := column_no(letters)) < limits.max_columns:
            notes.width = max(notes.width, column + 1)


def _text(raw: bytes) -> str:
    return _ENTITY.sub(_character, raw.decode("utf-8", "replace"))


# Not from html: its table of names takes longer to load than most sheets to look through.
_ENTITY = re.compile(r"&(?:#(\d{1,7})|#x([\dA-Fa-f]{1,6})|(amp|lt|gt|quot|apos));")
_NAMED = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}


def _character(found: re.Match[str]) -> str:
    if found[3]:
        return _NAMED[found[3]]
    code = int(found[1]) if found[1] else int(found[2], 16)
    return chr(code) if 0 < code <= sys.maxunicode and not 0xD800 <= code < 0xE000 else "\ufffd"


def _days(text: bytes) -> float:
    try:
        return float(text)
    except ValueError:
        return -1.0


def _note(notes: SheetNotes, attributes: bytes, value: Any, limits: ReadLimits) -> None:
    ref = REF.search(attributes)
    if ref is None:
        return
    column = column_no(ref[1])
    if column < limits.max_columns:
        notes.cells.setdefault(int(ref[2]), {})[column] = value
