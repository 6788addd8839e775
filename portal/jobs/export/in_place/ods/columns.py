"""The columns of a sheet in an ods, with those that are added. Pure."""

from collections.abc import Sequence

from portal.jobs.export.in_place.markup import attributes_of, quoted
from portal.jobs.export.in_place.ods.names import Names
from portal.jobs.export.in_place.ods.rows import RowReader


class Columns:
    """Puts the added columns' tags among the others, which are cut: often all to the right are hidden."""

    def __init__(self, names: Names, reader: RowReader, first: int, styles: Sequence[str]) -> None:
        """`styles` has one name for each added column."""
        self._reader, self._first, self._last = reader, first, first + len(styles)
        self._blank = names.written("<table:table-column/>")
        named = names.written("<table:table-column table:style-name=")
        self._tags = b"".join(named + quoted(style) + b"/>" for style in styles)
        self._default = f"{names.attributes['table'].decode()}default-cell-style-name"
        self._at = 0
        self._is_added = False
        self.default_style: bytes | None = None  # of the cells in the column before the added ones

    def tag(self, tag: bytes) -> bytes:
        """A column's tag, and around it those of the added columns when their place is there."""
        repeat = self._reader.repeat_of(tag)
        at, end = self._at, self._at + repeat
        self._at = end
        if at < self._first <= end:
            style = attributes_of(tag).get(self._default)
            self.default_style = style.encode() if style else None
        if end <= self._first:
            return tag
        before, after = self._first - at, end - max(at, self._last)
        out = [self._reader.repeated(tag, before, "columns")] if before > 0 else []
        if not self._is_added:
            out.append(self._tags)
            self._is_added = True
        if after > 0:
            out.append(self._reader.repeated(tag, after, "columns"))
        return b"".join(out)

    def end(self) -> bytes:
        """The tags of the added columns, if they come behind all others."""
        if self._is_added:
            return b""
        missing = self._first - self._at
        return (self._reader.repeated(self._blank, missing, "columns") if missing > 0 else b"") + self._tags
