"""Writes many rows at once, and rows that may be there already, in the session's transaction."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, cast

from sqlalchemy import CursorResult, Delete, FromClause, Insert, Update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection, Dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.schema import ScalarElementColumnDefault

from portal.database.handle import Base, db


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
