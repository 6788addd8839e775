"""The added cells of a row as a sheet's XML. Pure.

Text is written into the cell (inlineStr), so that the table of shared strings stays as it is. Rules of text:
ECMA-376 part 1, 18.4.12 (`t`) and 22.9.2.19 (`ST_Xstring`, which reads `_x0041_` as A).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from math import isfinite

from portal.documents.reader.sheet_file import MAX_CELL_CHARACTERS, column_letter
from portal.jobs.export.added import AddedCell, AddedRow, Tone
from portal.jobs.export.in_place.markup import escaped

_ESCAPE = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)")
_EPOCH_1900 = datetime(1899, 12, 30)  # noqa: DTZ001 - Excel's dates have no zone
_EPOCH_1904 = datetime(1904, 1, 1)  # noqa: DTZ001
_FIRST_DAY = datetime(1900, 3, 1)  # noqa: DTZ001 - before it, Excel's calendar is a day off
_TO_CHANGE = re.compile("[^ -%'-;=?-^`-\ud7ff\ue000-\ufffd]")  # control characters, &, <, >, _ and the rare ones
_AS_IT_IS = re.compile("[!-%'-;=?-^`-~](?:[ -%'-;=?-^`-~]*[!-%'-;=?-^`-~])?")
_KNOWN = 8192  # texts and dates kept: statuses and operators repeat, numbers do not


@dataclass(frozen=True)
class Styles:
    """Positions in the workbook's cellXfs; None is the workbook's plain format."""

    moment: int | None = None  # a date with time
    tones: dict[Tone, int] = field(default_factory=dict)


class CellWriter:
    """Writes the added cells of a row, from column `first` (from 0) on."""

    def __init__(self, first: int, count: int, styles: Styles, *, prefix: bytes = b"", from_1904: bool = False) -> None:
        self._p = p = prefix.decode()
        self._starts = [f'<{p}c r="{column_letter(first + n)}' for n in range(count)]
        self._tones = {tone: f' s="{number}"' for tone, number in styles.tones.items()}
        self._moment_style = styles.moment
        self._epoch, self._first_day = (_EPOCH_1904, _EPOCH_1904) if from_1904 else (_EPOCH_1900, _FIRST_DAY)
        self._before, self._after = f' t="inlineStr"><{p}is><{p}t>', f"</{p}t></{p}is></{p}c>"
        self._texts: dict[str, str] = {}
        self._moments: dict[datetime, str] = {}

    def cells(self, row: AddedRow, neighbour: bytes | None = None) -> bytes:
        """The cells of one row. Headings take the format `neighbour` of the cell before them."""
        number = f'{row.row_no}"'
        known = self._texts.get
        out: list[str] = []
        add = out.append
        heading = row.tone is Tone.HEADING
        tone = self._tones.get(row.tone, "") if not heading else f' s="{neighbour.decode()}"' if neighbour else ""
        toned, more = row.tone_at, row.more_tones
        place = -1
        for start, value in zip(self._starts, row.cells, strict=False):
            place += 1
            style = tone if heading or place == toned else ""
            if more and place in more:
                style = self._tones.get(more[place], "")
            if type(value) is str:
                add(f"{start}{number}{style}{known(value) or self._text(value)}")
            elif value is not None:
                add(f"{start}{number}{self._other(value)}")
            elif style:
                add(f"{start}{number}{style}/>")
        return "".join(out).encode()

    def whole_row(self, row: AddedRow) -> bytes:
        """A row of its own, where the sheet has none of that number."""
        return f'<{self._p}row r="{row.row_no}">'.encode() + self.cells(row) + f"</{self._p}row>".encode()

    def _text(self, text: str) -> str:
        if _AS_IT_IS.fullmatch(text) and len(text) <= MAX_CELL_CHARACTERS:  # the usual case
            content = f"{self._before}{text}{self._after}"
        else:
            p = self._p
            # Outer spaces and line breaks would be lost without it.
            kept = ' xml:space="preserve"' if text != text.strip() or "\n" in text else ""
            content = f' t="inlineStr"><{p}is><{p}t{kept}>{xml_text(text)}{self._after}'
        if len(self._texts) >= _KNOWN:
            self._texts.clear()
        self._texts[text] = content
        return content

    def _other(self, value: AddedCell) -> str:
        p = self._p
        match value:
            case datetime():
                return self._moments.get(value) or self._moment(value)
            case bool():
                return f' t="b"><{p}v>{value:d}</{p}v></{p}c>'
            case int() | float() if isfinite(value):
                return f"><{p}v>{value!r}</{p}v></{p}c>"
            case _:
                return self._text(str(value))

    def _moment(self, value: datetime) -> str:
        if self._moment_style is None or value < self._first_day:
            return self._text(value.isoformat(" ", "seconds"))
        p = self._p
        days = (value - self._epoch).total_seconds() / 86400
        if len(self._moments) >= _KNOWN:
            self._moments.clear()
        content = self._moments[value] = f' s="{self._moment_style}"><{p}v>{days!r}</{p}v></{p}c>'
        return content


def xml_text(text: str) -> str:
    """Text as a cell can hold it: within Excel's limit, line ends as LF, and never read as an escape."""
    if not _TO_CHANGE.search(text):
        return text[:MAX_CELL_CHARACTERS]
    text = text.replace("\r\n", "\n").replace("\r", "\n")[:MAX_CELL_CHARACTERS]
    return escaped(_ESCAPE.sub("_x005F_", text)).decode()


def shown_widths(rows: Sequence[AddedRow], count: int) -> list[float]:
    """Widths for the added columns, in characters, from the first rows."""
    widths = [0] * count
    for row in rows:
        for position, value in enumerate(row.cells[:count]):
            if value is not None:
                shown = 16 if isinstance(value, datetime) else len(str(value))
                widths[position] = max(widths[position], shown)
    return [min(max(width + 2, 9), 44) + 0.7109375 for width in widths]
