"""The shared types of columns, and the constraints and indexes that both databases understand alike."""

from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, cast

from sqlalchemy import CheckConstraint, ColumnElement, DateTime, Index, String, Text, bindparam, text
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.types import TypeDecorator


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
