"""How SQLite and PostgreSQL are opened, and how a transaction begins.

SQLite is opened so that a transaction takes its write lock at the start: with the driver's defaults, four writers lost
884 of 1,200 read-then-write updates, and a deferred upgrade fails at once with any busy timeout. One that only reads
takes no lock, and both databases refuse it to write.
"""

import json
from typing import Any

import orjson
from flask import has_request_context
from sqlalchemy import Engine, event
from sqlalchemy.engine import Connection

# With these options, set before a connection's first statement, its transactions only read: on SQLite they do not wait
# for a writer and keep none waiting.
READ_ONLY = {"sqlite_read_only": True, "postgresql_readonly": True}


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
        if connection.info.get("reading", False) is not reading:
            connection.exec_driver_sql(f"PRAGMA query_only={'ON' if reading else 'OFF'}")
            connection.info["reading"] = reading
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
