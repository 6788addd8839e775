"""Charts and pictures that float over the columns of the answers: they move behind them. Pure.

Anchors: ECMA-376 part 1, 20.5.2 (`twoCellAnchor`, `oneCellAnchor`; an absolute one knows no columns).
"""

from portal.jobs.export.in_place.markup import Element, elements, spliced
from portal.jobs.export.in_place.sheet_text import MAX_COLUMNS

_ANCHORS = (b"twoCellAnchor", b"oneCellAnchor")
_DEEPEST = 6  # an anchor inside of alternatives: root, AlternateContent, Choice, anchor, from, col
# A control of a form has its place in two other parts too, which would say something else.
_CONTROL = b"compatExt"


def moved(xml: bytes, first: int, by: int) -> bytes | None:
    """The drawing with what begins at column `first` (from 0) or behind it moved `by` columns to the right; None when
    nothing does."""
    found = elements(xml, _DEEPEST)
    changes = []
    for anchor in found:
        if anchor.name not in _ANCHORS or _CONTROL in xml[anchor.start : anchor.end]:
            continue
        columns = [one for one in found if one.name == b"col" and anchor.start < one.start < anchor.end]
        numbers = [_number(xml, one) for one in columns]
        if min(numbers, default=-1) < first:
            continue
        for column, number in zip(columns, numbers, strict=True):
            new = min(number + by, MAX_COLUMNS - 1)
            changes.append((column.content, column.content_end, str(new).encode()))
    return spliced(xml, changes) if changes else None


def _number(xml: bytes, element: Element) -> int:
    text = xml[element.content : element.content_end].strip()
    return int(text) if text.isdigit() and len(text) < 7 else -1
