"""A table for a page and as a CSV file: cells are plain values, and the kind of a column says how to format them.

It must not know what the table is about.
"""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from flask_babel import format_decimal, format_percent, gettext

from portal.jobs.export.csv_cells import harmless_throughout
from portal.jobs.export.csv_file import localized_writer
from portal.jobs.words.money import amount_words
from portal.sources.money import amount_of
from portal.web.template_filters import span_words

Value = str | int | float | None


@dataclass(frozen=True)
class Column:
    """A column: its name in URLs, its heading, and its kind: word, whole, share, seconds, rate or amount (of money, in
    billionths)."""

    name: str
    title: str
    kind: str = "whole"

    def shown(self, value: Value) -> str:
        """A cell formatted for the page."""
        if value is None:
            return "–"
        if self.kind == "word" or isinstance(value, str):
            return str(value)
        if self.kind == "amount":
            return amount_words(int(value))
        if self.kind == "share":
            return str(format_percent(value))
        if self.kind == "seconds":
            return short_span(value)
        return str(format_decimal(round(value, 1) if self.kind == "rate" and value < 100 else round(value)))

    def plain(self, value: Value, comma: bool) -> str:
        """A cell for a spreadsheet: seconds and shares are plain numbers."""
        if value is None or isinstance(value, str):
            return harmless_throughout(value or "")
        if self.kind == "amount":
            value = f"{amount_of(int(value)):f}"
        text = str(round(value, 4)) if isinstance(value, float) else str(value)
        return text.replace(".", ",") if comma else text


def short_span(seconds: float) -> str:
    """A duration in a word or two, even below one second."""
    if seconds < 1:
        return gettext("under 1 second")
    return span_words(seconds)


@dataclass(frozen=True)
class Table:
    """A table with its rows. `name` is the name of its file."""

    name: str
    title: str
    columns: Sequence[Column]
    rows: list[list[Value]] = field(default_factory=list)

    def as_csv(self) -> bytes:
        """As CSV that Excel opens with a double click, with the separators of the reader's language."""
        out = io.StringIO()
        writer, decimal_point = localized_writer(out)
        seconds = gettext("in seconds")
        writer.writerow(
            [
                harmless_throughout(f"{head.title}, {seconds}" if head.kind == "seconds" else head.title)
                for head in self.columns
            ]
        )
        for row in self.rows:
            cells = zip(self.columns, row, strict=True)
            writer.writerow([head.plain(value, not decimal_point) for head, value in cells])
        return out.getvalue().encode("utf-8-sig")

    def sorted_by(self, order: str) -> "Table":
        """Sorted by a column name; a leading minus reverses the order. Empty cells come last."""
        names = [column.name for column in self.columns]
        if order.lstrip("-") not in names:
            return self
        place, down = names.index(order.lstrip("-")), order.startswith("-")
        empty = [row for row in self.rows if row[place] is None]
        filled = sorted((row for row in self.rows if row[place] is not None), key=_key(place), reverse=down)
        return replace(self, rows=filled + empty)


def _key(place: int) -> Callable[[list[Value]], tuple[bool, float, str]]:
    def key(row: list[Value]) -> tuple[bool, float, str]:
        value = row[place]
        return (isinstance(value, str), 0.0, value) if isinstance(value, str) else (False, value or 0, "")

    return key
