"""The added rows in the order in which the sheet asks for them. Pure."""

import pickle
import tempfile
from array import array
from collections.abc import Iterator
from itertools import chain, islice
from typing import BinaryIO

from portal.jobs.export.added import AddedRow

MEASURED = 200  # rows looked at for the widths of the added columns


class AddedRows:
    """The rows one after the other, for a sheet whose rows ascend."""

    def __init__(self, rows: Iterator[AddedRow]) -> None:
        self.first_rows = list(islice(rows, MEASURED))
        self._rows = chain(self.first_rows, rows)
        self.next = next(self._rows, None)

    def advance(self) -> AddedRow | None:
        """Go on to the next row and return it; None at the end."""
        self.next = next(self._rows, None)
        return self.next

    def skipped_before(self, row_no: int) -> Iterator[AddedRow]:
        """The rows that the sheet should have had before `row_no`."""
        while self.next is not None and self.next.row_no < row_no:
            yield self.next
            self.advance()

    def take(self, row_no: int) -> AddedRow | None:
        """The row of that number, if it is the next one."""
        row = self.next
        if row is None or row.row_no != row_no:
            return None
        self.advance()
        return row

    def close(self) -> None:
        """Nothing is open."""

    def rest(self) -> Iterator[AddedRow]:
        """The rows that nobody took."""
        while self.next is not None:
            yield self.next
            self.advance()


class SpooledRows(AddedRows):
    """The rows in any order, for a sheet whose rows do not ascend: they wait in a temporary file."""

    def __init__(self, rows: AddedRows) -> None:
        self.first_rows = rows.first_rows
        self.next = None
        self._file: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115 - closed with this object
        self._places = array("q")  # by row number; 0 is none
        self._file.write(b"\0")
        for row in rows.rest():
            self._places.extend([0] * (row.row_no + 1 - len(self._places)))
            self._places[row.row_no] = self._file.tell()
            pickle.dump(tuple(row), self._file)

    def skipped_before(self, row_no: int) -> Iterator[AddedRow]:
        """None: a later place in the sheet may still have them."""
        return iter(())

    def take(self, row_no: int) -> AddedRow | None:
        """The row of that number, once."""
        if row_no >= len(self._places) or not self._places[row_no]:
            return None
        self._file.seek(self._places[row_no])
        self._places[row_no] = 0
        return AddedRow(*pickle.load(self._file))  # noqa: S301 - written above, in a file without a name

    def close(self) -> None:
        """Delete the temporary file."""
        self._file.close()

    def rest(self) -> Iterator[AddedRow]:
        """None: after rows that do not ascend, a row of its own would have no place."""
        return iter(())
