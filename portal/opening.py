"""Short transactions of this room's own, and the hash under which tokens are kept.

They never borrow the request's session: on SQLite that one holds the write lock from its first statement, and
checking a password takes a sixth of a second in which everybody else would wait.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.orm import Session

from portal.database import READ_ONLY, db


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
