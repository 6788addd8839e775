"""Workbooks as LibreOffice writes them, xlsx and ods: those of `varied_workbooks`, and a list with much in it."""

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from python_calamine import CalamineWorkbook, SheetTypeEnum

from portal.jobs.export.added import AddedRow
from portal.jobs.export.in_place.ods.workbook import OpenOds
from portal.jobs.export.in_place.workbook import Place
from tests.jobs.export.own_workbook import HEADINGS, answers, in_place, read_of
from tests.jobs.export.varied_workbooks import make
from tests.support.libreoffice import convert

SPACES = " ".join(
    f'xmlns:{prefix}="{space}"'
    for prefix, space in {
        **{name: f"urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"
           for name in ("office", "table", "text", "style")},
        "number": "urn:oasis:names:tc:opendocument:xmlns:datastyle:1.0",
        "fo": "urn:oasis:names:tc:opendocument:xmlns:xsl-fo-compatible:1.0",
        "dc": "http://purl.org/dc/elements/1.1/",
        "calcext": "urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0",
    }.items()
)  # fmt: skip


@dataclass(frozen=True)
class Saved:
    """A workbook that LibreOffice wrote, with the place of the list in it."""

    path: Path
    sheet: str
    header_row: int
    rows: range

    @property
    def position(self) -> int:
        """The sheet's position among the worksheets: LibreOffice makes one of a chart's sheet."""
        with CalamineWorkbook.from_path(str(self.path)) as workbook:
            names = [one.name for one in workbook.sheets_metadata if one.typ == SheetTypeEnum.WorkSheet]
        return names.index(self.sheet)

    def answered(self) -> Path:
        """The workbook with answers, beside it."""
        rows = answers(self.rows, self.header_row)
        if self.path.suffix == ".ods":
            content = _ods(self, rows)
        else:
            content = in_place(self.path, rows, sheet=self.position, header_row=self.header_row, name=self.sheet)
        (out := self.path.with_name(f"luego-{self.path.name}")).write_bytes(content)
        return out


def _ods(saved: Saved, rows: list[AddedRow]) -> bytes:
    width = max(map(len, read_of(saved.path, saved.position)))
    place = Place(saved.position, saved.sheet, width, saved.header_row, len(HEADINGS))
    with closing(OpenOds(saved.path, place)) as own:
        return b"".join(own.copy(iter(rows)))


def saved_by_libreoffice(seeds: range, folder: Path) -> list[Saved]:
    """The workbooks of these numbers and the full list, as LibreOffice saves them: each as xlsx and as ods."""
    listed = []
    for seed in seeds:
        made = make(seed, path := folder / f"{seed}.xlsx")
        listed.append((path, made.name, made.header_row, made.rows))
    full = folder / "completa.fods"
    full.write_text(full_list(), encoding="utf-8")
    listed.append((full, "Clientes", 2, range(3, 3 + PEOPLE)))
    found = []
    for ending in ("xlsx", "ods"):
        convert([one[0] for one in listed], ending, folder / ending)
        for path, sheet, header_row, rows in listed:
            found.append(Saved(folder / ending / f"{path.stem}.{ending}", sheet, header_row, rows))
    return found


PEOPLE = 12


def full_list() -> str:
    """A list with a merged title, a filter that hides rows, a comment, a rule, formats; a pivot on the next sheet."""

    def text(value: str, more: str = "") -> str:
        return f'<table:table-cell office:value-type="string"{more}><text:p>{value}</text:p></table:table-cell>'

    def number(value: float, style: str, kind: str = "float") -> str:
        return f'<table:table-cell table:style-name="{style}" office:value-type="{kind}" office:value="{value}"/>'

    def day(n: int) -> str:
        return (
            f'<table:table-cell table:style-name="día" office:value-type="date" office:date-value="2026-01-{n:02d}"/>'
        )

    def row(n: int) -> str:
        hidden = ' table:visibility="filter"' if n % 3 == 2 else ""
        comment = "<office:annotation><dc:creator>yo</dc:creator><text:p>llamar</text:p></office:annotation>"
        name = text(f"Persona {n}") if n else text("Ana").replace("<text:p>", comment + "<text:p>", 1)
        cells = name + text(f"6{n:08d}") + number(1000 + n, "cp") + number(n * 12.5, "euros") + day(n + 1)
        return f"<table:table-row{hidden}>{cells}{text('alta' if n % 3 < 2 else 'baja')}</table:table-row>"

    heads = "".join(text(head, ' table:style-name="cabecera"') for head in ("Nombre", "Tel", "CP", "€", "Día", "Tipo"))
    title = text("Clientes", ' table:number-columns-spanned="6" table:number-rows-spanned="1"')
    rows = "".join(map(row, range(PEOPLE)))
    last = PEOPLE + 2
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<office:document {SPACES} office:version="1.3" office:mimetype="application/vnd.oasis.opendocument.spreadsheet">
<office:styles><style:style style:name="malo" style:family="table-cell"><style:table-cell-properties
 fo:background-color="#ffcccc"/></style:style></office:styles>
<office:automatic-styles>
<number:number-style style:name="n1"><number:number number:decimal-places="0"
 number:min-integer-digits="5"/></number:number-style>
<number:number-style style:name="n2"><number:number number:decimal-places="2" number:min-integer-digits="1"
 number:grouping="true"/><number:text> €</number:text></number:number-style>
<number:date-style style:name="n3"><number:day number:style="long"/><number:text>/</number:text><number:month
 number:style="long"/><number:text>/</number:text><number:year number:style="long"/></number:date-style>
<style:style style:name="cp" style:family="table-cell" style:data-style-name="n1"/>
<style:style style:name="euros" style:family="table-cell" style:data-style-name="n2"/>
<style:style style:name="día" style:family="table-cell" style:data-style-name="n3"/>
<style:style style:name="cabecera" style:family="table-cell"><style:table-cell-properties
 fo:background-color="#1f4e79"/><style:text-properties fo:color="#ffffff" fo:font-weight="bold"/></style:style>
</office:automatic-styles>
<office:body><office:spreadsheet>
<table:table table:name="Clientes"><table:table-column table:number-columns-repeated="6"/>
<table:table-row>{title}<table:covered-table-cell table:number-columns-repeated="5"/></table:table-row>
<table:table-row>{heads}</table:table-row>{rows}
<calcext:conditional-formats><calcext:conditional-format calcext:target-range-address="Clientes.D3:Clientes.D{last}">
<calcext:condition calcext:apply-style-name="malo" calcext:value="&gt;50"
 calcext:base-cell-address="Clientes.D3"/></calcext:conditional-format></calcext:conditional-formats></table:table>
<table:table table:name="Resumen"><table:table-column/><table:table-row><table:table-cell/></table:table-row>
</table:table>
<table:database-ranges><table:database-range table:name="lista" table:display-filter-buttons="true"
 table:target-range-address="Clientes.A2:Clientes.F{last}"><table:filter><table:filter-condition
 table:field-number="5" table:value="alta" table:operator="="/></table:filter></table:database-range>
</table:database-ranges>
<table:data-pilot-tables><table:data-pilot-table table:name="tabla" table:target-range-address="Resumen.A1:Resumen.B6"
 table:grand-total="both"><table:source-cell-range table:cell-range-address="Clientes.A2:Clientes.F{last}"/>
<table:data-pilot-field table:source-field-name="Tipo" table:orientation="row" table:function="auto"/>
<table:data-pilot-field table:source-field-name="€" table:orientation="data" table:function="sum"/>
</table:data-pilot-table></table:data-pilot-tables>
</office:spreadsheet></office:body></office:document>
"""
