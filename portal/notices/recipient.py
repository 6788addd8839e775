"""Who reads a letter: their language and time zone, and how moments, counts and names are spelled for them.

It needs neither a request nor a session, so that a letter can be written by any process.
"""

import unicodedata
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel.dates import format_date, format_skeleton
from babel.numbers import format_decimal
from flask import current_app

from portal.accounts import User

NAME_LETTERS = 80  # of a file's name in a subject
# Marks that turn the direction of what follows, and with it can make a name look like another.
TURNING = {*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C}


@dataclass(frozen=True)
class Recipient:
    """One person's language and zone."""

    locale: str
    zone_name: str

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.zone_name)

    def count(self, number: int) -> str:
        return str(format_decimal(number, locale=self.locale))

    def day(self, moment: datetime | str) -> str:
        """As in: Tue, 5 May 2026."""
        return format_skeleton("yMMMEd", self._here(moment), locale=self._spelled)

    def date(self, moment: datetime | str) -> str:
        """As in: 5 May 2026."""
        return format_date(self._here(moment), "long", locale=self._spelled)

    def time(self, moment: datetime | str) -> str:
        """As in: 09:02. Nobody needs seconds in a letter."""
        return self._here(moment).strftime("%H:%M")

    def moment(self, moment: datetime | str) -> str:
        return f"{self.day(moment)}, {self.time(moment)}"

    def span(self, first: datetime | str, last: datetime | str) -> str:
        """From and to; the day is said once when it is the same."""
        if self._here(first).date() == self._here(last).date():
            between = (
                self.time(first) if self.time(first) == self.time(last) else f"{self.time(first)}–{self.time(last)}"
            )
            return f"{self.day(first)}, {between}"
        return f"{self.moment(first)} – {self.moment(last)}"

    def zone_words(self, moment: datetime | str) -> str:
        """As in: Europe/Madrid, UTC+2."""
        offset = self._here(moment).utcoffset()
        minutes = int(offset.total_seconds()) // 60 if offset else 0
        hours, rest = divmod(abs(minutes), 60)
        shift = f"{'-' if minutes < 0 else '+'}{hours}{f':{rest:02d}' if rest else ''}" if minutes else ""
        return f"{self.zone_name.replace('_', ' ')}, UTC{shift}"

    def name(self, text: str, most: int = NAME_LETTERS) -> str:
        """A file's name in running text: one line, clipped in its middle, and unable to turn what stands around it."""
        return plain_name(text, most)

    @property
    def _spelled(self) -> str:
        return "en_GB" if self.locale == "en" else self.locale  # the day before the month, as everywhere in Europe

    def _here(self, moment: datetime | str) -> datetime:
        at = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
        return at.astimezone(self.zone)


def reader_of(user: User) -> Recipient:
    """The person as a reader; what they have not chosen is as the portal's settings say."""
    zone = user.time_zone or current_app.config["DEFAULT_TIME_ZONE"]
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        zone = "UTC"
    return Recipient(user.locale or current_app.config["DEFAULT_LOCALE"], zone)


def plain_name(text: str, most: int = NAME_LETTERS) -> str:
    """The name without line breaks, control characters and marks that turn the direction; one that is written from
    right to left is kept to itself by marks of ours."""
    shown = "".join(
        " " if unicodedata.category(letter) in ("Cc", "Zl", "Zp") else letter
        for letter in text
        if ord(letter) not in TURNING and unicodedata.category(letter) != "Cs"
    )
    shown = " ".join(shown.split())
    if len(shown) > most:
        ending = shown[-12:]
        shown = f"{shown[: most - len(ending) - 1]}…{ending}"
    if any(unicodedata.bidirectional(letter) in ("R", "AL") for letter in shown):
        shown = f"\u2068{shown}\u2069"
    return shown
