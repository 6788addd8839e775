"""A `content.xml` taken apart as it streams: what must change around one sheet, and the sheet's rows in blocks. Pure.

Comments, CDATA sections and instructions may hold what looks like a tag. They are looked past by a mask: a text of the
same length in which they are blank, so that places found in it are places in the XML.
"""

import re
from collections.abc import Generator, Iterable, Iterator
from enum import Enum, auto
from typing import NamedTuple

from portal.jobs.export.in_place.errors import CannotWriteInPlace, Obstacle
from portal.jobs.export.in_place.markup import TOKEN, attributes_of
from portal.jobs.export.in_place.ods.names import Names, names_of

MOST_BYTES = 32 * 1024 * 1024  # of one row or tag
_HIDDEN = re.compile(rb"<!--.*?-->|<!\[CDATA\[.*?\]\]>|<\?.*?\?>", re.DOTALL)
_BEGUN = re.compile(rb"<!--|<!\[CDATA\[|<\?")
_ANY_TAG = re.compile(rb"<(?P<end>/?)[^\s<>/!?\"'=]++(?=[\s/>])")


class Kind(Enum):
    """What a part is."""

    OTHER = auto()
    ROOT = auto()
    STYLES = auto()  # the start tag of the automatic styles
    STYLES_END = auto()
    BODY = auto()
    SHEET = auto()  # the start tag of the chosen sheet
    OTHER_SHEET = auto()  # that of another
    COLUMN = auto()  # of the chosen sheet
    COLUMNS_END = auto()  # empty: here its columns end
    ROWS = auto()  # whole rows of it, with what stands between them
    TABLES_END = auto()  # empty: here the workbook's sheets end
    RANGE = auto()  # the start tag of a named or database range


class Part(NamedTuple):
    """A part of the XML."""

    kind: Kind
    text: bytes
    mask: bytes = b""  # of rows


_KINDS = {b"automatic-styles": Kind.STYLES, b"/automatic-styles": Kind.STYLES_END, b"body": Kind.BODY,
          b"database-range": Kind.RANGE, b"named-range": Kind.RANGE}  # fmt: skip
_BEHIND_SHEETS = (b"named-expressions", b"database-ranges", b"data-pilot-tables", b"consolidation", b"dde-links",
                  b"/spreadsheet")  # fmt: skip


class Content:
    """A `content.xml` that is read once, from its start; `names` is known from its first part on."""

    names: Names

    def __init__(self, pieces: Iterable[bytes], sheet: int, name: str) -> None:
        """`sheet` and `name` are those of the chosen sheet."""
        self._pieces, self._sheet, self._name = iter(pieces), sheet, name
        self._text = self._mask = b""
        self._at = 0

    def parts(self) -> Iterator[Part]:
        """The parts, in order; their texts together are the XML. Raises CannotWriteInPlace, also when the sheet is not
        where it was."""
        yield from self._root()
        sheet, depth, is_behind = -1, 0, False
        tags = self.names.pattern(
            r"<(?P<end>/?)(?:office:(?:automatic-styles|body|spreadsheet)|table:(?:table|named-expressions"
            r"|database-ranges|data-pilot-tables|consolidation|dde-links|database-range|named-range))(?=[\s/>])"
        )
        while (tag := (yield from self._until(tags))) is not None:
            local = _local(tag)
            if not depth and sheet >= 0 and not is_behind and local in _BEHIND_SHEETS:
                is_behind = True
                yield Part(Kind.TABLES_END, b"")
            if local != b"table" or depth or is_behind:
                depth += (local == b"table" and not tag[0].endswith(b"/>")) - (local == b"/table")
                yield Part(_KINDS.get(local, Kind.OTHER), tag[0])
                continue
            sheet += 1
            depth = 0 if tag[0].endswith(b"/>") else 1
            if sheet != self._sheet:
                yield Part(Kind.OTHER_SHEET, tag[0])
                continue
            name = attributes_of(tag["attributes"]).get(f"{self.names.attributes['table'].decode()}name", "")
            if name[:100] != self._name or not depth:
                raise CannotWriteInPlace(Obstacle.SHEET_CHANGED)
            yield Part(Kind.SHEET, tag[0])
            yield from self._columns()
            yield from self._rows()
        if sheet < self._sheet or depth or not is_behind:
            raise CannotWriteInPlace(Obstacle.SHEET_CHANGED if not depth else Obstacle.ODD_MARKUP)
        yield Part(Kind.OTHER, self._text[self._at :])

    def _root(self) -> Iterator[Part]:
        # A document type could only stand here, and with it the entities that the mask does not know.
        tag = yield from self._until(_ANY_TAG, refused=b"<!D")
        if tag is None or _local(tag) != b"document-content":
            raise CannotWriteInPlace(Obstacle.ODD_MARKUP, "another document")
        self.names = names_of(tag["attributes"])
        yield Part(Kind.ROOT, tag[0])

    def _columns(self) -> Iterator[Part]:
        """From the sheet's start tag to its first row."""
        tags = self.names.pattern(
            r"<(?P<end>/?)table:(?:table-column|table-rows?|table-header-rows|table-row-group|table)(?=[\s/>])"
        )
        while (tag := (yield from self._until(tags))) is not None:
            local = _local(tag)
            if local == b"table":
                raise CannotWriteInPlace(Obstacle.ODD_MARKUP, "nested table")
            if local == b"table-column":
                yield Part(Kind.COLUMN, tag[0] if tag[0].endswith(b"/>") else tag[0][:-1] + b"/>")
            if local in (b"table-column", b"/table-column"):
                continue
            self._at -= len(tag[0])
            yield Part(Kind.COLUMNS_END, b"")
            return
        raise CannotWriteInPlace(Obstacle.ODD_MARKUP, "a sheet that does not end")

    def _rows(self) -> Iterator[Part]:
        """From the first row up to the sheet's end tag."""
        table = self.names.elements["table"]
        end_of_row, end_of_sheet = b"</%stable-row>" % table, b"</%stable>" % table
        looked = self._at
        while True:
            end = self._mask.find(end_of_sheet, looked)
            last = self._mask.rfind(end_of_row, self._at) if end < 0 else -1
            cut = end if end >= 0 else last + len(end_of_row) if last >= 0 else self._at
            if cut > self._at:
                yield Part(Kind.ROWS, self._text[self._at : cut], self._mask[self._at : cut])
                self._at = cut
            if end >= 0:
                return
            left = len(self._text) - self._at
            if not self._more():
                raise CannotWriteInPlace(Obstacle.ODD_MARKUP, "a sheet that does not end")
            looked = max(left - len(end_of_sheet), 0) if self._mask is self._text else 0

    def _until(self, tags: re.Pattern[bytes], refused: bytes = b"") -> Generator[Part, None, re.Match[bytes] | None]:
        """What stands before the next of these tags, then that tag; None at the end."""
        looked = self._at
        while True:
            found = tags.search(self._mask, looked)
            tag = TOKEN.match(self._mask, found.start()) if found is not None else None
            # Without a whole tag, all but what may be the start of one.
            cut = found.start() if found is not None else max(self._mask.rfind(b"<"), self._at)
            if refused and refused in self._mask[self._at : cut]:
                raise CannotWriteInPlace(Obstacle.ODD_MARKUP, "document type")
            if cut > self._at:
                yield Part(Kind.OTHER, self._text[self._at : cut])
                self._at = cut
            if tag is not None:
                self._at = tag.end()
                return tag
            if not self._more():
                return None
            looked = 0

    def _more(self) -> bool:
        """Get another piece behind what is left; whether there was one."""
        piece = next(self._pieces, None)
        if piece is None:
            return False
        self._text = self._text[self._at :] + piece
        self._at = 0
        self._mask = masked(self._text)
        if len(self._text) > MOST_BYTES:
            raise CannotWriteInPlace(Obstacle.TOO_LARGE, "row")
        return True


def masked(text: bytes) -> bytes:
    """The text with comments and instructions as spaces, CDATA as letters, cut where one is not complete."""
    # One character is found a hundred times faster than two: most sheets have neither.
    if not ((b"!" in text and b"<!" in text) or (b"?" in text and b"<?" in text)):
        return text
    mask = _HIDDEN.sub(lambda found: (b"x" if found[0].startswith(b"<![") else b" ") * len(found[0]), text)
    begun = _BEGUN.search(mask)
    return mask[: begun.start()] if begun else mask


def _local(tag: re.Match[bytes]) -> bytes:
    """The name without prefix; with a slash for an end tag."""
    return bytes(tag["end"] + tag["name"].rpartition(b":")[2])
