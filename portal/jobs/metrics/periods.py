"""Stretches of time as a reader sees them, in quarters of an hour as the figures are kept. Pure: it is given the time.

A quarter is the finest step by which time zones differ, so that a day is exact in every zone, also in those that are
half an hour aside and on the days on which the clock is changed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo

QUARTER_SECONDS = 900
QUARTERS = 96  # of a day
QUARTERS_OF_HOUR = 4
LONGEST_DAYS = 366
DAYS_AS_DAYS = 62  # a longer span is drawn by months


@dataclass(frozen=True)
class Span:
    """A stretch of time, cut at `borders`: its first and last are its beginning and its end. `step` is hour, day or
    month. The borders are aware moments in the reader's zone."""

    step: str
    borders: tuple[datetime, ...]

    @property
    def quarters(self) -> list[int]:
        """The borders in quarters of an hour since 1970."""
        return [int(border.timestamp()) // QUARTER_SECONDS for border in self.borders]

    @property
    def starts(self) -> tuple[datetime, ...]:
        """Where each piece begins."""
        return self.borders[:-1]


def last_hours(now: datetime, zone: tzinfo, hours: int = 24) -> Span:
    """So many hours of the clock, up to the end of the present one."""
    local = now.astimezone(zone)
    this_hour = now - timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
    borders = (this_hour + timedelta(hours=n) for n in range(1 - hours, 2))
    return Span("hour", tuple(border.astimezone(zone) for border in borders))


def last_days(now: datetime, zone: tzinfo, days: int) -> Span:
    """So many days of the reader's calendar, with today."""
    today = now.astimezone(zone).date()
    return between(today - timedelta(days=days - 1), today, zone)


def between(first: date, last: date, zone: tzinfo) -> Span:
    """From the beginning of one day to the end of another; a long one by months. Raises ValueError when the last is
    before the first, or more than LONGEST_DAYS lie between."""
    count = (last - first).days + 1
    if not 0 < count <= LONGEST_DAYS:
        raise ValueError("no such span")
    if count <= DAYS_AS_DAYS:
        return Span("day", tuple(_midnight(first + timedelta(days=n), zone) for n in range(count + 1)))
    cuts = [first, *_firsts_of_months(first, last), last + timedelta(days=1)]
    return Span("month", tuple(_midnight(day, zone) for day in cuts))


def _firsts_of_months(first: date, last: date) -> Iterator[date]:
    """The first days of months after `first`, up to `last`."""
    day = (first.replace(day=1) + timedelta(days=32)).replace(day=1)
    while day <= last:
        yield day
        day = (day + timedelta(days=32)).replace(day=1)


def _midnight(day: date, zone: tzinfo) -> datetime:
    """When a day begins. Where the clock skips midnight, that is the moment of the skip."""
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC).astimezone(zone)
