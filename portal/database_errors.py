"""Tells a database that is away or busy for a moment from an error that another try would meet again.

It must not know any table. A statement that failed because the database was restarted, locked, full or short of
connections can be repeated as it is; one that failed because of its values cannot.
"""

from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

DatabaseError = SQLAlchemyError  # any error of the database, for rooms that do not know SQLAlchemy

# SQLite's primary result codes: BUSY, LOCKED, NOMEM, READONLY, INTERRUPT, IOERR, FULL, CANTOPEN, PROTOCOL
_SQLITE = frozenset({5, 6, 7, 8, 9, 10, 13, 14, 15})
# PostgreSQL's SQLSTATE: connection lost, no resources left (disk, memory, connections), stopped by an operator or a
# time limit, an error of its system; then a standby that cannot write, and locks that were not granted.
_CLASSES = ("08", "53", "57", "58")
_STATES = frozenset({"25006", "25P03", "40001", "40P01", "55P03"})


def is_away(error: BaseException) -> bool:
    """Whether the database is away or busy, so that the same transaction may succeed a moment later."""
    if isinstance(error, PoolTimeout):
        return True
    if not isinstance(error, DBAPIError):
        return False
    if error.connection_invalidated:
        return True
    code = getattr(error.orig, "sqlite_errorcode", None)
    if code is not None:
        return code & 0xFF in _SQLITE
    state = getattr(error.orig, "sqlstate", None)
    if state is not None:
        return state in _STATES or state[:2] in _CLASSES
    # psycopg could not connect, or lost the connection before the server could say why
    return type(error.orig).__name__ == "OperationalError" and type(error.orig).__module__.startswith("psycopg")


def is_lost_commit(error: BaseException) -> bool:
    """Whether the connection broke while a COMMIT was under way: nobody knows whether it was made."""
    return isinstance(error, DBAPIError) and error.connection_invalidated and error.statement is None
