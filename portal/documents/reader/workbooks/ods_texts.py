"""The texts that an ods shows for its numbers and dates, in the first rows of its first sheets. Pure.

Unlike an xlsx, an ods has beside each value the text that its program showed: `1.081,34 €`, `08002`, `1 1/2`. It is
taken as it is, as what the person saw; the styles behind it may have conditions, and the program's own language.
Only for XML with the usual prefixes, as the parser needs it too. Format: OpenDocument 1.3 part 3, 6.1 and 9.1.
"""

import re
import zipfile
from collections.abc import Collection
from pathlib import Path

from portal.documents.reader.sheet_file import FORMAT_ROWS, SHOWN_MARK

_PIECE_BYTES = 64 * 1024
_MOST_BYTES = 1024 * 1024  # of the first rows of a sheet
_LONGEST_TAG = 2_000
_COLUMNS = 100
_LONGEST_TEXT = 100
_TABLE = re.compile(rb'<table:table (?:[^<>]*\s)?table:name="([^"]*)"[^<>]*>')
_ROW = re.compile(rb"<table:table-row\b([^<>]*?)(?:/>|>(.*?)</table:table-row>)", re.DOTALL)
_CELL = re.compile(
    rb"<table:(?:covered-)?table-cell\b([^<>]*?)(?:/>|>(.*?)</table:(?:covered-)?table-cell>)", re.DOTALL
)
_ROWS, _COLUMNS_TOO = (re.compile(rb'\btable:number-%s-repeated="(\d{1,7})"' % name) for name in (b"rows", b"columns"))
_VALUE = re.compile(rb'\boffice:(?:value|date-value)="([^"]*)"')
_KIND = re.compile(rb'\boffice:value-type="(?:float|percentage|currency|date)"')
_NOTE = re.compile(rb"<office:annotation\b.*?</office:annotation>", re.DOTALL)
_PARAGRAPH = re.compile(rb"<text:p\b[^<>]*>(.*?)</text:p>", re.DOTALL)
_SPACE, _TAG = re.compile(rb"<text:s\b[^<>]*>"), re.compile(rb"<[^<>]*>")
_ENTITIES = ((b"&lt;", b"<"), (b"&gt;", b">"), (b"&quot;", b'"'), (b"&apos;", b"'"), (b"&amp;", b"&"))

Formats = dict[int, dict[int, str]]


def shown_texts(path: Path, content: str, names: Collection[str]) -> dict[str, Formats]:
    """Return by sheet, row (from 1) and column (from 0) how a value is shown, behind a mark that tells it from a
    format's code. `content`: the entry with the sheets; `names`: those of the sheets that are looked at."""
    found: dict[str, Formats] = {}
    wanted = {name.encode() for name in names}
    with zipfile.ZipFile(path) as package, package.open(content) as source:
        seen, table = b"", None
        while wanted and (piece := source.read(_PIECE_BYTES)):
            seen += piece
            while True:
                if table is None and (start := _TABLE.search(seen)):
                    table, seen = _plain(start[1]), seen[start.end() :]
                if table is None:
                    seen = seen[-_LONGEST_TAG:]
                    break
                end = seen.find(b"</table:table>")
                if end < 0 and len(seen) < _MOST_BYTES and seen.count(b"</table:table-row>") < FORMAT_ROWS:
                    break
                if table in wanted:
                    found[table.decode("utf-8", "replace")] = _formats(seen if end < 0 else seen[:end])
                    wanted.discard(table)
                table = None
    return found


def _formats(xml: bytes) -> Formats:
    formats: Formats = {}
    row_no = 1
    for row in _ROW.finditer(xml):
        if row_no > FORMAT_ROWS:
            break
        times = _repeated(_ROWS, row[1])
        if row[2] and (shown := _of_row(row[2])):
            formats.update(dict.fromkeys(range(row_no, min(row_no + times - 1, FORMAT_ROWS) + 1), shown))
        row_no += times
    return formats


def _of_row(xml: bytes) -> dict[int, str]:
    shown: dict[int, str] = {}
    column = 0
    for cell in _CELL.finditer(_NOTE.sub(b"", xml)):
        times = _repeated(_COLUMNS_TOO, cell[1])
        value = _VALUE.search(cell[1])
        if cell[2] and value and _KIND.search(cell[1]):
            text = b"\n".join(_plain(_TAG.sub(b"", _SPACE.sub(b" ", one))) for one in _PARAGRAPH.findall(cell[2]))
            if text.strip() and text != value[1]:
                mark = SHOWN_MARK + text.decode("utf-8", "replace")[:_LONGEST_TEXT]
                shown.update(dict.fromkeys(range(column, min(column + times, _COLUMNS)), mark))
        column += times
        if column >= _COLUMNS:
            break
    return shown


def _repeated(pattern: re.Pattern[bytes], attributes: bytes) -> int:
    found = pattern.search(attributes)
    return int(found[1]) if found else 1


def _plain(text: bytes) -> bytes:
    for entity, character in _ENTITIES:
        text = text.replace(entity, character)
    return text
