"""Read csv and tsv files as rows: detect the encoding and the delimiter, and survive stray quotes. Pure."""

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from portal.documents.reader.stray_quotes import RecordsWithStrays, cells_of_line, has_quoted_cell
from portal.documents.reader.text_encoding import encoding_of, errors_for

DELIMITERS = (";", "\t", "|", ",")  # the first wins a tie: a comma is also a decimal separator
ONE_COLUMN = "\x1f"  # never occurs, so it splits nothing: a file of one column
_SEP = re.compile(r"\s*\"?sep=(.)\"?\s*", re.IGNORECASE)  # Excel's own hint, which Excel does not count as a row
_MAX_FIELD_CHARACTERS = 4 * 1024 * 1024
_LINES_JUDGED = 100
_ESCAPED_JUDGED = 1000
_RAGGED = 0.7  # of the lines are split by the delimiter of a file whose rows have many widths


@dataclass(frozen=True)
class TextChoice:
    """What a person chose for a text file; an empty value is detected."""

    encoding: str = ""
    delimiter: str = ""


@dataclass(frozen=True)
class TextDialect:
    """How a text file is written. A file that is written back must use the same, so that its rows are the same."""

    encoding: str
    delimiter: str  # ONE_COLUMN when nothing splits the lines
    has_hint: bool  # the first record is `sep=;`, which is no row
    has_quotes: bool  # a quote is a quote, and not a character like any other
    has_strays: bool = False  # not every quote is closed: one line at a time is looked at
    has_spaces: bool = False  # a space may stand before a quote
    has_escapes: bool = False  # a backslash takes the meaning from a delimiter or quote

    def records(self, lines: Iterable[str]) -> "Iterator[list[str]]":
        """Split lines, which keep their ends, into records. It takes no line more than a record needs, but for
        `lines_ahead`."""
        csv.field_size_limit(_MAX_FIELD_CHARACTERS)
        if self.has_strays:
            return RecordsWithStrays(lines, self.delimiter, self.split, is_escaped=self.has_escapes)
        return self.split(lines)

    def split(self, lines: Iterable[str], *, strict: bool = False) -> Iterator[list[str]]:
        """Split lines by the standard's rules; with `strict`, raise csv.Error where a quote is stray."""
        escape = "\\" if self.has_escapes else None
        if not self.has_quotes:
            return csv.reader(lines, delimiter=self.delimiter, quoting=csv.QUOTE_NONE, escapechar=escape)
        return csv.reader(
            lines, delimiter=self.delimiter, strict=strict, escapechar=escape, skipinitialspace=self.has_spaces
        )


def lines_ahead(records: Iterator[list[str]]) -> int:
    """Return how many lines were taken that belong to the records after the last one."""
    return records.ahead if isinstance(records, RecordsWithStrays) else 0


def text_lines(path: Path, encoding: str) -> Iterator[str]:
    """Read the lines, each with its end."""
    with path.open(encoding=encoding, errors=errors_for(encoding), newline="") as file:
        yield from file


def delimiter_of(lines: list[str], extension: str) -> str:
    """Return the delimiter that splits most of these lines into the same number of cells (two or more).

    When rows have many widths, it is the one that splits nearly all of them. A tab wins in a .tsv file whenever it
    splits anything.
    """
    best, best_score = ONE_COLUMN, (0.5, 0)
    ragged, ragged_score = ONE_COLUMN, (_RAGGED, 0.0)
    for delimiter in DELIMITERS:
        widths = [len(row) for row in _sampled(lines, delimiter) if any(cell.strip() for cell in row)]
        wide = Counter(width for width in widths if width > 1).most_common(1)
        if not wide:
            continue
        if extension == ".tsv" and delimiter == "\t":
            return delimiter
        width, times = wide[0]
        score = (round(times / len(widths), 2), width)
        if score > best_score:
            best, best_score = delimiter, score
        many = sum(one > 1 for one in widths) / len(widths)
        if widths[0] > 1 and (many, sum(widths)) > ragged_score:
            ragged, ragged_score = delimiter, (many, sum(widths))
    return ragged if best == ONE_COLUMN else best


def _sampled(lines: list[str], delimiter: str) -> Iterable[Sequence[str]]:
    """The cells of these lines; one by one when a quote among them is stray, as it would swallow the others."""
    try:
        return list(csv.reader(lines, delimiter=delimiter, strict=True, skipinitialspace=True))
    except csv.Error:
        return [cells_of_line(line, delimiter) for line in lines]


def read_rows(path: Path, dialect: TextDialect) -> Iterator[list[str]]:
    """Read the rows as lists of texts; an empty line is an empty list."""
    yield from islice(dialect.records(text_lines(path, dialect.encoding)), int(dialect.has_hint), None)


def dialect_of(path: Path, extension: str, choice: TextChoice = TextChoice()) -> TextDialect:
    """Return how the file is written. Reads all of it.

    Where not every quote of the file closes where a cell ends, each line is looked at alone: else one stray quote
    would silently swallow all rows below it.
    """
    csv.field_size_limit(_MAX_FIELD_CHARACTERS)
    encoding = choice.encoding or encoding_of(path)
    lines = list(islice(text_lines(path, encoding), _LINES_JUDGED))
    hint = _SEP.fullmatch(lines[0].lstrip("\ufeff")) if lines else None
    delimiter = choice.delimiter or (hint[1] if hint else delimiter_of(lines, extension))
    spaces = any(f'{delimiter} "' in line for line in lines)
    escapes = _has_escapes(path, encoding, delimiter)
    plain = TextDialect(encoding, delimiter, hint is not None, True, False, spaces, escapes)
    if _balanced(path, plain):
        return plain
    quoted = any(has_quoted_cell(line, delimiter) for line in text_lines(path, encoding) if '"' in line)
    return TextDialect(encoding, delimiter, hint is not None, quoted, quoted, spaces, escapes)


def _balanced(path: Path, dialect: TextDialect) -> bool:
    """Return whether every quoted cell of the file closes where a cell ends."""
    try:
        for _ in dialect.split(text_lines(path, dialect.encoding), strict=True):
            pass
    except csv.Error:
        return False
    return True


def _has_escapes(path: Path, encoding: str, delimiter: str) -> bool:
    """Return whether lines with a backslash before a delimiter or quote have the usual width only when it escapes."""
    marks = (f"\\{delimiter}", '\\"')
    found: list[str] = []
    others: list[str] = []
    for line in text_lines(path, encoding):
        if "\\" in line and any(mark in line for mark in marks):
            found.append(line)
        elif len(others) < _LINES_JUDGED:
            others.append(line)
        if len(found) >= _ESCAPED_JUDGED:
            break
    if not found:
        return False
    usual = Counter(len(cells_of_line(line, delimiter)) for line in others if line.strip()).most_common(1)
    if not usual:
        return True
    width = usual[0][0]
    with_escapes = sum(len(cells_of_line(line, delimiter, is_escaped=True)) == width for line in found)
    return with_escapes > sum(len(cells_of_line(line, delimiter)) == width for line in found)
