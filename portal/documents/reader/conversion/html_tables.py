"""Read a web page that is called a workbook, as many web applications export: the rows of its tables. Pure.

Excel puts all tables of the page below each other on one sheet, and so does this. A row with a table inside comes after
the rows of that table.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

from portal.documents.reader.conversion.old_workbook import Look, OldRow, OldSheet, OldWorkbook, Value
from portal.documents.reader.limits import FileProblem, Unreadable
from portal.documents.reader.text_encoding import encoding_of, errors_for

_CHUNK_CHARACTERS = 256 * 1024
_HEAD_BYTES = 4096
_CHARSET = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([\w.:-]{1,40})""", re.IGNORECASE)
_WHITE = re.compile(r"[ \t\r\n\f]+")
_WHOLE = re.compile(r"-?(?:0|[1-9]\d{0,14})")
_AS_TEXT = re.compile(r"mso-number-format\s*:\s*[\"']?\\?@", re.IGNORECASE)
_MOST_SPANNED = 256
_SHEET_NAME = re.compile(r"<x:Name>([^<]{1,31})</x:Name>", re.IGNORECASE)
_LINES = frozenset({"br", "p", "div", "li"})


def read_html(path: Path) -> OldWorkbook:
    """Read the page. Raises Unreadable (wrong type) when it has no table with rows."""
    page = _Page()
    name = ""
    with path.open(encoding=_encoding_of(path), errors=errors_for("utf-8"), newline="") as file:
        while chunk := file.read(_CHUNK_CHARACTERS):
            name = name or (found[1] if (found := _SHEET_NAME.search(chunk)) else "")
            page.feed(chunk)
    page.close()
    page.finish()
    if not page.rows:
        raise Unreadable(FileProblem.WRONG_TYPE, {"found": "html"})
    sheet = OldSheet(
        name or "Sheet1", "", iter(page.old_rows()), (len(page.rows) - 1, max(page.width - 1, 0)), merged=page.merged
    )
    return OldWorkbook(iter([sheet]), [Look()])


def _encoding_of(path: Path) -> str:
    """What the bytes are, before what the page says of itself."""
    found = encoding_of(path)
    if found.startswith("utf-"):
        return found
    with path.open("rb") as file:
        said = _CHARSET.search(file.read(_HEAD_BYTES))
    if said is not None:
        try:
            "".encode(said[1].decode("ascii"))
        except (LookupError, UnicodeError):
            return found
        return said[1].decode("ascii")
    return found


@dataclass
class _Table:
    row: list[tuple[int, Value]] | None = None
    column: int = 0
    cell: list[str] | None = None
    as_text: bool = False
    span: tuple[int, int] = (1, 1)  # rows and columns of the open cell
    held: dict[int, int] = field(default_factory=dict)  # columns that a cell above fills, and for how many rows


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.rows: list[list[tuple[int, Value]]] = []
        self.merged: list[tuple[int, int, int, int]] = []
        self.width = 0
        self._tables: list[_Table] = []
        self._skipped = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "style"):
            self._skipped += 1
        elif tag == "table":
            self._tables.append(_Table())
        elif not self._tables:
            return
        elif tag == "tr":
            self._end_row()
            self._tables[-1].row = []
            self._tables[-1].column = 0
        elif tag in ("td", "th"):
            self._begin_cell(dict(attrs))
        elif tag in _LINES and self._tables[-1].cell:
            self._tables[-1].cell.append("\n" if tag == "br" else " ")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style"):
            self._skipped = max(self._skipped - 1, 0)
        elif not self._tables:
            return
        elif tag in ("td", "th"):
            self._end_cell()
        elif tag == "tr":
            self._end_row()
        elif tag == "table":
            self._end_row()
            self._tables.pop()

    def handle_data(self, data: str) -> None:
        if self._tables and not self._skipped and (cell := self._tables[-1].cell) is not None:
            cell.append(_WHITE.sub(" ", data))

    def finish(self) -> None:
        """End what the page left open."""
        while self._tables:
            self.handle_endtag("table")

    def old_rows(self) -> Iterator[OldRow]:
        """The rows as a workbook's."""
        for number, cells in enumerate(self.rows):
            yield OldRow(number, [(column, 0, value) for column, value in cells])

    def _begin_cell(self, attributes: dict[str, str | None]) -> None:
        table = self._tables[-1]
        self._end_cell()
        if table.row is None:
            table.row, table.column = [], 0
        self._pass_held(table)
        table.cell = []
        said = f"{attributes.get('style') or ''} {attributes.get('class') or ''}"
        table.as_text = "x:str" in attributes or bool(_AS_TEXT.search(said))
        table.span = (_span(attributes.get("rowspan")), _span(attributes.get("colspan")))

    def _pass_held(self, table: _Table) -> None:
        while table.held.get(table.column, 0) > 0:
            table.held[table.column] -= 1
            table.column += 1

    def _end_cell(self) -> None:
        table = self._tables[-1]
        if table.cell is None or table.row is None:
            return
        text = "\n".join(line.strip() for line in "".join(table.cell).replace("\xa0", " ").split("\n")).strip()
        down, across = table.span
        if text:
            whole = not table.as_text and _WHOLE.fullmatch(text)
            table.row.append((table.column, float(text) if whole else text))
        if (down, across) != (1, 1):
            top, left = len(self.rows), table.column
            self.merged.append((top, top + down - 1, left, left + across - 1))
        if down > 1:
            for column in range(table.column, table.column + across):
                table.held[column] = down - 1
        table.column += across
        self.width = max(self.width, table.column)
        table.cell = None

    def _end_row(self) -> None:
        table = self._tables[-1]
        self._end_cell()
        if table.row is not None:
            for column in [one for one in table.held if one >= table.column]:
                table.held[column] = max(table.held[column] - 1, 0)
            self.rows.append(table.row)
            table.row = None


def _span(text: str | None) -> int:
    return min(max(int(text), 1), _MOST_SPANNED) if text and text.isascii() and text.isdigit() and len(text) < 6 else 1
