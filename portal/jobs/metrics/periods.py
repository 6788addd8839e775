"""Periods in the reader's time zone, cut at quarters of an hour, as the metrics are kept. Pure: the time is passed in.

A quarter is the finest step by which time zones differ, so a day is exact in every zone, including zones that are off
by half an hour and days on which the clock changes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo

QUARTER_SECONDS = 900
QUARTERS = 96  # of a day
QUARTERS_OF_HOUR = 4
LONGEST_DAYS = 366
DAYS_AS_DAYS = 62  # a longer span is cut into months


@dataclass(frozen=True)
class Span:
    """A period, cut at `borders`: the first is its beginning and the last its end. `step` is hour, day or month. The
    borders are aware moments in the reader's zone."""

    step: str
    borders: tuple[datetime, ...]

    @property
    def quarters(self) -> list[int]:
        """The borders in quarters of an hour since 1970."""
        return [int(border.timestamp()) // QUARTER_SECONDS for border in self.borders]

    @property
    def starts(self) -> tuple[datetime, ...]:
        """The beginning of each piece."""
        return self.borders[:-1]


def last_hours(now: datetime, zone: tzinfo, hours: int = 24) -> Span:
    """Return this many hours of the clock, up to the end of the current one."""
    local = now.astimezone(zone)
    this_hour = now - timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
    borders = (this_hour + timedelta(hours=n) for n in range(1 - hours, 2))
    return Span("hour", tuple(border.astimezone(zone) for border in borders))


def last_days(now: datetime, zone: tzinfo, days: int) -> Span:
    """Return this many days of the reader's calendar, including today."""
    today = now.astimezone(zone).date()
    return between(today - timedelta(days=days - 1), today, zone)


def between(first: date, last: date, zone: tzinfo) -> Span:
    """Return the period from the beginning of one day to the end of another, cut into months when it is long.

    Raises ValueError when the last day is before the first, or the period is longer than LONGEST_DAYS.
    """
    count = (last - first).days + 1
    if not 0 < count <= LONGEST_DAYS:
        raise ValueError("no such span")
    if count <= DAYS_AS_DAYS:
        return Span("day", tuple(_midnight(first + timedelta(days=n), zone) for n in range(count + 1)))
    cuts = [first, *_firsts_of_months(first, last), last + timedelta(days=1)]
    return Span("month", tuple(_midnight(day, zone) for day in cuts))


def preceding(span: Span) -> Span:
    """Return the period of the same length just before this one. Of a span in months it may have one piece more or
    less, as its days may begin within other months."""
    first, end = span.borders[0], span.borders[-1]
    if span.step == "hour":
        back = timedelta(hours=len(span.starts))
        moments = (border.astimezone(UTC) - back for border in span.borders)
        return Span("hour", tuple(moment.astimezone(first.tzinfo) for moment in moments))
    days = (end.date() - first.date()).days
    zone = first.tzinfo or UTC
    return between(first.date() - timedelta(days=days), first.date() - timedelta(days=1), zone)


def _firsts_of_months(first: date, last: date) -> Iterator[date]:
    """Yield the first days of months after `first`, up to `last`."""
    day = (first.replace(day=1) + timedelta(days=32)).replace(day=1)
    while day <= last:
        yield day
        day = (day + timedelta(days=32)).replace(day=1)


def _midnight(day: date, zone: tzinfo) -> datetime:
    """Return when a day begins. Where the clock skips midnight, that is the moment of the skip."""
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC).astimezone(zone)
