"""The database: one handle, how SQLite and PostgreSQL are opened, short sessions, and the column types we share.

It must not know any table. SQLite is opened so that a transaction takes its write lock at the start: with the
driver's defaults, four writers lost 884 of 1,200 read-then-write updates, and a deferred upgrade fails at once
whatever the busy timeout says. `reading` and `writing` never use the request's session: on SQLite that one holds the
write lock from its first statement, and checking a password takes a sixth of a second in which everybody would wait.
"""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, cast

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import (
    CheckConstraint,
    ColumnElement,
    CursorResult,
    DateTime,
    Delete,
    Engine,
    String,
    Text,
    Update,
    bindparam,
    event,
)
from sqlalchemy.engine import Connection, Dialect
from sqlalchemy.orm import DeclarativeBase, InstrumentedAttribute, Session
from sqlalchemy.types import TypeDecorator

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """What every table shares: names for its constraints, so that migrations can speak of them."""


Base.metadata.naming_convention = NAMING

db = SQLAlchemy(model_class=Base)

if TYPE_CHECKING:
    Model = Base  # db.Model is made while running, where a type checker cannot look
else:
    Model = db.Model

MAX_INTEGER = 2**31 - 1  # the largest number that an integer column of PostgreSQL holds, so the largest id

# Give a session's connection these options before its first statement, and SQLite takes no write lock for it.
READ_ONLY = {"sqlite_read_only": True}


class UtcDateTime(TypeDecorator[datetime]):
    """An aware moment in UTC. PostgreSQL keeps the zone; SQLite, which has none, gets it back on reading."""

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


class ClippedText(TypeDecorator[str]):
    """A text of at most so many characters; what is longer loses its end. For a column with an index: PostgreSQL
    refuses a row whose indexed text takes more than 2,700 bytes."""

    impl = Text
    cache_ok = True

    def __init__(self, characters: int) -> None:
        super().__init__()
        self.characters = characters

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else value[: self.characters]


class EnumColumn(TypeDecorator[StrEnum]):
    """A column that holds one word of a StrEnum, and comes back as that enum; writing any other raises ValueError.

    `newer`: a word that only a newer version of the portal knows is read as plain text instead of raising, for a table
    whose rows other processes read while an update is under way.
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


def changed_rows(statement: Update | Delete) -> int:
    """Run a guarded statement in the session's transaction, and say how many rows it changed."""
    result = db.session.execute(statement, execution_options={"synchronize_session": False})
    return cast("CursorResult[Any]", result).rowcount


def among(column: InstrumentedAttribute[Any], words: Iterable[StrEnum]) -> ColumnElement[bool]:
    """`column IN (…)` with the words written out. With bound values SQLite does not see that a partial index fits,
    and reads a million rows instead."""
    return column.in_(bindparam(None, list(words), type_=column.type, expanding=True, literal_execute=True))


def id_in(text: str) -> int | None:
    """The id that a text spells; None for any other text, and for a number that no column can hold."""
    return int(text) if text.isdecimal() and len(text) < 11 and int(text) <= MAX_INTEGER else None


def only(column: str, words: type[StrEnum]) -> CheckConstraint:
    """A constraint by which the database itself refuses a word that is not in the enum.

    Spelled with OR: for an IN of more than two words SQLite builds a table at every write, a third of an UPDATE's time.
    """
    allowed = " OR ".join(f"{column} = '{word}'" for word in words)
    return CheckConstraint(allowed, name=f"{column}_known")


def _open_sqlite(connection: Any) -> None:
    connection.isolation_level = None  # we send BEGIN ourselves, below
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=NORMAL",
        "busy_timeout=30000",
        "foreign_keys=ON",
        "wal_autocheckpoint=8000",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


@event.listens_for(Engine, "connect")
def _on_connect(connection: Any, record: Any) -> None:
    if type(connection).__module__.startswith("sqlite3"):
        _open_sqlite(connection)


@event.listens_for(Engine, "begin")
def _on_begin(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        reading = connection.get_execution_options().get("sqlite_read_only", False)
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def engine_options(url: str) -> dict[str, Any]:
    """How the engine for this address is made: short waits on PostgreSQL, so that a hung query ends by itself.

    An error does not repeat the values that its statement was given: telephone numbers, keys and passwords' hashes
    would get into the log and into the tracebacks that admins read.
    """
    quiet = {"hide_parameters": True}
    if url.startswith("sqlite"):
        return {**quiet, "connect_args": {"timeout": 30, "check_same_thread": False}}
    limits = "-c statement_timeout=60000 -c idle_in_transaction_session_timeout=60000"
    return {**quiet, "pool_pre_ping": True, "connect_args": {"options": limits, "connect_timeout": 10}}


@contextmanager
def reading() -> Iterator[Session]:
    """A session that only reads. What it loaded stays usable after it, apart from any session."""
    with Session(db.engine.execution_options(**READ_ONLY), expire_on_commit=False) as session:
        yield session


@contextmanager
def writing() -> Iterator[Session]:
    """A session that commits at its end. What it made stays usable after it, apart from any session."""
    with Session(db.engine, expire_on_commit=False) as session, session.begin():
        yield session


def hash_of(text: str) -> str:
    """The text's SHA-256 in hexadecimal. For random tokens only: a password needs a slow hash."""
    return hashlib.sha256(text.encode()).hexdigest()
