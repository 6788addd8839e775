"""Ranges of cells that follow the sheet: print ranges and those of filters. Pure.

Addresses: OpenDocument 1.3 part 3, 18.3.1 and 9.2.5 (`$'Mi hoja'.$A$1:.$C$9`, several separated by spaces).
"""

import re

from portal.jobs.export.in_place.markup import attributes_of, with_attribute
from portal.jobs.export.in_place.ods.names import Names
from portal.jobs.export.in_place.sheet_text import column_letter, column_of

_SHEET = r"(?:\$?(?:'(?:[^']|'')*'|[^\s'.:]+))?\."
_RANGE = re.compile(rf"({_SHEET})(\$?)([A-Z]{{1,3}})(\$?)(\d+):({_SHEET}|)(\$?)([A-Z]{{1,3}})(\$?)(\d+)")


class Ranges:
    """Widens ranges of one sheet that end with the person's last column and cover the headings."""

    def __init__(self, names: Names, sheet: str, header_row: int, old_last: int, new_last: int) -> None:
        self._sheet, self._header_row = sheet, max(header_row, 1)
        self._old_last, self._new_last = old_last, new_last
        self._table = names.attributes["table"].decode()

    def sheet_tag(self, tag: bytes) -> bytes:
        """The sheet's start tag with its print ranges."""
        return self._attribute(tag, "print-ranges")

    def range_tag(self, tag: bytes) -> bytes:
        """The start tag of a database range, or of a named one that filters or prints."""
        attributes = attributes_of(tag)
        usable = attributes.get(f"{self._table}range-usable-as", "")
        if "filter" in usable or "print-range" in usable:
            tag = self._attribute(tag, "cell-range-address")
        return self._attribute(tag, "target-range-address")

    def _attribute(self, tag: bytes, name: str) -> bytes:
        old = attributes_of(tag).get(self._table + name)
        new = _RANGE.sub(self._wider, old) if old else old
        return tag if new is None or new == old else with_attribute(tag, self._table + name, new)

    def _wider(self, found: re.Match[str]) -> str:
        sheet, top, right, bottom = found[1], int(found[5]), found[8], int(found[10])
        name = sheet.removeprefix("$").removesuffix(".")
        if name.startswith("'"):
            name = name[1:-1].replace("''", "'")
        if name not in ("", self._sheet) or column_of(right) != self._old_last:
            return found[0]
        if not top <= self._header_row <= bottom:
            return found[0]
        start, end = found.start(8) - found.start(), found.end(8) - found.start()
        return found[0][:start] + column_letter(self._new_last) + found[0][end:]
