"""Write an ods again as the parser expects it: python-calamine takes names for text and knows only one form of them.

It refuses indented XML and a package without `mimetype`, and sees nothing under other prefixes. Of errors it gives
nothing, of times not what is shown, and it says nothing of hidden rows. Here expat reads the XML as the standard means
it; only sheets, rows, cells, their values and text are written. Only for the child process.
Format: OpenDocument 1.3 part 3, 6.1.2 (white space), 9 (tables).
"""

import re
import zipfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import IO, Any, NamedTuple
from xml.parsers import expat

from portal.documents.reader.limits import FileProblem, Unreadable
from portal.documents.reader.sheet_file import FAR_COLUMNS, FEW_FAR, FORMULA_MARK, GAP_ROWS

_MIMETYPE = "application/vnd.oasis.opendocument.spreadsheet"
_MANIFEST = '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>'
_BEFORE = "urn:oasis:names:tc:opendocument:xmlns:"
_SPACES = {f"{_BEFORE}{name}:1.0": name for name in ("office", "table", "text", "style")}
_KEPT = {
    "office:document-content", "office:automatic-styles", "office:body", "office:spreadsheet", "style:style",
    "style:table-properties", "table:table", "table:table-rows", "table:table-header-rows", "table:table-row-group",
    "table:table-row", "table:table-cell", "table:covered-table-cell",
}  # fmt: skip
_PARAGRAPHS = {"text:p", "text:h"}
_AROUND_PARAGRAPHS = {"text:list", "text:list-item", "text:list-header", "text:section"}
_CELLS = {"table:table-cell", "table:covered-table-cell"}
_MOST_SPACES = 32_767
_WHITE = re.compile("[ \t\r\n]+")
_WRITE_BYTES = 256 * 1024
_LONGEST_TAG = 2_000  # of a cell, that is found when it stands in two pieces
# Plain bytes: an expression of several alternatives takes forty times as long to find nothing.
_NOT_PLAIN = (b'calcext:value-type="error"', b'office:value-type="time"')
_HIDDEN = re.compile(b'table:visibility="(?:filter|collapse)"')
_BEHIND_A_GAP = re.compile(rb'table:number-columns-repeated="\d{3,}"[^<>]*/>\s*<table:(?:covered-)?table-cell')
_EMPTY_CELLS = rb"\s*(?:<table:(?:covered-)?table-cell(?![^<>]*office:value)[^<>]*/>\s*){1,20}</table:table-row>\s*"
_ABOVE_A_ROW = re.compile(  # LibreOffice ends a sheet with many empty rows and one more
    rb'table:number-rows-repeated="\d{3,}"[^<>]*>' + _EMPTY_CELLS + rb'<table:table-row(?![^<>]*rows-repeated="\d{3,}")'
    rb"(?![^<>]*>" + _EMPTY_CELLS + rb"</table:table>)"
)
_FORMULA = b" table:formula="
_NO_RESULT = re.compile(rb"<table:table-cell(?=[^<>]*\stable:formula=)(?![^<>]*\soffice:value-type=)")
_MOST_REPEATED = 1000  # hidden rows that are one in the XML; more of them are the empty rest of a sheet
_CALC = "urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0 value-type"


def content_name(path: Path) -> str | None:
    """The name of the entry that holds an ods' sheets; None for a zip that is no ods."""
    with zipfile.ZipFile(path) as package:
        names = package.namelist()
    return next((name for name in names if name.replace("\\", "/").lstrip("/").lower() == "content.xml"), None)


def is_plain(path: Path, content: str) -> bool:
    """Whether the parser sees all that is in the XML: it takes CDATA sections for nothing, and errors."""
    before = b""
    with zipfile.ZipFile(path) as package, package.open(content) as source:
        while piece := source.read(_WRITE_BYTES):
            # One character is found a hundred times faster than two, and most files have none.
            seen = before + piece
            if b"!" in piece and b"<!" in seen:
                return False
            if any(sign in seen for sign in _NOT_PLAIN) or (b"visibility=" in seen and _HIDDEN.search(seen)):
                return False
            if _FORMULA in seen and _NO_RESULT.search(seen):
                return False
            if _BEHIND_A_GAP.search(seen) or (b"-rows-repeated=" in seen and _ABOVE_A_ROW.search(seen)):
                return False
            before = piece[-_LONGEST_TAG:]
    return True


class PlainSheet(NamedTuple):
    """What the parser does not say of a sheet: its hidden rows (from 1), and how many cells far to the right of all
    others were left out. `gaps`: the rows that it sees above each gap, and the empty rows of the gap, which it would
    hold as cells."""

    hidden: set[int]
    far: int
    gaps: tuple[tuple[int, int], ...] = ()

    def with_gaps(self, rows: Iterator[list[Any]]) -> Iterator[list[Any]]:
        """Put the empty rows between the others again."""
        seen = 0
        for above, empty in self.gaps:
            for row in islice(rows, above - seen):
                seen += 1
                yield row
            if (row_below := next(rows, None)) is None:
                return
            seen += 1
            yield from ([] for _ in range(empty))
            yield row_below
        yield from rows


def write_plain(path: Path, content: str, out: Path, most_columns: int) -> list[PlainSheet]:
    """Write the sheets of the ods at `path` to `out`, without a few cells far to the right of all others, behind
    `most_columns`. Raises Unreadable when its XML is not well-formed."""
    plain = _written(path, content, out, most_columns)
    if any(far > FEW_FAR or 0 < first < width + FAR_COLUMNS for far, first, width in plain.far):
        plain = _written(path, content, out, None)  # they belong to the list, which is too wide
    return [
        PlainSheet(hidden, far, tuple(gaps))
        for hidden, (far, _, _), gaps in zip(plain.hidden, plain.far, plain.gaps, strict=True)
    ]


def _written(path: Path, content: str, out: Path, most_columns: int | None) -> "_Plain":
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as new:
        new.writestr("mimetype", _MIMETYPE, zipfile.ZIP_STORED)
        new.writestr("META-INF/manifest.xml", _MANIFEST)
        with old.open(content) as source, new.open("content.xml", "w", force_zip64=True) as target:
            plain = _Plain(target, most_columns)
            plain.write(source)
            return plain


class _Gap(NamedTuple):
    """Rows that are one in the XML, and have been empty up to here."""

    above: int
    empty: int


_NO_GAP = _Gap(0, 0)


class _Plain:
    """Takes what expat sees and writes what is kept of it."""

    def __init__(self, out: IO[bytes], most_columns: int | None) -> None:
        self._out, self._most_columns = out, most_columns
        self._written: list[str] = ['<?xml version="1.0" encoding="UTF-8"?>']
        self._size = 0
        self._open: list[str] = []  # kept elements
        self._skipped = 0  # elements inside each other that are not kept
        self._paragraph: list[str] | None = None
        self.hidden: list[set[int]] = []
        self.far: list[tuple[int, int, int]] = []  # cells left out, the first of their columns, the width of the others
        self.gaps: list[list[tuple[int, int]]] = []  # empty rows left out, with the rows above them that are not
        self._gap = _NO_GAP
        self._row = self._column = 0

    def write(self, source: IO[bytes]) -> None:
        """Read XML and write it. Raises Unreadable."""
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.StartElementHandler, parser.EndElementHandler = self._start, self._end
        parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = self._text, self._refuse
        try:
            parser.ParseFile(source)
        except expat.ExpatError as error:
            raise Unreadable(FileProblem.DAMAGED) from error
        self._flush()

    def _refuse(self, *_: object) -> None:
        raise Unreadable(FileProblem.UNSAFE)  # entities that grow

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        tag = _usual(name)
        if self._skipped:
            self._skipped += 1
        elif self._paragraph is not None:
            if tag.startswith("text:") and tag not in ("text:note", *_PARAGRAPHS):
                self._open.append(tag)
                self._paragraph.append(_between(tag, attributes))
            else:
                self._skipped = 1
        elif tag in _PARAGRAPHS and self._in_cell():
            self._open.append(tag)
            self._paragraph = []
        elif (tag in _KEPT and not self._in_cell()) or (tag in _AROUND_PARAGRAPHS and self._in_cell()):
            self._open.append(tag)
            if tag in _KEPT:
                said = {_usual(key): value for key, value in attributes.items()}
                if tag in _CELLS:
                    if self._is_far(said):
                        self._open.pop()
                        self._skipped = 1
                        return
                    said = _as_shown(said, is_error=attributes.get(_CALC) == "error")
                elif tag == "table:table":
                    self.hidden.append(set())
                    self.far.append((0, 0, 0))
                    self.gaps.append([])
                    self._row = 0
                elif tag == "table:table-row":
                    self._begin_row(said)
                written = "".join(f" {key}={_quoted(value)}" for key, value in said.items() if key)
                self._put(f"<{tag}{written}{self._spaces()}>")
        else:
            self._skipped = 1

    def _is_far(self, said: dict[str, str]) -> bool:
        """Whether this cell is behind the most columns. Counts it; empty ones are nothing that is left out."""
        column, is_filled = self._column, "office:value-type" in said or "table:formula" in said
        if is_filled:
            self._gap = _NO_GAP
        self._column += _repeated(said, "table:number-columns-repeated")
        if not self.far or self._most_columns is None:
            return False
        count, first, width = self.far[-1]
        if column < self._most_columns:
            if is_filled:
                self.far[-1] = (count, first, max(width, min(self._column, self._most_columns)))
            return False
        if is_filled:
            self.far[-1] = (count + self._column - column, min(first or column, column), width)
        return True

    def _begin_row(self, said: dict[str, str]) -> None:
        self._column = 0
        repeated = _repeated(said, "table:number-rows-repeated")
        if self.gaps and repeated >= GAP_ROWS:
            self._flush()
            above = self._row - sum(empty for _, empty in self.gaps[-1])
            self._gap = _Gap(above, repeated)
        if self.hidden and said.get("table:visibility") in ("filter", "collapse") and repeated <= _MOST_REPEATED:
            self.hidden[-1].update(range(self._row + 1, self._row + repeated + 1))
        self._row += repeated

    def _spaces(self) -> str:
        """The declarations, for the root."""
        return "".join(f' xmlns:{name}="{space}"' for space, name in _SPACES.items()) if len(self._open) == 1 else ""

    def _in_cell(self) -> bool:
        return any(tag in _CELLS for tag in self._open[-4:])

    def _end(self, _name: str) -> None:
        if self._skipped:
            self._skipped -= 1
            return
        tag = self._open.pop()
        if tag == "table:table-row" and self._gap.empty:
            self.gaps[-1].append(self._gap)
            self._gap, self._written, self._size = _NO_GAP, [], 0
        elif tag in _KEPT:
            self._put(f"</{tag}>")
        elif tag in _PARAGRAPHS and self._paragraph is not None:
            # White space as the standard reads it: one space, and none at the ends.
            text = _WHITE.sub(" ", "".join(self._paragraph)).strip(" ").translate(_MEANT)
            self._put(f"<text:p>{_escaped(text)}</text:p>")
            self._paragraph = None

    def _text(self, text: str) -> None:
        if self._paragraph is not None and not self._skipped:
            self._paragraph.append(text)

    def _put(self, xml: str) -> None:
        self._written.append(xml)
        self._size += len(xml)
        if self._size > _WRITE_BYTES and not self._gap.empty:
            self._flush()

    def _flush(self) -> None:
        self._out.write("".join(self._written).encode("utf-8", "replace"))
        self._written, self._size = [], 0


def _repeated(said: dict[str, str], name: str) -> int:
    text = said.get(name, "1")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 1


def _escaped(text: str) -> str:
    # Not from xml.sax.saxutils: it loads urllib, http and ssl, which takes longer than reading a small file.
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _quoted(text: str) -> str:
    return '"' + _escaped(text).replace('"', "&quot;").replace("\n", "&#10;").replace("\t", "&#9;") + '"'


def _as_shown(said: dict[str, str], *, is_error: bool) -> dict[str, str]:
    """A cell's attributes by which the parser takes its text: for an error and a time as they are shown; for a formula
    without a result, the formula."""
    kind, formula = said.get("office:value-type"), said.get("table:formula")
    if is_error or kind == "time":
        return {key: value for key, value in said.items() if key.startswith("table:number-")} | {
            "office:value-type": "string"
        }
    if formula is not None and kind is None:
        plain = formula.partition(":")[2] if ":" in formula[:6] else formula  # of:=A1 names its language
        return said | {"office:value-type": "string", "office:string-value": FORMULA_MARK + plain.removeprefix("=")}
    return said


_MEANT = {0: " ", 1: "\t", 2: "\n"}  # characters that XML cannot hold, for the white space of elements


def _between(tag: str, attributes: dict[str, str]) -> str:
    """The white space that an element in a paragraph stands for."""
    if tag == "text:s":
        count = attributes.get(f"{_BEFORE}text:1.0 c", "1")
        return "\x00" * (min(int(count), _MOST_SPACES) if count.isascii() and count.isdigit() else 1)
    return {"text:tab": "\x01", "text:line-break": "\x02"}.get(tag, "")


def _usual(name: str) -> str:
    """The name with its usual prefix; empty for other namespaces."""
    space, _, local = name.rpartition(" ")
    prefix = _SPACES.get(space)
    return f"{prefix}:{local}" if prefix else ""
