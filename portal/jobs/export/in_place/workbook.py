"""An xlsx or xlsm with cells added to one sheet: decides what changes, then streams the copy. Pure."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from portal.jobs.export.added import AddedRow, Tone
from portal.jobs.export.in_place.added_rows import AddedRows, SpooledRows
from portal.jobs.export.in_place.cells import CellWriter, Styles, shown_widths
from portal.jobs.export.in_place.drawings import moved
from portal.jobs.export.in_place.errors import CannotWriteInPlace, Obstacle
from portal.jobs.export.in_place.extra_sheet import Additions, ExtraSheet
from portal.jobs.export.in_place.mark import mark_workbook
from portal.jobs.export.in_place.package import Content, Package, copied
from portal.jobs.export.in_place.parts import (
    WorkbookParts,
    find_parts,
    table_right_edge,
    wider_names,
    wider_range,
    wider_table,
    without_signature,
)  # fmt: skip
from portal.jobs.export.in_place.sheet_survey import Survey, survey
from portal.jobs.export.in_place.sheet_text import MAX_COLUMNS
from portal.jobs.export.in_place.sheet_xml import AddedColumns, rewritten
from portal.jobs.export.in_place.styles_xml import with_formats
from portal.jobs.export.in_place.survey_file import looked_through


@dataclass(frozen=True)
class Place:
    """Where the answers go: the sheet as the reader counts, its name, its width and heading row (0: none)."""

    sheet: int
    name: str
    width: int  # columns in use, as the reader saw them
    header_row: int
    added: int  # columns to add
    table: int | None = None  # columns of the table by its headings; cells behind it may be none of the list


class OpenWorkbook:
    """A workbook whose copy can be written: everything that could stop it has been looked at."""

    def __init__(self, path: Path, place: Place, survey_file: Path | None = None) -> None:
        """Open and look through the sheet, unless that was done before and kept. Raises CannotWriteInPlace."""
        self._place, self._survey_file = place, survey_file
        self.package = Package(path)
        try:
            self.parts: WorkbookParts = find_parts(self.package, place.sheet, place.name)
            self._tables = {name: self.package.text(name) for name in self.parts.tables}
            self.survey, self._first = self._looked_through()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self.package.close()

    @property
    def extension(self) -> str:
        """The ending of the copy's name."""
        return "xlsm" if self.parts.has_macros else "xlsx"

    @property
    def first_added(self) -> int:
        """The position (from 0) of the first added column."""
        return self._first

    def _looked_through(self) -> tuple[Survey, int]:
        """What is known of the sheet, and the first column that is added."""
        place = self._place
        first_row = max(place.header_row, 1)
        edges = [table_right_edge(xml, first_row) + 1 for xml in self._tables.values()]
        width = max([place.width if place.table is None else place.table, *edges])
        found = self._survey_of(self.parts.sheet, width, first_row)
        found.used = max(found.used, place.width)
        first = found.used if place.table is None else found.first_free(width, place.added)
        if first + place.added > MAX_COLUMNS:
            raise CannotWriteInPlace(Obstacle.NO_ROOM)
        return found, first

    def _survey_of(self, sheet: str, width: int, first_row: int) -> Survey:
        entry = self.package.entry(sheet)
        question = {"part": sheet, "width": width, "first_row": first_row, "size": entry.file_size}
        pieces = partial(self.package.pieces, sheet)
        return looked_through(
            self._survey_file, question, Survey, lambda: survey(pieces, width, first_row, entry.file_size)
        )

    def copy(self, rows: Iterator[AddedRow], sheets: Sequence[ExtraSheet] = (), mark: str = "") -> Iterator[bytes]:
        """The copy with these rows, piece by piece, each with as many cells as `Place.added` says, with more sheets and
        with the job's mark."""
        added = AddedRows(rows)
        if not self.survey.in_order:
            added = SpooledRows(added)
        try:
            yield from self._copy(added, sheets, mark)
        finally:
            added.close()

    def _copy(self, added: AddedRows, sheets: Sequence[ExtraSheet], mark: str) -> Iterator[bytes]:
        columns = AddedColumns(self._first, shown_widths(added.first_rows, self._place.added))
        changed, gone = without_signature(self.package) if self.parts.is_signed else ({}, [])
        marked, more = mark_workbook(self.package, changed, mark) if mark else ({}, {})
        changed_parts: dict[str, Content] = {**changed, **marked, **self._followers(columns, added)}
        styles = Styles()
        if self.parts.styles is not None:
            changed_parts[self.parts.styles], styles = self.formats(self.parts.styles)
        changed_parts[self.parts.sheet] = partial(self._sheet, columns, added, styles)
        if sheets:
            read = {name: content for name, content in changed_parts.items() if isinstance(content, bytes)}
            additions = Additions(self.package, self.parts, read)
            for sheet in sheets:
                additions.add(sheet)
            changed_parts |= additions.changed
            more |= additions.new
        yield from copied(self.package, changed_parts, added=more, dropped=gone)

    def formats(self, part: str) -> tuple[bytes, Styles]:
        """The workbook's styles with those of the added cells."""
        try:
            return with_formats(self.package.text(part))
        except CannotWriteInPlace as error:
            if error.obstacle is not Obstacle.TOO_LARGE:
                raise
            return b"".join(self.package.pieces(part)), Styles()

    def _followers(self, columns: AddedColumns, added: AddedRows) -> dict[str, bytes]:
        """The parts beside the sheet that name its columns."""
        row, old_last = self._place.header_row, columns.first - 1
        changed = {}
        headings = next((one.cells for one in added.first_rows if one.tone is Tone.HEADING), [])
        for name, xml in self._tables.items():
            wider = wider_table(xml, row, old_last, [str(text or "") for text in headings])
            if wider is not None:
                changed[name] = wider
        for name in self.parts.drawings:
            with suppress(CannotWriteInPlace):  # one too large to change stays
                drawing = moved(self.package.text(name), columns.first, len(columns.widths))
                changed |= {name: drawing} if drawing is not None else {}
        workbook = self.package.text(self.parts.workbook)
        names = wider_names(workbook, self.parts.sheet_position, row, old_last, columns.last)
        return changed if names is None else {**changed, self.parts.workbook: names}

    def _sheet(self, columns: AddedColumns, added: AddedRows, styles: Styles) -> Iterator[bytes]:
        def writer(prefix: bytes) -> CellWriter:
            count = len(columns.widths)
            return CellWriter(columns.first, count, styles, prefix=prefix, from_1904=self.parts.from_1904)

        old = self.survey.filter_ref
        filter_ref = wider_range(old, self._place.header_row, columns.first - 1, columns.last) if old else None
        pieces = self.package.pieces(self.parts.sheet)
        return rewritten(pieces, self.survey, columns, added, writer, filter_ref)
