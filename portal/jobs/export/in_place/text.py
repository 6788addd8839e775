"""A csv or tsv with cells added to its rows: every byte of the original stays, the cells come before the line's end.

The lines go through the reader's own parser, which never takes a line more than a record needs: so the rows are the
reader's rows, and the bytes of a record are those of the lines that it took. Pure.
"""

import unicodedata
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from portal.documents.reader.csv_text import ONE_COLUMN, dialect_of
from portal.jobs.export.added import AddedCell, AddedRow
from portal.jobs.export.csv_cells import harmless_throughout
from portal.jobs.export.in_place.added_rows import AddedRows
from portal.jobs.export.in_place.errors import CannotWriteInPlace, Obstacle
from portal.jobs.export.in_place.extra_sheet import ExtraSheet

_PIECE_BYTES = 256 * 1024
_BOM = "\ufeff"
_TO_QUOTE = frozenset(',;|\t"\r\n')  # whatever the file's delimiter: a program may split at another
_ENDS = ("\r\n", "\n", "\r")
_KNOWN = 8192  # texts kept: statuses and operators repeat, numbers do not


class Record(NamedTuple):
    """One record: its fields, its text as it can be encoded again, byte for byte, and the end of its line."""

    fields: int
    text: str
    end: str


class OpenText:
    """A text file whose copy can be written."""

    def __init__(self, path: Path, extension: str, width: int, header_row: int = 0, delimiters: str = ";,\t|") -> None:
        """Look through the file. Added cells follow `width` columns, or more when rows from the heading on have more.

        A file of one column gets the first of `delimiters` that is nowhere in it. Raises CannotWriteInPlace.
        """
        self._path = path
        self._dialect = dialect_of(path, extension)
        self.extension = extension.lstrip(".") if extension in (".csv", ".tsv", ".txt") else "csv"
        self._is_wide = self._dialect.encoding.startswith("utf-16")
        if self._is_wide and path.stat().st_size % 2:
            raise CannotWriteInPlace(Obstacle.ODD_MARKUP, "half a character")
        self._codec = self._wide_codec() if self._is_wide else "latin-1"
        self._width, taken, is_ascii = width, set[str](), True
        for row_no, record in self._rows():
            if row_no >= max(header_row, 1):
                self._width = max(self._width, record.fields)
            is_ascii = is_ascii and record.text.isascii()
            if self._dialect.delimiter == ONE_COLUMN:
                taken |= {one for one in delimiters if one in record.text}
        self._encoding = self._codec if self._is_wide else self._dialect.encoding.removesuffix("-sig")
        if is_ascii and self._dialect.encoding == "utf-8":
            self._encoding = "cp1252"  # nothing says UTF-8 here, and Excel takes a file without a mark for this
        self._delimiter = self._dialect.delimiter
        if self._delimiter == ONE_COLUMN:
            free = [one for one in delimiters if one not in taken]
            if not free:
                raise CannotWriteInPlace(Obstacle.NO_DELIMITER)
            self._delimiter = free[0]
        self._texts: dict[str, str] = {}

    def close(self) -> None:
        """Nothing is open between two readings."""

    @property
    def first_added(self) -> int:
        """The position (from 0) of the first added column."""
        return self._width

    def copy(self, rows: Iterator[AddedRow], sheets: Sequence[ExtraSheet] = ()) -> Iterator[bytes]:
        """The copy with these rows, piece by piece. A text file has no room for more sheets."""
        added = AddedRows(rows)
        piece = bytearray()
        for row_no, record in self._rows():
            piece += self._bytes(record.text)
            for _ in added.skipped_before(row_no):
                pass  # a row that the file does not have
            if row := added.take(row_no):
                missing = self._delimiter * (self._width - max(record.fields, 1))
                cells = "".join(self._delimiter + self._cell(cell) for cell in row.cells)
                piece += self._encoded(missing + cells)
            piece += self._bytes(record.end)
            if len(piece) >= _PIECE_BYTES:
                yield bytes(piece)
                piece.clear()
        yield bytes(piece)

    def _rows(self) -> Iterator[tuple[int, Record]]:
        """The records with their numbers as the reader counts; `sep=;` is 0."""
        taken: list[str] = []
        first = 0 if self._dialect.has_hint else 1
        for row_no, fields in enumerate(self._dialect.records(self._lines(taken)), start=first):
            text = "".join(taken)
            taken.clear()
            end = next((end for end in _ENDS if text.endswith(end)), "")
            yield row_no, Record(len(fields), text[: len(text) - len(end)], end)

    def _lines(self, taken: list[str]) -> Iterator[str]:
        """The lines as the reader sees them; each is put into `taken` as it can be encoded again."""
        errors = "surrogatepass" if self._is_wide else "strict"
        with self._path.open(encoding=self._codec, errors=errors, newline="") as file:
            is_first = True
            for line in file:
                taken.append(line)
                yield self._read(line, is_first=is_first)
                is_first = False

    def _read(self, line: str, *, is_first: bool) -> str:
        if self._is_wide:
            return line.removeprefix(_BOM) if is_first else line
        encoding = self._dialect.encoding if is_first else self._dialect.encoding.removesuffix("-sig")
        return line.encode("latin-1").decode(encoding, "replace")

    def _bytes(self, text: str) -> bytes:
        return text.encode(self._codec, "surrogatepass" if self._is_wide else "strict")

    def _encoded(self, text: str) -> bytes:
        """Added text in the file's encoding, and never with a second mark."""
        return text.encode(self._encoding, "replace")

    def _wide_codec(self) -> str:
        if self._dialect.encoding != "utf-16":
            return self._dialect.encoding
        with self._path.open("rb") as file:
            return "utf-16-le" if file.read(2) == b"\xff\xfe" else "utf-16-be"

    def _cell(self, cell: AddedCell) -> str:
        if not isinstance(cell, str):
            return self._written(cell)
        known = self._texts.get(cell)
        if known is None:
            if len(self._texts) >= _KNOWN:
                self._texts.clear()
            known = self._texts[cell] = self._written(cell)
        return known

    def _written(self, cell: AddedCell) -> str:
        """An added cell as text: with the file's decimal sign, in letters that its encoding has, quoted if need be."""
        match cell:
            case None:
                return ""
            case bool():
                return str(cell).upper()
            case datetime():
                return cell.isoformat(" ", "seconds")
            case float() if self._delimiter == ";":
                return str(cell).replace(".", ",")
            case int() | float():
                text = str(cell)
            case _:
                text = harmless_throughout(self._in_its_letters(cell.replace("\x00", "")))
        if not self._dialect.has_quotes:
            # A quote would not be one here, so nothing may split the cell.
            for one in (self._delimiter, "\r", "\n", '"'):
                text = text.replace(one, " ")
            return text
        if _TO_QUOTE.isdisjoint(text) and self._delimiter not in text:
            return text
        doubled = text.replace('"', '""')
        return f'"{doubled}"'

    def _in_its_letters(self, text: str) -> str:
        """Letters that the encoding lacks, without their accents (`ł` and `ő` in cp1252), or as a question mark."""
        encoding = self._encoding
        if encoding != "cp1252":
            return text.encode("utf-8", "replace").decode()
        try:
            text.encode(encoding)
        except UnicodeEncodeError:
            return "".join(_nearest(letter, encoding) for letter in text)
        return text


_NO_PARTS = str.maketrans("łŁđĐıħĦŧŦ", "lLdDihHtT")  # letters that Unicode does not take apart


def _nearest(letter: str, encoding: str) -> str:
    try:
        letter.encode(encoding)
    except UnicodeEncodeError:
        plain = unicodedata.normalize("NFKD", letter.translate(_NO_PARTS))
        return plain.encode(encoding, "ignore").decode(encoding) or "?"
    return letter
