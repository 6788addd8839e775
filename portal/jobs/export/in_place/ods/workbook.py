"""An ods with cells added to one sheet: decides what changes, then streams the copy. Pure."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from portal.jobs.export.added import AddedRow
from portal.jobs.export.in_place.added_rows import AddedRows
from portal.jobs.export.in_place.cells import shown_widths
from portal.jobs.export.in_place.errors import CannotWriteInPlace, Obstacle
from portal.jobs.export.in_place.extra_sheet import ExtraSheet
from portal.jobs.export.in_place.mark import mark_ods
from portal.jobs.export.in_place.markup import as_utf8, attributes_of
from portal.jobs.export.in_place.ods.cells import OdsCells
from portal.jobs.export.in_place.ods.columns import Columns
from portal.jobs.export.in_place.ods.content import Content, Kind, Part
from portal.jobs.export.in_place.ods.names import Names
from portal.jobs.export.in_place.ods.ranges import Ranges
from portal.jobs.export.in_place.ods.rows import RowReader, RowWriter
from portal.jobs.export.in_place.ods.styles import StyleNames
from portal.jobs.export.in_place.ods.tables import table_of
from portal.jobs.export.in_place.package import Package, copied, plain_name
from portal.jobs.export.in_place.sheet_text import MAX_COLUMNS
from portal.jobs.export.in_place.survey_file import looked_through
from portal.jobs.export.in_place.workbook import Place

SIGNATURES = "meta-inf/documentsignatures.xml"
CONTENT = "content.xml"
META = "meta.xml"


@dataclass
class OdsSurvey:
    """What is known of a sheet before it is copied."""

    width: int  # columns in use, so that the added ones begin at this position


class OpenOds:
    """An ods whose copy can be written: everything that could stop it has been looked at."""

    extension = "ods"

    def __init__(self, path: Path, place: Place, survey_file: Path | None = None) -> None:
        """Open and look through the sheet, unless that was done before and kept. Raises CannotWriteInPlace."""
        self._place, self._survey_file = place, survey_file
        self._package = Package(path)
        try:
            self.first_added = self._looked_through()
            """The position (from 0) of the first added column."""
            if self.first_added + place.added > MAX_COLUMNS:
                raise CannotWriteInPlace(Obstacle.NO_ROOM)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._package.close()

    def copy(self, rows: Iterator[AddedRow], sheets: Sequence[ExtraSheet] = (), mark: str = "") -> Iterator[bytes]:
        """The copy with these rows, more sheets and the job's mark, piece by piece, and without a signature, which
        would be wrong."""
        gone = [entry.filename for entry in self._package.entries if plain_name(entry.filename) == SIGNATURES]
        content = partial(self._content, AddedRows(rows), sheets)
        changed: dict[str, bytes | partial[Iterator[bytes]]] = {CONTENT: content}
        if mark and META in self._package:
            with suppress(CannotWriteInPlace):  # one that is too large stays
                changed[META] = mark_ods(self._package.text(META), mark)
        yield from copied(self._package, changed, dropped=gone)

    def _read(self) -> Content:
        return Content(as_utf8(self._package.pieces(CONTENT)), self._place.sheet, self._place.name)

    def _looked_through(self) -> int:
        """The number of columns in use."""
        first_row = max(self._place.header_row, 1)
        size = self._package.entry(CONTENT).file_size
        question = {"part": CONTENT, "width": self._place.width, "first_row": first_row, "size": size}
        width = self._place.width
        found = looked_through(
            self._survey_file, question, OdsSurvey, lambda: OdsSurvey(used_columns(self._read(), width, first_row))
        )
        return found.width

    def _content(self, added: AddedRows, sheets: Sequence[ExtraSheet]) -> Iterator[bytes]:
        content = self._read()
        copy: _Copy | None = None
        for part in content.parts():
            if part.kind is Kind.ROOT:
                copy = _Copy(content.names, self._place, self.first_added, added, sheets)
            yield copy.part(part) if copy is not None else part.text


def used_columns(content: Content, width: int, first_row: int) -> int:
    """Look through a sheet for columns in use behind `width`, in the rows from `first_row` on. A look costs less than
    half of the copy; what it finds wrong is said before the first byte is given. Raises CannotWriteInPlace."""
    reader, used = None, width
    for part in content.parts():
        reader = reader or (RowReader(content.names) if part.kind is Kind.SHEET else None)
        if part.kind is Kind.COLUMN and reader is not None:
            reader.repeat_of(part.text)
        if part.kind is Kind.ROWS and reader is not None:
            if content.names.bound_anew(part.mask):
                raise CannotWriteInPlace(Obstacle.ODD_MARKUP, "prefixes")
            for row in reader.rows(part.mask):
                if row.row_no + row.repeat > first_row:
                    used = reader.used(part.mask, row, used)
    return used


class _Copy:
    """What becomes of each part."""

    def __init__(self, names: Names, place: Place, first: int, added: AddedRows, sheets: Sequence[ExtraSheet]) -> None:
        self._names, self._place, self._first, self._added, self._sheets = names, place, first, added, sheets
        self._style_names = StyleNames()
        self._is_styled = False
        self._reader = RowReader(names)
        self._ranges = Ranges(names, place.name, place.header_row, first - 1, first + place.added - 1)
        self._sheet_names: list[str] = []

    def part(self, part: Part) -> bytes:
        """A part as it is in the copy."""
        text = part.text
        match part.kind:
            case Kind.ROWS:
                return self._rows.block(text, part.mask)
            case Kind.ROOT:
                return self._names.root(text)
            case Kind.STYLES if text.endswith(b"/>"):
                return self._new_styles("<office:automatic-styles>", "</office:automatic-styles>")
            case Kind.STYLES_END if not self._is_styled:
                return self._new_styles() + text
            case Kind.BODY if not self._is_styled:
                return self._new_styles("<office:automatic-styles>", "</office:automatic-styles>") + text
            case Kind.SHEET | Kind.OTHER_SHEET:
                name = f"{self._names.attributes['table'].decode()}name"
                self._sheet_names.append(attributes_of(text).get(name, ""))
                return self._ranges.sheet_tag(text) if part.kind is Kind.SHEET else text
            case Kind.COLUMN:
                return self._columns.tag(text)
            case Kind.COLUMNS_END:
                return self._columns_end()
            case Kind.RANGE:
                return self._ranges.range_tag(text)
            case Kind.TABLES_END:
                return b"".join(map(self._table, self._sheets))
        if not self._is_styled:
            self._style_names.look(text)
        return text

    def _new_styles(self, before: str = "", after: str = "") -> bytes:
        """Our styles, and all that needs their names."""
        self._is_styled = True
        styles = self._style_names.free()
        widths = shown_widths(self._added.first_rows, self._place.added)
        of_added = [styles.width(number) for number in range(len(widths))]
        self._widths: dict[str, list[str]] = {}
        for sheet in self._sheets:
            first = len(widths)
            widths += shown_widths([AddedRow(0, row) for row in sheet.rows], len(sheet.rows[0]))
            self._widths[sheet.name] = [styles.width(number) for number in range(first, len(widths))]
        self._columns = Columns(self._names, self._reader, self._first, of_added)
        self._cells = OdsCells(self._names, self._place.added, styles)
        written = self._names.written
        return written(before) + styles.written(self._names, widths) + written(after)

    def _columns_end(self) -> bytes:
        """The added columns, if they come last. From here on the format of the column before them is known."""
        end = self._columns.end()
        default = self._columns.default_style
        self._rows = RowWriter(self._reader, self._cells, self._added, self._first, default)
        return end

    def _table(self, sheet: ExtraSheet) -> bytes:
        xml = table_of(sheet, self._sheet_names, self._names, self._widths[sheet.name])
        self._sheet_names.append(sheet.name)
        return xml
