"""Short sessions beside the request's own, and how that one is kept from writing.

`reading` and `writing` never use the request's session: on SQLite that one holds the write lock from its first
statement, and checking a password takes a sixth of a second in which everybody would wait.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from sqlalchemy.orm import Session

from portal.database.handle import PortalSession, db
from portal.database.opening import READ_ONLY


@contextmanager
def reading() -> Iterator[Session]:
    """Open a session that only reads. The objects it loaded stay usable afterwards, detached."""
    with Session(db.engine.execution_options(**READ_ONLY), expire_on_commit=False) as session:
        yield session


def only_read() -> None:
    """Let every transaction of the session only read, from here to its end: for a page, and for a task that writes
    nothing. Raises RuntimeError inside a transaction."""
    session = cast(PortalSession, db.session())
    if session.in_transaction():
        raise RuntimeError("only_read comes before a transaction's first statement")
    session.reader = db.engine.execution_options(**READ_ONLY)


@contextmanager
def allow_writing() -> Iterator[None]:
    """Let the session write in this block, also on a page that otherwise only reads. The transaction before it ends, as
    SQLite cannot turn one that has read into one that writes; the block commits what it writes."""
    session = cast(PortalSession, db.session())
    session.commit()
    reader, session.reader = session.reader, None
    try:
        yield
    finally:
        session.rollback()  # what was not committed; otherwise nothing
        session.reader = reader


def begin_reading() -> None:
    """Begin the session's transaction as one that only reads; the next may write. For what reads long before it writes:
    on SQLite a usual one keeps every other writer waiting from its first statement. Does nothing inside a
    transaction."""
    if not db.session().in_transaction():
        db.session.connection(execution_options=READ_ONLY)


@contextmanager
def writing() -> Iterator[Session]:
    """Open a session that commits at its end. The objects it made stay usable afterwards, detached."""
    with Session(db.engine, expire_on_commit=False) as session, session.begin():
        yield session
