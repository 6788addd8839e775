"""Compare the rows of a new list with those of an earlier one by a key. Pure.

The keys lie in a temporary database that SQLite keeps on disk and deletes when it is closed, so that memory is flat
with any number of rows. What is not certain is said and not guessed: a key that stands in several rows, or in none.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from itertools import islice
from typing import NamedTuple, Self

from portal.documents.comparison.row_keys import BETWEEN, ListRow, loose_of

PIECE_ROWS = 5000
CACHE_KILOBYTES = 8000


class RowKind(StrEnum):
    """What a row of the new list is beside the earlier one."""

    SAME = "same"  # its key was there, with the same telephones
    CHANGED = "changed"  # its key was there, with others
    NEW = "new"
    REPEATED = "repeated"  # its key stands in several rows, none of which had the same telephones
    NO_KEY = "no_key"
    GONE = "gone"  # a row of the earlier list whose key is not in the new one


class RowChange(NamedTuple):
    """A row that is not the same. `before`: its telephones in the earlier list, as they were written there."""

    row_no: int
    kind: RowKind
    before: str = ""


_TABLES = """
CREATE TABLE {side} (row_no INTEGER PRIMARY KEY, key TEXT, loose TEXT, numbers TEXT, shown TEXT, pair INTEGER,
                     kind TEXT);
"""
_KEYS = """
CREATE INDEX {side}_key ON {side} (key, numbers);
CREATE TABLE {side}_keys (key TEXT PRIMARY KEY, rows INTEGER, row_no INTEGER) WITHOUT ROWID;
INSERT INTO {side}_keys SELECT key, count(*), min(row_no) FROM {side} WHERE key <> '' GROUP BY key;
"""
# Rows whose key is not on the other side at all, by what is left of it without zeros and dots.
_LOOSE = """
CREATE TABLE {side}_loose (loose TEXT PRIMARY KEY, rows INTEGER, row_no INTEGER) WITHOUT ROWID;
INSERT INTO {side}_loose SELECT loose, count(*), min(row_no) FROM {side}
WHERE loose <> '' AND NOT EXISTS (SELECT 1 FROM {other}_keys AS o WHERE o.key = {side}.key) GROUP BY loose;
"""
_KINDS = """
UPDATE new SET pair = (SELECT o.row_no FROM old_keys AS o JOIN new_keys AS n ON n.key = o.key
                       WHERE o.key = new.key AND o.rows = 1 AND n.rows = 1) WHERE key <> '';
UPDATE new SET pair = (SELECT o.row_no FROM old_loose AS o JOIN new_loose AS n ON n.loose = o.loose
                       WHERE o.loose = new.loose AND o.rows = 1 AND n.rows = 1)
WHERE pair IS NULL AND loose <> '' AND NOT EXISTS (SELECT 1 FROM old_keys AS o WHERE o.key = new.key);
UPDATE new SET kind = 'no_key' WHERE key = '';
UPDATE new SET kind = CASE WHEN numbers = (SELECT o.numbers FROM old AS o WHERE o.row_no = new.pair) THEN 'same'
                           ELSE 'changed' END WHERE pair IS NOT NULL;
UPDATE new SET kind = CASE WHEN EXISTS (SELECT 1 FROM old AS o WHERE o.key = new.key AND o.numbers = new.numbers)
                           THEN 'same' ELSE 'repeated' END
WHERE kind IS NULL AND EXISTS (SELECT 1 FROM old_keys AS o WHERE o.key = new.key);
UPDATE new SET kind = 'new' WHERE kind IS NULL;
CREATE INDEX new_pair ON new (pair);
CREATE INDEX new_unsure ON new (numbers) WHERE kind IN ('no_key', 'repeated');
UPDATE old SET kind = CASE
    WHEN key = '' THEN 'no_key'
    WHEN EXISTS (SELECT 1 FROM new_keys AS n WHERE n.key = old.key) THEN 'same'
    WHEN EXISTS (SELECT 1 FROM new WHERE new.pair = old.row_no) THEN 'same'
    WHEN numbers <> '' AND EXISTS (SELECT 1 FROM new AS n WHERE n.numbers = old.numbers
                                   AND n.kind IN ('no_key', 'repeated')) THEN 'same'
    ELSE 'gone' END;
"""


class TwoLists:
    """The comparison of two lists. Give it all rows of both, then `compare`; close it, or use it in a `with`."""

    def __init__(self, column: int, before: int, on_piece: Callable[[], object] = lambda: None) -> None:
        """`column` is the key in the new list and `before` in the earlier one. `on_piece` is called now and then."""
        self._columns = {"new": column, "old": before}
        self._on_piece = on_piece
        self._database = sqlite3.connect("", isolation_level=None)
        for setting in ("journal_mode=OFF", "synchronous=OFF", f"cache_size=-{CACHE_KILOBYTES}"):
            self._database.execute(f"PRAGMA {setting}")
        self._database.executescript("".join(_TABLES.format(side=side) for side in self._columns))
        self._database.execute("CREATE TABLE numbers (e164 TEXT PRIMARY KEY) WITHOUT ROWID")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._database.close()

    def add_before(self, rows: Iterable[ListRow]) -> None:
        """Add rows of the earlier list."""
        self._add("old", rows)

    def add_new(self, rows: Iterable[ListRow]) -> None:
        """Add rows of the new one."""
        self._add("new", rows)

    def _add(self, side: str, rows: Iterable[ListRow]) -> None:
        column = self._columns[side]
        insert = f"INSERT INTO {side} (row_no, key, loose, numbers, shown) VALUES (?, ?, ?, ?, ?)"  # noqa: S608
        keyed = ((row.row_no, key, loose_of(key), row.numbers, row.shown) for row in rows
                 if (key := row.key(column)) or row.phones)  # fmt: skip
        while piece := list(islice(keyed, PIECE_ROWS)):
            self._database.execute("BEGIN")
            self._database.executemany(insert, piece)
            if side == "new":
                several = ((one,) for _, _, _, numbers, _ in piece if numbers for one in numbers.split(BETWEEN))
                self._database.executemany("INSERT OR IGNORE INTO numbers VALUES (?)", several)
            self._database.execute("COMMIT")
            self._on_piece()

    def compare(self) -> dict[RowKind, int]:
        """Say of every row what it is, and return how many rows are of each kind; GONE counts rows of the earlier
        list."""
        sides = (("new", "old"), ("old", "new"))
        steps = [_KEYS.format(side=side) for side, _ in sides]
        steps += [_LOOSE.format(side=side, other=other) for side, other in sides]
        for step in [one for some in (*steps, _KINDS) for one in some.split(";") if one.strip()]:
            self._database.execute(step)
            self._on_piece()
        counted = dict(self._database.execute("SELECT kind, count(*) FROM new GROUP BY kind"))
        gone = self._database.execute("SELECT count(*) FROM old WHERE kind = 'gone'").fetchone()[0]
        return {kind: gone if kind == RowKind.GONE else counted.get(kind.value, 0) for kind in RowKind}

    def numbers(self) -> Iterator[str]:
        """Yield the numbers of the new list, each once."""
        return (e164 for (e164,) in self._database.execute("SELECT e164 FROM numbers"))

    def before_without_key(self) -> int:
        """Return how many rows of the earlier list have no key."""
        return int(self._database.execute("SELECT count(*) FROM old WHERE kind = 'no_key'").fetchone()[0])

    def same_and_blank(self) -> int:
        """Return how many rows of the new list are the same and have no telephone in either."""
        query = "SELECT count(*) FROM new WHERE kind = 'same' AND shown = ''"
        return int(self._database.execute(query).fetchone()[0])

    def changes(self) -> Iterator[RowChange]:
        """Yield the rows of the new list that are not the same, in its order."""
        found = self._database.execute(
            "SELECT new.row_no, new.kind, coalesce(old.shown, '') FROM new LEFT JOIN old ON old.row_no = new.pair "
            "WHERE new.kind <> 'same' ORDER BY new.row_no"
        )
        return (RowChange(row_no, RowKind(kind), before) for row_no, kind, before in found)

    def gone(self) -> Iterator[RowChange]:
        """Yield the rows of the earlier list that are gone, in its order."""
        found = self._database.execute("SELECT row_no FROM old WHERE kind = 'gone' ORDER BY row_no")
        return (RowChange(row_no, RowKind.GONE) for (row_no,) in found)
