"""An ods comes back with the answers, and all its other entries as they were."""

import re
import subprocess
import zipfile
from collections.abc import Callable
from contextlib import closing
from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree

import pytest
from python_calamine import CalamineWorkbook

from portal.jobs.export.in_place.errors import CannotWriteInPlace
from portal.jobs.export.in_place.extra_sheet import ExtraSheet
from portal.jobs.export.in_place.ods.workbook import OpenOds
from portal.jobs.export.in_place.workbook import Place
from tests.jobs.export.own_workbook import ANSWER, AT, HEADINGS, answers
from tests.support.libreoffice import soffice

HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>{type}<office:document-content '
    'xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
    'xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" '
    'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" office:version="1.3">{styles}<office:body>'
    '<office:spreadsheet><table:table table:name="Otra"><table:table-row><table:table-cell/></table:table-row>'
    '</table:table><table:table table:name="Lista">'
    '<table:table-column table:number-columns-repeated="2"/>'
    '<table:table-column table:visibility="collapse" table:number-columns-repeated="16382"/>'
)
TAIL = "</table:table></office:spreadsheet></office:body></office:document-content>"


def cell(text: str) -> str:
    return f'<table:table-cell office:value-type="string"><text:p>{text}</text:p></table:table-cell>'


FILLER = '<table:table-cell table:number-columns-repeated="16382"/>'
ROWS = (
    f"<table:table-header-rows><table:table-row>{cell('Nombre')}{cell('Tel')}{FILLER}</table:table-row>"
    "</table:table-header-rows>"
    f"<table:table-row table:number-rows-repeated='3'>{cell('Ana')}{cell('612345678')}{FILLER}</table:table-row>"
    '<table:table-row table:number-rows-repeated="2"><table:table-cell table:number-columns-repeated="16384"/>'
    "</table:table-row>"
    f"<table:table-row>{cell('Luis')}</table:table-row>"
    '<table:table-row table:number-rows-repeated="1048569"><table:table-cell/></table:table-row>'
)


def package(
    path: Path,
    rows: str = ROWS,
    kind: str = "",
    styles: str = "",
    *,
    bare: bool = False,
    change: Callable[[str], str] = str,
) -> Path:
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        if not bare:
            made.writestr("Pictures/a.png", b"\x89PNG" * 50, zipfile.ZIP_DEFLATED)
            made.writestr("META-INF/documentsignatures.xml", "<s/>")
        content = change(HEAD.format(type=kind, styles=styles) + rows + TAIL)
        made.writestr("content.xml", content, zipfile.ZIP_DEFLATED)
        made.writestr(
            "META-INF/manifest.xml",
            '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0" '
            'manifest:version="1.3"><manifest:file-entry manifest:full-path="/" '
            'manifest:media-type="application/vnd.oasis.opendocument.spreadsheet"/><manifest:file-entry '
            'manifest:full-path="content.xml" manifest:media-type="text/xml"/></manifest:manifest>',
        )
    return path


def copied(path: Path, rows: list[int], width: int = 2, sheet: int = 1, name: str = "Lista") -> bytes:
    with closing(OpenOds(path, Place(sheet, name, width, 1, len(HEADINGS)))) as own:
        return b"".join(own.copy(iter(answers(rows))))


def read(content: bytes, sheet: str = "Lista") -> list[list[object]]:
    return CalamineWorkbook.from_filelike(BytesIO(content)).get_sheet_by_name(sheet).to_python()


@pytest.mark.parametrize("styles", ["", "<office:automatic-styles/>"])
def test_repeated_rows_are_split_where_they_get_something(tmp_path: Path, styles: str) -> None:
    path = package(tmp_path / "a.ods", styles=styles)
    before, after = read(path.read_bytes()), read(out := copied(path, [3, 7]))
    assert [row[:2] for row in after] == before
    assert after[0][2:] == HEADINGS
    shown = [ANSWER[0], ANSWER[1], AT, 3]
    assert [row[2:] == shown for row in after] == [False, False, True, False, False, False, True]
    with zipfile.ZipFile(BytesIO(out)) as new, zipfile.ZipFile(path) as old:
        assert new.infolist()[0].filename == "mimetype"
        assert new.infolist()[0].compress_type == zipfile.ZIP_STORED
        assert set(old.namelist()) - set(new.namelist()) == {"META-INF/documentsignatures.xml"}
        assert all(new.read(name) == old.read(name) for name in new.namelist() if name != "content.xml")
        xml = new.read("content.xml").decode()
    assert 'table:number-columns-repeated="16378"' in xml
    columns = re.search(r"(?:<table:table-column [^<]*/>){6,}", xml)
    assert columns and columns[0] == (
        '<table:table-column table:number-columns-repeated="2"/>'
        + "".join(f'<table:table-column table:style-name="mf1-w{n}"/>' for n in range(4))
        + '<table:table-column table:visibility="collapse" table:number-columns-repeated="16378"/>'
    )


def test_indented_markup_gets_the_same_cells(tmp_path: Path) -> None:
    def content(rows: str) -> bytes:
        with zipfile.ZipFile(BytesIO(copied(package(tmp_path / "a.ods", rows), [3, 7]))) as made:
            return re.sub(rb">\s+<", b"><", made.read("content.xml"))

    indented = re.sub(r"><(/?table)", r">\n    <\1", ROWS)
    assert content(indented) == content(ROWS)


def test_cells_that_hold_something_are_never_replaced(tmp_path: Path) -> None:
    rows = ROWS.replace(
        FILLER, "<table:table-cell><office:annotation/></table:table-cell><table:covered-table-cell/>", 1
    )
    after = read(copied(package(tmp_path / "a.ods", rows), [2]))
    assert after[0][4:] == HEADINGS
    assert after[1][4] == ANSWER[0]


@pytest.mark.parametrize(
    ("rows", "kind"),
    [
        (ROWS, '<!DOCTYPE a [<!ENTITY b "c">]>'),
        (ROWS.replace("'3'", "'99999999999999999999'"), ""),
        (ROWS + "<table:table-row>", ""),
        (ROWS.replace("Luis", f"<table:table><table:table-row>{cell('x')}</table:table-row></table:table>"), ""),
        (ROWS.replace("Luis", '<a xmlns:table="b"/>'), ""),
    ],
)
def test_odd_markup_is_not_copied(tmp_path: Path, rows: str, kind: str) -> None:
    with pytest.raises(CannotWriteInPlace):
        copied(package(tmp_path / "a.ods", rows, kind), [2])


ODD_FORMS = {
    "comment": ("Luis", "Lu<!-- </table:table-row><table:table-cell> -->is"),
    "cdata": ("Luis", "<![CDATA[</table:table-row></table:table>]]>"),
    "instruction": ("<table:table-row>", "<?a </table:table-row> ?><table:table-row>"),
    "comment with rows": (ROWS, f"<!--{ROWS}--><table:shapes/><!-- <table:table> -->{ROWS}"),
    "text like a repeat": ("Luis", "Luis table:number-columns-repeated='9'"),
    "attribute like a repeat": (
        "<table:table-row><table:table-cell office",
        "<table:table-row><table:table-cell table:formula=\"of:= table:number-columns-repeated='9'&gt;>\" office",
    ),
    "end tags": (
        '<table:table-cell table:number-columns-repeated="16384"/>',
        '<table:table-cell table:number-columns-repeated="16384" ></table:table-cell>',
    ),
    "soft page break": ("<table:table-row>", "<text:soft-page-break/><table:table-row>"),
    "no cells": ("</table:table-header-rows>", "</table:table-header-rows><table:table-row/>"),
}


def content_of(made: bytes) -> bytes:
    with zipfile.ZipFile(BytesIO(made)) as opened:
        return opened.read("content.xml")


OFFICE = "urn:oasis:names:tc:opendocument:xmlns:office:1.0"
TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"


def grid(xml: bytes, sheet: str = "Lista", most: int = 12) -> list[list[str]]:
    """The texts of the first rows and columns, read by an XML parser that knows nothing of prefixes and repeats."""
    root = ElementTree.fromstring(xml)
    table = next(one for one in root.iter(f"{TABLE}table") if one.get(f"{TABLE}name") == sheet)
    found: list[list[str]] = []
    for row in table.iter(f"{TABLE}table-row"):
        cells: list[str] = []
        for one in row:
            repeat = int(one.get(f"{TABLE}number-columns-repeated", "1"))
            cells += ["".join(one.itertext()).strip()] * min(repeat, most)
        found += [[*cells, *[""] * most][:most]] * min(int(row.get(f"{TABLE}number-rows-repeated", "1")), most)
    return found[:most]


def is_right(before: bytes, after: bytes, rows: list[int]) -> bool:
    """Whether all old cells are where they were, and the answers, and only they, in the columns behind."""
    old, new = grid(before), grid(after)
    shown = [ANSWER[0], ANSWER[1], "31/01/2026 18:05", "3"]
    assert [row[:2] for row in new] == [row[:2] for row in old]
    assert [row[2:6] for row in new] == [
        HEADINGS if n == 1 else shown if n in rows else [""] * 4 for n in range(1, len(new) + 1)
    ]
    return True


@pytest.mark.parametrize("name", ODD_FORMS)
def test_odd_forms_keep_all_that_was_there(tmp_path: Path, name: str) -> None:
    old, new = ODD_FORMS[name]
    assert old in ROWS
    path = package(tmp_path / "a.ods", ROWS.replace(old, new), bare=True)
    assert is_right(content_of(path.read_bytes()), content_of(copied(path, [2, 3, 7, 8])), [2, 3, 7, 8])


@pytest.mark.parametrize(("table", "office"), [("t:", "office:"), ("tablex:", "o:"), ("table:", "")])
def test_other_prefixes_mean_the_same(tmp_path: Path, table: str, office: str) -> None:
    def renamed(xml: str) -> str:
        for usual, other in (("table:", table), ("office:", office)):
            if not other:  # the default namespace, in which attributes cannot be
                xml = xml.replace(f"<{usual}", "<").replace(f"</{usual}", "</")
                xml = xml.replace(" xmlns:", f' xmlns="{OFFICE}" xmlns:', 1).replace(f' xmlns:office="{OFFICE}"', "")
                xml = re.sub(rf'\s{usual}[a-z-]+="[^"]*"', "", xml)
                continue
            xml = re.sub(rf"([\s<:/]){usual}(?=[a-z])", rf"\1{other}", xml)
            xml = xml.replace(f"xmlns:{usual[:-1]}=", f"xmlns:{other[:-1]}=")
        return xml

    path = package(tmp_path / "a.ods", bare=True, change=renamed)
    assert is_right(content_of(path.read_bytes()), content_of(copied(path, [2, 3, 7])), [2, 3, 7])


def test_what_belongs_to_the_columns_follows(tmp_path: Path) -> None:
    ranges = (
        '<table:named-expressions><table:named-range table:name="a" table:range-usable-as="filter" '
        'table:cell-range-address="$Lista.$A$1:.$B$9"/><table:named-range table:name="b" '
        'table:cell-range-address="$Lista.$A$1:.$B$9"/></table:named-expressions><table:database-ranges>'
        '<table:database-range table:name="x" table:display-filter-buttons="true" '
        """table:target-range-address="'Lista'.A1:'Lista'.B9"/><table:database-range """
        'table:target-range-address="Otra.A1:Otra.B9"/><table:database-range '
        'table:target-range-address="Lista.A1:Lista.A9"/></table:database-ranges>'
    )

    def change(xml: str) -> str:
        xml = xml.replace('"Lista">', '"Lista" table:print-ranges="Lista.A1:Lista.B9 .A1:.B9 Lista.A20:Lista.B21">')
        xml = xml.replace("<table:table-column ", '<table:table-column table:default-cell-style-name="ce&amp;1" ', 1)
        return xml.replace("</table:table></office:spreadsheet>", f"</table:table>{ranges}</office:spreadsheet>")

    xml = content_of(copied(package(tmp_path / "a.ods", bare=True, change=change), [3])).decode()
    assert 'table:print-ranges="Lista.A1:Lista.F9 .A1:.F9 Lista.A20:Lista.B21"' in xml
    addresses = re.findall(r'-address="([^"]*)"', xml)
    assert addresses == [
        "$Lista.$A$1:.$F$9", "$Lista.$A$1:.$B$9", "'Lista'.A1:'Lista'.F9", "Otra.A1:Otra.B9", "Lista.A1:Lista.A9",
    ]  # fmt: skip
    assert xml.count('<table:table-cell table:style-name="ce&amp;1"') == len(HEADINGS)


def test_headings_look_like_their_neighbour_and_answers_like_their_outcome(tmp_path: Path) -> None:
    rows = ROWS.replace("<table:table-cell office", '<table:table-cell table:style-name="azul" office', 2)
    first = content_of(copied(package(tmp_path / "a.ods", rows, bare=True), [3])).decode()
    assert first.count('<table:table-cell table:style-name="azul"') == 2 + len(HEADINGS)
    assert '<table:table-cell table:style-name="mf1-found" office:value-type="string"><text:p>Encontrado' in first
    assert '<table:table-cell table:style-name="mf1-moment" office:value-type="date"' in first
    # A file that we wrote before, with answers from another source.
    again = package(tmp_path / "b.ods", bare=True, change=lambda _: first)
    names = re.findall(r'style:name="([^"]*)"', content_of(copied(again, [3], width=6)).decode())
    assert len(names) == len(set(names)) == 2 * len(re.findall('style:name="', first))


def test_more_sheets_come_at_the_end(tmp_path: Path) -> None:
    sheets = [ExtraSheet("Lista", [("Estado", "Filas"), ("<Ñ> & Cía", 3)]), ExtraSheet("Resumen", [("a",)])]
    with closing(OpenOds(package(tmp_path / "a.ods", bare=True), Place(1, "Lista", 2, 1, 4))) as own:
        made = b"".join(own.copy(iter(answers([3])), sheets))
    names = CalamineWorkbook.from_filelike(BytesIO(made)).sheet_names
    assert names == ["Otra", "Lista", "Lista 2", "Resumen"]
    assert read(made, "Lista 2") == [["Estado", "Filas"], ["<Ñ> & Cía", 3]]


def test_merged_cells_without_the_covered_ones_keep_their_room(tmp_path: Path) -> None:
    rows = ROWS.replace("<table:table-cell office", '<table:table-cell table:number-columns-spanned="5" office', 1)
    rows = rows.replace(FILLER, "", 1)
    path = package(tmp_path / "a.ods", rows, bare=True)
    assert grid(content_of(copied(path, [3])))[2][:7] == ["Ana", "612345678", "", "", "", "Encontrado", ANSWER[1]]


def test_charts_over_the_answers_move_behind_them(tmp_path: Path) -> None:
    chart = (
        '<draw:frame table:end-cell-address="Lista.$D9"><draw:text-box><text:p>g</text:p></draw:text-box></draw:frame>'
    )
    held = f"<table:table-cell/><table:table-cell>{chart}</table:table-cell>"
    rows = ROWS.replace(FILLER, f'{held}<table:table-cell table:number-columns-repeated="16380"/>', 2)
    rows = rows.replace("number-rows-repeated='3'", "number-rows-repeated='1'")

    def change(xml: str) -> str:
        return xml.replace(
            " xmlns:text", ' xmlns:draw="urn:oasis:names:tc:opendocument:xmlns:drawing:1.0" xmlns:text', 1
        )

    path = package(tmp_path / "a.ods", rows, bare=True, change=change)
    xml = content_of(copied(path, [5]))  # the second row has a chart and gets no answer
    shown = grid(xml)
    assert shown[0][2:8] == [*HEADINGS, "", "g"]
    assert shown[1][2:8] == ["", "", "", "", "", "g"]
    assert xml.count(b'"Lista.$H9"') == 2
    assert xml.count(b'table:number-columns-repeated="16376"') == 2


def test_a_look_is_kept(tmp_path: Path) -> None:
    path, kept = package(tmp_path / "a.ods", bare=True), tmp_path / "kept.json"
    place = Place(1, "Lista", 2, 1, 4)
    OpenOds(path, place, kept).close()
    kept.write_text(kept.read_text().replace('"width": 2}', '"width": 3}'))
    with closing(OpenOds(path, place, kept)) as own:
        assert own.first_added == 3


def test_another_sheet_in_its_place_is_not_written_to(tmp_path: Path) -> None:
    with pytest.raises(CannotWriteInPlace):
        copied(package(tmp_path / "a.ods"), [2], sheet=0)


def test_libreoffice_opens_it(tmp_path: Path) -> None:
    path = tmp_path / "b.ods"
    path.write_bytes(copied(package(tmp_path / "a.ods", bare=True), [3, 7]))
    profile = f"-env:UserInstallation=file://{tmp_path}/profile"
    kind = "csv:Text - txt - csv (StarCalc):59,34,76,1,,0,false,true,false,false,false,-1"
    subprocess.run(
        [soffice(), profile, "--headless", "--convert-to", kind, "--outdir", str(tmp_path), str(path)],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    lines = (tmp_path / "b-Lista.csv").read_text().splitlines()
    assert lines[2] == "Ana;612345678;Encontrado;Movistar & Cía <Ñ>;01/31/2026 18:05:00;3"
    assert lines[6].startswith("Luis;;Encontrado;")
