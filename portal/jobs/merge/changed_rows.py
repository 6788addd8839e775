"""The rows that are not the same as in the earlier list, read in chunks beside the rows of a file."""

from collections.abc import Iterator

from sqlalchemy import select

from portal.database import chunks
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
