"""An ods comes back with the answers, and all its other entries as they were."""

import re
import subprocess
import zipfile
from contextlib import closing
from io import BytesIO
from pathlib import Path

import pytest
from python_calamine import CalamineWorkbook

from portal.jobs.export.in_place.errors import CannotWriteInPlace
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


def package(path: Path, rows: str = ROWS, kind: str = "", styles: str = "", *, bare: bool = False) -> Path:
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        if not bare:
            made.writestr("Pictures/a.png", b"\x89PNG" * 50, zipfile.ZIP_DEFLATED)
            made.writestr("META-INF/documentsignatures.xml", "<s/>")
        content = HEAD.format(type=kind, styles=styles) + rows + TAIL
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
    assert '<table:table-column table:number-columns-repeated="4"/>' in xml


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
        (ROWS.replace("Luis", "<!-- x -->"), ""),
    ],
)
def test_odd_markup_is_not_copied(tmp_path: Path, rows: str, kind: str) -> None:
    with pytest.raises(CannotWriteInPlace):
        copied(package(tmp_path / "a.ods", rows, kind), [2])


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
