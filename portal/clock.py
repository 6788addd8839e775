"""The one place that asks the machine what time it is; everything else is given the time."""

from datetime import UTC, datetime


def utcnow() -> datetime:
    """Return the present moment, aware and in UTC."""
    return datetime.now(UTC)
