"""An ods is read whatever form its XML has, as LibreOffice reads it."""

import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from portal.documents.reader.limits import FileProblem, Unreadable
from portal.documents.reader.parent import SheetFacts
from portal.documents.reader.workbooks.plain_ods import is_plain
from tests.documents.sheets import FIXTURES, cells_of, read_file

OWN = FIXTURES / "clientes.ods"


def sheets_of(path: Path) -> list[tuple[SheetFacts, list[list[object]]]]:
    return [(facts, cells_of(path, facts.index)) for facts in read_file(path)]


def changed(path: Path, change: Callable[[str], str], mimetype: bytes | None = b"") -> Path:
    """The file with another `content.xml`; `mimetype` None leaves that entry out."""
    with zipfile.ZipFile(OWN) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "mimetype":
                if mimetype is None:
                    continue
                content = mimetype or content
            new.writestr(name, change(content.decode()) if name == "content.xml" else content)
    return path


def indented(xml: str) -> str:
    return re.sub(r">(</?(?:table|text|office):)", r">\n      \1", xml)


def other_prefixes(xml: str) -> str:
    for usual, other in (("table", "t"), ("text", "x")):
        xml = re.sub(rf"([\s<:/]){usual}(:[a-z])", rf"\1{other}\2", xml).replace(f"xmlns:{usual}=", f"xmlns:{other}=")
    return xml


def commented(xml: str) -> str:
    return xml.replace("<table:table-row", "<!-- <table:table-row> --><table:table-row").replace(
        "<table:table-cell", "<!-- c --><?i x?><table:table-cell"
    )


def in_cdata(xml: str) -> str:
    return re.sub(r"<text:p>([^<&]+)</text:p>", r"<text:p><![CDATA[\1]]></text:p>", xml)


FORMS: dict[str, tuple[Callable[[str], str], bytes | None]] = {
    "indented": (indented, b""), "tabs": (lambda xml: indented(xml).replace("\n      ", "\r\n\t\t"), b""),
    "other prefixes": (other_prefixes, b""), "comments": (commented, b""), "cdata": (in_cdata, b""),
    "no mimetype": (str, None), "another mimetype": (str, b"application/zip"),
    "all": (lambda xml: indented(commented(xml)), None),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_each_form_gives_the_same_cells(tmp_path: Path, form: str) -> None:
    own = Path(shutil.copy(OWN, tmp_path))
    assert sheets_of(changed(tmp_path / "a.ods", *FORMS[form])) == sheets_of(own)


def test_text_keeps_the_spaces_that_are_meant(tmp_path: Path) -> None:
    paragraphs = (
        "<text:p>\n  Ana <text:span>María</text:span>\n   Gil<text:s text:c='2'/>x<text:tab/>y<text:line-break/>z\n"
        "</text:p><!-- a --><text:p>segunda &lt;línea&gt;"
        "<office:annotation><text:p>nota</text:p></office:annotation></text:p>"
    )
    path = changed(tmp_path / "a.ods", lambda xml: indented(xml).replace("<text:p>Ana</text:p>", paragraphs))
    texts = [cell for _, sheet in sheets_of(path) for row in sheet for cell in row]
    assert "Ana María Gil  x\ty\nz\nsegunda <línea>" in texts


@pytest.mark.parametrize(("below", "is_seen"), [("", True), ('<table:table-cell office:value-type="string"/>', False)])
def test_a_file_is_only_written_again_for_what_the_parser_does_not_hold(
    tmp_path: Path, below: str, is_seen: bool
) -> None:
    empty = '<table:table-cell table:number-columns-repeated="16384"/></table:table-row>'
    gap = f'<table:table-row table:number-rows-repeated="1048000">{empty}<table:table-row>{below}{empty}'
    path = changed(tmp_path / "a.ods", lambda xml: xml.replace("</table:table>", f"{gap}</table:table>"))
    assert is_plain(path, "content.xml") == is_seen


def test_entities_are_refused(tmp_path: Path) -> None:
    bomb = '<!DOCTYPE a [<!ENTITY b "12345678"><!ENTITY c "&b;&b;">]>'
    path = changed(tmp_path / "a.ods", lambda xml: indented(xml).replace("<office:doc", f"{bomb}<office:doc", 1))
    with pytest.raises(Unreadable) as refused:
        read_file(path)
    assert refused.value.problem in (FileProblem.UNSAFE, FileProblem.DAMAGED)


def test_a_few_cells_far_to_the_right_are_left_aside_and_counted(tmp_path: Path) -> None:
    far = '<table:table-cell office:value-type="string"><text:p>x</text:p></table:table-cell></table:table-row>'

    def with_gap(columns: int) -> Callable[[str], str]:
        gap = f'<table:table-cell table:number-columns-repeated="{columns}"/>'
        return lambda xml: xml.replace("</table:table-row>", gap + far, 1)

    known = sheets_of(Path(shutil.copy(OWN, tmp_path / "a.ods")))
    found = sheets_of(changed(tmp_path / "b.ods", with_gap(16_000)))
    assert [cells for _, cells in found] == [cells for _, cells in known]
    assert [facts.far for facts, _ in found] == [1, *(0 for _ in known[1:])]
    near = sheets_of(changed(tmp_path / "c.ods", with_gap(120)))[0][0]
    assert (near.far, near.columns > 120) == (0, True)
