"""What the parser does not say of an xlsx: errors, formulas without a result, hidden rows, times as they are shown.

Looks through the XML of each sheet by bytes, which takes a tenth of the parser's time. Only for the child process. What
it cannot make out it leaves to the parser. Elements: ECMA-376 part 1, 18.2 and 18.3.
"""

import posixpath
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from portal.documents.reader.limits import ReadLimits
from portal.documents.reader.sheet_file import FORMAT_ROWS, Formula, column_letter
from portal.documents.reader.time_text import code_of, writer_of

_PIECE_BYTES = 1024 * 1024
_LARGEST_PART = 16 * 1024 * 1024  # of the workbook's own parts; sheets come in pieces
_LONGEST_ROW = 16 * 1024 * 1024
_FEW_FAR = 20  # cells so far to the right that they are left aside
_FAR_COLUMNS = 20  # empty columns between them and the others
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
        return 0 < self.far <= _FEW_FAR and 0 < self.width <= self.far_from - _FAR_COLUMNS


class XlsxNotes:
    """The notes on a workbook's sheets, by their place among all of its sheets."""

    def __init__(self, path: Path, limits: ReadLimits) -> None:
        """Raises zipfile.BadZipFile, KeyError, ValueError, ParseError for what is no xlsx."""
        self._path, self._limits = path, limits
        with zipfile.ZipFile(path) as package:
            names = {name.replace("\\", "/").lstrip("/").lower(): name for name in package.namelist()}
            workbook = _target(package, names, "", "/officeDocument")
            if workbook is None:
                raise KeyError("no workbook")
            self.parts = _sheets(package, names, workbook)
            styles = _target(package, names, workbook, "/styles")
            self._codes = _codes_of_styles(_parsed(package, styles)) if styles else {}
            self._times = {style: code for style, code in self._codes.items() if writer_of(code) is not None}

    def of(self, place: int) -> SheetNotes:
        """Look through one sheet. Returns empty notes when it is not there."""
        notes = SheetNotes()
        part = self.parts[place] if place < len(self.parts) else None
        if part is None:
            return notes
        notes.part = part
        row_no = 0
        for prefix, piece in self._pieces(part):
            patterns = _patterns(prefix, self._limits.max_columns)
            if patterns.no_place.search(piece):
                piece, row_no = _placed(piece, patterns, row_no)
            _measure(piece, patterns, notes)
            _look(piece, patterns, self._times, notes, self._limits)
            if self._codes and not notes.formats:
                notes.formats = _formats(piece, patterns, self._codes)
        if 0 < notes.far <= _FEW_FAR or notes.last_row * self._limits.max_columns > _DENSE_CELLS:
            for prefix, piece in self._pieces(part):
                _measure_width(piece, _patterns(prefix, self._limits.max_columns), notes, self._limits)
        return notes

    def _pieces(self, part: str) -> Iterator[tuple[bytes, bytes]]:
        with zipfile.ZipFile(self._path) as package, package.open(part) as file:
            yield from row_pieces(file)


def row_pieces(file: Any) -> Iterator[tuple[bytes, bytes]]:
    """Read a sheet in pieces of whole rows, each with the prefix of its elements (`x:`, usually none)."""
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


@dataclass(frozen=True)
class _Patterns:
    cell: bytes
    row: re.Pattern[bytes]
    no_place: re.Pattern[bytes]
    placed: re.Pattern[bytes]
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
            no_place=re.compile(b"<" + p + rb"c(?! r=)(?=[\s/>])(?![^<>]*\br=)"),
            placed=re.compile(b"<" + p + rb"(?:row|(?P<cell>c))\b(?P<attributes>[^<>]*?)/?>"),
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


_REF = re.compile(rb'\br="([A-Z]{1,3})(\d{1,7})"')
_ROW_NO = re.compile(rb'\br="(\d{1,7})"')
_HIDDEN = re.compile(rb'\bhidden="(?:1|true)"')
_TYPE = re.compile(rb'\bt="(\w+)"')


def _look(piece: bytes, patterns: _Patterns, times: dict[bytes, str], notes: SheetNotes, limits: ReadLimits) -> None:
    """Look through some whole rows. What is rare is searched for only where its sign is in the bytes."""
    if b"hidden=" in piece:
        for row in patterns.row.finditer(piece):
            if _HIDDEN.search(row[1]) and (number := _ROW_NO.search(row[1])):
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
        ref = _REF.search(found[1])
        if ref is not None and int(ref[2]) > FORMAT_ROWS:
            break
        code = codes.get(found[2])
        if ref is not None and code and (column := column_no(ref[1])) < FORMAT_COLUMNS:
            formats.setdefault(int(ref[2]), {})[column] = code
    return formats


def _placed(piece: bytes, patterns: _Patterns, row_no: int) -> tuple[bytes, int]:
    """Give each row and cell the place that it may leave out: it follows the one before. Returns the number of the last
    row too; `row_no` is that of the piece before."""
    column = 0

    def place(found: re.Match[bytes]) -> bytes:
        nonlocal row_no, column
        if found["cell"]:
            ref = _REF.search(found["attributes"])
            column = column_no(ref[1]) + 1 if ref else column + 1
            said = b"" if ref else b' r="%s%d"' % (column_letter(column - 1).encode(), row_no)
        else:
            number = _ROW_NO.search(found["attributes"])
            row_no, column = int(number[1]) if number else row_no + 1, 0
            said = b"" if number else b' r="%d"' % row_no
        at = found.start("attributes") - found.start()
        return found[0][:at] + said + found[0][at:]

    return patterns.placed.sub(place, piece), row_no


def _measure(piece: bytes, patterns: _Patterns, notes: SheetNotes) -> None:
    notes.filled += piece.count(patterns.cell)
    last = piece.rfind(patterns.cell[:-2] + b"row")
    if last >= 0 and (row := patterns.row.match(piece, last)) and (number := _ROW_NO.search(row[1])):
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
    return unescape(raw.decode("utf-8", "replace"))


def _days(text: bytes) -> float:
    try:
        return float(text)
    except ValueError:
        return -1.0


def _note(notes: SheetNotes, attributes: bytes, value: Any, limits: ReadLimits) -> None:
    ref = _REF.search(attributes)
    if ref is None:
        return
    column = column_no(ref[1])
    if column < limits.max_columns:
        notes.cells.setdefault(int(ref[2]), {})[column] = value


def column_no(letters: bytes) -> int:
    """Return the position (from 0) of a column by its letters."""
    column = 0
    for letter in letters:
        column = column * 26 + letter - 64
    return column - 1


# ── the parts of the package ────────────────────────────────────────────────────────────────────────────────────────


def _parsed(package: zipfile.ZipFile, name: str) -> ElementTree.Element:
    if package.getinfo(name).file_size > _LARGEST_PART:
        raise ValueError("a part that is too large")
    raw = package.read(name)
    if b"<!DOCTYPE" in raw:
        raise ValueError("a document type")
    return ElementTree.fromstring(raw)  # noqa: S314 - without a document type; the process is confined


def _relations(package: zipfile.ZipFile, names: dict[str, str], part: str) -> list[tuple[str, str, str]]:
    """Id, type and target of the relations of a part, as the package names it."""
    folder, _, file = part.rpartition("/")
    place = f"{folder}/_rels/{file}.rels".lstrip("/").lower()
    if place not in names:
        return []
    found = []
    for one in _parsed(package, names[place]):
        target = one.get("Target", "")
        path = target.lstrip("/") if target.startswith("/") else posixpath.normpath(posixpath.join(folder, target))
        known = names.get(path.lower())
        if known is not None and one.get("TargetMode") != "External":
            found.append((one.get("Id", ""), one.get("Type", ""), known))
    return found


def _target(package: zipfile.ZipFile, names: dict[str, str], part: str, kind: str) -> str | None:
    return next((to for _, type_, to in _relations(package, names, part) if type_.endswith(kind)), None)


def _sheets(package: zipfile.ZipFile, names: dict[str, str], workbook: str) -> list[str | None]:
    """The part of each sheet in the workbook's order; None for what is no worksheet."""
    sheets = {id_: to for id_, kind, to in _relations(package, names, workbook) if kind.endswith("/worksheet")}
    found: list[str | None] = []
    for element in _parsed(package, workbook).iter():
        if element.tag.rpartition("}")[2] == "sheet":
            id_ = next((value for key, value in element.attrib.items() if key.endswith("}id")), "")
            found.append(sheets.get(id_))
    return found


def _codes_of_styles(root: ElementTree.Element) -> dict[bytes, str]:
    """The format's code by the number of each cell style that does not show a value as it is."""
    codes: dict[int, str] = {}
    found: dict[bytes, str] = {}
    for group in root:
        name = group.tag.rpartition("}")[2]
        if name == "numFmts":
            codes = {int(one.get("numFmtId", "0")): one.get("formatCode", "") for one in group}
        elif name == "cellXfs":
            for number, one in enumerate(group):
                code = code_of(int(one.get("numFmtId", "0")), codes)
                if code and code not in ("General", "@"):
                    found[b"%d" % number] = code
    return found
