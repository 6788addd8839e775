"""The one place that asks what time it is; everything else is given the time.

With several machines that is the database's time: a machine whose clock is a minute ahead would otherwise take jobs
away from workers that live. `database_clock` sets it; between two looks, time passes by the machine's uptime,
which nobody can set back. On SQLite there is one machine, and its own clock is the database's.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

_UPTIME = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # Linux's goes on while the machine is suspended
_set: tuple[datetime, float] | None = None  # a moment of the database, and the uptime at that moment
_first_look: Callable[[], object] | None = None


def utcnow() -> datetime:
    """Return the present moment, aware and in UTC. The first call may ask the database."""
    global _first_look
    if _first_look is not None:
        look, _first_look = _first_look, None
        look()
    if _set is None:
        return datetime.now(UTC)
    moment, uptime = _set
    return moment + timedelta(seconds=uptime_seconds() - uptime)


def uptime_seconds() -> float:
    """Return how long the machine has been running. For spans: no change of its clock moves it."""
    return time.clock_gettime(_UPTIME)


def look_first(look: Callable[[], object] | None) -> None:
    """Have this called once before the time is first told: it may call `set_clock`."""
    global _first_look
    _first_look = look


def set_clock(moment: datetime | None, uptime: float = 0.0) -> None:
    """Let `utcnow` continue from a moment of the database, which it had at that uptime. None: the machine's clock."""
    global _set
    _set = None if moment is None else (moment, uptime)


def skew_seconds() -> float:
    """Return how many seconds the machine's own clock is ahead of the time that `utcnow` returns."""
    return (datetime.now(UTC) - utcnow()).total_seconds()
