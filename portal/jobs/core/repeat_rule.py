"""When a file that is repeated is looked up again: every day, on a day of the week, or on a day of the month.

The time of day is that of a place. Where its clock is put forward over that time, the file is looked up as much later;
where it is put back, at the first of the two. Pure.
"""

from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

LAST_DAY = 31  # of a month: in a shorter one, its last


class Every(StrEnum):
    """How often."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True)
class RepeatRule:
    """`day`: of the week from 0, Monday; of the month from 1, and LAST_DAY is its end; 0 for every day. `zone`: the
    name of the time zone that `at` is in."""

    every: Every
    day: int
    at: time
    zone: str

    def falls_on(self, day: date) -> bool:
        """Whether the file is looked up on this day."""
        if self.every == Every.DAY:
            return True
        if self.every == Every.WEEK:
            return day.weekday() == self.day
        return day.day == min(self.day, monthrange(day.year, day.month)[1])

    def next_after(self, moment: datetime) -> datetime:
        """Return the first moment after this one, in UTC."""
        zone = ZoneInfo(self.zone)
        day = moment.astimezone(zone).date() - timedelta(days=1)  # its time may have been moved past midnight
        while True:
            if self.falls_on(day):
                found = datetime.combine(day, self.at, zone).astimezone(UTC)
                if found > moment:
                    return found
            day += timedelta(days=1)
