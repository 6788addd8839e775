"""The text by which a file is found and sorted: its name, labels, sheet and note, without capitals and accents.

It is a column of the file's row, because SQLite compares only the letters A to Z without regard to case.
"""

import unicodedata
from collections.abc import Sequence
from typing import Any

LONGEST = 600  # characters: PostgreSQL's index takes 2,700 bytes


def fold(text: str) -> str:
    """Return the text without capitals and accents, for comparing it."""
    apart = unicodedata.normalize("NFKD", text.replace("\0", "")).casefold()
    return "".join(character for character in apart if not unicodedata.combining(character))


def search_text(file_name: str, labels: Sequence[str] = (), sheet: str = "", note: str = "") -> str:
    """Return what a search looks in: one line for each part, the name first."""
    return fold("\n".join(part for part in (file_name, *labels, sheet, note) if part))[:LONGEST]


def of_new_row(context: Any) -> str:
    """The column's default: a row that is added without it is found by its name."""
    return search_text(context.get_current_parameters()["file_name"])
