"""Lets this process go by the database's clock, which every machine shares. It must not know any table."""

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event, text
from sqlalchemy.exc import SQLAlchemyError

from portal import clock
from portal.database import engine_options

SLOW_LOOK_SECONDS = 2.0
_DATABASE_CLOCK = text("SELECT clock_timestamp()")  # now() would be the beginning of the transaction

_follows = False  # whether this process goes by the database's clock


def follow_clock(engine: Engine) -> None:
    """Let this process go by the database's clock from now on, if that may be another machine's: it looks before the
    time is first told, at each new connection, and wherever `measure_clock` is called. Connects to nothing yet."""
    global _follows
    if engine.dialect.name == "postgresql" and not _follows:
        _follows = True
        event.listen(engine, "connect", _measure_at_connect)
        clock.look_first(lambda: _look_alone(engine.url))


def _look_alone(url: URL) -> None:
    """Look at the clock by a connection that is closed again, because this process may fork. Without the database, the
    machine's clock has to do until the first connection."""
    alone = create_engine(url, poolclass=NullPool, **engine_options(url.render_as_string()) | {"pool_pre_ping": False})
    with suppress(SQLAlchemyError), alone.connect() as connection:
        measure_clock(connection)


def measure_clock(connection: Connection) -> None:
    """Look at the database's clock again, if this process goes by it."""
    if _follows:
        before = clock.uptime_seconds()
        _set_clock(connection.execute(_DATABASE_CLOCK).scalar_one(), before)


def _measure_at_connect(connection: Any, record: Any) -> None:
    before = clock.uptime_seconds()
    with connection.cursor() as cursor:
        moment = cursor.execute(str(_DATABASE_CLOCK)).fetchone()[0]
    connection.rollback()
    _set_clock(moment, before)


def _set_clock(moment: datetime, before: float) -> None:
    """Set the clock to a moment that the database read after `before`. A slow answer is not used: it would be off by
    half of its way, and the last look is better."""
    now = clock.uptime_seconds()
    if now - before < SLOW_LOOK_SECONDS:
        clock.set_clock(moment.astimezone(UTC), (before + now) / 2)
