"""The database: one handle, how SQLite and PostgreSQL are opened, short sessions, and the shared column types.

It must not know any table. SQLite is opened so that a transaction takes its write lock at the start: with the driver's
defaults, four writers lost 884 of 1,200 read-then-write updates, and a deferred upgrade fails at once with any busy
timeout. `reading` and `writing` never use the request's session: on SQLite that one holds the write lock from its first
statement, and checking a password takes a sixth of a second in which everybody would wait.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any, cast

import orjson
from flask import has_request_context
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import (
    CheckConstraint,
    ColumnElement,
    CursorResult,
    DateTime,
    Delete,
    Engine,
    FromClause,
    Index,
    Insert,
    String,
    Text,
    Update,
    bindparam,
    event,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection, Dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import DeclarativeBase, InstrumentedAttribute, Session
from sqlalchemy.sql.schema import ScalarElementColumnDefault
from sqlalchemy.types import TypeDecorator

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """The base of every table. It names constraints, so that migrations can refer to them."""


Base.metadata.naming_convention = NAMING

db = SQLAlchemy(model_class=Base)

if TYPE_CHECKING:
    Model = Base  # db.Model is made at run time, where a type checker cannot see it
else:
    Model = db.Model

# With these options, set before a connection's first statement, SQLite takes no write lock for it.
READ_ONLY = {"sqlite_read_only": True}


class UtcDateTime(TypeDecorator[datetime]):
    """An aware moment in UTC. PostgreSQL keeps the zone; for SQLite, which has none, it is added on reading. A moment
    without a zone raises ValueError."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment needs a time zone")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Positions(TypeDecorator[tuple[int, ...]]):
    """A few positions, kept as text such as `2,5`, so that SQL can compare them. None are an empty text."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: tuple[int, ...] | None, dialect: Dialect) -> str | None:
        return None if value is None else ",".join(map(str, value))

    def process_result_value(self, value: str | None, dialect: Dialect) -> tuple[int, ...]:
        return tuple(map(int, value.split(","))) if value else ()


class ClippedText(TypeDecorator[str]):
    """A text cut to a number of characters. For a column with an index: PostgreSQL refuses a row whose indexed text
    takes more than 2,700 bytes."""

    impl = Text
    cache_ok = True

    def __init__(self, characters: int) -> None:
        super().__init__()
        self.characters = characters

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else value[: self.characters]


class EnumColumn(TypeDecorator[StrEnum]):
    """A column that holds a value of a StrEnum and returns it as that enum. Writing any other value raises ValueError.

    `newer`: a value that only a newer version of the portal knows is read as plain text instead of raising, for a table
    whose rows other processes read during an update.
    """

    impl = String
    cache_ok = True

    def __init__(self, words: type[StrEnum], length: int = 20, *, newer: bool = False) -> None:
        super().__init__(length)
        self.words = words
        self.newer = newer

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else str(self.words(value))

    def process_result_value(self, value: str | None, dialect: Dialect) -> StrEnum | None:
        if value is None or (self.newer and value not in tuple(self.words)):
            return cast("StrEnum | None", value)
        return self.words(value)


def changed_rows(statement: Update | Delete | Insert) -> int:
    """Run a guarded statement in the session's transaction, and return how many rows it changed."""
    # For an INSERT … SELECT on PostgreSQL, the driver's count would be thrown away otherwise, and -1 returned.
    options = {"synchronize_session": False, "preserve_rowcount": True}
    result = db.session.execute(statement, execution_options=options)
    return cast("CursorResult[Any]", result).rowcount


def insert_many(table: type[Base], rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows that all name the same columns, in the session's transaction. Raises SQLAlchemy's errors."""
    if rows:
        columns = tuple(rows[0])
        insert_rows(table, columns, [tuple(row[name] for name in columns) for row in rows])


def insert_rows(table: type[Base], columns: tuple[str, ...], rows: Sequence[Sequence[Any]]) -> None:
    """Insert rows with values for these columns, in the session's transaction; others get their usual value. Raises
    SQLAlchemy's errors.

    It goes straight to the driver, as SQLAlchemy's work on each row costs more than the database's. PostgreSQL gets the
    rows by COPY, in a tenth of the time.
    """
    if not rows:
        return
    connection = db.session.connection()
    statement, names, usual, converted = _insert(table, columns, connection.dialect)
    if usual or converted:
        rows = [_converted([*row, *usual], converted) for row in rows]
    if connection.dialect.name == "postgresql":
        copy_rows(connection, table.__tablename__, names, rows)
    else:
        connection.exec_driver_sql(statement, list(map(tuple, rows)))


@cache
def _insert(
    table: type[Base], columns: tuple[str, ...], dialect: Dialect
) -> tuple[str, list[str], tuple[Any, ...], dict[int, Callable[[Any], Any]]]:
    """Return an INSERT for the driver, all its columns, the values of those that are not given, and what converts the
    value at a position, where something has to."""
    known = table.__table__.columns
    defaults = {column.name: column.default.arg for column in known
                if column.name not in columns and isinstance(column.default, ScalarElementColumnDefault)}  # fmt: skip
    names = [*columns, *defaults]
    processors = [known[name].type.dialect_impl(dialect).bind_processor(dialect) for name in names]
    converted = {place: process for place, process in enumerate(processors) if process and place < len(columns)}
    usual = tuple(process(value) if process else value
                  for process, value in zip(processors[len(columns) :], defaults.values(), strict=True))  # fmt: skip
    quoted = dialect.identifier_preparer.quote
    into = f"{quoted(table.__tablename__)} ({', '.join(map(quoted, names))})"
    return f"INSERT INTO {into} VALUES ({', '.join('?' * len(names))})", names, usual, converted  # noqa: S608


def _converted(row: list[Any], converters: Mapping[int, Callable[[Any], Any]]) -> list[Any]:
    for place, convert in converters.items():
        row[place] = convert(row[place])
    return row


def copy_rows(connection: Connection, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Insert rows into a table of PostgreSQL by COPY. Their values are as the driver takes them. Raises SQLAlchemy's
    errors, without the server's context: it quotes the value that was refused, see `engine_options`."""
    quoted = connection.dialect.identifier_preparer.quote
    statement = f"COPY {quoted(table)} ({', '.join(map(quoted, columns))}) FROM STDIN"
    driver: Any = connection.connection
    error: Any = connection.dialect.loaded_dbapi.Error
    try:
        with driver.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(row)
    except error as fault:
        if connection.dialect.is_disconnect(fault, driver, None):
            connection.invalidate(fault)
        quiet = type(fault)(fault.diag.message_primary or type(fault).__name__)
        raise DBAPIError.instance(statement, None, quiet, error, hide_parameters=True) from None


def upsert(
    into: type[Base] | FromClause,
    key: tuple[str, ...],
    *,
    add: tuple[str, ...] = (),
    replace: tuple[str, ...] = (),
    dialect: str = "",
) -> Any:
    """Build an INSERT for which a row with the same `key` may already exist: its columns `add` grow by the new values,
    and its columns `replace` take them. Without either, the existing row stays unchanged. Pass a class for an ORM
    insert, which flushes first, or its `__table__` for a plain one."""
    return _upsert(into, key, add, replace, dialect or db.engine.dialect.name)


@cache
def _upsert(
    into: type[Base] | FromClause, key: tuple[str, ...], add: tuple[str, ...], replace: tuple[str, ...], dialect: str
) -> Any:
    insert: Any = postgresql.insert if dialect == "postgresql" else sqlite.insert
    statement = insert(into)
    if not (add or replace):
        return statement.on_conflict_do_nothing(index_elements=key)
    columns = statement.table.c
    changed = {name: columns[name] + statement.excluded[name] for name in add}
    changed |= {name: statement.excluded[name] for name in replace}
    return statement.on_conflict_do_update(index_elements=key, set_=changed)


def among(column: InstrumentedAttribute[Any], words: Iterable[StrEnum]) -> ColumnElement[bool]:
    """`column IN (…)` with literal values. With bound values SQLite does not see that a partial index applies, and
    reads a million rows instead."""
    return column.in_(bindparam(None, list(words), type_=column.type, expanding=True, literal_execute=True))


def enum_check(column: str, words: type[StrEnum]) -> CheckConstraint:
    """A constraint by which the database refuses a value that is not in the enum.

    It uses OR: for an IN of more than two values SQLite builds a table at every write, a third of an UPDATE's time.
    """
    allowed = " OR ".join(f"{column} = '{word}'" for word in words)
    return CheckConstraint(allowed, name=f"{column}_known")


def partial_index(name: str, *columns: str, where: str) -> Index:
    """An index over the rows for which the condition holds."""
    return Index(name, *columns, sqlite_where=text(where), postgresql_where=text(where))


def _open_sqlite(connection: Any) -> None:
    connection.isolation_level = None  # `_on_begin` sends BEGIN
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=NORMAL",
        "foreign_keys=ON",
        "wal_autocheckpoint=8000",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


@event.listens_for(Engine, "connect")
def _on_connect(connection: Any, record: Any) -> None:
    if type(connection).__module__.startswith("sqlite3"):
        _open_sqlite(connection)


# How long SQLite waits for somebody else's lock. A page answers within seconds that the portal is busy; a worker waits,
# as it has nothing better to do.
BUSY_SECONDS = 30.0
PAGE_BUSY_SECONDS = 3.0


@event.listens_for(Engine, "begin")
def _on_begin(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        options = connection.get_execution_options()
        reading = options.get("sqlite_read_only", False)
        seconds = options.get("busy_seconds") or (PAGE_BUSY_SECONDS if has_request_context() else BUSY_SECONDS)
        if connection.info.get("busy_seconds") != seconds:
            connection.exec_driver_sql(f"PRAGMA busy_timeout={seconds * 1000:.0f}")
            connection.info["busy_seconds"] = seconds
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def _from_json(text: str) -> Any:
    """Read a JSON column in a quarter of the usual time; what orjson does not take, such as half a surrogate pair, as
    before."""
    try:
        return orjson.loads(text)
    except ValueError:
        return json.loads(text)


def engine_options(url: str) -> dict[str, Any]:
    """Return the engine's options for this URL: short timeouts on PostgreSQL, so that a hung query ends automatically.

    Errors leave out the values of their statement: otherwise telephone numbers, keys and password hashes would get into
    the log and into the tracebacks that admins read.
    """
    quiet = {"hide_parameters": True, "json_deserializer": _from_json}
    if url.startswith("sqlite"):
        return {**quiet, "connect_args": {"timeout": 30, "check_same_thread": False}}
    limits = "-c statement_timeout=60000 -c idle_in_transaction_session_timeout=60000"
    return {**quiet, "pool_pre_ping": True, "connect_args": {"options": limits, "connect_timeout": 10}}


@contextmanager
def reading() -> Iterator[Session]:
    """Open a session that only reads. The objects it loaded stay usable afterwards, detached."""
    with Session(db.engine.execution_options(**READ_ONLY), expire_on_commit=False) as session:
        yield session


def begin_reading() -> None:
    """Begin the session's transaction as one that only reads. For what takes long or ends none of its own: on SQLite a
    usual one keeps every other writer waiting from its first statement. It does nothing inside a transaction."""
    if db.engine.dialect.name == "sqlite" and not db.session().in_transaction():
        db.session.connection(execution_options=READ_ONLY)


@contextmanager
def writing() -> Iterator[Session]:
    """Open a session that commits at its end. The objects it made stay usable afterwards, detached."""
    with Session(db.engine, expire_on_commit=False) as session, session.begin():
        yield session


def hash_of(text: str) -> str:
    """Return the text's SHA-256 in hexadecimal. For random tokens only: a password needs a slow hash."""
    return hashlib.sha256(text.encode()).hexdigest()
