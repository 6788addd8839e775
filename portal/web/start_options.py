"""How a file starts, as its form says: whole, with its first numbers only, or at a moment that the person chose."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from flask_babel import gettext

from portal.web.locale import reader_zone

FIRST_NUMBERS = 20  # enough to see what the answers are like
LATEST = timedelta(days=366)


class StartRefused(ValueError):
    """The moment cannot be used; the text is a sentence for the reader."""


@dataclass(frozen=True)
class StartOptions:
    """`first`: pause once so many numbers are looked up. `at`: look none up before that moment, in UTC."""

    first: int | None = None
    at: datetime | None = None


def read_start(fields: Mapping[str, str], now: datetime) -> StartOptions:
    """Read the pressed button and the moment beside it, which is in the reader's time zone. Raises StartRefused."""
    if "first" in fields:
        return StartOptions(first=FIRST_NUMBERS)
    if "later" not in fields:
        return StartOptions()
    try:
        wanted = datetime.fromisoformat(fields.get("start_at", "")).replace(tzinfo=None)
    except ValueError:
        raise StartRefused(gettext("Choose the day and the time when the file starts.")) from None
    here = now.astimezone(reader_zone())
    if wanted > here.replace(tzinfo=None) + LATEST:  # before its zone is looked at: the year 9999 has no next day
        raise StartRefused(gettext("Choose a time within the next year."))
    if wanted < here.replace(tzinfo=None) - LATEST or (at := wanted.replace(tzinfo=here.tzinfo).astimezone(UTC)) <= now:
        raise StartRefused(gettext("That time has passed. Choose one that is still to come."))
    return StartOptions(at=at)


def earliest_start(now: datetime) -> str:
    """The next full hour in the reader's time zone, as the field for the moment takes it."""
    local = now.astimezone(reader_zone()).replace(minute=0, second=0, microsecond=0, tzinfo=None)
    return (local + timedelta(hours=1)).isoformat(timespec="minutes")
