"""The rows that are not the same as in the earlier list, read in chunks beside the rows of a file."""

from collections.abc import Iterator

from sqlalchemy import select

from portal.database import READ_ONLY, db
from portal.documents.comparison.two_lists import RowChange, RowKind
from portal.jobs.core.merge_tables import ListChange

CHUNK = 2000


def changes(merge_id: int, *, of_before: bool = False) -> Iterator[RowChange]:
    """Yield the rows of the new list that are not the same, or those of the earlier list that are gone, in order. No
    connection is held between two chunks: whoever reads on may stop anywhere."""
    row = ListChange
    columns = (row.row_no, row.kind, row.before)
    mine, after = (row.merge_id == merge_id, row.of_before == of_before), 0
    while True:
        chunk = select(*columns).where(*mine, row.row_no > after).order_by(row.row_no)
        with db.engine.connect().execution_options(**READ_ONLY) as connection:
            found = connection.execute(chunk.limit(CHUNK)).all()
        yield from (RowChange(*one) for one in found)
        if len(found) < CHUNK:
            return
        after = found[-1].row_no


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
