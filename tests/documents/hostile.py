"""Makes hostile files, and files that only look hostile, so that none is stored in the repository.

`make_all(folder)` returns name → path; `MAY_END_IN` says how each may end (None = it is read like any other).
"""

import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

MIB = 1024 * 1024
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_PARTS = {
    "[Content_Types].xml": f"""{_HEAD}<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">
<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>
<Default Extension="xml" ContentType="application/xml"/>
<Override PartName="/xl/workbook.xml" ContentType="{_TYPE}.sheet.main+xml"/>
<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_TYPE}.worksheet+xml"/>
<Override PartName="/xl/sharedStrings.xml" ContentType="{_TYPE}.sharedStrings+xml"/></Types>""",
    "_rels/.rels": f"""{_HEAD}<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">
<Relationship Id="rId1" Type="{_RELS}/officeDocument" Target="xl/workbook.xml"/></Relationships>""",
    "xl/workbook.xml": f"""{_HEAD}<workbook xmlns="{_MAIN}" xmlns:r="{_RELS}">
<sheets><sheet name="Hoja1" sheetId="1" r:id="rId1"/></sheets></workbook>""",
    "xl/_rels/workbook.xml.rels": f"""{_HEAD}<Relationships
xmlns="http://schemas.openxmlformats.org/package/2006/relationships">
<Relationship Id="rId1" Type="{_RELS}/worksheet" Target="worksheets/sheet1.xml"/>
<Relationship Id="rId2" Type="{_RELS}/sharedStrings" Target="sharedStrings.xml"/></Relationships>""",
}
_SHEET = "xl/worksheets/sheet1.xml"
_STRINGS = "xl/sharedStrings.xml"

Packed = tuple[bytes, int, int]  # deflated bytes, CRC, size unpacked


def packed(content: bytes) -> Packed:
    """Deflate one entry's content."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    return deflate.compress(content) + deflate.flush(), zlib.crc32(content), len(content)


def repeated(before: bytes, piece: bytes, times: int, after: bytes) -> Packed:
    """Deflate `before`, `piece` repeated `times` times, `after`. The piece is packed once: 1 GB takes a second."""
    out, crc = bytearray(), zlib.crc32(before)
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    out += deflate.compress(before) + deflate.flush(zlib.Z_FULL_FLUSH)
    one = deflate.compress(piece) + deflate.flush(zlib.Z_FULL_FLUSH)
    for _ in range(times):
        crc = zlib.crc32(piece, crc)
    out += one * times + deflate.compress(after) + deflate.flush()
    return bytes(out), zlib.crc32(after, crc), len(before) + len(piece) * times + len(after)


def write_zip(path: Path, entries: dict[str, Packed], flags: int = 0) -> Path:
    """Write a zip by hand, so that its directory can lie."""
    directory = bytearray()
    with path.open("wb") as file:
        for name, (data, crc, size) in entries.items():
            at, spelled = file.tell(), name.encode()
            common = struct.pack("<HHHHHIIIHH", 20, flags, 8, 0, 0x5A21, crc, len(data), size, len(spelled), 0)
            file.write(b"PK\x03\x04" + common + spelled + data)
            directory += b"PK\x01\x02" + struct.pack("<H", 20) + common
            directory += struct.pack("<HHHII", 0, 0, 0, 0, at) + spelled
        at, count = file.tell(), min(len(entries), 0xFFFF)
        file.write(directory + b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, count, count, len(directory), at, 0))
    return path


def workbook(path: Path, sheet: str | Packed, strings: str | Packed = "", flags: int = 0) -> Path:
    """Write an xlsx with this one sheet."""
    parts: dict[str, str | Packed] = {**_PARTS, _SHEET: sheet, _STRINGS: strings or f'{_HEAD}<sst xmlns="{_MAIN}"/>'}
    entries = {name: packed(part.encode()) if isinstance(part, str) else part for name, part in parts.items()}
    return write_zip(path, entries, flags)


def rows_of(body: str, dimension: str = "", doctype: str = "") -> str:
    """Return a sheet's XML around these rows."""
    return f'{_HEAD}{doctype}<worksheet xmlns="{_MAIN}">{dimension}<sheetData>{body}</sheetData></worksheet>'


def _two_cells(far: str) -> str:
    row = far.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    return rows_of(f'<row r="1"><c r="A1"><v>612345678</v></c></row><row r="{row}"><c r="{far}"><v>1</v></c></row>')


def _laughs(doctype: str) -> str:
    cell = '<row r="1"><c r="A1" t="inlineStr"><is><t>&z;</t></is></c></row>'
    return rows_of(cell, doctype=f"<!DOCTYPE worksheet [{doctype}]>")


def _quadratic() -> str:
    return _laughs(f'<!ENTITY z "{"a" * 500_000}">').replace("&z;", "&z;" * 99)


def _shared_string(path: Path) -> Path:
    cells = "".join(f'<row r="{n}"><c r="A{n}" t="s"><v>0</v></c></row>' for n in range(1, 12_001))
    strings = repeated(f'{_HEAD}<sst xmlns="{_MAIN}"><si><t>'.encode(), bytes(range(97, 113)) * 4096, 16,
                       b"</t></si></sst>")  # fmt: skip
    return workbook(path, rows_of(cells), strings)


def _tiny_rows(path: Path) -> Path:
    head, tail = rows_of("|").encode().split(b"|")
    return workbook(path, repeated(head, b"<row><c><v>1</v></c></row>" * 40_330, 1024, tail))


def _one_cell(path: Path) -> Path:
    head, tail = rows_of('<row r="1"><c r="A1" t="inlineStr"><is><t>|</t></is></c></row>').encode().split(b"|")
    return workbook(path, repeated(head, b"a" * MIB, 512, tail))


def _forged_size(path: Path) -> Path:
    head, tail = rows_of('<row r="1"><c r="A1" t="inlineStr"><is><t>|</t></is></c></row>').encode().split(b"|")
    data, crc, _ = repeated(head, b"a" * MIB, 256, tail)
    return workbook(path, (data, crc, 4096))


def _many_entries(path: Path) -> Path:
    nothing = packed(b"")
    return write_zip(path, {**{f"{n:x}": nothing for n in range(60_000)}, "xl/workbook.xml": nothing})


def _million_empty_rows(path: Path) -> Path:
    """Write what Excel saves after whole columns were formatted: a list of three, and a million styled empty rows."""
    head, tail = rows_of("|").encode().split(b"|")
    deflate, out, crc, size = zlib.compressobj(1, zlib.DEFLATED, -15), bytearray(), 0, 0
    for row in _with_empty_rows(head, tail):
        crc, size = zlib.crc32(row, crc), size + len(row)
        out += deflate.compress(row)
    return workbook(path, (bytes(out + deflate.flush()), crc, size))


def _with_empty_rows(head: bytes, tail: bytes) -> Iterator[bytes]:
    yield head
    for n in range(1, 4):
        yield b'<row r="%d"><c r="A%d"><v>61234567%d</v></c></row>' % (n, n, n)
    for n in range(4, 1_048_577):
        yield b'<row r="%d" s="1" customFormat="1"><c r="A%d" s="1"/></row>' % (n, n)
    yield tail


def _bytes(content: bytes) -> Callable[[Path], Path]:
    def write(path: Path) -> Path:
        path.write_bytes(content)
        return path

    return write


def _truncated(path: Path) -> Path:
    workbook(path, _two_cells("A2"))
    path.write_bytes(path.read_bytes()[:-300])
    return path


_BILLION = '<!ENTITY a "ha">' + "".join(
    f'<!ENTITY {name} "{f"&{before};" * 10}">' for before, name in zip("abcdefghi", "bcdefghiz", strict=True)
)
_MAKERS: dict[str, Callable[[Path], Path]] = {
    "far_cell.xlsx": lambda path: workbook(path, _two_cells("XFD1048576")),
    "wide_cell.xlsx": lambda path: workbook(path, _two_cells("XFD6000")),
    "lying_dimension.xlsx": lambda path: workbook(
        path, rows_of('<row r="1"><c r="A1"><v>612345678</v></c></row>', '<dimension ref="A1:XFD1048576"/>')
    ),
    "shared_string.xlsx": _shared_string,
    "tiny_rows.xlsx": _tiny_rows,
    "one_cell.xlsx": _one_cell,
    "billion_laughs.xlsx": lambda path: workbook(path, _laughs(_BILLION)),
    "quadratic.xlsx": lambda path: workbook(path, _quadratic()),
    "xxe.xlsx": lambda path: workbook(path, _laughs('<!ENTITY z SYSTEM "file:///etc/passwd">')),
    "forged_size.xlsx": _forged_size,
    "many_entries.xlsx": _many_entries,
    "million_empty_rows.xlsx": _million_empty_rows,
    "encrypted.xlsx": lambda path: workbook(path, _two_cells("A2"), flags=1),
    "actually_a_png.xlsx": _bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8),
    "actually_a_zip.xlsx": lambda path: write_zip(path, {"notes.txt": packed(b"hello")}),
    "actually_a_page.xls": _bytes(b"<html><table><tr><td>612345678</td></tr></table></html>"),
    "binary.csv": _bytes(bytes(range(256)) * 40),
    "truncated.xlsx": _truncated,
    "half_a_zip.xlsx": _bytes(b"PK\x03\x04" + bytes(2000)),
    "half_an_old_one.xls": _bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "Workbook\0".encode("utf-16-le") * 40),
    "empty.xlsx": _bytes(b""),
    "program.exe": _bytes(b"MZ" + bytes(200)),
}
MAY_END_IN: dict[str, set[str | None]] = {
    "far_cell.xlsx": {None},
    "wide_cell.xlsx": {None},
    "lying_dimension.xlsx": {None},
    "shared_string.xlsx": {"unsafe", "too_large"},
    "tiny_rows.xlsx": {"unsafe"},
    "one_cell.xlsx": {"unsafe"},
    "billion_laughs.xlsx": {"damaged", "no_rows"},
    "quadratic.xlsx": {"damaged", "no_rows"},
    "xxe.xlsx": {"damaged", "no_rows"},
    "forged_size.xlsx": {"damaged", "unsafe"},
    "many_entries.xlsx": {"unsafe"},
    "million_empty_rows.xlsx": {None},
    "encrypted.xlsx": {"encrypted"},
    "actually_a_png.xlsx": {"wrong_type"},
    "actually_a_zip.xlsx": {"wrong_type"},
    "actually_a_page.xls": {None},
    "binary.csv": {"wrong_type"},
    "truncated.xlsx": {"damaged"},
    "half_a_zip.xlsx": {"damaged"},
    "half_an_old_one.xls": {"damaged", "unsafe"},
    "empty.xlsx": {"empty"},
    "program.exe": {"wrong_type"},
}
NAMES = tuple(_MAKERS)
# Nine representative ones, for tests that have no time for all of them.
NINE = NAMES[:6] + ("billion_laughs.xlsx", "xxe.xlsx", "forged_size.xlsx")


def make(folder: Path, name: str) -> Path:
    """Write one hostile file."""
    return _MAKERS[name](folder / name)


def make_all(folder: Path) -> dict[str, Path]:
    """Write all hostile files; return their paths by name."""
    return {name: make(folder, name) for name in NAMES}
