"""Read an XML spreadsheet of Excel 2003, which many web applications export under the name .xls. Pure.

Elements: "XML Spreadsheet Reference", Microsoft, 2001. Kept are sheets, rows, cells, merged cells, what is hidden, and
how numbers and dates are shown.
"""

import datetime
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

from portal.documents.reader.conversion.old_workbook import (
    MAX_COLUMNS,
    MAX_ROWS,
    CellError,
    Look,
    OldRow,
    OldSheet,
    OldWorkbook,
    Value,
)  # fmt: skip
from portal.documents.reader.limits import FileProblem, Unreadable

NAMESPACE = "urn:schemas-microsoft-com:office:spreadsheet"
_FORMATS: dict[str, int | str] = {
    "general": 0, "general number": 0, "fixed": 2, "standard": 4, "percent": 10, "scientific": 11, "short date": 14,
    "medium date": 15, "long date": "d mmmm yyyy", "general date": 22, "medium time": 18, "long time": 21,
    "short time": 20,
}  # fmt: skip
_DATE, _MOMENT = 14, 22
_FIRST_DAY = datetime.datetime(1899, 12, 30)  # noqa: DTZ001 - the dates of spreadsheets have no zone


@dataclass
class _Sheet:
    name: str
    hidden: str = ""
    rows: list[OldRow] = field(default_factory=list)
    merged: list[tuple[int, int, int, int]] = field(default_factory=list)
    width: int = 0


def read_xml_2003(path: Path) -> OldWorkbook:
    """Read the workbook. Raises Unreadable: damaged when its XML is not well-formed, unsafe with a document type."""
    reader = _Reader()
    reader.read(path)
    sheets = [
        OldSheet(one.name, one.hidden, iter(one.rows), (one.rows[-1].row if one.rows else 0, max(one.width - 1, 0)),
                 merged=one.merged)
        for one in reader.sheets
    ]  # fmt: skip
    return OldWorkbook(iter(sheets), reader.looks)


class _Reader:
    def __init__(self) -> None:
        self.sheets: list[_Sheet] = []
        self.looks: list[Look] = [Look(), Look(_DATE), Look(_MOMENT)]
        self._styles: dict[str, int] = {}
        self._style = ""
        self._row, self._next_row, self._column = 0, 0, 0
        self._cells: list[tuple[int, int, Value]] = []
        self._hidden = False
        self._look, self._place = "", 0
        self._kind = ""
        self._text: list[str] | None = None
        self._is_comment = 0

    def read(self, path: Path) -> None:
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.StartElementHandler, parser.EndElementHandler = self._start, self._end
        parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = self._data, self._refuse
        try:
            with path.open("rb") as file:
                parser.ParseFile(file)
        except expat.ExpatError as error:
            raise Unreadable(FileProblem.DAMAGED) from error

    def _refuse(self, *_: object) -> None:
        raise Unreadable(FileProblem.UNSAFE)  # entities that grow

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        space, _, tag = name.rpartition(" ")
        if space != NAMESPACE:
            return
        said = {key.rpartition(" ")[2]: value for key, value in attributes.items()}
        match tag:
            case "Style":
                self._style = said.get("ID", "")
            case "NumberFormat" if self._style:
                code = said.get("Format", "")
                self._styles[self._style] = len(self.looks)
                self.looks.append(Look(_FORMATS.get(code.lower(), code or 0)))
            case "Worksheet":
                self.sheets.append(_Sheet(said.get("Name", "")[:31] or f"Sheet{len(self.sheets) + 1}"))
                self._next_row = 0
            case "Row" if self.sheets:
                self._row = max(self._next_row, _number(said.get("Index"), MAX_ROWS, self._next_row + 1) - 1)
                self._next_row = self._row + 1 + _number(said.get("Span"), MAX_ROWS, 0)
                self._cells, self._column, self._hidden = [], 0, said.get("Hidden") == "1"
            case "Cell" if self.sheets:
                self._begin_cell(said)
            case "Comment":
                self._is_comment += 1
            case "Data" if not self._is_comment:
                self._kind, self._text = said.get("Type", "String"), []

    def _begin_cell(self, said: dict[str, str]) -> None:
        self._column = max(self._column, _number(said.get("Index"), MAX_COLUMNS, self._column + 1) - 1)
        self._look = said.get("StyleID", "")
        across, down = _number(said.get("MergeAcross"), MAX_COLUMNS, 0), _number(said.get("MergeDown"), MAX_ROWS, 0)
        if across or down:
            self.sheets[-1].merged.append((self._row, self._row + down, self._column, self._column + across))
        self._place, self._column = self._column, self._column + 1 + across

    def _end(self, name: str) -> None:
        space, _, tag = name.rpartition(" ")
        if space != NAMESPACE:
            return
        match tag:
            case "Style":
                self._style = ""
            case "Comment":
                self._is_comment -= 1
            case "Data" if self._text is not None:
                value, usual = _value(self._kind, "".join(self._text))
                self._text = None
                if value is not None:
                    self._cells.append((self._place, self._styles.get(self._look, usual), value))
            case "Row" if self.sheets:
                sheet = self.sheets[-1]
                sheet.width = max(sheet.width, self._column)
                if self._cells or self._hidden:
                    sheet.rows.append(OldRow(self._row, self._cells, hidden=self._hidden))

    def _data(self, text: str) -> None:
        if self._text is not None:
            self._text.append(text)


def _number(text: str | None, most: int, otherwise: int) -> int:
    return min(int(text), most) if text and text.isascii() and text.isdigit() and len(text) < 9 else otherwise


def _value(kind: str, text: str) -> tuple[Value, int]:
    """The value, and the number of the look that it has without a style of its own."""
    match kind:
        case "Number":
            try:
                return float(text), 0
            except ValueError:
                return text or None, 0
        case "Boolean":
            return text.strip() in ("1", "true"), 0
        case "Error":
            return CellError(text), 0
        case "DateTime":
            try:
                moment = datetime.datetime.fromisoformat(text.strip()).replace(tzinfo=None)
            except ValueError:
                return text or None, 0
            days = (moment - _FIRST_DAY) / datetime.timedelta(days=1)
            return days, _DATE if moment.time() == datetime.time() else _MOMENT
        case _:
            return text or None, 0
