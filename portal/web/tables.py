"""A table as a page shows it and as a file: its cells are plain values, and a column's kind says how they are read.

It must not know what it is a table of.
"""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from flask_babel import format_decimal, format_percent, gettext

from portal.jobs.export.csv_file import harmless, localized_writer
from portal.web.template_filters import span_words

Value = str | int | float | None


@dataclass(frozen=True)
class Column:
    """A column: by what it is sorted in an address, its heading, and its kind: word, whole, share, seconds or rate."""

    name: str
    title: str
    kind: str = "whole"

    def shown(self, value: Value) -> str:
        """A cell as a person reads it."""
        if value is None:
            return "–"
        if self.kind == "word" or isinstance(value, str):
            return str(value)
        if self.kind == "share":
            return str(format_percent(value))
        if self.kind == "seconds":
            return short_span(value)
        return str(format_decimal(round(value, 1) if self.kind == "rate" and value < 100 else round(value)))

    def plain(self, value: Value, comma: bool) -> str:
        """A cell for a spreadsheet: seconds and shares as numbers."""
        if value is None or isinstance(value, str):
            return harmless(value or "")
        text = str(round(value, 4)) if isinstance(value, float) else str(value)
        return text.replace(".", ",") if comma else text


def short_span(seconds: float) -> str:
    """A span in a word or two, also one of less than a second."""
    if seconds < 1:
        return gettext("under 1 second")
    return span_words(seconds)


@dataclass(frozen=True)
class Table:
    """A table with its rows. `name` is what its file is called."""

    name: str
    title: str
    columns: Sequence[Column]
    rows: list[list[Value]] = field(default_factory=list)

    def as_csv(self) -> bytes:
        """As a file that Excel opens with a double click, in the way of the reader's language."""
        out = io.StringIO()
        writer, decimal_point = localized_writer(out)
        seconds = gettext("in seconds")
        writer.writerow(
            [harmless(f"{head.title}, {seconds}" if head.kind == "seconds" else head.title) for head in self.columns]
        )
        for row in self.rows:
            cells = zip(self.columns, row, strict=True)
            writer.writerow([head.plain(value, not decimal_point) for head, value in cells])
        return out.getvalue().encode("utf-8-sig")

    def sorted_by(self, asked: str) -> "Table":
        """Sorted by a column's name; a minus in front turns it round. What is empty comes last."""
        names = [column.name for column in self.columns]
        if asked.lstrip("-") not in names:
            return self
        place, down = names.index(asked.lstrip("-")), asked.startswith("-")
        empty = [row for row in self.rows if row[place] is None]
        filled = sorted((row for row in self.rows if row[place] is not None), key=_key(place), reverse=down)
        return replace(self, rows=filled + empty)


def _key(place: int) -> Callable[[list[Value]], tuple[bool, float, str]]:
    def key(row: list[Value]) -> tuple[bool, float, str]:
        value = row[place]
        return (isinstance(value, str), 0.0, value) if isinstance(value, str) else (False, value or 0, "")

    return key
