"""Writes lines as CSV that Excel opens with a double click, and in which no cell can become a formula.

It must not know where the lines come from. The dialect follows the reader's language: Spanish Excel separates cells
with semicolons and writes 3,5; English Excel uses commas and 3.5.
"""

import codecs
import csv
from collections.abc import Iterator
from io import StringIO
from typing import Any, TextIO

from flask_babel import get_locale

from portal.documents.reader.sheet_file import Cell, text_of
from portal.jobs.export.csv_cells import harmless_throughout
from portal.jobs.export.lines import ExportPlan, lines

PIECE_CHARACTERS = 64 * 1024


def localized_writer(out: TextIO) -> tuple[Any, bool]:
    """Return a CSV writer for the spreadsheet programs of the reader's language, and whether they write a decimal
    point: English Excel separates cells with commas, Spanish Excel, which writes 3,5, with semicolons. Every cell is
    quoted, so that Excel in the other language keeps it together where it can."""
    locale = get_locale()
    english = locale is not None and locale.language == "en"
    return csv.writer(out, delimiter="," if english else ";", lineterminator="\r\n", quoting=csv.QUOTE_ALL), english


def csv_pieces(plan: ExportPlan) -> Iterator[bytes]:
    """Give all lines piece by piece in UTF-8 with a byte order mark, by which Excel recognises it."""
    yield codecs.BOM_UTF8
    text = StringIO(newline="")
    writer, decimal_point = localized_writer(text)
    for line in lines(plan):
        own: list[str] = [_text(cell, plain_point=decimal_point or column in plan.number_columns)
                          for column, cell in enumerate(line.cells)]  # fmt: skip
        if line.added:
            own += [""] * (plan.width - len(own))
        writer.writerow([*own, *(_text(cell, plain_point=True) for cell in line.added)])
        if text.tell() >= PIECE_CHARACTERS:
            yield _taken(text)
    yield _taken(text)


def _taken(text: StringIO) -> bytes:
    """What was written, which is forgotten."""
    written = text.getvalue().encode("utf-8", "replace")
    text.seek(0)
    text.truncate()
    return written


def _text(cell: Cell, *, plain_point: bool) -> str:
    if isinstance(cell, str):
        # Quotes alone protect only the first cell of a line from Excel in the other language.
        return harmless_throughout(cell)
    text = text_of(cell)
    return text.replace(".", ",") if isinstance(cell, float) and not plain_point else text
