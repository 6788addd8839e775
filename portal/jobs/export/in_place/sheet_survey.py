"""Look through a sheet before its copy begins: which columns are free, and whether its rows are plain. Pure.

A look costs an eighth of the copy. What it finds wrong is said before the first byte is given.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from operator import ge

from portal.jobs.export.in_place.added_rows import AddedRows
from portal.jobs.export.in_place.errors import CannotWriteInPlace, Obstacle
from portal.jobs.export.in_place.markup import attributes_of
from portal.jobs.export.in_place.odd_rows import OddRows
from portal.jobs.export.in_place.sheet_text import MAX_COLUMNS, SheetText, Tokens, column_of, columns_from, corners

MOST_ODD_BYTES = 64 * 1024 * 1024  # read tag by tag, which takes about 10 s
MOST_TAGS_BEHIND = 2_000_000
FEW_STRAYS = 20  # cells that are no part of the table, wherever they stand


@dataclass
class Survey:
    """What is known of a sheet before it is copied."""

    used: int  # columns in use, so that the added ones may begin at this position
    plain: bool  # rows and cells carry their numbers, ascend, and nothing stands between them
    in_order: bool = True
    styled_beyond: bool = False  # empty cells with a format where the added ones come
    after: list[str] = field(default_factory=list)  # names of the elements that follow the rows
    filter_ref: str | None = None
    near: int = 0  # the first column in use from `width` on; 0: none
    strays: int = 0  # cells in use from `width` on

    def first_free(self, width: int, count: int) -> int:
        """The first of so many free columns: behind the table of `width` columns, if only a few cells stand further to
        the right, and with room for them all in between; else behind every cell."""
        fits = 0 < self.strays <= FEW_STRAYS and width + count <= self.near
        return width if fits else self.used


def survey(pieces: Callable[[], Iterator[bytes]], width: int, first_row: int, size: int = 0) -> Survey:
    """Look through the sheet. The added cells come to rows from `first_row` on, in columns from `width` on at least.
    `size` is the sheet's in bytes. Raises CannotWriteInPlace.
    """
    sheet = SheetText(pieces())
    found = _plain(sheet, width) if sheet.has_rows else None
    after = sheet.after if found is not None else iter(())
    if found is None:
        if size > MOST_ODD_BYTES:
            raise CannotWriteInPlace(Obstacle.TOO_LARGE, "odd rows")
        sheet = SheetText(pieces())
        found = _odd(sheet, width)
        after = sheet.tokens.left()
    _look_behind(found, sheet, after, first_row, width)
    return found


def _plain(sheet: SheetText, width: int) -> Survey | None:
    """The same by bytes, for a sheet as nearly all programs write it; None for any other."""
    found = Survey(used=width, plain=True)
    patterns = _Patterns(sheet.prefix, width)
    last = 0
    for piece, _ in sheet.plain_pieces():
        # One character is found much faster than two: most sheets have neither.
        if (b"!" in piece and b"<!" in piece) or (b"?" in piece and b"<?" in piece):
            return None
        numbers = [last, *map(int, patterns.row.findall(piece))]
        if len(numbers) - 1 != piece.count(patterns.row_start) or patterns.odd_row.search(piece):
            return None
        if any(map(ge, numbers, numbers[1:])):
            return None
        last = numbers[-1]
        if patterns.odd_or_beyond.search(piece):
            if patterns.odd.search(piece):
                return None
            found.styled_beyond = True
            for letters, cells in Counter(patterns.beyond.findall(patterns.empty.sub(b"", piece))).items():
                _mind_cells(found, column_of(letters), cells)
    return found


def _mind_cells(found: Survey, column: int, cells: int) -> None:
    found.used = max(found.used, column + 1)
    found.near = min(found.near or column, column)
    found.strays += cells


class _Patterns:
    """What a plain sheet is known by. Most are looked for once in all bytes of a sheet, so each costs time."""

    def __init__(self, prefix: bytes, width: int) -> None:
        p = prefix
        odd = rb"(?: (?!r=\"[A-Z])|[\t\r\n>/])"
        beyond = b' r="(?:' + columns_from(width) + rb")\d"
        self.row_start = b"<" + p + b"row"
        self.row = re.compile(b"<" + p + rb'row r="(\d{1,7})"[^<>\t\r\n\']*>')
        # An attribute with a quoted bracket, or a first cell that belongs to another row.
        self.odd_row = re.compile(b"<" + p + rb'row r="(\d+)"(?:[^"<>]*"[^"<>]*")*(?:[^"<>]*"[^"]*>|[^"<>]*><' + p
                                  + rb'c r="[A-Z]+(?![A-Z]|\1"))')  # fmt: skip
        self.odd_or_beyond = re.compile(b"<" + p + b"c(?:" + odd + b"|" + beyond + b")")
        self.odd = re.compile(b"<" + p + b"c" + odd)
        self.beyond = re.compile(b"<" + p + b'c r="(' + columns_from(width) + rb')\d+"')
        self.empty = empty_cells(p, width)


def empty_cells(prefix: bytes, first: int) -> re.Pattern[bytes]:
    """A pattern for cells without content from column `first` on."""
    p = prefix
    no_value = b"(?:<" + p + b"v></" + p + b"v>|<" + p + b"v/>)?"
    return re.compile(
        b"<" + p + b'c r="(?:' + columns_from(first) + rb')\d+"[^>]*(?:/>|(?<!/)>' + no_value + b"</" + p + b"c>)"
    )


def _odd(sheet: SheetText, width: int) -> Survey:
    found = Survey(used=width, plain=False)
    if not sheet.has_rows:
        return found
    rows = OddRows(sheet, width, AddedRows(iter(())), None, lambda tag: tag)
    for _ in rows.pieces():
        pass
    if rows.used > width:
        _mind_cells(found, width, FEW_STRAYS + 1)  # these rows are only added to at their end
        found.used = rows.used
    found.in_order, found.styled_beyond = rows.in_order, rows.styled_beyond
    return found


def _look_behind(found: Survey, sheet: SheetText, after: Iterator[bytes], first_row: int, width: int) -> None:
    """What follows the rows: the filter, and merged cells, behind which the added columns must begin."""
    depth, p = 1, sheet.prefix
    tokens = Tokens(after)
    for number, (_, token) in enumerate(tokens):
        if number > MOST_TAGS_BEHIND:
            raise CannotWriteInPlace(Obstacle.TOO_LARGE, "behind the rows")
        name = token["name"]
        if token[0].startswith((b"<!D", b"<!E")):
            raise CannotWriteInPlace(Obstacle.ODD_MARKUP, "document type")
        if name is None:
            continue
        if token["end"]:
            depth -= 0 if name == p + b"sheetData" else 1
            if depth == 0:
                for _ in tokens.left():  # to the end, where the checksum is compared
                    pass
                return
            continue
        if depth == 1:
            found.after.append(name.removeprefix(p).decode("utf-8", "replace"))
            if name == p + b"autoFilter":
                found.filter_ref = attributes_of(token["attributes"]).get("ref")
        if name == p + b"mergeCell":
            _mind_merge(found, attributes_of(token["attributes"]).get("ref", ""), first_row, width)
        if not token["attributes"].endswith(b"/"):
            depth += 1
    raise CannotWriteInPlace(Obstacle.ODD_MARKUP, "a sheet that does not end")


def _mind_merge(found: Survey, ref: str, first_row: int, width: int) -> None:
    """A cell that was added inside merged ones would not be shown."""
    box = corners(ref)
    if box is None or box[3] < first_row or not width <= box[1] < MAX_COLUMNS - 1:
        return
    found.used = max(found.used, box[1] + 1)
    found.near = min(found.near or box[1], max(box[0], width))
