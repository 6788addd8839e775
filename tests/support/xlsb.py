"""Writes small workbooks in Excel's binary format, which no program of ours can: [MS-XLSB], as Excel lays it out."""

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from struct import pack
from typing import Any

_MAIN = "application/vnd.ms-excel"
_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_ERRORS = {"#NULL!": 0, "#DIV/0!": 7, "#VALUE!": 15, "#REF!": 23, "#NAME?": 29, "#NUM!": 36, "#N/A": 42}


@dataclass
class Sheet:
    """A sheet. A cell is a value, or a value with its number format; `kind`s of records are chosen by the value."""

    name: str
    rows: Sequence[Sequence[Any]]
    state: int = 0  # 1 is hidden, 2 very hidden
    widths: dict[int, float] = field(default_factory=dict)
    hidden_rows: frozenset[int] = frozenset()
    hidden_columns: frozenset[int] = frozenset()
    merged: Sequence[tuple[int, int, int, int]] = ()  # first and last row, first and last column
    frozen_rows: int = 0


def record(kind: int, content: bytes = b"") -> bytes:
    """One record."""
    head = bytes([kind]) if kind < 0x80 else bytes([kind & 0x7F | 0x80, kind >> 7])
    length, size = b"", len(content)
    while True:
        size, low = size >> 7, size & 0x7F
        length += bytes([low | (0x80 if size else 0)])
        if not size:
            return head + length + content


def text(value: str) -> bytes:
    """A text with its length before it."""
    coded = value.encode("utf-16-le")
    return pack("<I", len(coded) // 2) + coded


def write_xlsb(path: Path, sheets: Sequence[Sheet], *, from_1904: bool = False) -> Path:
    """Write the workbook; return its path."""
    formats: dict[str, int] = {}
    shared: dict[str, int] = {}
    parts = {f"xl/worksheets/sheet{n}.bin": _sheet(one, formats, shared) for n, one in enumerate(sheets, 1)}
    parts["xl/workbook.bin"] = _workbook(sheets, from_1904)
    parts["xl/styles.bin"] = _styles(formats)
    items = b"".join(record(19, b"\0" + text(value)) for value in shared)
    parts["xl/sharedStrings.bin"] = record(159, pack("<II", len(shared), len(shared))) + items + record(160)
    names = [f"worksheets/sheet{n}.bin" for n in range(1, len(sheets) + 1)]
    related = [
        *((name, "worksheet") for name in names),
        ("styles.bin", "styles"),
        ("sharedStrings.bin", "sharedStrings"),
    ]
    kinds = {f"/xl/{name}": f"{_MAIN}.worksheet" for name in names} | {
        "/xl/workbook.bin": f"{_MAIN}.sheet.binary.macroEnabled.main",
        "/xl/styles.bin": f"{_MAIN}.styles",
        "/xl/sharedStrings.bin": f"{_MAIN}.sharedStrings",
    }
    tags = "".join(f'<Override PartName="{name}" ContentType="{kind}"/>' for name, kind in kinds.items())
    types = (
        f'<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels" '
        f'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>{tags}</Types>'
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("[Content_Types].xml", types)
        package.writestr("_rels/.rels", _relations([("xl/workbook.bin", "officeDocument")]))
        package.writestr("xl/_rels/workbook.bin.rels", _relations(related))
        for name, part in parts.items():
            package.writestr(name, part)
    return path


def _relations(related: Sequence[tuple[str, str]]) -> str:
    tags = "".join(
        f'<Relationship Id="rId{n}" Type="{_RELATIONS}/{kind}" Target="{target}"/>'
        for n, (target, kind) in enumerate(related, 1)
    )
    return f'<Relationships xmlns="{_PACKAGE}/relationships">{tags}</Relationships>'


def _workbook(sheets: Sequence[Sheet], from_1904: bool) -> bytes:
    listed = b"".join(
        record(156, pack("<II", one.state, n) + text(f"rId{n}") + text(one.name)) for n, one in enumerate(sheets, 1)
    )
    properties = record(153, pack("<II", int(from_1904), 0) + text(""))
    views = record(135) + record(158, pack("<4i2IIB", 0, 0, 20000, 12000, 600, 0, 0, 0x78)) + record(136)
    return record(131) + properties + views + record(143) + listed + record(144) + record(132)


def _styles(formats: dict[str, int]) -> bytes:
    """A plain format, a bold one on blue for headings, and one for each code, with its own number from 164 on."""
    codes = b"".join(record(44, pack("<H", 164 + n) + text(code)) for n, code in enumerate(formats))
    white, blue, none = pack("<BBh4B", 5, 0, 0, 255, 255, 255, 255), _rgb(0x1F, 0x4E, 0x79), bytes(8)
    fonts = _font(400, none) + _font(700, white)
    fills = b"".join(
        record(45, pack("<I", pattern) + front + none + bytes(48))
        for pattern, front in ((0, none), (17, none), (1, blue))
    )
    border = record(46, bytes(51))
    plain = pack("<5HBBI", 0xFFFF, 0, 0, 0, 0, 0, 0, 0x10)
    cells = [_cell_format(0, 0, 0), _cell_format(0, 1, 2), *(_cell_format(164 + n, 0, 0) for n in range(len(formats)))]
    groups = [(615, codes, len(formats), 616), (611, fonts, 2, 612), (603, fills, 3, 604), (613, border, 1, 614)]
    groups += [(626, record(47, plain), 1, 627), (617, b"".join(cells), len(cells), 618)]
    style = record(48, pack("<IHBB", 0, 1, 0, 0) + text("Normal"))
    groups.append((619, style, 1, 620))
    body = b"".join(record(begin, pack("<I", count)) + content + record(end) for begin, content, count, end in groups)
    return record(278) + body + record(279)


def _rgb(*rgb: int) -> bytes:
    return pack("<BBh4B", 5, 0, 0, *rgb, 255)


def _font(weight: int, color: bytes) -> bytes:
    return record(43, pack("<4H4B", 220, 0, weight, 0, 0, 2, 0, 0) + color + b"\0" + text("Calibri"))


def _cell_format(number: int, font: int, fill: int) -> bytes:
    return record(47, pack("<5HBBI", 0, number, font, fill, 0, 0, 0, 0x10))


def _sheet(sheet: Sheet, formats: dict[str, int], shared: dict[str, int]) -> bytes:
    width = max(map(len, sheet.rows), default=1)
    out = bytearray(record(129) + record(148, pack("<4I", 0, max(len(sheet.rows) - 1, 0), 0, width - 1)))
    if sheet.frozen_rows:
        pane = pack("<2d3IB", 0, sheet.frozen_rows, sheet.frozen_rows, 0, 2, 1)
        view = record(137, pack("<HIII4BHHHI", 0x3DC, 0, 0, 0, 64, 0, 0, 0, 100, 0, 0, 0))
        out += record(133) + view + record(151, pane) + record(138) + record(134)
    out += record(485, pack("<IHHI", 0xFFFFFFFF, 8, 300, 0))
    columns = sorted({*sheet.widths, *sheet.hidden_columns})
    if columns:
        out += record(390)
        for column in columns:
            wide = round(sheet.widths.get(column, 9) * 256)
            flags = 2 | (column in sheet.hidden_columns)
            out += record(60, pack("<4IH", column, column, wide, 0, flags))
        out += record(391)
    out += record(145)
    for number, row in enumerate(sheet.rows):
        flags = 0x10 if number in sheet.hidden_rows else 0
        out += record(0, pack("<IIHBBBI", number, 0, 300, 0, flags, 0, 1) + pack("<II", 0, max(len(row) - 1, 0)))
        for column, cell in enumerate(row):
            value, code = cell if isinstance(cell, tuple) else (cell, "")
            if value is not None or code:
                look = 1 if code == "heading" else 2 + formats.setdefault(code, len(formats)) if code else 0
                out += _cell(column, look, value, shared)
    out += record(146)
    if sheet.merged:
        areas = b"".join(record(176, pack("<4I", *area)) for area in sheet.merged)
        out += record(177, pack("<I", len(sheet.merged))) + areas + record(178)
    return bytes(out + record(130))


def _cell(column: int, look: int, value: Any, shared: dict[str, int]) -> bytes:
    head = pack("<II", column, look)
    match value:
        case None:
            return record(1, head)
        case bool():
            return record(4, head + bytes([value]))
        case int() if -(1 << 29) <= value < 1 << 29:
            return record(2, head + pack("<I", (value << 2 | 2) & 0xFFFFFFFF))
        case int() | float():
            return record(5, head + pack("<d", value))
        case str() if value in _ERRORS:
            return record(3, head + bytes([_ERRORS[value]]))
        case str() if value.startswith("\0"):  # a text in the cell instead of the table
            return record(6, head + text(value[1:]))
        case _:
            return record(7, head + pack("<I", shared.setdefault(value, len(shared))))
