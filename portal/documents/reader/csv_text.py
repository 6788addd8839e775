"""Lines of cells (csv, tsv) as rows: which encoding, which delimiter, and what to do with stray quotes. Pure."""

import codecs
import csv
import re
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from portal.documents.reader.file_type import HEAD_BYTES, wide_encoding

_DELIMITERS = (";", "\t", "|", ",")  # in this order when two split equally well: a comma is also a decimal point
_NOTHING = "\x1f"  # splits nothing: a file of one column
_SEP = re.compile(r"\s*\"?sep=(.)\"?\s*", re.IGNORECASE)  # Excel's own hint, which it does not count as a row
_MAX_FIELD_CHARACTERS = 4 * 1024 * 1024


def encoding_of(path: Path) -> str:
    """UTF-16 or UTF-8 where the bytes are that, and otherwise what Windows in western Europe writes."""
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


def delimiter_of(lines: list[str], ending: str) -> str:
    """The delimiter that splits most of these lines into the same number of cells, above one."""
    best, best_score = _NOTHING, (0.5, 0)
    for delimiter in _DELIMITERS:
        widths = [len(row) for row in csv.reader(lines, delimiter=delimiter) if any(cell.strip() for cell in row)]
        wide = Counter(width for width in widths if width > 1).most_common(1)
        if not wide:
            continue
        width, times = wide[0]
        score = (round(times / len(widths), 2), width)
        if ending == ".tsv" and delimiter == "\t":
            return delimiter
        if score > best_score:
            best, best_score = delimiter, score
    return best


def read_rows(path: Path, ending: str) -> Iterator[list[str]]:
    """The rows as lists of texts; an empty line is a row without cells.

    Quotes are taken at their word only when they are balanced through the whole file: one stray quote would
    otherwise swallow all rows below it without a sound.
    """
    csv.field_size_limit(_MAX_FIELD_CHARACTERS)
    encoding = encoding_of(path)
    lines = list(islice(_lines(path, encoding), 100))
    skip = 0
    if lines and (hint := _SEP.fullmatch(lines[0].lstrip("\ufeff"))):
        delimiter, skip = hint[1], 1
    else:
        delimiter = delimiter_of(lines, ending)
    if _balanced(path, encoding, delimiter):
        found = csv.reader(_lines(path, encoding), delimiter=delimiter)
    else:
        found = csv.reader(_lines(path, encoding), delimiter=delimiter, quoting=csv.QUOTE_NONE)
    yield from islice(found, skip, None)


def _balanced(path: Path, encoding: str, delimiter: str) -> bool:
    """Whether every quoted cell of the file is closed where a cell ends."""
    try:
        for _ in csv.reader(_lines(path, encoding), delimiter=delimiter, strict=True):
            pass
    except csv.Error:
        return False
    return True
