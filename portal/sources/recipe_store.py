"""Keeps the last good text of each recipe in the database: for a process that starts while the file has a mistake, and
for a machine that has no folder of recipes. Every text that was ever good is kept as a version, with its author.

The folder is where recipes are written; the table is only a copy, and the machine whose good file was read last has
written it. Each call has a connection of its own, which is closed again, because the processes that call it fork.
Without the database, or before its tables exist, nothing is known and nothing is kept. It must not know what a recipe
is.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from difflib import unified_diff
from pathlib import Path

import structlog
from sqlalchemy import Connection, Engine, NullPool, String, Text, create_engine, delete, insert, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Mapped, mapped_column

from portal.database import READ_ONLY, Model, UtcDateTime, engine_options, reading, upsert, writing

log = structlog.get_logger(__name__)

WAIT_SECONDS = 2  # for the database or its lock: a page or an attempt waits meanwhile


class KeptRecipe(Model):
    """The last good text of a recipe's file."""

    __tablename__ = "recipes"

    file: Mapped[str] = mapped_column(String(255), primary_key=True)  # its name in the folder
    text: Mapped[str] = mapped_column(Text)
    kept_at: Mapped[datetime] = mapped_column(UtcDateTime)


class RecipeVersion(Model):
    """A text that a recipe's file had from a moment on. Versions are only added."""

    __tablename__ = "recipe_versions"

    id: Mapped[int] = mapped_column(primary_key=True)
    file: Mapped[str] = mapped_column(String(255), index=True)
    text: Mapped[str] = mapped_column(Text)
    saved_at: Mapped[datetime] = mapped_column(UtcDateTime)
    author: Mapped[str] = mapped_column(String(255))  # an administrator's email address; empty: changed on the server


class RecipeStore:
    """The table of one database. No method raises when the database is away."""

    def __init__(self, database_url: str) -> None:
        options = engine_options(database_url)
        wait = {} if database_url.startswith("sqlite") else {"connect_timeout": WAIT_SECONDS}
        options["connect_args"] = options["connect_args"] | wait
        engine = create_engine(database_url, poolclass=NullPool, **options)
        self._engine: Engine = engine.execution_options(busy_seconds=WAIT_SECONDS)

    def is_there(self) -> bool:
        """Whether there is a database to ask: on SQLite, connecting would create it."""
        path = self._engine.url.database
        return self._engine.dialect.name != "sqlite" or bool(path and Path(path).is_file())

    def texts(self) -> dict[str, str] | None:
        """The kept texts by file name; None when they cannot be read now."""
        if not self.is_there():
            return None
        try:
            with self._engine.execution_options(**READ_ONLY).connect() as connection:
                found = connection.execute(select(KeptRecipe.file, KeptRecipe.text))
                return {row.file: row.text for row in found}
        except SQLAlchemyError:
            return None

    def keep(self, texts: Mapping[str, str], gone: Iterable[str], now: datetime, author: str = "") -> bool:
        """Keep these texts, by file name, each as a version of its `author`, and forget those of the files that are
        `gone`. False: not now."""
        rows = [{"file": file, "text": text, "kept_at": now} for file, text in sorted(texts.items())]
        kept = upsert(KeptRecipe.__table__, ("file",), replace=("text", "kept_at"), dialect=self._engine.dialect.name)
        try:
            with self._engine.begin() as connection:
                if rows:
                    connection.execute(kept, rows)
                    self._add_versions(connection, texts, now, author)
                connection.execute(delete(KeptRecipe).where(KeptRecipe.file.in_(list(gone))))
        except SQLAlchemyError as error:
            log.info("the recipes cannot be kept in the database now", error=type(error).__name__)
            return False
        return True

    @staticmethod
    def _add_versions(connection: Connection, texts: Mapping[str, str], now: datetime, author: str) -> None:
        """Add what differs from the last version. A text that an author has just saved comes again from the folder."""
        for file, text in sorted(texts.items()):
            own = select(RecipeVersion.text).where(RecipeVersion.file == file)
            if connection.scalar(own.order_by(RecipeVersion.id.desc()).limit(1)) != text:
                row = {"file": file, "text": text, "saved_at": now, "author": author}
                connection.execute(insert(RecipeVersion), row)


@dataclass(frozen=True)
class ShownVersion:
    """One version of a recipe, and what it has changed in the one before: lines of a diff. `name` is its version's."""

    id: int
    name: str
    text: str
    saved_at: datetime
    author: str
    lines: tuple[str, ...]


def versions(file: str, most: int = 50) -> list[ShownVersion]:
    """The versions of a recipe's file, the newest first."""
    with reading() as session:
        own = select(RecipeVersion).where(RecipeVersion.file == file).order_by(RecipeVersion.id.desc())
        rows = list(session.scalars(own.limit(most + 1)))
    found = []
    for row, before in zip(rows[:most], [*rows[1:], None][:most], strict=True):
        old = before.text.splitlines() if before else []
        diff = list(unified_diff(old, row.text.splitlines(), lineterm="", n=2))[2:] if before else []
        mark = hashlib.sha256(row.text.encode()).hexdigest()[:8]
        found.append(ShownVersion(row.id, mark, row.text, row.saved_at, row.author, tuple(diff)))
    return found


def note_version(file: str, text: str, author: str, now: datetime) -> None:
    """Note who has written a text that is going into the folder. Commits."""
    with writing() as session:
        RecipeStore._add_versions(session.connection(), {file: text}, now, author)
