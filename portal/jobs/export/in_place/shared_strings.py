"""The shared strings of a workbook, by their numbers, for cells that must hold their text themselves. Pure.

They wait in a temporary file: memory stays at eight bytes each. Format: ECMA-376 part 1, 18.4.8 (`si`), whose content
is that of an inline string (`is`), runs with their fonts included.
"""

import re
import tempfile
from array import array
from collections.abc import Iterable
from typing import BinaryIO

from portal.jobs.export.in_place.errors import CannotWriteInPlace, Obstacle
from portal.jobs.export.in_place.markup import as_utf8
from portal.jobs.export.in_place.sheet_text import LONGEST_BYTES


class SharedStrings:
    """The content of each string."""

    def __init__(self, pieces: Iterable[bytes], prefix: bytes) -> None:
        """Read them, from elements with this prefix. Raises CannotWriteInPlace for another, and for odd markup."""
        self._file: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115 - closed with this object
        self._ends = array("q", [0])
        try:
            self._read(pieces, prefix)
        except BaseException:
            self.close()
            raise

    def _read(self, pieces: Iterable[bytes], prefix: bytes) -> None:
        item = re.compile(rb"<%bsi(?:/>|(?:\s[^<>]*)?>(.*?)</%bsi>)" % (prefix, prefix), re.DOTALL)
        end = b"</%bsst>" % prefix
        left, is_over = b"", False
        for piece in as_utf8(pieces):
            text, done = left + piece, 0
            if b"!" in text and b"<!" in text:
                raise CannotWriteInPlace(Obstacle.ODD_MARKUP, "shared strings")
            for found in item.finditer(text):
                self._file.write(found[1] or b"")
                self._ends.append(self._ends[-1] + len(found[1] or b""))
                done = found.end()
            left = text[done:]
            is_over = is_over or end in left
            if len(left) > LONGEST_BYTES:
                raise CannotWriteInPlace(Obstacle.TOO_LARGE, "a shared string")
        if not is_over:
            raise CannotWriteInPlace(Obstacle.ODD_MARKUP, "shared strings")

    def content(self, number: int) -> bytes:
        """The XML inside of a string; empty for one that is not there."""
        if not 0 <= number < len(self._ends) - 1:
            return b""
        start, end = self._ends[number], self._ends[number + 1]
        self._file.seek(start)
        return self._file.read(end - start)

    def close(self) -> None:
        """Delete the temporary file."""
        self._file.close()
