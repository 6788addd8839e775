"""The database: one handle, how SQLite and PostgreSQL are opened, short sessions, and the shared column types.

It must not know any table. Everybody imports from here, and not from the files inside.
"""

import hashlib

from portal.database.chunks import chunks
from portal.database.column_types import (
    ClippedText,
    EnumColumn,
    Positions,
    UtcDateTime,
    among,
    enum_check,
    partial_index,
)
from portal.database.handle import Base, Model, db
from portal.database.opening import READ_ONLY, engine_options
from portal.database.rows import changed_rows, copy_rows, insert_many, insert_rows, upsert
from portal.database.sessions import allow_writing, begin_reading, only_read, reading, writing

__all__ = [
    "Base",
    "ClippedText",
    "EnumColumn",
    "Model",
    "Positions",
    "READ_ONLY",
    "UtcDateTime",
    "allow_writing",
    "among",
    "begin_reading",
    "changed_rows",
    "chunks",
    "copy_rows",
    "db",
    "engine_options",
    "enum_check",
    "hash_of",
    "insert_many",
    "insert_rows",
    "only_read",
    "partial_index",
    "reading",
    "upsert",
    "writing",
]


def hash_of(text: str) -> str:
    """Return the text's SHA-256 in hexadecimal. For random tokens only: a password needs a slow hash."""
    return hashlib.sha256(text.encode()).hexdigest()
