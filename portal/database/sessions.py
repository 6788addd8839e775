"""Short sessions beside the request's own.

`reading` and `writing` never use the request's session: on SQLite that one holds the write lock from its first
statement, and checking a password takes a sixth of a second in which everybody would wait.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.orm import Session

from portal.database.handle import db
from portal.database.opening import READ_ONLY


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
