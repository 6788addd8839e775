"""Read an xlsb as an `OldWorkbook`. No library that is kept well gives its formats. Records: [MS-XLSB] 2.4."""

import posixpath
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from struct import Struct
from typing import NamedTuple

from defusedxml.ElementTree import fromstring

from portal.documents.reader.conversion.old_workbook import (
    ERRORS,
    HORIZONTAL,
    LINE_STYLES,
    MAX_COLUMNS,
    PATTERNS,
    VERTICAL,
    Borders,
    CellError,
    Color,
    Fill,
    Font,
    Line,
    Look,
    OldColumns,
    OldRow,
    OldSheet,
    OldWorkbook,
    Value,
)  # fmt: skip
from portal.documents.reader.limits import FileProblem, Unreadable
from portal.documents.reader.xlsb_records import LONG, REAL, WORD, records, wide_text

WORKBOOK = "xl/workbook.bin"
ROW, BLANK, RK, ERROR, BOOLEAN, NUMBER, TEXT, SHARED = range(8)
FORMULA_TEXT, FORMULA_NUMBER, FORMULA_BOOLEAN, FORMULA_ERROR, RICH_TEXT = 8, 9, 10, 11, 62
SHARED_TEXT, FONT, FORMAT, FILL, BORDER, CELL_FORMAT, COLUMNS = 19, 43, 44, 45, 46, 47, 60
BEGIN_ROWS, END_ROWS, USED_AREA, PANE, PROPERTIES, SHEET, MERGED = 145, 146, 148, 151, 153, 156, 176
DEFAULTS, BEGIN_CELL_FORMATS, END_CELL_FORMATS = 485, 617, 618

_LONGS4, _CELL = Struct("<4I"), Struct("<2I")
_ROW, _FORMAT, _HIDDEN_ROW, _CHOSEN_HEIGHT = Struct("<IIHBB"), Struct("<5HBBI"), 0x10, 0x20
_PANE, _FROZEN = Struct("<2d3IB"), 0x01
_COLORS = {1: "indexed", 3: "theme"}
_RGB = 2
_HIDDEN = {1: "hidden", 2: "veryHidden"}
_WORKSHEET, _SHARED_TEXTS, _STYLES, _THEME = "worksheet", "sharedStrings", "styles", "theme"


class _Listed(NamedTuple):
    """A sheet as the workbook lists it."""

    name: str
    hidden: str
    part: str


@dataclass
class _Styles:
    """The lists of the part with the styles."""

    formats: dict[int, str] = field(default_factory=dict)
    fonts: list[Font] = field(default_factory=list)
    fills: list[Fill] = field(default_factory=list)
    borders: list[Borders] = field(default_factory=list)
    looks: list[Look] = field(default_factory=list)


def read_xlsb(path: Path) -> OldWorkbook:
    """Read the workbook. Raises Unreadable (wrong type) for another zip, and whatever a damaged one leads to."""
    archive = zipfile.ZipFile(path)
    if WORKBOOK not in archive.namelist():
        raise Unreadable(FileProblem.WRONG_TYPE)
    related = _related(archive, WORKBOOK)
    of_kind = dict(related.values())
    from_1904, listed = _listed(archive.read(WORKBOOK), related)
    styles, texts, theme = (of_kind.get(kind, "") for kind in (_STYLES, _SHARED_TEXTS, _THEME))
    found = _styles(archive.read(styles)) if styles else _Styles()
    shared = _shared_texts(archive.read(texts)) if texts else []
    return OldWorkbook(
        _sheets(archive, listed, shared),
        found.looks,
        found.fonts[0] if found.fonts else Font(),
        from_1904,
        archive.read(theme) if theme else None,
    )


def _related(archive: zipfile.ZipFile, part: str) -> dict[str, tuple[str, str]]:
    """The parts that a part names: by id, the last word of the relation's type and the name."""
    folder, _, name = part.rpartition("/")
    root = fromstring(archive.read(f"{folder}/_rels/{name}.rels"), forbid_dtd=True)
    there = set(archive.namelist())
    found = {}
    for tag in root:
        target = posixpath.normpath(posixpath.join("/", folder, tag.get("Target", ""))).lstrip("/")
        if target in there:
            found[tag.get("Id", "")] = (tag.get("Type", "").rpartition("/")[2], target)
    return found


def _listed(raw: bytes, related: dict[str, tuple[str, str]]) -> tuple[bool, list[_Listed]]:
    """Whether dates count from 1904, and the worksheets in their order."""
    from_1904, found = False, []
    for kind, at, _ in records(raw):
        if kind == PROPERTIES:
            from_1904 = bool(raw[at] & 1)
        elif kind == SHEET:
            state = LONG.unpack_from(raw, at)[0]
            relation, end = wide_text(raw, at + 8)
            its_kind, part = related.get(relation, ("", ""))
            if its_kind == _WORKSHEET:
                found.append(_Listed(wide_text(raw, end)[0], _HIDDEN.get(state, ""), part))
    return from_1904, found


def _shared_texts(raw: bytes) -> list[str]:
    return [wide_text(raw, at + 1)[0] for kind, at, _ in records(raw) if kind == SHARED_TEXT]


# ── styles ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _styles(raw: bytes) -> _Styles:
    found, in_cells = _Styles(), False
    for kind, at, _ in records(raw):
        if kind == FORMAT:
            found.formats[WORD.unpack_from(raw, at)[0]] = wide_text(raw, at + 2)[0]
        elif kind == FONT:
            found.fonts.append(_font(raw, at))
        elif kind == FILL:
            pattern = LONG.unpack_from(raw, at)[0]
            found.fills.append(Fill(_one_of(PATTERNS, pattern), _color(raw, at + 4), _color(raw, at + 12)))
        elif kind == BORDER:
            top, bottom, left, right = (_line(raw, at + 1 + 10 * n) for n in range(4))
            found.borders.append(Borders(left, right, top, bottom))
        elif kind in (BEGIN_CELL_FORMATS, END_CELL_FORMATS):
            in_cells = kind == BEGIN_CELL_FORMATS
        elif kind == CELL_FORMAT and in_cells:
            found.looks.append(_look(found, raw, at))
    return found


def _font(raw: bytes, at: int) -> Font:
    height, flags, weight = WORD.unpack_from(raw, at)[0], raw[at + 2], WORD.unpack_from(raw, at + 4)[0]
    name = wide_text(raw, at + 21)[0]
    return Font(
        name or "Calibri", height / 20 or 11.0, weight >= 600, bool(flags & 2), bool(raw[at + 8]), bool(flags & 8),
        _color(raw, at + 12),
    )  # fmt: skip


def _color(raw: bytes, at: int) -> Color | None:
    kind = raw[at] >> 1
    tint = int.from_bytes(raw[at + 2 : at + 4], "little", signed=True) / 32767
    if kind == _RGB:
        return Color("rgb", f"FF{raw[at + 4 : at + 7].hex().upper()}", tint)
    return Color(_COLORS[kind], str(raw[at + 1]), tint) if kind in _COLORS else None


def _line(raw: bytes, at: int) -> Line:
    return Line(_one_of(LINE_STYLES, raw[at]), _color(raw, at + 2))


def _look(found: _Styles, raw: bytes, at: int) -> Look:
    _, form, font, fill, border, _, indent, flags = _FORMAT.unpack_from(raw, at)
    return Look(
        found.formats.get(form, form if form < 164 else 0),
        found.fonts[font] if font < len(found.fonts) else Font(),
        found.fills[fill] if fill < len(found.fills) else Fill(),
        found.borders[border] if border < len(found.borders) else Borders(),
        _one_of(HORIZONTAL, flags & 7),
        _one_of(VERTICAL, flags >> 3 & 7),
        bool(flags >> 6 & 1),
        indent,
    )


def _one_of(names: tuple[str, ...], number: int) -> str:
    return names[number] if number < len(names) else names[0]


# ── sheets ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _sheets(archive: zipfile.ZipFile, listed: list[_Listed], shared: list[str]) -> Iterator[OldSheet]:
    with archive:
        for one in listed:
            raw = archive.read(one.part)
            sheet = OldSheet(one.name, one.hidden, iter(()), (0, 0))
            sheet.rows = _rows(raw, _head(raw, sheet), sheet, shared)
            yield sheet


def _head(raw: bytes, sheet: OldSheet) -> Iterator[tuple[int, int, int]]:
    """Read what stands before the rows. Returns the records that follow."""
    found = records(raw)
    for kind, at, _ in found:
        if kind == BEGIN_ROWS:
            break
        if kind == USED_AREA:
            _, last_row, _, last_column = _LONGS4.unpack_from(raw, at)
            sheet.area = (last_row, last_column)
        elif kind == PANE:
            right, down, *_, flags = _PANE.unpack_from(raw, at)
            sheet.frozen = (_whole(down), _whole(right)) if flags & _FROZEN else (0, 0)
        elif kind == DEFAULTS:
            width, height = LONG.unpack_from(raw, at)[0], WORD.unpack_from(raw, at + 6)[0]
            sheet.default_width = width / 256 if width != 0xFFFFFFFF else None
            sheet.default_height = height / 20 or 15.0
        elif kind == COLUMNS:
            first, last, width, look = _LONGS4.unpack_from(raw, at)
            sheet.columns.append(OldColumns(first, last, width / 256, bool(raw[at + 16] & 1), look))
    return found


def _whole(number: float) -> int:
    return int(number) if 0 <= number < MAX_COLUMNS else 0


def _rows(raw: bytes, found: Iterator[tuple[int, int, int]], sheet: OldSheet, shared: list[str]) -> Iterator[OldRow]:
    row: OldRow | None = None
    cells: list[tuple[int, int, Value]] = []
    for kind, at, _ in found:
        if kind == ROW:
            if row is not None:
                yield row
            number, look, height, _, flags = _ROW.unpack_from(raw, at)
            chosen = height / 20 if flags & _CHOSEN_HEIGHT and height else None
            cells = []
            row = OldRow(number, cells, chosen, bool(flags & _HIDDEN_ROW), look or None)
        elif kind <= FORMULA_ERROR or kind == RICH_TEXT:
            column, look = _CELL.unpack_from(raw, at)
            cells.append((column, look & 0xFFFFFF, _value(raw, kind, at + 8, shared)))
        elif kind == END_ROWS:
            break
    if row is not None:
        yield row
    for kind, at, _ in found:
        if kind == MERGED:
            top, bottom, left, right = _LONGS4.unpack_from(raw, at)
            sheet.merged.append((top, bottom, left, right))


def _value(raw: bytes, kind: int, at: int, shared: list[str]) -> Value:
    if kind == SHARED:
        return shared[LONG.unpack_from(raw, at)[0]]
    if kind == RK:
        return _short_number(LONG.unpack_from(raw, at)[0])
    if kind in (NUMBER, FORMULA_NUMBER):
        return float(REAL.unpack_from(raw, at)[0])
    if kind in (TEXT, FORMULA_TEXT):
        return wide_text(raw, at)[0]
    if kind == RICH_TEXT:
        return wide_text(raw, at + 1)[0]
    if kind in (BOOLEAN, FORMULA_BOOLEAN):
        return bool(raw[at])
    if kind in (ERROR, FORMULA_ERROR):
        return CellError(ERRORS.get(raw[at], "#VALUE!"))
    return None


def _short_number(packed: int) -> float:
    """A number in four bytes: thirty bits of a whole one or of a double's upper half; maybe to be divided by 100."""
    if packed & 2:
        number = float((packed >> 2) - (1 << 30 if packed & 0x80000000 else 0))
    else:
        number = REAL.unpack(bytes(4) + LONG.pack(packed & 0xFFFFFFFC))[0]
    return number / 100 if packed & 1 else number
