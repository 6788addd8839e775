"""An ods with cells added to one sheet: `content.xml` is rewritten as it streams, all other entries keep their bytes.

Rows that repeat are split where they get something. Only the rows of the sheet are looked into; a repeat of a billion
is a number, never a loop. Format: OpenDocument 1.3 part 3, sections 9.1 (tables) and 16 (styles). Pure.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple
from xml.parsers import expat

from portal.documents.reader.sheet_file import MAX_CELL_CHARACTERS
from portal.jobs.export.added import AddedCell, AddedRow, Tone
from portal.jobs.export.in_place.added_rows import AddedRows
from portal.jobs.export.in_place.errors import CannotWriteInPlace, Obstacle
from portal.jobs.export.in_place.extra_sheet import ExtraSheet
from portal.jobs.export.in_place.markup import TOKEN, as_utf8, attributes_of, escaped, prefix_of
from portal.jobs.export.in_place.package import Package, copied, plain_name
from portal.jobs.export.in_place.sheet_text import MAX_COLUMNS
from portal.jobs.export.in_place.survey_file import looked_through
from portal.jobs.export.in_place.workbook import Place

SIGNATURES = "meta-inf/documentsignatures.xml"
_CONTENT = "content.xml"
_MOST_BYTES = 32 * 1024 * 1024  # of one row or tag
_SPACES = {"table": "urn:oasis:names:tc:opendocument:xmlns:table:1.0",
           "office": "urn:oasis:names:tc:opendocument:xmlns:office:1.0",
           "text": "urn:oasis:names:tc:opendocument:xmlns:text:1.0"}  # fmt: skip
# What the tags look like under the prefixes that every program writes; a file with others is not copied.
_OF_INTEREST = re.compile(
    rb"<!--|<!\[CDATA\[|</?(?:office:(?:automatic-styles|body|spreadsheet)|table:(?:table|table-row|table-column))(?=[\s/>])"
)
_ROW_END = b"</table:table-row>"
_CELL = re.compile(
    rb"<(?P<end>/?)table:(?P<covered>covered-)?table-cell(?P<attributes>(?=[\s/>])(?:[^<>\"']++|\"[^\"]*+\"|'[^']*+')*+)>"
)
_HOLDS = re.compile(rb"value-type|formula|spanned|validation")
_REPEAT = re.compile(rb"""\s+table:number-(?:rows|columns)-repeated\s*=\s*["'](\d{1,9})["']""")
_STYLE = re.compile(rb"""\stable:style-name\s*=\s*["']([^"']*)["']""")
_FILLS = {Tone.FOUND: b"#e4f2e7", Tone.TO_FIX: b"#fbe9d9", Tone.NOT_FOUND: b"#eeeeee"}
_STYLES = (
    b'<number:date-style xmlns:number="urn:oasis:names:tc:opendocument:xmlns:datastyle:1.0" style:name="mfmoment">'
    b'<number:day number:style="long"/><number:text>/</number:text><number:month number:style="long"/>'
    b'<number:text>/</number:text><number:year number:style="long"/><number:text> </number:text>'
    b'<number:hours number:style="long"/><number:text>:</number:text><number:minutes number:style="long"/>'
    b'</number:date-style><style:style style:name="mfat" style:family="table-cell" '
    b'style:parent-style-name="Default" style:data-style-name="mfmoment"/>'
    + b"".join(
        b'<style:style style:name="mf%s" style:family="table-cell" style:parent-style-name="Default">'
        b'<style:table-cell-properties xmlns:fo="urn:oasis:names:tc:opendocument:xmlns:xsl-fo-compatible:1.0" '
        b'fo:background-color="%s"/></style:style>' % (tone.value.encode(), fill)
        for tone, fill in _FILLS.items()
    )
).replace(b"<number:date-style ", b'<number:date-style xmlns:style="STYLE" ', 1)
_STYLE_SPACE = b"urn:oasis:names:tc:opendocument:xmlns:style:1.0"
_STYLES = _STYLES.replace(b"STYLE", _STYLE_SPACE).replace(
    b"<style:style ", b'<style:style xmlns:style="' + _STYLE_SPACE + b'" '
)


class _Piece(NamedTuple):
    """A part of the XML: a whole row, a tag of interest by its name (`/table` closes), or anything else (no name)."""

    name: str
    text: bytes


class _Cell(NamedTuple):
    """A cell of a row by its place in the text, which columns it fills, and whether nothing is lost without it."""

    start: int
    end: int
    repeat: int
    attributes: bytes
    is_empty: bool


@dataclass
class OdsSurvey:
    """What is known of a sheet before it is copied: its columns in use."""

    width: int


class OpenOds:
    """An ods whose copy can be written: everything that could stop it has been looked at."""

    extension = "ods"

    def __init__(self, path: Path, place: Place, survey_file: Path | None = None) -> None:
        """Open and look through the sheet, unless that was done before and kept. Raises CannotWriteInPlace."""
        self._place = place
        self._package = Package(path)
        try:
            question = {"place": [place.sheet, place.name, place.width, place.header_row], "size": path.stat().st_size}
            self._width = looked_through(survey_file, question, OdsSurvey, self._look_through).width
            if self._width + place.added > MAX_COLUMNS:
                raise CannotWriteInPlace(Obstacle.NO_ROOM)
        except BaseException:
            self.close()
            raise

    @property
    def first_added(self) -> int:
        """The position (from 0) of the first added column."""
        return self._width

    def close(self) -> None:
        """Close the file."""
        self._package.close()

    @property
    def is_signed(self) -> bool:
        """Whether it has a signature, which the copy lacks."""
        return SIGNATURES in self._package

    def copy(self, rows: Iterator[AddedRow], sheets: Sequence[ExtraSheet] = ()) -> Iterator[bytes]:
        """The copy with these rows, piece by piece, and without a signature, which would be wrong. No more sheets."""
        gone = [entry.filename for entry in self._package.entries if plain_name(entry.filename) == SIGNATURES]
        content = partial(self._content, AddedRows(rows))
        yield from copied(self._package, {_CONTENT: content}, dropped=gone)

    def _pieces(self) -> Iterator[bytes]:
        return as_utf8(self._package.pieces(_CONTENT))

    def _look_through(self) -> OdsSurvey:
        found, width = False, self._place.width
        for piece, row_no in self._placed(_checked(self._pieces())):
            found = found or row_no is not None
            if piece.name != "row" or row_no is None:
                continue
            repeat, at, used = _repeat_of(piece.text), 0, 0
            for cell in _cells(piece.text):
                at += cell.repeat
                used = used if cell.is_empty else at
            if row_no + repeat > max(self._place.header_row, 1):
                width = max(width, used)
        if not found:
            raise CannotWriteInPlace(Obstacle.SHEET_CHANGED)
        return OdsSurvey(width)

    def _placed(self, xml: Iterable[bytes]) -> Iterator[tuple[_Piece, int | None]]:
        """The parts; those of the chosen sheet with the number of the row that they are, or that comes next."""
        sheet, depth, row_no = -1, 0, 0
        for piece in _parts(xml):
            if piece.name == "table":
                depth += 1
                sheet += depth == 1
                row_no = 1
                name = attributes_of(piece.text).get("table:name")
                if depth == 1 and sheet == self._place.sheet and (name or "")[:100] != self._place.name:
                    raise CannotWriteInPlace(Obstacle.SHEET_CHANGED)
            here = depth == 1 and sheet == self._place.sheet
            yield piece, row_no if here else None
            if piece.name == "row" and here:
                row_no += _repeat_of(piece.text)
            if piece.name == "/table" or (piece.name == "table" and piece.text.endswith(b"/>")):
                depth -= 1

    def _content(self, added: AddedRows) -> Iterator[bytes]:
        styled, columns = False, 0
        for piece, row_no in self._placed(self._pieces()):
            text = piece.text
            if piece.name == "automatic-styles" and not styled and text.endswith(b"/>"):
                yield b"<office:automatic-styles>" + _STYLES + b"</office:automatic-styles>"
                styled = True
                continue
            if piece.name == "/automatic-styles" and not styled:
                yield _STYLES
                styled = True
            elif piece.name == "body" and not styled:
                yield b"<office:automatic-styles>" + _STYLES + b"</office:automatic-styles>"
                styled = True
            if row_no is not None and piece.name == "row":
                yield from self._rows(text, row_no, added)
                continue
            if row_no is not None and piece.name == "table-column":
                text, columns = self._column(text, columns)
            yield text

    def _column(self, tag: bytes, at: int) -> tuple[bytes, int]:
        """A column's tag. Hidden columns at the end would hide the answers, so those are shown again."""
        end = at + _repeat_of(tag)
        first, last = self._width, self._width + self._place.added
        if b"table:visibility" not in tag or end <= first or at >= last or not tag.endswith(b"/>"):
            return tag, end
        shown = re.sub(rb"""\s+table:visibility\s*=\s*["'][^"']*["']""", b"", tag)
        cuts = [(at, min(first, end), tag), (max(at, first), min(last, end), shown), (max(at, last), end, tag)]
        return b"".join(_repeated(one, b - a, "columns") for a, b, one in cuts if b > a), end

    def _rows(self, row: bytes, row_no: int, added: AddedRows) -> Iterator[bytes]:
        """A row, or several alike, split where one of them gets something."""
        end = row_no + _repeat_of(row)
        for _ in added.skipped_before(row_no):
            pass  # a row that the sheet does not have
        while added.next is not None and added.next.row_no < end:
            new = added.next
            added.advance()
            if new.row_no > row_no:
                yield _repeated(row, new.row_no - row_no, "rows")
            yield self._wider(_repeated(row, 1, "rows"), new)
            row_no = new.row_no + 1
        if row_no < end:
            yield _repeated(row, end - row_no, "rows")

    def _wider(self, row: bytes, new: AddedRow) -> bytes:
        """A row with the added cells from the first free column on; empty cells make room for them."""
        first, last, at = self._width, self._width + self._place.added, 0
        before: list[bytes] = []
        after: list[bytes] = []
        style = None
        head = row.index(b">") if (start := TOKEN.match(row)) is None else start.end()
        done = head
        for cell in _cells(row):
            end = at + cell.repeat
            text = row[cell.start : cell.end]
            if end <= first:
                before.append(row[done : cell.start] + text)  # with what is between the cells
                style = _STYLE.search(cell.attributes) if not cell.is_empty else style
            else:
                if at < first:
                    before.append(row[done : cell.start] + _repeated(text, first - at, "columns"))
                if end > last:
                    after.append(_repeated(text, end - max(at, last), "columns"))
            done, at = cell.end, end
        if at < first:
            before.append(_repeated(b"<table:table-cell/>", first - at, "columns"))
        neighbour = style[1] if style else None
        opening = row[:head]
        closing = row[done:] if not opening.endswith(b"/>") else _ROW_END
        opening = opening if not opening.endswith(b"/>") else opening[:-2] + b">"
        return b"".join([opening, *before, _added_cells(new, neighbour), *after, closing])


def _added_cells(row: AddedRow, neighbour: bytes | None) -> bytes:
    """The added cells. Headings have the format of the cell before them, the status of others their colour."""
    out = []
    for position, value in enumerate(row.cells):
        style = None
        if row.tone is Tone.HEADING:
            style = neighbour
        elif position == row.tone_at and row.tone in _FILLS:
            style = b"mf" + row.tone.value.encode()
        elif isinstance(value, datetime):
            style = b"mfat"
        named = b' table:style-name="' + style + b'"' if style else b""
        out.append(b"<table:table-cell" + named + _content_of(value))
    return b"".join(out)


def _content_of(value: AddedCell) -> bytes:
    match value:
        case None:
            return b"/>"
        case bool():
            kind, shown = f'boolean" office:boolean-value="{str(value).lower()}', str(value).upper()
        case datetime():
            kind, shown = f'date" office:date-value="{value.isoformat(timespec="seconds")}', f"{value:%d/%m/%Y %H:%M}"
        case int() | float():
            kind, shown = f'float" office:value="{value!r}', f"{value}"
        case _:
            kind, shown = "string", value[:MAX_CELL_CHARACTERS]
    lines = b"".join(b"<text:p>" + _spaced(line) + b"</text:p>" for line in re.split("\r\n|\r|\n", shown))
    return b' office:value-type="' + kind.encode() + b'">' + lines + b"</table:table-cell>"


def _spaced(line: str) -> bytes:
    """Text of a paragraph: spaces that XML would join, and tabs, are elements."""
    marked = re.sub(b"(?<= ) |^ | $", b"<text:s/>", escaped(line))
    return marked.replace(b"\t", b"<text:tab/>")


def _repeat_of(text: bytes) -> int:
    """How often a row, cell or column stands there. Raises CannotWriteInPlace for a number without sense."""
    tag = TOKEN.match(text)
    attributes = tag["attributes"] if tag and tag["attributes"] else b""
    if found := _REPEAT.search(attributes):
        return max(int(found[1]), 1)
    if b"-repeated" in attributes:
        raise CannotWriteInPlace(Obstacle.ODD_MARKUP, "repeat")
    return 1


def _repeated(text: bytes, times: int, what: str) -> bytes:
    """The same row, cell or column, so many times."""
    tag = TOKEN.match(text)
    if tag is None or times == _repeat_of(text):
        return text
    opening = _REPEAT.sub(b"", text[: tag.end()])
    if times > 1:
        cut = len(opening) - (2 if opening.endswith(b"/>") else 1)
        opening = opening[:cut] + f' table:number-{what}-repeated="{times}"'.encode() + opening[cut:]
    return opening + text[tag.end() :]


def _cells(row: bytes) -> Iterator[_Cell]:
    if b"<!" in row or row.count(b"<table:table-row") != 1 or re.search(rb"<table:table[\s>]", row):
        raise CannotWriteInPlace(Obstacle.ODD_MARKUP, "nested row")
    begun = None
    for tag in _CELL.finditer(row):
        attributes = tag["attributes"]
        if tag["end"]:
            if begun is None:
                raise CannotWriteInPlace(Obstacle.ODD_MARKUP, "cell")
            tag, begun, end = begun, None, tag.end()
            attributes = tag["attributes"]
            is_bare = not row[tag.end() : end].removesuffix(b"</table:table-cell>").strip()
        elif not attributes.endswith(b"/"):
            begun = tag
            continue
        else:
            end, is_bare = tag.end(), True
        is_empty = (
            is_bare and not tag["covered"] and not re.search(rb"value-type|formula|spanned|validation", attributes)
        )
        repeat = _repeat_of(tag[0]) if b"-repeated" in attributes else 1
        yield _Cell(tag.start(), end, repeat, attributes, is_empty)


def _parts(xml: Iterable[bytes]) -> Iterator[_Piece]:
    """Take the XML apart as it streams. Raises CannotWriteInPlace for other prefixes and for what is too large."""
    source, buffer, is_open = iter(xml), b"", True
    has_root = False
    while is_open or buffer:
        if is_open and len(buffer) < _MOST_BYTES:
            more = next(source, None)
            is_open = more is not None
            buffer += more or b""
        if not has_root:
            if not _has_usual_prefixes(buffer):
                if is_open and len(buffer) < 65536:
                    continue
                raise CannotWriteInPlace(Obstacle.ODD_MARKUP, "prefixes")
            has_root = True
        at = 0
        while (found := _OF_INTEREST.search(buffer, at)) is not None:
            name, end = _whole(buffer, found.start())
            if end < 0:
                break
            if found.start() > at:
                yield _Piece("", buffer[at : found.start()])
            at = end
            yield _Piece(name, buffer[found.start() : end])
        left = len(buffer) if not is_open else max(buffer.rfind(b"<"), at)
        keep = found.start() if found is not None else max(left, at)
        if found is not None and (not is_open or len(buffer) - keep >= _MOST_BYTES):
            raise CannotWriteInPlace(Obstacle.TOO_LARGE, "row")
        if keep > at:
            yield _Piece("", buffer[at:keep])
        buffer = buffer[keep:]


def _whole(buffer: bytes, start: int) -> tuple[str, int]:
    """The name of what begins at `start`, and its end; -1 when that has not come yet."""
    for mark, closing in ((b"<!--", b"-->"), (b"<![CDATA[", b"]]>")):
        if buffer.startswith(mark, start):
            end = buffer.find(closing, start)
            return "", end if end < 0 else end + 3
    tag = TOKEN.match(buffer, start)
    if tag is None:
        return "", -1
    name = (tag["end"] + tag["name"].rpartition(b":")[2]).decode()
    if name != "table-row" or tag["attributes"].endswith(b"/"):
        return "row" if name == "table-row" else name, tag.end()
    end = buffer.find(_ROW_END, tag.end())
    return "row", end if end < 0 else end + len(_ROW_END)


def _has_usual_prefixes(head: bytes) -> bool:
    for tag in TOKEN.finditer(head):
        if tag["name"] is not None:
            declared = attributes_of(tag["attributes"])
            return prefix_of(tag["name"]) == b"office:" and all(
                declared.get(f"xmlns:{prefix}") == space for prefix, space in _SPACES.items()
            )
    return False


def _checked(xml: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes. Raises CannotWriteInPlace when they are not well-formed or have a document type."""
    parser = expat.ParserCreate()

    def refuse(*_: object) -> None:
        raise CannotWriteInPlace(Obstacle.ODD_MARKUP, "document type")

    parser.StartDoctypeDeclHandler = refuse
    try:
        for piece in xml:
            parser.Parse(piece, False)
            yield piece
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        raise CannotWriteInPlace(Obstacle.ODD_MARKUP, str(error)) from error
