"""What the forms for correcting cells send: a field for each cell, and buttons that name a cell or a reason."""

from collections.abc import Iterator

from flask import request
from flask_babel import gettext

from portal.documents.corrections import Cell

LONGEST_TYPED = 200  # characters
TYPED = "cell-"  # before a field's row and column: `cell-12-1`


def typed_cells() -> Iterator[tuple[Cell, str]]:
    """The cells over which something was typed, with what it is."""
    for name, value in request.form.items():
        cell, typed = cell_of(name.removeprefix(TYPED)), value.strip()[:LONGEST_TYPED]
        if name.startswith(TYPED) and cell is not None and typed:
            yield cell, typed


def cell_of(text: str) -> Cell | None:
    """The row and column in `12-1`."""
    row_no, _, column = text.partition("-")
    if not all(part.isascii() and part.isdecimal() and len(part) < 9 for part in (row_no, column)):
        return None
    return int(row_no), int(column)


def used_offer() -> tuple[Cell | None, str]:
    """The cell and the number of the button that takes one of the numbers that a cell may mean (`use`)."""
    place, _, number = request.form.get("use", "").partition("+")
    return cell_of(place.rstrip("-")), f"+{number}"


def already_words() -> str:
    """That somebody was first."""
    return gettext("This cell was corrected meanwhile, perhaps in another tab. Take that back first to write another.")
