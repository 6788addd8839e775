"""A csv or tsv with cells added to its rows: every byte of the original stays, the cells come before the line's end.

The lines go through the reader's own parser, which never takes a line more than a record needs: so the rows are the
reader's rows, and the bytes of a record are those of the lines that it took. Pure.
"""

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from portal.documents.reader.csv_text import ONE_COLUMN, TextDialect, dialect_of, lines_ahead
from portal.documents.reader.text_encoding import errors_for
from portal.jobs.export.added import AddedCell, AddedRow
from portal.jobs.export.csv_cells import harmless_throughout
from portal.jobs.export.in_place.added_rows import AddedRows
from portal.jobs.export.in_place.errors import CannotWriteInPlace, Obstacle
from portal.jobs.export.in_place.extra_sheet import ExtraSheet
from portal.jobs.export.in_place.survey_file import looked_through

_PIECE_BYTES = 256 * 1024
_BOM = "\ufeff"
_TO_QUOTE = frozenset(',;|\t"\r\n')  # whatever the file's delimiter: a program may split at another
_DELIMITERS = ";,\t|"
_ENDS = ("\r\n", "\n", "\r")
# Encodings in which a byte that looks like a delimiter or quote is one.
_BYTE_BY_BYTE = ("utf-8", "cp", "iso8859", "mac")
_KNOWN = 8192  # texts kept: statuses and operators repeat, numbers do not


class Record(NamedTuple):
    """One record: its fields, its text as it can be encoded again, byte for byte, and the end of its line."""

    fields: int
    text: str
    end: str


@dataclass
class TextSurvey:
    """What is known of a text file before it is copied: how it is written, and what is in it."""

    encoding: str
    delimiter: str
    has_hint: bool
    has_quotes: bool
    width: int
    has_strays: bool = False
    has_spaces: bool = False
    has_escapes: bool = False
    is_ascii: bool = True
    taken: list[str] = field(default_factory=list)  # possible delimiters that are text in a file of one column

    def dialect(self) -> TextDialect:
        """How the file is written."""
        return TextDialect(
            self.encoding, self.delimiter, self.has_hint, self.has_quotes, self.has_strays, self.has_spaces,
            self.has_escapes,
        )  # fmt: skip


def _record(text: str, fields: int) -> Record:
    end = next((end for end in _ENDS if text.endswith(end)), "")
    return Record(fields, text[: len(text) - len(end)], end)


class _Records:
    """The records of a text file."""

    def __init__(self, path: Path, dialect: TextDialect) -> None:
        self._path, self.dialect = path, dialect
        self.is_wide = dialect.encoding.startswith("utf-16")
        if self.is_wide and path.stat().st_size % 2:
            raise CannotWriteInPlace(Obstacle.ODD_MARKUP, "half a character")
        self.codec = self._wide_codec() if self.is_wide else "latin-1"

    def rows(self) -> Iterator[tuple[int, Record]]:
        """The records with their numbers as the reader counts; `sep=;` is 0."""
        return enumerate(self._records(), start=0 if self.dialect.has_hint else 1)

    def _records(self) -> Iterator[Record]:
        dialect, is_first = self.dialect, True
        by_line = not (dialect.has_strays or dialect.has_escapes) and dialect.encoding.startswith(_BYTE_BY_BYTE)
        errors = "surrogatepass" if self.is_wide else "strict"
        with self._path.open(encoding=self.codec, errors=errors, newline="") as file:
            if not by_line:
                yield from self._parsed(file, is_first=True)
                return
            for line in file:
                if is_first or (dialect.has_quotes and '"' in line):  # the record may go on in further lines
                    yield next(self._parsed(chain([line], file), is_first=is_first))
                    is_first = False
                else:  # nearly all: the parser would only split it at each delimiter
                    yield _record(line, line.count(dialect.delimiter) + 1 if line[0] not in "\r\n" else 0)

    def _parsed(self, lines: Iterable[str], *, is_first: bool) -> Iterator[Record]:
        """The records of these lines, by the reader's parser."""
        taken: list[str] = []
        records = self.dialect.records(self._read_lines(lines, taken, is_first=is_first))
        for fields in records:
            own = len(taken) - lines_ahead(records)
            text = "".join(taken[:own])
            del taken[:own]
            yield _record(text, len(fields))

    def _read_lines(self, lines: Iterable[str], taken: list[str], *, is_first: bool) -> Iterator[str]:
        """The lines as the reader sees them; each is put into `taken` as it can be encoded again."""
        for line in lines:
            taken.append(line)
            yield self._read(line, is_first=is_first)
            is_first = False

    def _read(self, line: str, *, is_first: bool) -> str:
        if self.is_wide:
            return line.removeprefix(_BOM) if is_first else line
        encoding = self.dialect.encoding if is_first else self.dialect.encoding.removesuffix("-sig")
        return line.encode("latin-1").decode(encoding, errors_for(encoding))

    def _wide_codec(self) -> str:
        if self.dialect.encoding != "utf-16":
            return self.dialect.encoding
        with self._path.open("rb") as file:
            return "utf-16-le" if file.read(2) == b"\xff\xfe" else "utf-16-be"


def _survey(path: Path, dialect: TextDialect, width: int, header_row: int) -> TextSurvey:
    """Look through all of the file, which takes seconds for a million rows."""
    found = TextSurvey(width=width, **asdict(dialect))
    taken: set[str] = set()
    for row_no, record in _Records(path, dialect).rows():
        if row_no >= max(header_row, 1):
            found.width = max(found.width, record.fields)
        found.is_ascii = found.is_ascii and record.text.isascii()
        if dialect.delimiter == ONE_COLUMN:
            taken |= {one for one in _DELIMITERS if one in record.text}
    found.taken = sorted(taken)
    return found


class OpenText:
    """A text file whose copy can be written."""

    def __init__(
        self, path: Path, extension: str, width: int, header_row: int = 0, delimiters: str = ";,\t|",
        survey_file: Path | None = None, dialect: TextDialect | None = None,
    ) -> None:  # fmt: skip
        """Look through the file, unless that was done before and kept. Added cells follow `width` columns, or more when
        rows from the heading on have more.

        `dialect` is how the file was read, where that is known. A file of one column gets the first of `delimiters`
        that is nowhere in it. Raises CannotWriteInPlace.
        """
        self._path = path
        question = {
            "extension": extension, "width": width, "header_row": header_row, "size": path.stat().st_size,
            "dialect": asdict(dialect) if dialect else None,
        }  # fmt: skip
        found = looked_through(
            survey_file, question, TextSurvey,
            lambda: _survey(path, dialect or dialect_of(path, extension), width, header_row),
        )  # fmt: skip
        self._records = _Records(path, found.dialect())
        self._dialect, self._is_wide, self._width = self._records.dialect, self._records.is_wide, found.width
        self.extension = extension.lstrip(".") if extension in (".csv", ".tsv", ".txt") else "csv"
        self._encoding = self._records.codec if self._is_wide else self._dialect.encoding.removesuffix("-sig")
        if found.is_ascii and self._dialect.encoding == "utf-8":
            self._encoding = "cp1252"  # nothing says UTF-8 here, and Excel takes a file without a mark for this
        self._delimiter = self._dialect.delimiter
        if self._delimiter == ONE_COLUMN:
            free = [one for one in delimiters if one not in found.taken]
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

    def copy(self, rows: Iterator[AddedRow], sheets: Sequence[ExtraSheet] = (), mark: str = "") -> Iterator[bytes]:
        """The copy with these rows, piece by piece. A text file has no room for more sheets and a mark."""
        added = AddedRows(rows)
        piece = bytearray()
        for row_no, record in self._records.rows():
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

    def _bytes(self, text: str) -> bytes:
        return text.encode(self._records.codec, "surrogatepass" if self._is_wide else "strict")

    def _encoded(self, text: str) -> bytes:
        """Added text in the file's encoding, and never with a second mark."""
        return text.encode(self._encoding, "replace")

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
        if self._dialect.has_escapes:
            text = text.replace("\\", "\\\\")
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
        if encoding.startswith("utf-"):
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
