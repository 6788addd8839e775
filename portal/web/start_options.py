"""How a file starts, as its form says: whole, with its first numbers only, or at a moment that the person chose."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from flask_babel import gettext

from portal.jobs.words.money import amount_typed
from portal.web.locale import reader_zone

FIRST_NUMBERS = 20  # enough to see what the answers are like
LATEST = timedelta(days=366)


class StartRefused(ValueError):
    """The moment cannot be used; the text is a sentence for the reader."""


@dataclass(frozen=True)
class StartOptions:
    """`first`: pause once so many numbers are looked up. `at`: look none up before that moment, in UTC. `cost_cap`: the
    most that the file may cost, in billionths. `known_days`: see `known_days_in`."""

    first: int | None = None
    at: datetime | None = None
    cost_cap: int | None = None
    known_days: int | None = None


def read_start(fields: Mapping[str, str], now: datetime) -> StartOptions:
    """Read the pressed button, the moment beside it, which is in the reader's time zone, and what the file may cost.
    Raises StartRefused."""
    options = StartOptions(cost_cap=cost_cap_in(fields), known_days=known_days_in(fields))
    if "first" in fields:
        return replace(options, first=FIRST_NUMBERS)
    if "later" not in fields:
        return options
    try:
        wanted = datetime.fromisoformat(fields.get("start_at", "")).replace(tzinfo=None)
    except ValueError:
        raise StartRefused(gettext("Choose the day and the time when the file starts.")) from None
    here = now.astimezone(reader_zone())
    if wanted > here.replace(tzinfo=None) + LATEST:  # before its zone is looked at: the year 9999 has no next day
        raise StartRefused(gettext("Choose a time within the next year."))
    if wanted < here.replace(tzinfo=None) - LATEST or (at := wanted.replace(tzinfo=here.tzinfo).astimezone(UTC)) <= now:
        raise StartRefused(gettext("That time has passed. Choose one that is still to come."))
    return replace(options, at=at)


def cost_cap_in(fields: Mapping[str, str]) -> int | None:
    """The most that the file may cost, as it was typed; None: nothing was. Raises StartRefused."""
    try:
        return amount_typed(fields.get("cost_cap", ""))
    except ValueError:
        raise StartRefused(gettext("Write the limit as an amount, such as 25.00, or leave it empty.")) from None


def known_days_in(fields: Mapping[str, str]) -> int | None:
    """How old the answer of an earlier file may be, in days; 0: none is taken; None: as the recipe says."""
    text = fields.get("known_days", "").strip()
    return int(text) if text.isdecimal() and len(text) < 5 else None


def earliest_start(now: datetime) -> str:
    """The next full hour in the reader's time zone, as the field for the moment takes it."""
    local = now.astimezone(reader_zone()).replace(minute=0, second=0, microsecond=0, tzinfo=None)
    return (local + timedelta(hours=1)).isoformat(timespec="minutes")
