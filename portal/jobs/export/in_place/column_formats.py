"""How the columns of a sheet show their numbers and dates, for a selection that comes in a workbook of its own. Pure.

Built-in formats: ECMA-376 part 1, 18.8.30.
"""

import re
from collections import Counter
from pathlib import Path

from portal.jobs.export.formats import Shows
from portal.jobs.export.in_place.errors import CannotWriteInPlace
from portal.jobs.export.in_place.markup import attributes_of, elements
from portal.jobs.export.in_place.package import Package
from portal.jobs.export.in_place.parts import find_parts
from portal.jobs.export.in_place.sheet_text import SheetText, column_of

LOOKED_AT = 200  # rows
_BUILT_IN_DATES = frozenset({*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)})
_FIRST_CUSTOM = 164
_PLAIN = (0, 49)  # General and text: nothing to keep
_NOT_SHOWN = re.compile(r'"[^"]*"|\\.|_.|\*.|\[(?!h+\]|m+\]|s+\])[^\]]*\]')
_THIRD = 3  # depth

Format = int | str
"""A built-in format's number, or a code."""


def formats_of(path: Path, sheet: int, name: str, header_row: int) -> dict[tuple[int, Shows], Format]:
    """The most frequent format of each column (from 0) below the headings; empty for any other kind of file."""
    try:
        with Package(path) as package:
            parts = find_parts(package, sheet, name)
            if parts.styles is None:
                return {}
            known = _formats(package.text(parts.styles))
            return _most_frequent(SheetText(package.pieces(parts.sheet)), header_row, known)
    except CannotWriteInPlace:
        return {}


def _formats(styles: bytes) -> list[tuple[Shows, Format] | None]:
    """The format of each cell format by its position; None for one that shows a cell as it is."""
    found = elements(styles, _THIRD)
    codes = {
        one.attributes.get("numFmtId"): one.attributes.get("formatCode", "") for one in found if one.name == b"numFmt"
    }
    group = next((one for one in found if one.name == b"cellXfs"), None)
    if group is None:
        return []
    cells = [one for one in found if one.name == b"xf" and group.content <= one.start < group.content_end]
    return [_format(one.attributes.get("numFmtId", "0"), codes) for one in cells]


def _format(number: str, codes: dict[str | None, str]) -> tuple[Shows, Format] | None:
    if not number.isdigit() or int(number) in _PLAIN:
        return None
    if number not in codes:
        if int(number) >= _FIRST_CUSTOM:
            return None
        return (Shows.DATE if int(number) in _BUILT_IN_DATES else Shows.NUMBER), int(number)
    code = codes[number]
    if code in ("", "General", "@"):
        return None
    is_date = re.search("[ymdhs]", _NOT_SHOWN.sub("", code), re.IGNORECASE)
    return (Shows.DATE if is_date else Shows.NUMBER), code


def _most_frequent(
    sheet: SheetText, header_row: int, known: list[tuple[Shows, Format] | None]
) -> dict[tuple[int, Shows], Format]:
    counts: dict[tuple[int, Shows], Counter[Format]] = {}
    cell, row = sheet.prefix + b"c", sheet.prefix + b"row"
    row_no = column = 0
    for _, token in sheet.tokens if sheet.has_rows else ():
        if token["name"] == sheet.prefix + b"sheetData":
            break
        if token["name"] not in (cell, row) or token["end"]:
            continue
        attributes = attributes_of(token["attributes"])
        place = attributes.get("r", "")
        if token["name"] == row:
            row_no, column = int(place) if place.isdigit() else row_no + 1, -1
            if row_no > header_row + LOOKED_AT:
                break
            continue
        column = column_of(place.rstrip("0123456789")) if place else column + 1
        style = attributes.get("s", "0")
        found = known[int(style)] if style.isdigit() and int(style) < len(known) else None
        if found is not None and row_no > header_row and not token["attributes"].endswith(b"/"):
            counts.setdefault((column, found[0]), Counter())[found[1]] += 1
    return {key: count.most_common(1)[0][0] for key, count in counts.items()}
