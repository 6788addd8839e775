"""Read csv and tsv files as rows: detect the encoding and the delimiter, and survive stray quotes. Pure."""

import codecs
import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from portal.documents.reader.file_type import HEAD_BYTES, wide_encoding

_DELIMITERS = (";", "\t", "|", ",")  # the first wins a tie: a comma is also a decimal separator
ONE_COLUMN = "\x1f"  # never occurs, so it splits nothing: a file of one column
_SEP = re.compile(r"\s*\"?sep=(.)\"?\s*", re.IGNORECASE)  # Excel's own hint, which Excel does not count as a row
_MAX_FIELD_CHARACTERS = 4 * 1024 * 1024


@dataclass(frozen=True)
class TextDialect:
    """How a text file is written. A file that is written back must use the same, so that its rows are the same."""

    encoding: str
    delimiter: str  # ONE_COLUMN when nothing splits the lines
    has_hint: bool  # the first record is `sep=;`, which is no row
    has_quotes: bool  # a quote is a quote, and not a character like any other

    def records(self, lines: Iterable[str]) -> Iterator[list[str]]:
        """Split lines, which keep their ends, into records. Never takes a line more than a record needs."""
        csv.field_size_limit(_MAX_FIELD_CHARACTERS)
        if self.has_quotes:
            return csv.reader(lines, delimiter=self.delimiter)
        return csv.reader(lines, delimiter=self.delimiter, quoting=csv.QUOTE_NONE)


def encoding_of(path: Path) -> str:
    """Return the encoding: UTF-16 or UTF-8 if the bytes are valid, else cp1252, as Windows in western Europe writes."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
        if wide := wide_encoding(head):
            return wide
        file.seek(0)
        decoder = codecs.getincrementaldecoder("utf-8")()
        try:
            while piece := file.read(HEAD_BYTES):
                decoder.decode(piece)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return "cp1252"
        return "utf-8"


def _lines(path: Path, encoding: str) -> Iterator[str]:
    with path.open(encoding=encoding, errors="replace", newline="") as file:
        yield from file


def delimiter_of(lines: list[str], extension: str) -> str:
    """Return the delimiter that splits most of these lines into the same number of cells (two or more).

    A tab wins in a .tsv file whenever it splits anything.
    """
    best, best_score = ONE_COLUMN, (0.5, 0)
    for delimiter in _DELIMITERS:
        widths = [len(row) for row in csv.reader(lines, delimiter=delimiter) if any(cell.strip() for cell in row)]
        wide = Counter(width for width in widths if width > 1).most_common(1)
        if not wide:
            continue
        width, times = wide[0]
        score = (round(times / len(widths), 2), width)
        if extension == ".tsv" and delimiter == "\t":
            return delimiter
        if score > best_score:
            best, best_score = delimiter, score
    return best


def read_rows(path: Path, extension: str) -> Iterator[list[str]]:
    """Read the rows as lists of texts; an empty line is an empty list."""
    dialect = dialect_of(path, extension)
    yield from islice(dialect.records(_lines(path, dialect.encoding)), int(dialect.has_hint), None)


def dialect_of(path: Path, extension: str) -> TextDialect:
    """Return how the file is written. Reads all of it.

    Quotes count as quotes only if they are balanced throughout the file: otherwise one stray quote would silently
    swallow all rows below it.
    """
    csv.field_size_limit(_MAX_FIELD_CHARACTERS)
    encoding = encoding_of(path)
    lines = list(islice(_lines(path, encoding), 100))
    hint = _SEP.fullmatch(lines[0].lstrip("\ufeff")) if lines else None
    delimiter = hint[1] if hint else delimiter_of(lines, extension)
    return TextDialect(encoding, delimiter, hint is not None, _balanced(path, encoding, delimiter))


def _balanced(path: Path, encoding: str, delimiter: str) -> bool:
    """Return whether every quoted cell of the file closes where a cell ends."""
    try:
        for _ in csv.reader(_lines(path, encoding), delimiter=delimiter, strict=True):
            pass
    except csv.Error:
        return False
    return True
