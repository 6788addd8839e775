"""The first rows of a text file as they would be read with another encoding or delimiter. Pure.

It reads a bounded piece of the file: a few rows tell whether the letters and the columns are right.
"""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from portal.documents.reader.csv_text import DELIMITERS, ONE_COLUMN, TextChoice, TextDialect
from portal.documents.reader.text_encoding import CHOICES, errors_for

ROWS = 6
_BYTES = 64 * 1024
_MOST_COLUMNS, _MOST_CHARACTERS = 12, 60
DELIMITER_NAMES = dict(zip(("semicolon", "tab", "bar", "comma", "none"), (*DELIMITERS, ONE_COLUMN), strict=True))
"""The delimiters by the names that they have in forms."""


@dataclass(frozen=True)
class TextPreview:
    """The chosen encoding, the delimiter's name, and the first rows."""

    encoding: str
    delimiter: str
    rows: list[list[str]]


def choice_from(fields: Mapping[str, str]) -> TextChoice | None:
    """Return what a form's `encoding` and `delimiter` name; None when one of them does not exist."""
    encoding, delimiter = fields.get("encoding", ""), fields.get("delimiter", "")
    if encoding not in ("", *CHOICES) or delimiter not in ("", *DELIMITER_NAMES):
        return None
    return TextChoice(encoding, DELIMITER_NAMES.get(delimiter, ""))


def preview_text(path: Path, read_as: Mapping[str, Any], choice: TextChoice) -> TextPreview:
    """Preview the file under a choice; what it leaves open is as the file was read (`read_as`, a TextDialect's fields).

    Raises FileNotFoundError.
    """
    dialect = TextDialect(**read_as)
    encoding = choice.encoding or dialect.encoding.removesuffix("-sig").removesuffix("-le").removesuffix("-be")
    delimiter = choice.delimiter or dialect.delimiter
    with path.open("rb") as file:
        head = file.read(_BYTES)
    name = choice.encoding or dialect.encoding
    text = head.decode(name, errors_for(name)).removeprefix("\ufeff")
    lines = io.StringIO(text, newline="")
    changed = replace(dialect, encoding=name, delimiter=delimiter)
    try:
        rows = list(islice(changed.records(lines), int(dialect.has_hint), ROWS + int(dialect.has_hint)))
    except csv.Error:
        rows = []
    shown = [[cell[:_MOST_CHARACTERS] for cell in row[:_MOST_COLUMNS]] for row in rows]
    names = {one: name for name, one in DELIMITER_NAMES.items()}
    return TextPreview(encoding, names.get(delimiter, ""), shown)
