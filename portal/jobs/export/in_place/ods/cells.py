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
_SPACES = re.compile("(?<= ) |^ | $")
# Control characters, &, <, >, the rare ones, and spaces that would be lost.
_TO_CHANGE = re.compile("[^ -%'-;=?-\ud7ff\ue000-\ufffd]|[\x7f-\x9f]|  |^ | $")
_KNOWN = 8192  # texts and dates kept: statuses and operators repeat, numbers do not


class OdsCells:
    """Writes the added cells of a row."""

    def __init__(self, names: Names, count: int, styles: OdsStyles) -> None:
        self.names, self.count = names, count

        def written(usual: str) -> str:
            return names.written(usual).decode()

        self._start, self._styled = written("<table:table-cell"), written(" table:style-name=")
        self._value, self._end = written(" office:value-type="), written("</text:p></table:table-cell>")
        self._office = names.attributes["office"].decode()
        self._line, self._next_line = written("<text:p>"), written("</text:p><text:p>")
        self._space, self._tab = written("<text:s/>"), written("<text:tab/>")
        self._tones = {tone: f'{self._styled}"{name}"' for tone, name in styles.tones.items()}
        self._moment_style = f'{self._styled}"{styles.moment}"'
        self._texts: dict[str, str] = {}
        self._moments: dict[datetime, str] = {}

    def cells(self, row: AddedRow, neighbour: bytes | None = None) -> bytes:
        """The cells of one row. Headings take the format `neighbour` of the cell before them."""
        start, texts = self._start, self._texts
        heading = row.tone is Tone.HEADING
        tone = self._tones.get(row.tone, "")
        if heading and neighbour:
            tone = self._styled + quoted(neighbour.decode()).decode()
        out: list[str] = []
        for place, value in enumerate(row.cells):
            style = tone if heading or place == row.tone_at else ""
            if place in row.more_tones:
                style = self._tones.get(row.more_tones[place], "")
            if type(value) is str:
                out.append(f"{start}{style}{texts.get(value) or self._text(value)}")
            elif value is None:
                out.append(f"{start}{style}/>")
            elif type(value) is datetime and not style:
                out.append(f"{start}{self._moment_style}{self._moments.get(value) or self._moment(value)}")
            else:
                out.append(f"{start}{style}{self._other(value)}")
        return "".join(out).encode()

    def _text(self, value: str) -> str:
        content = f'{self._value}"string">{self._line}{self._shown(value[:MAX_CELL_CHARACTERS])}{self._end}'
        if len(self._texts) >= _KNOWN:
            self._texts.clear()
        self._texts[value] = content
        return content

    def _moment(self, value: datetime) -> str:
        at = f'{self._office}date-value="{value.isoformat(timespec="seconds")}"'
        content = f'{self._value}"date" {at}>{self._line}{value:%d/%m/%Y %H:%M}{self._end}'
        if len(self._moments) >= _KNOWN:
            self._moments.clear()
        self._moments[value] = content
        return content

    def _other(self, value: AddedCell) -> str:
        match value:
            case bool():
                text = str(value).lower()
                return (
                    f'{self._value}"boolean" {self._office}boolean-value="{text}">{self._line}{text.upper()}{self._end}'
                )
            case datetime():
                return self._moment(value)
            case int() | float() if isfinite(value):
                return f'{self._value}"float" {self._office}value="{value!r}">{self._line}{value!r}{self._end}'
            case _:
                return self._text(str(value))

    def _shown(self, text: str) -> str:
        if not _TO_CHANGE.search(text):
            return text
        lines = (_SPACES.sub(self._space, escaped(line).decode()) for line in _LINES.split(text))
        return self._next_line.join(lines).replace("\t", self._tab)
