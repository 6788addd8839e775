"""A sheet's XML as the standard allows it, and as no program should write it."""

import re
import struct
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from io import BytesIO
from pathlib import Path

import pytest
from openpyxl import Workbook

from portal.jobs.export.added import AddedRow
from portal.jobs.export.in_place.added_rows import AddedRows, SpooledRows
from portal.jobs.export.in_place.cells import CellWriter, Styles
from portal.jobs.export.in_place.errors import CannotWriteInPlace
from portal.jobs.export.in_place.sheet_survey import survey
from portal.jobs.export.in_place.sheet_text import columns_from
from portal.jobs.export.in_place.sheet_xml import AddedColumns, rewritten
from portal.jobs.export.in_place.workbook import OpenWorkbook, Place
from tests.jobs.export.own_workbook import ANSWER, HEADINGS, added_to, answers, copy_of, opened
from tests.jobs.export.sheet_order import faults_of_sheet, faults_of_workbook

SHEET = "xl/worksheets/sheet1.xml"
PLAIN = (
    '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
    '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" '
    'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006" '
    'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships">'
    '<dimension ref="A1:C4"/><sheetFormatPr defaultRowHeight="15"/><sheetData>'
    '<row r="1" spans="1:3"><c r="A1" t="inlineStr"><is><t>Nombre</t></is></c>'
    '<c r="B1" t="inlineStr"><is><t>Año</t></is></c><c r="C1" t="inlineStr"><is><t>CP</t></is></c></row>'
    '<row r="2" spans="1:3"><c r="A2" t="inlineStr"><is><t>Ana</t></is></c><c r="B2"><v>612</v></c>'
    '<c r="C2"><v>8</v></c></row>'
    '<row r="3" spans="1:3"><c r="A3" t="inlineStr"><is><t>Luis</t></is></c><c r="B3"><v>613</v></c></row>'
    '<row r="4" spans="1:3"><c r="A4" t="inlineStr"><is><t>Eva</t></is></c><c r="B4"><v>614</v></c>'
    '<c r="C4" t="b"><v>1</v></c></row>'
    '</sheetData><pageMargins left="0.7" right="0.7" top="0.75" bottom="0.75" header="0.3" footer="0.3"/></worksheet>'
)
OWN = [["Nombre", "Año", "CP"], ["Ana", 612, 8], ["Luis", 613, None], ["Eva", 614, True]]


def out_of_order(xml: str) -> str:
    rows = re.findall(r"<row.*?</row>", xml)
    return xml.replace("".join(rows), "".join([rows[0], rows[3], rows[1], rows[2]]))


def prefixed(xml: str) -> str:
    return re.sub(r"<(/?)([A-Za-z])", r"<\1x:\2", xml).replace('xmlns="', 'xmlns:x="').replace("<?x:xml", "<?xml")


EXTENSION = b'<extLst><ext uri="{1}"><a>1</a></ext></extLst>'
CONTROLS = (
    '<mc:AlternateContent><mc:Choice Requires="x14"><controls><mc:AlternateContent><mc:Choice Requires="x14">'
    '<control shapeId="1" r:id="rId9" name="a"/></mc:Choice></mc:AlternateContent></controls></mc:Choice>'
    "</mc:AlternateContent>"
)
ODD: dict[str, Callable[[str], str | bytes]] = {
    "as nearly all programs write it": lambda xml: xml,
    "rows without numbers": lambda xml: re.sub(r'<row r="\d"', "<row", xml),
    "cells without places": lambda xml: re.sub(r'<c r="[A-Z]\d"', "<c", xml),
    "rows and cells without numbers": lambda xml: re.sub(r'<(row|c) r="\w+"', r"<\1", xml),
    "the number is not the first attribute": lambda xml: re.sub(r'<row (r="\d") (spans="1:3")', r"<row \2 \1", xml),
    "the format stands before the place": lambda xml: re.sub(r'<c (r="A\d") (t="inlineStr")', r"<c \2 \1", xml),
    "single quotes": lambda xml: re.sub(r'<(row|c) r="(\w+)"', r"<\1 r='\2'", xml),
    "spaces and line ends in tags": lambda xml: re.sub(r'<(row|c) r="(\w+)"', '<\\1\n  r = "\\2"\t', xml),
    "indented": lambda xml: re.sub(r"(<row|</row|<c |</sheetData)", r"\n    \1", xml),
    "prefixed names": prefixed,
    "strict": lambda xml: xml.replace(
        "http://schemas.openxmlformats.org/spreadsheetml/2006/main", "http://purl.oclc.org/ooxml/spreadsheetml/main"
    ),
    "rows out of order": out_of_order,
    "an empty row": lambda xml: xml.replace('<row r="2"', '<row r="2"/><row r="3"').replace("3", "3"),
    "comments with tags": lambda xml: xml.replace("<row", '<!-- </row></sheetData><row r="9"> --><row'),
    "a comment in a cell": lambda xml: xml.replace("<v>", "<!-- <v>1</v> --><v>"),
    "CDATA with tags": lambda xml: xml.replace("<t>Ana</t>", "<t><![CDATA[Ana]]></t>").replace(
        "<t>Eva</t>", "<t><![CDATA[E]]>va</t>"
    ),
    "instructions": lambda xml: xml.replace("<row", '<?a <row r="7"> ?><row'),
    "a bracket in an attribute": lambda xml: xml.replace('<row r="2"', '<row r="2" thickBot="0" a="x>y/>"'),
    "no dimension": lambda xml: xml.replace('<dimension ref="A1:C4"/>', ""),
    "a dimension of one cell": lambda xml: xml.replace("A1:C4", "A1"),
    "no spans": lambda xml: xml.replace(' spans="1:3"', ""),
    "columns": lambda xml: xml.replace("<sheetData>", '<cols><col min="1" max="9" width="4"/></cols><sheetData>'),
    "columns with prefixes": lambda xml: prefixed(
        xml.replace("<sheetData>", '<cols><col min="1" max="9" width="4"/></cols><sheetData>')
    ),
    "alternatives behind the rows": lambda xml: xml.replace("</worksheet>", f"{CONTROLS}</worksheet>"),
    "notes on errors": lambda xml: xml.replace(
        "</worksheet>", '<ignoredErrors><ignoredError sqref="A1" evalError="1"/></ignoredErrors></worksheet>'
    ),
    "all that may follow": lambda xml: xml.replace("<pageMargins", '<phoneticPr fontId="1"/><pageMargins').replace(
        "</worksheet>",
        '<drawing r:id="rId8"/><tableParts count="0"/><extLst><ext uri="{1}"><a>1</a></ext></extLst></worksheet>',
    ),
    "UTF-16": lambda xml: xml.replace("UTF-8", "UTF-16").encode("utf-16"),
    "UTF-16, the other way round": lambda xml: b"\xfe\xff" + xml.replace("UTF-8", "UTF-16").encode("utf-16-be"),
    "Latin-1": lambda xml: xml.replace("UTF-8", "ISO-8859-1").encode("latin-1"),
    "a byte order mark": lambda xml: b"\xef\xbb\xbf" + xml.encode(),
    "no declaration": lambda xml: xml[xml.index("<worksheet") :],
    "empty cells with a format": lambda xml: xml.replace("</row>", '<c r="X" s="0"/></row>').replace("X", "E0"),
}


def odd(name: str) -> bytes:
    xml = PLAIN
    if name == "an empty row":
        xml = PLAIN.replace("</sheetData>", '<row r="5" ht="20"/><row r="6"></row></sheetData>')
    elif name == "empty cells with a format":
        for row in "1234":
            xml = re.sub(
                rf'(<row r="{row}".*?)</row>', rf'\1<c r="D{row}" s="1"/><c r="E{row}"></c></row>', xml, count=1
            )
    else:
        made = ODD[name](PLAIN)
        return made if isinstance(made, bytes) else made.encode()
    return xml.encode()


def rewrite(xml: bytes, rows: list[AddedRow], size: int = 1 << 20, width: int = 3) -> bytes:
    """The sheet with answers, read in pieces of `size` bytes."""

    def pieces() -> Iterator[bytes]:
        return (xml[at : at + size] for at in range(0, len(xml), size))

    found = survey(pieces, width, 1)
    added = AddedRows(iter(rows))
    columns = AddedColumns(found.used, [9.0] * 4)
    if not found.in_order:
        added = SpooledRows(added)
    writer = partial(_writer, found.used)
    try:
        return b"".join(rewritten(pieces(), found, columns, added, writer))
    finally:
        added.close()


def _writer(first: int, prefix: bytes) -> CellWriter:
    return CellWriter(first, 4, Styles(1, {}), prefix=prefix)


@pytest.fixture
def package(tmp_path: Path) -> Callable[[bytes], Path]:
    """A workbook with this sheet."""

    def save(xml: bytes) -> Path:
        workbook = Workbook()
        workbook.active["A1"].number_format = "00000"  # type: ignore[index]
        workbook.save(tmp_path / "plain.xlsx")
        with zipfile.ZipFile(tmp_path / "plain.xlsx") as old, zipfile.ZipFile(tmp_path / "odd.xlsx", "w") as new:
            for name in old.namelist():
                new.writestr(name, xml if name == SHEET else old.read(name))
        return tmp_path / "odd.xlsx"

    return save


@pytest.mark.parametrize("name", ODD)
def test_an_odd_sheet_gets_its_answers(name: str, package: Callable[[bytes], Path]) -> None:
    xml = odd(name)
    content = copy_of(package(xml), Place(0, "Sheet", 3, 1, 4), answers([2, 3, 4]))
    assert faults_of_workbook(content) == []
    # What openpyxl does not read, or would look for in other parts.
    gone = [b'<drawing r:id="rId8"/>', b'<tableParts count="0"/>', CONTROLS.encode(), EXTENSION]
    gone.append(b"purl.oclc.org/ooxml/spreadsheetml/main")
    content = _without(
        content, gone, b"schemas.openxmlformats.org/spreadsheetml/2006/main" if name == "strict" else b""
    )
    sheet = opened(content).active
    assert [[sheet.cell(row, column).value for column in (1, 2, 3)] for row in (1, 2, 3, 4)] == OWN
    assert added_to(sheet, 1, 4) == HEADINGS
    assert [added_to(sheet, row, 4) for row in (2, 3, 4)] == [ANSWER] * 3


def _without(content: bytes, what: list[bytes], instead: bytes) -> bytes:
    """The workbook with something else in these places."""
    out = BytesIO()
    with zipfile.ZipFile(BytesIO(content)) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            xml = old.read(name)
            for one in what:
                xml = xml.replace(one, instead)
            new.writestr(name, xml)
    return out.getvalue()


@pytest.mark.parametrize("name", ODD)
def test_it_does_not_matter_where_a_piece_ends(name: str) -> None:
    xml, rows = odd(name), answers([2, 3, 4])
    whole = rewrite(xml, rows)
    assert faults_of_sheet(whole) == []
    assert whole.count(b"Encontrado") == 3
    for size in (1, 7, 64, 333):
        assert rewrite(xml, rows, size) == whole, size


@pytest.mark.parametrize("name", ODD)
def test_only_what_is_added_differs(name: str) -> None:
    """Without the added cells, the sheet is what it was, byte for byte from its rows on."""
    xml = odd(name)
    if name.startswith(("UTF-16", "Latin", "empty cells")):
        pytest.skip("these bytes must change")
    new = rewrite(xml, answers([2, 3, 4]))
    new = re.sub(rb'<(x:)?c r="[D-G]\d".*?(/>|</(x:)?c>)', b"", new).replace(b'spans="1:7"', b'spans="1:3"')
    new = re.sub(rb"<(x:)?ignoredErrors><(x:)?ignoredError sqref=\"D[^>]*/></(x:)?ignoredErrors>", b"", new)
    new = re.sub(rb'<(x:)?ignoredError sqref="D[^>]*/>', b"", new)
    start = re.compile(rb"<(x:)?sheetData>")
    assert new[start.search(new).start() :] == xml[start.search(xml).start() :]  # type: ignore[union-attr]


def test_an_answer_whose_row_is_missing_gets_one_in_its_place() -> None:
    new = rewrite(re.sub(r'<row r="3".*?</row>', "", PLAIN).encode(), answers([2, 3, 4, 9]))
    assert faults_of_sheet(new) == []
    assert re.findall(rb'<row r="(\d)"', new) == [b"1", b"2", b"3", b"4", b"9"]


def test_rows_that_nobody_asked_for_stay_as_they_were() -> None:
    new = rewrite(PLAIN.encode(), answers([3]))
    (row,) = re.findall(r'<row r="2".*?</row>', PLAIN)
    assert row.encode() in new


REFUSED = {
    "a document type": lambda xml: xml.replace("<worksheet", '<!DOCTYPE a [<!ENTITY b "c">]><worksheet', 1),
    "a document type behind the rows": lambda xml: xml.replace("</sheetData>", '</sheetData><!DOCTYPE a SYSTEM "b">'),
    "alternatives among the rows": lambda xml: xml.replace(
        '<row r="2"', '<mc:AlternateContent><mc:Choice Requires="a"/></mc:AlternateContent><row r="2"'
    ).replace('<row r="3"', "<row"),
    "alternatives in a row": lambda xml: xml.replace('<c r="B2">', "<mc:AlternateContent/><c>"),
    "cut short in a row": lambda xml: xml[: xml.index("Luis")],
    "cut short behind the rows": lambda xml: xml[: xml.index("<pageMargins") + 20],
    "no rows element": lambda xml: xml.replace("sheetData", "other"),
    "a cell of another row": lambda xml: xml.replace('<c r="A3"', '<c r="A7"'),
    "a row number of letters": lambda xml: xml.replace('<row r="2"', '<row r="zwei"'),
    "a row far below": lambda xml: xml.replace('<row r="4"', '<row r="99999999"'),
    "an encoding that nobody uses": lambda xml: xml.replace("UTF-8", "UTF-7"),
    "a cell behind the last column": lambda xml: xml.replace('<c r="C4"', '<c r="XFD4"'),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_hostile_or_broken_sheet_is_refused_before_the_first_byte(
    name: str, package: Callable[[bytes], Path]
) -> None:
    with pytest.raises(CannotWriteInPlace):
        OpenWorkbook(package(REFUSED[name](PLAIN).encode()), Place(0, "Sheet", 3, 1, 4))


@pytest.mark.parametrize("size", [17 * 1024 * 1024])
@pytest.mark.parametrize("where", ['<row a="', "<sheetPr a='", "</sheetData><a b='", "<!-- "])
def test_a_tag_without_end_takes_no_more_memory_than_is_allowed(where: str, size: int) -> None:
    head, tail = PLAIN.split("<sheetData>")
    start = f"{head}<sheetData>{where}" if where.startswith(("<row", "</sheet")) else f"{head}{where}"
    with pytest.raises(CannotWriteInPlace):
        survey(lambda: iter([start.encode(), *[b"x" * (1 << 20)] * (size >> 20), tail.encode()]), 3, 1)


def test_columns_from_any_column_on() -> None:
    names = ["A", "B", "Y", "Z", "AA", "AZ", "BA", "ZZ", "AAA", "AZZ", "XFC", "XFD"]
    for first in (0, 1, 24, 25, 26, 27, 51, 52, 701, 702, 16383):
        pattern = re.compile(columns_from(first))
        found = {name for name in names if pattern.fullmatch(name.encode())}
        assert found == {name for name in names if _number(name) >= first + 1}, first


def _number(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number


# ── the zip around it ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("how", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("streamed", [False, True])
def test_entries_come_over_however_they_were_written(
    package: Callable[[bytes], Path], tmp_path: Path, how: int, streamed: bool
) -> None:
    path = tmp_path / "other.xlsx"
    with zipfile.ZipFile(package(PLAIN.encode())) as old, path.open("wb") as file:
        target = _Unseekable(file) if streamed else file
        with zipfile.ZipFile(target, "w", how) as new:  # type: ignore[arg-type]
            for name in old.namelist():
                entry = zipfile.ZipInfo(name.replace("/", "\\") if name == SHEET else name, (2026, 1, 31, 1, 2, 4))
                entry.compress_type, entry.comment, entry.external_attr = how, b"nota", 0o640 << 16
                with new.open(entry, "w", force_zip64=name == SHEET) as out:
                    out.write(old.read(name))
            new.writestr("ñ/dato.bin", b"1")
            new.comment = b"hecho a mano"
    content = copy_of(path, Place(0, "Sheet", 3, 1, 4), answers([2, 3, 4]))
    (tmp_path / "copy.xlsx").write_bytes(content)
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(tmp_path / "copy.xlsx") as new:
        assert new.testzip() is None
        assert (new.comment, new.namelist()) == (old.comment, old.namelist())
        for entry in old.infolist():
            copied = new.getinfo(entry.filename)
            assert (copied.date_time, copied.comment) == (entry.date_time, entry.comment)
            assert copied.external_attr == entry.external_attr
            if "sheet1" not in entry.filename and "styles" not in entry.filename:
                assert (copied.compress_type, copied.CRC) == (entry.compress_type, entry.CRC)
                assert not copied.flag_bits & 0x8  # its sizes stand before it now


class _Unseekable:
    """A file without a position, as a network has: zip entries get their sizes behind them."""

    def __init__(self, file: object) -> None:
        self.write, self.flush = file.write, file.flush  # type: ignore[attr-defined]


def test_content_that_does_not_fit_what_it_declares_is_refused(package: Callable[[bytes], Path]) -> None:
    path = package(PLAIN.encode())
    raw = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as package_file:
        entry = package_file.getinfo(SHEET)
    at = raw.rindex(SHEET.encode()) - 46  # its line in the directory
    for size in (entry.file_size - 9, entry.file_size + 9):
        struct.pack_into("<L", raw, at + 24, size)
        path.write_bytes(raw)
        with pytest.raises(CannotWriteInPlace):
            OpenWorkbook(path, Place(0, "Sheet", 3, 1, 4))


def test_a_signature_goes_as_it_would_be_wrong(package: Callable[[bytes], Path], tmp_path: Path) -> None:
    path = tmp_path / "signed.xlsx"
    origin = (
        b'<Relationship Id="rId99" Target="_xmlsignatures/origin.sigs" '
        b'Type="http://schemas.openxmlformats.org/package/2006/relationships/digital-signature/origin"/></Relationships>'
    )
    override = b'<Override PartName="/_xmlsignatures/sig1.xml" ContentType="a/b"/></Types>'
    with zipfile.ZipFile(package(PLAIN.encode())) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            xml = old.read(name)
            if name == "_rels/.rels":
                xml = xml.replace(b"</Relationships>", origin)
            if name == "[Content_Types].xml":
                xml = xml.replace(b"</Types>", override)
            new.writestr(name, xml)
        new.writestr("_xmlsignatures/origin.sigs", b"")
        new.writestr("_xmlsignatures/sig1.xml", b"<Signature/>")
    content = copy_of(path, Place(0, "Sheet", 3, 1, 4), answers([2, 3, 4]))
    (tmp_path / "copy.xlsx").write_bytes(content)
    with zipfile.ZipFile(tmp_path / "copy.xlsx") as copy:
        assert not [name for name in copy.namelist() if "signature" in name]
        assert b"signature" not in copy.read("_rels/.rels") + copy.read("[Content_Types].xml")
    assert added_to(opened(content).active, 2, 4) == ANSWER
