"""A sheet's XML in pieces: what stands before its rows, the rows, and what follows them. Pure.

Order of the parts of a worksheet: ECMA-376 part 1, 18.3.1.99.
"""

import re
from collections.abc import Iterator
from functools import cached_property

from portal.documents.reader.sheet_file import column_letter
from portal.jobs.export.in_place.errors import CannotWriteInPlace, Obstacle
from portal.jobs.export.in_place.markup import TOKEN, as_utf8, prefix_of

MAX_COLUMNS = 16_384
LONGEST_BYTES = 16 * 1024 * 1024  # of one tag, one row of a plain sheet, or what stands before the rows

Token = re.Match[bytes]


class Tokens:
    """The tags of a text that comes in pieces, each with the bytes before it. The rest stays in `left`."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._buffer = b""
        self._at = 0

    def __iter__(self) -> "Iterator[tuple[bytes, Token]]":
        return self

    def __next__(self) -> tuple[bytes, Token]:
        while True:
            start = self._buffer.find(b"<", self._at)
            token = TOKEN.match(self._buffer, start) if start >= 0 else None
            if token is not None:
                before = self._buffer[self._at : start]
                self._at = token.end()
                return before, token
            self._more()

    def _more(self) -> None:
        piece = next(self._pieces, None)
        if piece is None:
            if self._buffer[self._at :].strip():
                raise CannotWriteInPlace(Obstacle.ODD_MARKUP, "cut short")
            raise StopIteration
        self._buffer = self._buffer[self._at :] + piece
        self._at = 0
        if len(self._buffer) > LONGEST_BYTES:
            raise CannotWriteInPlace(Obstacle.ODD_MARKUP, "a tag that does not end")

    def left(self) -> Iterator[bytes]:
        """The bytes behind the last tag that was given."""
        yield self._buffer[self._at :]
        self._buffer, self._at = b"", 0
        yield from self._pieces


class SheetText:
    """A sheet that is read once, from its start."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        tokens = Tokens(as_utf8(pieces))
        head: list[bytes] = []
        size = 0
        self.prefix = b""
        name_of_root: bytes | None = None
        for before, token in tokens:
            raw, name = token[0], token["name"]
            if raw.startswith(b"<!D") or raw.startswith(b"<!E"):
                raise CannotWriteInPlace(Obstacle.ODD_MARKUP, "document type")
            if name is not None and name_of_root is None:
                name_of_root, self.prefix = name, prefix_of(name)
            head.append(before)
            if name == self.prefix + b"sheetData":
                self.head, self.data_tag, self.tokens = b"".join(head), raw, tokens
                return
            head.append(raw)
            size += len(before) + len(raw)
            if size > LONGEST_BYTES:
                raise CannotWriteInPlace(Obstacle.TOO_LARGE, "before the rows")
        raise CannotWriteInPlace(Obstacle.ODD_MARKUP, "no sheetData")

    @property
    def has_rows(self) -> bool:
        """Whether the element of the rows is not written as `<sheetData/>`."""
        return not self.data_tag.endswith(b"/>")

    @cached_property
    def end_of_row(self) -> bytes:
        """The end tag of a row."""
        return b"</" + self.prefix + b"row>"

    def plain_pieces(self) -> Iterator[tuple[bytes, bool]]:
        """The rows in pieces of whole rows, each with whether it is the last; the last ends before `</sheetData>`.

        Only for sheets that the survey found plain. What follows is in `after`.
        """
        end_of_data = b"</" + self.prefix + b"sheetData>"
        carry = b""
        pieces = self.tokens.left()
        for piece in pieces:
            carry += piece
            cut = carry.rfind(self.end_of_row)
            cut = cut + len(self.end_of_row) if cut >= 0 else 0
            if (end := carry.find(end_of_data, cut)) >= 0:
                self.after = _joined(carry[end:], pieces)
                yield carry[:end], True
                return
            if cut:
                yield carry[:cut], False
                carry = carry[cut:]
            elif len(carry) > LONGEST_BYTES:
                raise CannotWriteInPlace(Obstacle.ODD_MARKUP, "a row that does not end")
        raise CannotWriteInPlace(Obstacle.ODD_MARKUP, "rows that do not end")

    after: Iterator[bytes]


def _joined(first: bytes, others: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from others


def columns_from(first: int) -> bytes:
    """A pattern for the letters of the columns from `first` (from 0) on."""
    letters = column_letter(first)
    longer = {1: ["[A-Z]{2,3}"], 2: ["[A-Z]{3}"], 3: []}[len(letters)]
    same = [
        letters[:place] + (f"[{chr(ord(letter) + 1)}-Z]" if letter < "Z" else "")
        for place, letter in enumerate(letters)
    ]
    rest = [
        start + "[A-Z]" * (len(letters) - place - 1)
        for place, (start, letter) in enumerate(zip(same, letters, strict=True))
        if letter < "Z"
    ]
    return "|".join([letters, *rest, *longer]).encode()


def column_of(letters: bytes | str) -> int:
    """The position (from 0) of a column by its letters."""
    text = letters.decode() if isinstance(letters, bytes) else letters
    column = 0
    for letter in text.upper():
        column = column * 26 + ord(letter) - 64
    return column - 1


_RANGE = re.compile(r"\$?([A-Za-z]{1,3})\$?(\d{1,7})(?::\$?([A-Za-z]{1,3})\$?(\d{1,7}))?")


def corners(ref: str) -> tuple[int, int, int, int] | None:
    """The corners of `A1:C9`: left and right column (from 0), top and bottom row (from 1); None if it is another."""
    match = _RANGE.fullmatch(ref.strip())
    if match is None:
        return None
    left, top, right, bottom = match.groups()
    return column_of(left), column_of(right or left), int(top), int(bottom or top)


def ref_of(left: int, right: int, top: int, bottom: int) -> str:
    """The range with those corners."""
    return f"{column_letter(left)}{top}:{column_letter(right)}{bottom}"
