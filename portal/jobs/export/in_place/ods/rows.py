"""The rows of a sheet in an ods, and where the added cells go in them. Pure.

A row or cell may stand for many alike; a repeat of a billion is a number, never a loop. Most rows are settled by
counting: only one with something behind the first added column is looked at cell by cell.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from portal.jobs.export.added import AddedRow, Tone
from portal.jobs.export.in_place.added_rows import AddedRows
from portal.jobs.export.in_place.errors import CannotWriteInPlace, Obstacle
from portal.jobs.export.in_place.markup import TOKEN, attributes_of, with_attribute
from portal.jobs.export.in_place.ods.cells import OdsCells
from portal.jobs.export.in_place.ods.names import Names
from portal.jobs.export.in_place.sheet_text import MAX_COLUMNS, column_letter, column_of

_KNOWN_TAGS = 4096
_MOST_REPEATED = 10**9
_ATTRIBUTES = r"""(?P<attributes>(?=[\s/>])(?:[^<>"']++|"[^"<]*+"|'[^'<]*+')*+)"""
# Charts and pictures stand in the cell at their upper left corner.
_DRAWINGS = re.compile(rb"\s*+(?:<(draw:[\w-]+)(?:\s[^<>]*)?(?<!/)>.*?</\1>\s*+)++", re.DOTALL)
_HOLDS = re.compile(r"value-type|formula|spanned|validation")


class Row(NamedTuple):
    """A row, by its places in a block."""

    row_no: int  # the first, of those alike
    repeat: int
    start: int
    content: int  # behind the start tag
    end: int


class _Tag(NamedTuple):
    """What a row's or cell's tag says."""

    repeat: int
    spans: int  # columns
    holds: bool  # whether something is lost without it


class _Cell(NamedTuple):
    """A cell of a row, by its places in the block, and the columns that it fills."""

    start: int
    end: int
    first: int
    after: int
    covers: int  # with the columns that it is merged with
    is_empty: bool
    floats: bool  # what it holds only floats over cells: charts and pictures
    style: bytes | None


class RowReader:
    """Finds rows and cells under the prefixes of a file. It counts the rows."""

    def __init__(self, names: Names) -> None:
        table = names.elements["table"]
        self.end_of_row = b"</%stable-row>" % table
        self._row_tag = names.pattern(r"<table:table-row" + _ATTRIBUTES + ">")
        self._cell = names.pattern(r"<(?P<end>/?)table:(?P<covered>covered-)?table-cell" + _ATTRIBUTES + ">")
        self._last_cell = names.pattern(r"<table:table-cell" + _ATTRIBUTES + r">\s*+</table:table-row>")
        self._starts = (b"<%stable-cell" % table, b"<%scovered-table-cell" % table)
        self._table = names.attributes["table"].decode()
        self._table_start = re.compile(b"<%stable[\\s>]" % re.escape(table))
        self._known: dict[bytes, _Tag] = {}
        self._cut: dict[tuple[bytes, int], bytes] = {}  # tags with another repeat
        self._start_of_row = b"<%stable-row" % table
        self._row_no = 1
        self._covers = self._spans = True  # whether cells of the block are covered by others, or cover some

    def rows(self, mask: bytes) -> Iterator[Row]:
        """The rows of a block. Raises CannotWriteInPlace for rows in rows."""
        self._covers, self._spans = mask.find(self._starts[1]) >= 0, mask.find(b"number-columns-spanned") >= 0
        start, end_of_row = mask.find(self._start_of_row), self.end_of_row
        while start >= 0:
            tag = self._row_tag.match(mask, start)
            if tag is None:  # of a group of rows
                start = mask.find(self._start_of_row, start + 1)
                continue
            content, raw = tag.end(), tag[0]
            next_start = mask.find(self._start_of_row, content)
            if raw.endswith(b"/>"):
                end = content
            elif next_start > 0 and mask.startswith(end_of_row, next_start - len(end_of_row)):
                end = next_start
            else:
                end = mask.find(end_of_row, content) + len(end_of_row)
                if end < content or 0 <= next_start < end:
                    raise CannotWriteInPlace(Obstacle.ODD_MARKUP, "a row that does not end")
            repeat = (self._known.get(raw) or self._tag(raw)).repeat
            yield Row(self._row_no, repeat, start, content, end)
            self._row_no += repeat
            start = next_start

    def columns(self, mask: bytes, start: int, end: int) -> int:
        """The number of columns of the cells in a row or a part of it."""
        count = mask.count(self._starts[0], start, end)
        if self._covers:
            count += mask.count(self._starts[1], start, end)
        at = mask.find(b"number-columns-repeated", start, end)  # a long text is found faster
        while at >= 0:
            tag = TOKEN.match(mask, mask.rfind(b"<", start, at))
            if tag is not None and tag.end() > at and tag[0].startswith(self._starts):
                count += self._tag(tag[0]).repeat - 1
            at = mask.find(b"number-columns-repeated", max(at + 1, tag.end() if tag is not None else 0), end)
        return count

    def filler(self, mask: bytes, row: Row) -> tuple[int, int]:
        """Where the row's last cell begins and ends, if it is empty and can be cut; twice its end tag otherwise."""
        at = mask.rfind(self._starts[0], row.content, row.end)
        tag = self._last_cell.match(mask, at, row.end) if at >= 0 else None
        if tag is not None and tag["attributes"].endswith(b"/"):
            end = tag.end("attributes") + 1
            if not self._tag(mask[at:end]).holds:
                return at, end
        end = max(row.end - len(self.end_of_row), row.content)
        return end, end

    def used(self, mask: bytes, row: Row, width: int) -> int:
        """The columns of a row up to the last that holds something; `width` when there are no more."""
        spans = self._spans and mask.find(b"number-columns-spanned", row.content, row.end) >= 0
        if not spans and self.columns(mask, row.content, self.filler(mask, row)[0]) <= width:
            return width
        return max([width, *(max(cell.after, cell.covers) for cell in self.cells(mask, row) if not cell.is_empty)])

    def cells(self, mask: bytes, row: Row) -> Iterator[_Cell]:
        """The cells of a row. Raises CannotWriteInPlace for a table in a cell."""
        if self._table_start.search(mask, row.content, row.end):
            raise CannotWriteInPlace(Obstacle.ODD_MARKUP, "nested table")
        begun, first = None, 0
        for found in self._cell.finditer(mask, row.content, row.end):
            tag, end = found, found.end()
            is_bare, floats = True, False
            if found["end"]:
                if begun is None:
                    raise CannotWriteInPlace(Obstacle.ODD_MARKUP, "cell")
                tag, begun = begun, None
                inside = mask[tag.end() : found.start()]
                floats = b"<draw:" in inside and _DRAWINGS.fullmatch(inside) is not None
                is_bare = floats or not inside.strip()
            elif not found["attributes"].endswith(b"/"):
                begun = found
                continue
            said = self._tag(tag[0])
            is_empty = is_bare and not tag["covered"] and not said.holds
            style = attributes_of(tag["attributes"]).get(f"{self._table}style-name")
            after = first + said.repeat
            named = style.encode() if style is not None else None
            yield _Cell(tag.start(), end, first, after, first + said.spans, is_empty, floats, named)
            first = after

    def repeat_of(self, tag: bytes) -> int:
        """How many rows, cells or columns a tag stands for."""
        return self._tag(tag).repeat

    def _tag(self, raw: bytes) -> _Tag:
        known = self._known.get(raw)
        if known is None:
            if len(self._known) >= _KNOWN_TAGS:
                self._known.clear()
            attributes = attributes_of(raw)
            rows = _count(attributes.get(f"{self._table}number-rows-repeated"))
            columns = _count(attributes.get(f"{self._table}number-columns-repeated"))
            spans = _count(attributes.get(f"{self._table}number-columns-spanned"))
            known = self._known[raw] = _Tag(max(rows, columns), spans, any(map(_HOLDS.search, attributes)))
        return known

    def repeated(self, text: bytes, times: int, what: str) -> bytes:
        """The same row, cell or column, so many times."""
        tag = TOKEN.match(text)
        if tag is None:
            return text
        return self._repeated_tag(tag[0], times, what) + text[tag.end() :]

    def _repeated_tag(self, tag: bytes, times: int, what: str) -> bytes:
        key = (tag, times)
        known = self._cut.get(key)
        if known is None:
            if len(self._cut) >= _KNOWN_TAGS:
                self._cut.clear()
            known = tag
            if times != self.repeat_of(tag):
                name = f"{self._table}number-{what}-repeated"
                pattern = rf"\s+{re.escape(name)}\s*=\s*(?:\"[^\"]*\"|'[^']*')"
                known = re.sub(pattern.encode(), b"", tag, count=1)
                known = with_attribute(known, name, str(times)) if times > 1 else known
            self._cut[key] = known
        return known


def _count(written: str | None) -> int:
    """A repeat as it is written. Raises CannotWriteInPlace for one without sense."""
    if written is None:
        return 1
    if not (written.isascii() and written.isdigit()) or len(written) > len(str(_MOST_REPEATED)):
        raise CannotWriteInPlace(Obstacle.ODD_MARKUP, "repeat")
    return max(int(written), 1)


class RowWriter:
    """Puts the added cells into the rows, from column `first` (from 0) on."""

    def __init__(
        self, reader: RowReader, cells: OdsCells, added: AddedRows, first: int, default_style: bytes | None
    ) -> None:
        """`default_style` is that of the cells in the column before the added ones."""
        self._reader, self._cells, self._added = reader, cells, added
        self._first, self._last = first, first + cells.count
        self._default_style = default_style
        self._empty = cells.names.written("<table:table-cell/>")
        table = re.escape(cells.names.attributes["table"])
        self._corner = re.compile(table + rb"""end-cell-address\s*=\s*["'](?:[^"'<]*\.)?\$?([A-Z]{1,3})\$?\d+["']""")

    def block(self, text: bytes, mask: bytes) -> bytes:
        """A block of rows with what is added to them."""
        out: list[bytes] = []
        done = 0
        added, draws = self._added, b"<draw:" in mask
        for row in self._reader.rows(mask):
            new = added.next
            if new is None or new.row_no >= row.row_no + row.repeat:
                if draws and mask.find(b"<draw:", row.content, row.end) >= 0:
                    out.append(text[done : row.content])
                    out += self._among(text, mask, row, None)
                    done = row.end
                continue
            if new.row_no < row.row_no:  # a row that the sheet does not have
                for _ in added.skipped_before(row.row_no):
                    pass
                new = added.next
                if new is None or new.row_no >= row.row_no + row.repeat:
                    continue
            if row.repeat == 1 and row.content < row.end:
                out.append(text[done : row.content])
                self._wider(out, text, mask, row, new)
                added.advance()
            else:
                out.append(text[done : row.start])
                self._split(out, text, mask, row)
            done = row.end
        out.append(text[done:])
        return b"".join(out)

    def _split(self, out: list[bytes], text: bytes, mask: bytes, row: Row) -> None:
        """A row without cells, or several alike, split where one of them gets something."""
        repeated, added = self._reader.repeated, self._added
        row_no, end = row.row_no, row.row_no + row.repeat
        whole, tag = text[row.start : row.end], repeated(text[row.start : row.content], 1, "rows")
        if row.content == row.end:
            tag = tag[:-2].rstrip() + b">"
        while (new := added.next) is not None and new.row_no < end:
            if new.row_no > row_no:
                out.append(repeated(whole, new.row_no - row_no, "rows"))
            out.append(tag)
            self._wider(out, text, mask, row, new)
            row_no = new.row_no + 1
            added.advance()
        if row_no < end:
            out.append(repeated(whole, end - row_no, "rows"))

    def _wider(self, out: list[bytes], text: bytes, mask: bytes, row: Row, new: AddedRow) -> None:
        """What follows a row's start tag, with the added cells in their columns."""
        reader, first, last = self._reader, self._first, self._last
        if row.content == row.end:  # <table:table-row/>
            out += [self._blank(first), self._cells.cells(new, self._default_style), reader.end_of_row]
            return
        filler, after_filler = reader.filler(mask, row)
        before = reader.columns(mask, row.content, filler)
        if new.tone is Tone.HEADING or before > first:
            out += self._among(text, mask, row, new)
            return
        out.append(text[row.content : filler])
        if filler == after_filler:
            out += [self._blank(first - before), self._cells.cells(new), text[filler : row.end]]
            return
        blank = text[filler:after_filler]
        behind = before + reader.columns(mask, filler, after_filler) - last
        out += [self._blank(first - before, blank), self._cells.cells(new), self._blank(behind, blank)]
        out.append(text[after_filler : row.end])

    def _among(self, text: bytes, mask: bytes, row: Row, new: AddedRow | None) -> Iterator[bytes]:
        """The same cell by cell, where some stand behind the first added column. With nothing to add, only what floats
        there moves."""
        first, at, done = self._first, 0, row.content
        style = self._default_style
        cells = list(self._reader.cells(mask, row))
        moves = any(cell.floats and cell.after > first for cell in cells)
        if not moves and new is None:
            yield text[row.content : row.end]
            return
        kept_from = first if moves else self._last
        behind: list[bytes] = []
        for cell in cells:
            own = text[cell.start : cell.end]
            if cell.after <= first:
                yield text[done : cell.end]  # with what is between the cells
                style = cell.style or style if not cell.is_empty else style
            else:
                if cell.first < first:
                    yield text[done : cell.start] + self._reader.repeated(own, first - cell.first, "columns")
                # The last cell often fills the sheet up to its last column, past which none can move.
                end = cell.after - (self._cells.count if moves and cell.is_empty and cell is cells[-1] else 0)
                if end > kept_from:
                    columns = end - max(cell.first, kept_from)
                    behind.append(self._moved(self._reader.repeated(own, columns, "columns") if columns > 0 else b""))
            done, at = cell.end, cell.after
        added = self._cells.cells(new, style) if new is not None else self._blank(self._cells.count)
        yield self._blank(first - at) + added + b"".join(behind) + text[done : row.end]

    def _moved(self, cell: bytes) -> bytes:
        """A cell in which what floats ends as many columns further right as were added."""

        def further(found: re.Match[bytes]) -> bytes:
            column = column_of(found[1])
            if column < self._first:
                return found[0]
            start, end = found.start(1) - found.start(), found.end(1) - found.start()
            letters = column_letter(min(column + self._cells.count, MAX_COLUMNS - 1)).encode()
            return found[0][:start] + letters + found[0][end:]

        return self._corner.sub(further, cell) if b"<draw:" in cell else cell

    def _blank(self, columns: int, like: bytes | None = None) -> bytes:
        return self._reader.repeated(like or self._empty, columns, "columns") if columns > 0 else b""
