"""The added cells of a row as a sheet's XML. Pure.

Text is written into the cell (inlineStr), so that the table of shared strings stays as it is. Rules of text:
ECMA-376 part 1, 18.4.12 (`t`) and 22.9.2.19 (`ST_Xstring`, which reads `_x0041_` as A).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from portal.documents.reader.sheet_file import MAX_CELL_CHARACTERS, column_letter
from portal.jobs.export.added import AddedCell, AddedRow, Tone
from portal.jobs.export.in_place.markup import escaped

_ESCAPE = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)")
_EPOCH_1900 = datetime(1899, 12, 30)  # noqa: DTZ001 - Excel's dates have no zone
_EPOCH_1904 = datetime(1904, 1, 1)  # noqa: DTZ001
_FIRST_DAY = datetime(1900, 3, 1)  # noqa: DTZ001 - before it, Excel's calendar is a day off
_KNOWN_TEXTS = 8192  # escaped texts kept: statuses and operators repeat, numbers do not


@dataclass(frozen=True)
class Styles:
    """Positions in the workbook's cellXfs; None is the workbook's plain format."""

    moment: int | None = None  # a date with time
    tones: dict[Tone, int] = field(default_factory=dict)


class CellWriter:
    """Writes the added cells of a row, from column `first` (from 0) on."""

    def __init__(self, first: int, count: int, styles: Styles, *, prefix: bytes = b"", from_1904: bool = False) -> None:
        self._letters = [column_letter(first + n).encode() for n in range(count)]
        self._styles = styles
        self._epoch, self._first_day = (_EPOCH_1904, _EPOCH_1904) if from_1904 else (_EPOCH_1900, _FIRST_DAY)
        self._texts: dict[str, bytes] = {}
        p = prefix
        self._is_text = b' t="inlineStr"><' + p + b"is><" + p + b"t"
        self._end_text = b"</" + p + b"t></" + p + b"is></" + p + b"c>"
        self._value, self._end_value = b"><" + p + b"v>", b"</" + p + b"v></" + p + b"c>"
        self._boolean = b' t="b"' + self._value
        self._open = b"<" + p + b'c r="'
        self._row = p + b"row"
        # Joined once: what stands before the row's number, for each column.
        self._starts = [self._open + letters for letters in self._letters]

    def cells(self, row: AddedRow, neighbour: bytes | None = None) -> bytes:
        """The cells of one row. Headings take the format `neighbour` of the cell before them."""
        number = b"%d" % row.row_no
        out: list[bytes] = []
        heading = row.tone is Tone.HEADING
        tone = neighbour if heading else self._tone(row.tone)
        texts = self._texts
        for position, value in enumerate(row.cells):
            if value is None:
                if position or tone is None:
                    continue
                content = b"/>"
            elif type(value) is str:
                content = texts.get(value) or self._text(value)
            else:
                content = self._other(value)
            style = tone if position == 0 or heading else None
            if style is not None:
                content = b' s="' + style + b'"' + _without_style(content)
            out.append(self._starts[position] + number + b'"' + content)
        return b"".join(out)

    def whole_row(self, row: AddedRow) -> bytes:
        """A row of its own, where the sheet has none of that number."""
        return b'<%s r="%d">' % (self._row, row.row_no) + self.cells(row) + b"</" + self._row + b">"

    def _tone(self, tone: Tone) -> bytes | None:
        found = self._styles.tones.get(tone)
        return None if found is None else b"%d" % found

    def _text(self, text: str) -> bytes:
        inner = xml_text(text)
        # Outer spaces and line breaks would be lost without it.
        kept = b' xml:space="preserve">' if text != text.strip() or "\n" in text else b">"
        content = self._is_text + kept + inner + self._end_text
        if len(self._texts) >= _KNOWN_TEXTS:
            self._texts.clear()
        self._texts[text] = content
        return content

    def _other(self, value: AddedCell) -> bytes:
        match value:
            case bool():
                return self._boolean + (b"1" if value else b"0") + self._end_value
            case datetime():
                return self._moment(value)
            case int() | float() if value == value and abs(value) != float("inf"):
                return self._value + repr(value).encode() + self._end_value
            case _:
                return self._text(str(value))

    def _moment(self, value: datetime) -> bytes:
        style = self._styles.moment
        if style is None or value < self._first_day:
            return self._text(value.isoformat(" ", "seconds"))
        days = (value - self._epoch).total_seconds() / 86400
        return b' s="%d"' % style + self._value + repr(round(days, 9)).encode() + self._end_value


def _without_style(content: bytes) -> bytes:
    """The content without a format of its own: a row's tone or heading comes first."""
    return content[content.index(b'"', 4) + 1 :] if content.startswith(b' s="') else content


def xml_text(text: str) -> bytes:
    """Text as a cell can hold it: within Excel's limit, line ends as LF, and never read as an escape."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")[:MAX_CELL_CHARACTERS]
    return escaped(_ESCAPE.sub("_x005F_", text))


def shown_widths(rows: Sequence[AddedRow], count: int) -> list[float]:
    """Widths for the added columns, in characters, from the first rows."""
    widths = [0] * count
    for row in rows:
        for position, value in enumerate(row.cells[:count]):
            if value is not None:
                shown = 16 if isinstance(value, datetime) else len(str(value))
                widths[position] = max(widths[position], shown)
    return [min(max(width + 2, 9), 44) + 0.7109375 for width in widths]
