"""Some rows of a workbook as a small workbook of its own, in the formats of the person's cells. Pure.

It has the headings and the chosen rows of one sheet, one below the other, the same styles and theme, and nothing of
the other rows and sheets: texts stand in the cells, formulas are their stored values. What names other places (merged
cells below the headings, rules, tables, filters, drawings, comments, links) is left out.
"""

import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from portal.jobs.export.added import AddedRow, Tone
from portal.jobs.export.in_place.added_rows import AddedRows
from portal.jobs.export.in_place.cells import CellWriter, Styles, shown_widths
from portal.jobs.export.in_place.errors import CannotWriteInPlace, Obstacle
from portal.jobs.export.in_place.extra_sheet import Additions, ExtraSheet
from portal.jobs.export.in_place.mark import new_properties, with_relation, with_type
from portal.jobs.export.in_place.markup import TOKEN, attributes_of, quoted
from portal.jobs.export.in_place.odd_rows import heading_style
from portal.jobs.export.in_place.package import Content, Package, copied, plain_name
from portal.jobs.export.in_place.parts import CONTENT_TYPES, ROOT_RELATIONS, relations, relations_of
from portal.jobs.export.in_place.shared_strings import SharedStrings
from portal.jobs.export.in_place.sheet_text import SheetText, Tokens, column_of, corners
from portal.jobs.export.in_place.sheet_xml import AddedColumns, columns_tag, intended_text
from portal.jobs.export.in_place.workbook import OpenWorkbook, Place

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELATED = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_TYPE = "application/vnd.openxmlformats-officedocument"
_TYPES = {"workbook": f"{_TYPE}.spreadsheetml.sheet.main+xml", "worksheet": f"{_TYPE}.spreadsheetml.worksheet+xml",
          "styles": f"{_TYPE}.spreadsheetml.styles+xml", "theme": f"{_TYPE}.theme+xml"}  # fmt: skip
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_OF_PLACE = re.compile(rb'\s(?:r|spans)="[^"]*"')
_HIDING = re.compile(rb'\s(?:hidden|collapsed|outlineLevel)="[^"]*"')  # of rows that were filtered out or folded away
_VIEW = ("showGridLines", "showRowColHeaders", "showZeros", "rightToLeft", "zoomScale", "zoomScaleNormal")
PROPERTIES = "docProps/custom.xml"
_SHOWN_NAME = 31  # characters of a sheet's name


class OpenSelection:
    """A selection that can be written: everything that could stop it has been looked at."""

    extension = "xlsx"

    def __init__(self, path: Path, place: Place, survey_file: Path | None = None) -> None:
        """Open the workbook and look through the sheet. Raises CannotWriteInPlace."""
        self._place = place
        self._workbook = OpenWorkbook(path, place, survey_file)
        self._strings: SharedStrings | None = None
        try:
            self._package: Package = self._workbook.package
            self._related = relations(self._package, self._workbook.parts.workbook)
            if not self._workbook.survey.plain or _MAIN.encode() not in self._package.text(
                self._workbook.parts.workbook
            ):
                raise CannotWriteInPlace(Obstacle.ODD_MARKUP, "odd rows, or the strict kind")
            prefix = SheetText(self._package.pieces(self._workbook.parts.sheet)).prefix
            shared = self._part("sharedStrings")
            self._strings = SharedStrings(self._package.pieces(shared), prefix) if shared is not None else None
        except BaseException:
            self.close()
            raise

    @property
    def first_added(self) -> int:
        """The position (from 0) of the first added column."""
        return self._workbook.first_added

    def close(self) -> None:
        """Close the file."""
        self._workbook.close()
        if self._strings is not None:
            self._strings.close()

    def _part(self, kind: str) -> str | None:
        found = (one.target for one in self._related.values() if one.kind == kind)
        return next((target for target in found if target in self._package), None)

    def copy(self, rows: Iterator[AddedRow], sheets: Sequence[ExtraSheet] = (), mark: str = "") -> Iterator[bytes]:
        """The workbook with the headings and these rows, each with what is added to it, and with the job's mark, piece
        by piece."""
        added, parts = AddedRows(rows), self._workbook.parts
        kept = {"worksheet": parts.sheet, "styles": parts.styles, "theme": self._part("theme")}
        present = {kind: part for kind, part in kept.items() if part is not None}
        changed: dict[str, Content] = {
            CONTENT_TYPES: _content_types({"workbook": parts.workbook, **present}),
            ROOT_RELATIONS: _relations({"officeDocument": parts.workbook}),
            relations_of(parts.workbook): _relations(present),
            parts.workbook: self._workbook_xml(),
        }
        styles = Styles()
        if parts.styles is not None:
            changed[parts.styles], styles = self._workbook.formats(parts.styles)
        more: dict[str, bytes] = {}
        if mark:
            changed[CONTENT_TYPES] = with_type(_content_types({"workbook": parts.workbook, **present}), PROPERTIES)
            changed[ROOT_RELATIONS] = with_relation(_relations({"officeDocument": parts.workbook}), PROPERTIES)
            if PROPERTIES in self._package:
                changed[PROPERTIES] = new_properties(mark)
        if sheets:
            read = {name: content for name, content in changed.items() if isinstance(content, bytes)}
            additions = Additions(self._package, parts, read)
            for sheet in sheets:
                additions.add(sheet)
            changed |= additions.changed
            more = additions.new
        if mark and PROPERTIES not in self._package:
            more[PROPERTIES] = new_properties(mark)
        changed[parts.sheet] = partial(self._sheet, added, styles)
        wanted = {plain_name(name) for name in (*changed, *present.values())}
        gone = [entry.filename for entry in self._package.entries if plain_name(entry.filename) not in wanted]
        yield from copied(self._package, changed, added=more, dropped=gone)

    def _workbook_xml(self) -> bytes:
        epoch = '<workbookPr date1904="1"/>' if self._workbook.parts.from_1904 else ""
        name = quoted(self._workbook.parts.name[:_SHOWN_NAME]).decode()
        return (
            f'{_HEAD}<workbook xmlns="{_MAIN}" xmlns:r="{_RELATED}">{epoch}<bookViews><workbookView/></bookViews>'
            f'<sheets><sheet name={name} sheetId="1" r:id="rId1"/></sheets></workbook>'
        ).encode()

    def _sheet(self, added: AddedRows, styles: Styles) -> Iterator[bytes]:
        first, from_1904 = self.first_added, self._workbook.parts.from_1904
        sheet = SheetText(self._package.pieces(self._workbook.parts.sheet))
        columns = AddedColumns(first, shown_widths(added.first_rows, self._place.added))
        cells = CellWriter(first, self._place.added, styles, prefix=sheet.prefix, from_1904=from_1904)
        rows = _Rows(sheet, self._place.header_row, first, self._place.added, added, cells, self._strings)
        yield _head(sheet, columns, self._place.header_row) + b"<%bsheetData>" % sheet.prefix
        yield from rows.pieces()
        yield b"</%bsheetData>" % sheet.prefix + _behind(sheet, columns, self._place.header_row)


class _Rows:
    """The headings and the chosen rows, one below the other."""

    def __init__(
        self,
        sheet: SheetText,
        header_row: int,
        first: int,
        added_columns: int,
        added: AddedRows,
        cells: CellWriter,
        strings: SharedStrings | None,
    ) -> None:
        p = sheet.prefix
        self._sheet, self._header_row, self._first, self._behind = sheet, header_row, first, first + added_columns
        self._added, self._cells, self._strings = added, cells, strings
        self._p, self._next = p, header_row + 1
        self._cell = re.compile(rb'<%bc r="([A-Z]+)\d+"([^>]*?)(?:/>|>(.*?)</%bc>)' % (p, p), re.DOTALL)
        self._value = re.compile(rb"<%bv(?:\s[^>]*)?>([^<]*)</%bv>" % (p, p))
        self._inline = re.compile(rb"<%bis>.*</%bis>" % (p, p), re.DOTALL)

    def pieces(self) -> Iterator[bytes]:
        """The rows' XML."""
        row_tag, end_of_row = re.compile(b"<" + self._p + rb'row r="(\d+)"[^>]*>'), self._sheet.end_of_row
        for piece, is_last in self._sheet.plain_pieces() if self._sheet.has_rows else ():
            out: list[bytes] = []
            for tag in row_tag.finditer(piece):
                row_no = int(tag[1])
                if row_no > self._header_row and (self._added.next is None or row_no < self._added.next.row_no):
                    continue
                out += [self._alone(row) for row in self._added.skipped_before(row_no)]
                new = self._added.take(row_no)
                if new is None and row_no > self._header_row:
                    continue
                own = b"" if tag[0].endswith(b"/>") else piece[tag.end() : piece.index(end_of_row, tag.end())]
                out.append(self._row(tag[0], own, row_no, new))
            if is_last:
                out += [self._alone(row) for row in self._added.rest()]
            yield b"".join(out)

    def _number_of(self, row_no: int) -> int:
        if row_no <= self._header_row:
            return row_no
        self._next += 1
        return self._next - 1

    def _alone(self, row: AddedRow) -> bytes:
        return self._cells.whole_row(row._replace(row_no=self._number_of(row.row_no)))

    def _row(self, tag: bytes, own: bytes, row_no: int, new: AddedRow | None) -> bytes:
        number = b"%d" % self._number_of(row_no)
        name = b"<%brow" % self._p
        said = _OF_PLACE.sub(b"", tag[len(name) :].removesuffix(b"/>").removesuffix(b">"))
        if row_no > self._header_row:
            said = _HIDING.sub(b"", said)
        out = [name, b' r="', number, b'"', said, b">"]
        behind: list[
            bytes
        ] = []  # cells far to the right of the list: between them and the list only empty ones are left out
        for letters, attributes, content in self._cell.findall(own):
            column = column_of(letters)
            if not self._first <= column < self._behind:
                (out if column < self._first else behind).append(self._of_cell(letters + number, attributes, content))
        if new is not None:
            style = heading_style(own, self._p, self._first) if new.tone is Tone.HEADING else None
            out.append(self._cells.cells(new._replace(row_no=int(number)), style))
        return b"".join([*out, *behind, self._sheet.end_of_row])

    def _of_cell(self, place: bytes, attributes: bytes, content: bytes) -> bytes:
        """A cell with its text in it, and without formula."""
        said = attributes_of(attributes)
        style = b' s="%b"' % said["s"].encode() if said.get("s", "").isdigit() else b""
        start, end = b'<%bc r="%b"%b' % (self._p, place, style), b"</%bc>" % self._p
        kind = said.get("t", "n")
        value = self._value.search(content)
        inside = b""
        if kind == "inlineStr":
            inline = self._inline.search(content)
            inside = inline[0] if inline else b""
        elif kind == "s" and value is not None:
            number = value[1].strip()
            text = self._strings.content(int(number)) if self._strings is not None and number.isdigit() else b""
            inside, kind = (b"<%bis>%b</%bis>" % (self._p, text, self._p) if text else b""), "inlineStr"
        elif value is not None and value[1]:
            inside = value[0]
        if not inside:
            return start + b"/>"
        typed = b' t="%b"' % kind.encode() if kind in ("b", "d", "e", "inlineStr", "str") else b""
        return start + typed + b">" + inside + end


def _head(sheet: SheetText, columns: AddedColumns, header_row: int) -> bytes:
    """What stands before the rows: how the sheet is shown, its usual height and its columns' widths."""
    p, root, form = sheet.prefix, b"", b""
    old: list[dict[str, str]] = []
    view: dict[str, str] = {}
    for token in TOKEN.finditer(sheet.head):
        name = (token["name"] or b"").removeprefix(p)
        if token["end"] or not name:
            continue
        if name == b"worksheet":
            root = token[0]
        elif name == b"sheetView" and not view:
            found = attributes_of(token["attributes"])
            view = {key: found[key] for key in _VIEW if key in found}
        elif name == b"sheetFormatPr":
            form = token[0] if token[0].endswith(b"/>") else token[0][:-1] + b"/>"
        elif name == b"col":
            old.append(attributes_of(token["attributes"]))
    said = b"".join(b" %b=%b" % (key.encode(), quoted(value)) for key, value in view.items())
    pane = b""
    if header_row:
        below = b'topLeftCell="A%d" activePane="bottomLeft" state="frozen"' % (header_row + 1)
        pane = b'<%bpane ySplit="%d" %b/>' % (p, header_row, below)
    one_view = b'<%bsheetView%b workbookViewId="0">%b</%bsheetView>' % (p, said, pane, p)
    shown = b"<%bsheetViews>%b</%bsheetViews>" % (p, one_view, p)
    return _HEAD.encode() + root + shown + form + columns_tag(p, old, columns)


def _behind(sheet: SheetText, columns: AddedColumns, header_row: int) -> bytes:
    """What follows the rows: merged cells of the headings, and that numbers as text are intended."""
    p, merged = sheet.prefix, []
    tokens = Tokens(sheet.after if sheet.has_rows else sheet.tokens.left())
    for _, token in tokens:
        if token["name"] == p + b"mergeCell" and not token["end"]:
            ref = attributes_of(token["attributes"]).get("ref", "")
            box = corners(ref)
            if box is not None and box[3] <= header_row:
                merged.append(b"<%bmergeCell ref=%b/>" % (p, quoted(ref)))
    out = b""
    if merged:
        out = b'<%bmergeCells count="%d">%b</%bmergeCells>' % (p, len(merged), b"".join(merged), p)
    note = b"<%bignoredErrors>%b</%bignoredErrors>" % (p, intended_text(p, columns), p)
    return out + note + b"</%bworksheet>" % p


def _relations(parts: dict[str, str]) -> bytes:
    tags = "".join(
        f'<Relationship Id="rId{n}" Type="{_RELATED}/{kind}" Target={quoted(f"/{part}").decode()}/>'
        for n, (kind, part) in enumerate(parts.items(), start=1)
    )
    return f'{_HEAD}<Relationships xmlns="{_PACKAGE}/relationships">{tags}</Relationships>'.encode()


def _content_types(parts: dict[str, str]) -> bytes:
    tags = "".join(
        f'<Override PartName={quoted(f"/{part}").decode()} ContentType="{_TYPES[kind]}"/>'
        for kind, part in parts.items()
    )
    defaults = (
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/>'
    )
    return f'{_HEAD}<Types xmlns="{_PACKAGE}/content-types">{defaults}{tags}</Types>'.encode()
