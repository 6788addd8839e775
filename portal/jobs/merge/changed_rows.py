"""The rows that are not the same as in the earlier list, read in chunks beside the rows of a file."""

from collections.abc import Collection, Iterator

from sqlalchemy import select

from portal.database import chunks, db
from portal.documents.comparison.two_lists import RowChange, RowKind
from portal.jobs.core.merge_tables import ListChange

CHUNK = 2000


def changes(merge_id: int, *, of_before: bool = False) -> Iterator[RowChange]:
    """Yield the rows of the new list that are not the same, or those of the earlier list that are gone, in order."""
    row = ListChange
    mine = select(row.row_no, row.kind, row.before).where(row.merge_id == merge_id, row.of_before == of_before)
    for chunk in chunks(mine, row.row_no, size=CHUNK):
        yield from (RowChange(*one) for one in chunk)


class RowChanges:
    """What each row of the new list is beside the earlier one. Rows are asked for in their order."""

    def __init__(self, merge_id: int) -> None:
        self._changes = changes(merge_id)
        self._next = next(self._changes, None)

    def of_row(self, row_no: int) -> RowChange:
        """What this row is."""
        while self._next is not None and self._next.row_no < row_no:
            self._next = next(self._changes, None)
        if self._next is not None and self._next.row_no == row_no:
            return self._next
        return RowChange(row_no, RowKind.SAME)


def changes_at(merge_id: int, row_nos: Collection[int]) -> dict[int, RowChange]:
    """Return what those of these rows are, a page of them, that are not the same."""
    row = ListChange
    those = (row.merge_id == merge_id, row.of_before.is_(False), row.row_no.in_(row_nos))
    found = db.session.execute(select(row.row_no, row.kind, row.before).where(*those))
    return {row_no: RowChange(row_no, kind, before) for row_no, kind, before in found}


def has_kind(kind: RowKind, *, is_blank: bool, of_row: RowKind) -> bool:
    """Whether a cell whose row is `of_row` is one of those of `kind`. In a blank one no telephone is the same."""
    return kind == of_row and not (is_blank and kind == RowKind.SAME)


class RowSet:
    """The numbers of the rows that are gone, one bit each."""

    def __init__(self, merge_id: int) -> None:
        self._bits = bytearray()
        for one in changes(merge_id, of_before=True):
            place = one.row_no >> 3
            if place >= len(self._bits):
                self._bits.extend(bytes(place + 1 - len(self._bits)))
            self._bits[place] |= 1 << (one.row_no & 7)

    def __contains__(self, row_no: object) -> bool:
        return isinstance(row_no, int) and row_no >> 3 < len(self._bits) and bool(
            self._bits[row_no >> 3] & (1 << (row_no & 7))
        )  # fmt: skip
