"""Moves everything from SQLite to an empty PostgreSQL in one transaction, and checks it row by row before it commits.

It must not know any table: the caller names them. Nothing is written to SQLite, whose write lock is held meanwhile, so
that nobody else writes there either.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import (
    JSON,
    Column,
    Connection,
    Engine,
    Select,
    String,
    Table,
    cast,
    column,
    func,
    inspect,
    literal,
    select,
    text,
    type_coerce,
)
from sqlalchemy import table as named
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import TypeDecorator

from portal.database import UtcDateTime, copy_rows

ROWS_AT_ONCE = 5_000  # of each table in memory
VERSION = "alembic_version"


class Refusal(StrEnum):
    """Why nothing was moved."""

    NOT_EMPTY = "not_empty"
    OTHER_VERSION = "other_version"
    UNKNOWN_TABLE = "unknown_table"
    ROW_REFUSED = "row_refused"
    DIFFERENT = "different"


class MoveRefused(Exception):
    """Nothing was moved. `table` is the table that it is about, `reason` the sentence of PostgreSQL if it has one."""

    def __init__(self, refusal: Refusal, table: str = "", reason: str = "") -> None:
        super().__init__(refusal, table, reason)
        self.refusal, self.table, self.reason = refusal, table, reason


class Moved(NamedTuple):
    """A table and how many rows of it were moved."""

    table: str
    rows: int


@dataclass
class Contents:
    """The rows of a table: how many, and a sum that is another one if any value of any row is, in any order of rows."""

    rows: int = 0
    total: int = field(default=0, repr=False)

    def add(self, row: Sequence[Any]) -> None:
        digest = hashlib.blake2b(repr(tuple(row)).encode("utf-8", "surrogatepass"), digest_size=16).digest()
        self.rows += 1
        self.total = (self.total + int.from_bytes(digest)) % 2**128


def require_empty(target: Engine) -> None:
    """Raise MoveRefused if a table of the database has a row."""
    with target.connect() as connection:
        _require_empty(connection)


def move(source: Engine, target: Engine, tables: Sequence[Table]) -> list[Moved]:
    """Copy all rows of these tables, each after those that it refers to, from SQLite to PostgreSQL, whose tables exist
    and are empty. Raises MoveRefused, or SQLAlchemyError when a database does not answer; nothing is moved then."""
    with source.connect() as old, target.connect() as new:
        _require_known(old, tables)
        with new.begin():
            new.execute(text("SET LOCAL statement_timeout = 0"))
            new.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
            names = ", ".join(new.dialect.identifier_preparer.quote(table.name) for table in tables)
            new.execute(text(f"LOCK TABLE {names} IN EXCLUSIVE MODE"))  # a portal that starts now waits
            _require_empty(new)
            if _version(old) != _version(new):
                raise MoveRefused(Refusal.OTHER_VERSION)
            moved = [_move_table(old, new, table) for table in tables]
            for table in tables:
                _continue_ids(old, new, table)
        new.execution_options(isolation_level="AUTOCOMMIT").execute(text("ANALYZE"))
        return moved


def _move_table(old: Connection, new: Connection, table: Table) -> Moved:
    sent = Contents()

    def rows() -> Iterator[Sequence[Any]]:
        for row in _rows(old, table):
            sent.add(row)
            yield row

    try:
        copy_rows(new, table.name, [of.name for of in table.columns], rows())
    except DBAPIError as error:
        if error.connection_invalidated:
            raise
        raise MoveRefused(Refusal.ROW_REFUSED, table.name, str(error.orig)) from None
    arrived = Contents()
    for row in _rows(new, table):
        arrived.add(row)
    if arrived != sent:
        raise MoveRefused(Refusal.DIFFERENT, table.name)
    return Moved(table.name, sent.rows)


def _rows(connection: Connection, table: Table) -> Iterator[Sequence[Any]]:
    found: Select[Any] = select(*(_as_kept(of, connection) for of in table.columns))
    return iter(connection.execute(found, execution_options={"yield_per": ROWS_AT_ONCE}))


def _as_kept(of: Column[Any], connection: Connection) -> Any:
    """JSON and our own kinds of text as the text that the database has: they must come out letter by letter."""
    if isinstance(of.type, JSON):
        shown = cast(of, String) if connection.dialect.name == "postgresql" else type_coerce(of, String)
        return shown.label(of.name)
    if isinstance(of.type, TypeDecorator) and not isinstance(of.type, UtcDateTime):
        return type_coerce(of, String).label(of.name)
    return of


def _continue_ids(old: Connection, new: Connection, table: Table) -> None:
    """Let the next id of the table be one that no row had: also not one that was deleted, where SQLite knows."""
    key = table.autoincrement_column
    sequence = key is not None and new.scalar(select(func.pg_get_serial_sequence(table.name, key.name)))
    if key is None or not sequence:
        return
    last = new.scalar(select(func.max(key))) or 0
    if inspect(old).has_table("sqlite_sequence"):
        given: Select[Any] = (
            select(column("seq")).select_from(named("sqlite_sequence")).where(column("name") == table.name)
        )
        last = max(last, old.scalar(given) or 0)
    new.execute(select(func.setval(sequence, max(last, 1), last > 0)))


def _require_known(old: Connection, tables: Sequence[Table]) -> None:
    known = {VERSION, *(table.name for table in tables)}
    for name in sorted(set(inspect(old).get_table_names()) - known):
        if _has_rows(old, name):
            raise MoveRefused(Refusal.UNKNOWN_TABLE, name)


def _require_empty(new: Connection) -> None:
    for name in inspect(new).get_table_names():
        if name != VERSION and _has_rows(new, name):
            raise MoveRefused(Refusal.NOT_EMPTY, name)


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table(VERSION):
        return None
    return str(connection.scalar(select(column("version_num")).select_from(named(VERSION))))


def _has_rows(connection: Connection, table: str) -> bool:
    return connection.scalar(select(literal(1)).select_from(named(table)).limit(1)) is not None
