"""Add cells to the rows of one sheet as it streams through. Pure.

All bytes but these stay: the added cells, empty cells with a format in their place, a row's `spans`, the sheet's
`dimension`, the columns' widths, the filter's range, and a note that numbers as text are intended.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from portal.jobs.export.added import Tone
from portal.jobs.export.in_place.added_rows import AddedRows
from portal.jobs.export.in_place.cells import CellWriter
from portal.jobs.export.in_place.markup import TOKEN, attributes_of, with_attribute
from portal.jobs.export.in_place.odd_rows import OddRows, Spans, heading_style
from portal.jobs.export.in_place.sheet_survey import Survey, empty_cells
from portal.jobs.export.in_place.sheet_text import SheetText, Tokens, column_letter, columns_from, corners, ref_of

_SPANS = re.compile(rb'(\bspans=")(\d+):(\d+)(")')
_KNOWN_TAGS = 4096
# The elements that come after `ignoredErrors` (ECMA-376 part 1, 18.3.1.99).
_AFTER_IGNORED_ERRORS = frozenset({
    b"smartTags", b"drawing", b"legacyDrawing", b"legacyDrawingHF", b"drawingHF", b"picture", b"oleObjects",
    b"controls", b"webPublishItems", b"tableParts", b"extLst",
})  # fmt: skip


@dataclass(frozen=True)
class AddedColumns:
    """Where the added columns are, and how wide."""

    first: int  # from 0
    widths: list[float]

    @property
    def last(self) -> int:
        """The last added column."""
        return self.first + len(self.widths) - 1


def rewritten(
    pieces: Iterator[bytes],
    survey: Survey,
    columns: AddedColumns,
    added: AddedRows,
    writer: Callable[[bytes], CellWriter],
    filter_ref: str | None = None,
) -> Iterator[bytes]:
    """The sheet with the added cells, piece by piece. `writer` gets the prefix of the sheet's elements."""
    sheet = SheetText(pieces)
    cells = writer(sheet.prefix)
    yield _head(sheet, columns) + sheet.data_tag
    if not sheet.has_rows:
        after = sheet.tokens.left()
    elif survey.plain:
        yield from _plain_rows(sheet, survey, columns, added, cells)
        after = sheet.after
    else:
        yield from OddRows(sheet, columns.first, added, cells, _wider_spans(columns)).pieces()
        after = sheet.tokens.left()
    yield from _behind(sheet, after, survey, columns, filter_ref)


def _plain_rows(
    sheet: SheetText, survey: Survey, columns: AddedColumns, added: AddedRows, cells: CellWriter
) -> Iterator[bytes]:
    p, end_of_row = sheet.prefix, sheet.end_of_row
    row_tag = re.compile(b"<" + p + rb'row r="(\d+)"[^>]*>')
    empty = empty_cells(p, columns.first) if survey.styled_beyond else None
    stray = None
    if columns.first < survey.used:
        stray = re.compile(b"<" + p + b'c r="(?:' + columns_from(columns.first) + rb")\d")
    wider = _wider_spans(columns)
    for piece, is_last in sheet.plain_pieces():
        out: list[bytes] = []
        done = 0
        for tag in row_tag.finditer(piece):
            row_no = int(tag[1])
            row = added.next
            if row is None or row_no < row.row_no:
                continue
            if row.row_no < row_no:
                out.append(piece[done : tag.start()])
                out += [cells.whole_row(row) for row in added.skipped_before(row_no)]
                done = tag.start()
                row = added.next
                if row is None or row.row_no != row_no:
                    continue
            whole = wider(tag[0])
            if whole.endswith(b"/>"):
                out += [piece[done : tag.start()], whole[:-2].rstrip(), b">", cells.cells(row), end_of_row]
                done = tag.end()
            else:
                end = piece.index(end_of_row, tag.end())
                own = piece[tag.end() : end]
                neighbour = heading_style(own, p, columns.first) if row.tone is Tone.HEADING else None
                if empty is not None:
                    own = empty.sub(b"", own)
                own, behind = _split(own, stray)
                out += [piece[done : tag.start()], whole, own, cells.cells(row, neighbour), behind]
                done = end
            added.advance()
        out.append(piece[done:])
        if is_last:
            out += [cells.whole_row(row) for row in added.rest()]
        yield b"".join(out)


def _split(own: bytes, stray: re.Pattern[bytes] | None) -> tuple[bytes, bytes]:
    """The cells of a row before the added ones and those behind: a row's cells ascend."""
    found = stray.search(own) if stray is not None else None
    return (own, b"") if found is None else (own[: found.start()], own[found.start() :])


def _wider_spans(columns: AddedColumns) -> Spans:
    """Widen the `spans` of a row's tag. The same few tags come again and again but for their number."""
    last = columns.last + 1
    known: dict[bytes, bytes] = {}

    def wider(tag: bytes) -> bytes:
        place = tag.find(b"spans=")
        if place < 0:
            return tag
        rest = tag[place:]
        new = known.get(rest)
        if new is None:
            if len(known) > _KNOWN_TAGS:
                known.clear()
            new = known[rest] = _SPANS.sub(
                lambda match: b"%s%s:%d%s" % (match[1], match[2], max(int(match[3]), last), match[4]), rest, count=1
            )
        return tag[:place] + new

    return wider


def _head(sheet: SheetText, columns: AddedColumns) -> bytes:
    """What stands before the rows, with the dimension and the columns' widths."""
    out: list[bytes] = []
    done, depth, p = 0, 0, sheet.prefix
    old_columns: list[dict[str, str]] = []
    has_columns = False
    for token in TOKEN.finditer(sheet.head):
        name = token["name"]
        if name is None:
            continue
        if token["end"]:
            depth -= 1
            continue
        if depth == 1 and name == p + b"dimension":
            out += [sheet.head[done : token.start()], _wider_dimension(token[0], columns)]
            done = token.end()
        elif depth == 1 and name == p + b"cols":
            has_columns = True
            out.append(sheet.head[done : token.start()])
            done = sheet.head.find(b"</" + name + b">", token.end())
            done = token.end() if done < 0 else done + len(name) + 3
        elif has_columns and name == p + b"col":
            old_columns.append(attributes_of(token["attributes"]))
        if not token["attributes"].endswith(b"/"):
            depth += 1
    out += [] if not has_columns else [columns_tag(p, old_columns, columns)]
    out.append(sheet.head[done:])
    if not has_columns:
        out.append(columns_tag(p, [], columns))
    return b"".join(out)


def _wider_dimension(tag: bytes, columns: AddedColumns) -> bytes:
    box = corners(attributes_of(tag).get("ref", ""))
    if box is None:
        return tag
    left, right, top, bottom = box
    return with_attribute(tag, "ref", ref_of(min(left, columns.first), max(right, columns.last), top, bottom))


def columns_tag(prefix: bytes, old: list[dict[str, str]], columns: AddedColumns) -> bytes:
    """The widths of all columns. Old ones that cover the added columns are cut: often all to the right are hidden."""
    kept: list[tuple[int, bytes]] = []
    for attributes in old:
        low, high = _number(attributes.get("min")), _number(attributes.get("max"))
        for one, other in ((low, min(high, columns.first)), (max(low, columns.last + 2), high)):
            if 0 < one <= other:
                kept.append((one, _column(prefix, attributes | {"min": str(one), "max": str(other)})))
    for number, width in enumerate(columns.widths, start=columns.first + 1):
        added = {"min": str(number), "max": str(number), "width": f"{width:.8g}", "customWidth": "1"}
        kept.append((number, _column(prefix, added)))
    return b"<%scols>" % prefix + b"".join(tag for _, tag in sorted(kept)) + b"</%scols>" % prefix


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 8 else 0


def _column(prefix: bytes, attributes: dict[str, str]) -> bytes:
    tag = b"<" + prefix + b"col/>"
    for name, value in attributes.items():
        tag = with_attribute(tag, name, value)
    return tag


def _behind(
    sheet: SheetText, after: Iterator[bytes], survey: Survey, columns: AddedColumns, filter_ref: str | None
) -> Iterator[bytes]:
    """What follows the rows, with the filter's range and the note on numbers as text."""
    p, depth = sheet.prefix, 1
    waits_for_note = "AlternateContent" not in {name.rpartition(":")[2] for name in survey.after}
    tokens = Tokens(after)
    out: list[bytes] = []
    for before, token in tokens:
        name, raw = token["name"], token[0]
        out.append(before)
        if name is not None and depth == 1 and name != p + b"sheetData":
            local = name.removeprefix(p)
            if local == b"autoFilter" and not token["end"] and filter_ref is not None:
                raw = with_attribute(raw, "ref", filter_ref)
            if waits_for_note and local == b"ignoredErrors" and not token["end"]:
                out.append(raw)
                raw = b"" if raw.endswith(b"/>") else intended_text(p, columns)
                waits_for_note = False
            elif waits_for_note and (token["end"] or local in _AFTER_IGNORED_ERRORS):
                note = b"<%signoredErrors>" % p + intended_text(p, columns) + b"</%signoredErrors>" % p
                out.append(note)
                waits_for_note = False
        out.append(raw)
        if name is not None and name != p + b"sheetData":
            if token["end"]:
                depth -= 1
            elif not token["attributes"].endswith(b"/"):
                depth += 1
        if len(out) > 2000:
            yield b"".join(out)
            out.clear()
    yield b"".join(out)
    yield from tokens.left()


def intended_text(prefix: bytes, columns: AddedColumns) -> bytes:
    """Numbers as text are intended: without this, Excel marks each of those cells with a green corner."""
    where = f"{column_letter(columns.first)}1:{column_letter(columns.last)}1048576"
    return b'<%signoredError sqref="%s" numberStoredAsText="1"/>' % (prefix, where.encode())
