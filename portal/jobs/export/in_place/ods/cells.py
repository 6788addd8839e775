"""The added cells of a row as the XML of an ods. Pure.

Text: OpenDocument 1.3 part 3, 6.1.2 (spaces that XML would join are elements), 19.385 (`office:value-type`).
"""

import re
from datetime import datetime
from math import isfinite

from portal.documents.reader.sheet_file import MAX_CELL_CHARACTERS
from portal.jobs.export.added import AddedCell, AddedRow, Tone
from portal.jobs.export.in_place.markup import escaped, quoted
from portal.jobs.export.in_place.ods.names import Names
from portal.jobs.export.in_place.ods.styles import OdsStyles

_LINES = re.compile("\r\n|\r|\n")
_SPACES = re.compile(b"(?<= ) |^ | $")
_KNOWN = 8192  # texts and dates kept: statuses and operators repeat, numbers do not


class OdsCells:
    """Writes the added cells of a row."""

    def __init__(self, names: Names, count: int, styles: OdsStyles) -> None:
        self.names, self.count = names, count
        self._start, self._styled = names.written("<table:table-cell"), names.written(" table:style-name=")
        self._value, self._end = names.written(" office:value-type="), names.written("</table:table-cell>")
        self._line, self._line_end = names.written("<text:p>"), names.written("</text:p>")
        self._space, self._tab = names.written("<text:s/>"), names.written("<text:tab/>")
        self._tones = {tone: self._style(name) for tone, name in styles.tones.items()}
        self._moment = self._style(styles.moment)
        self._known: dict[AddedCell, bytes] = {}

    def _style(self, name: bytes | None) -> bytes:
        return self._styled + b'"' + name + b'"' if name else b""

    def cells(self, row: AddedRow, neighbour: bytes | None = None) -> bytes:
        """The cells of one row. Headings take the format `neighbour` of the cell before them."""
        start, known = self._start, self._known
        heading = row.tone is Tone.HEADING
        style = self._tones.get(row.tone, b"")
        if heading and neighbour:
            style = self._styled + quoted(neighbour.decode())
        out: list[bytes] = []
        for value in row.cells:
            out.append(start)
            if style:
                out.append(style)
            if value is None:
                out.append(b"/>")
            elif type(value) is str:
                out.append(known.get(value) or self._keep(value))
            else:
                out.append(self._other(value, plain=not style))
            if not heading:
                style = b""  # only the first cell has the colour
        return b"".join(out)

    def _keep(self, value: str) -> bytes:
        content = self._text(value)
        if len(self._known) >= _KNOWN:
            self._known.clear()
        self._known[value] = content
        return content

    def _text(self, value: str) -> bytes:
        lines = _LINES.split(value[:MAX_CELL_CHARACTERS])
        return self._value + b'"string">' + b"".join(map(self._paragraph, lines)) + self._end

    def _other(self, value: AddedCell, *, plain: bool) -> bytes:
        match value:
            case bool():
                kind, attribute, text = "boolean", "boolean-value", str(value).lower()
                shown = text.upper()
            case datetime():
                kind, attribute, text = "date", "date-value", value.isoformat(timespec="seconds")
                shown = f"{value:%d/%m/%Y %H:%M}"
            case int() | float() if isfinite(value):
                kind, attribute, text = "float", "value", repr(value)
                shown = text
            case _:
                return self._text(str(value))
        named = self.names.attributes["office"] + attribute.encode()
        style = self._moment if plain and isinstance(value, datetime) else b""
        typed = self._value + b'"%s" %s="%s">' % (kind.encode(), named, text.encode())
        return style + typed + self._paragraph(shown) + self._end

    def _paragraph(self, line: str) -> bytes:
        text = escaped(line)
        if b" " in text or b"\t" in text:
            text = _SPACES.sub(self._space, text).replace(b"\t", self._tab)
        return self._line + text + self._line_end
