"""The recipient of a message: their language and time zone, and how dates, counts and names are formatted for them.

It needs neither a request nor a database session, so any process can build a message.
"""

import unicodedata
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel.dates import format_date, format_skeleton
from babel.numbers import format_decimal
from flask import current_app

from portal.accounts import User

NAME_LENGTH = 80  # characters of a file's name in a subject
# Marks that change the direction of the text after them, and so can make one name look like another.
DIRECTION_MARKS = {*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C}


@dataclass(frozen=True)
class Recipient:
    """A person's language and time zone."""

    locale: str
    zone_name: str

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.zone_name)

    def count(self, number: int) -> str:
        return str(format_decimal(number, locale=self.locale))

    def day(self, moment: datetime | str) -> str:
        """For example: Tue, 5 May 2026."""
        return format_skeleton("yMMMEd", self._local(moment), locale=self._formatted)

    def date(self, moment: datetime | str) -> str:
        """For example: 5 May 2026."""
        return format_date(self._local(moment), "long", locale=self._formatted)

    def time(self, moment: datetime | str) -> str:
        """For example: 09:02, without seconds."""
        return self._local(moment).strftime("%H:%M")

    def moment(self, moment: datetime | str) -> str:
        return f"{self.day(moment)}, {self.time(moment)}"

    def span(self, first: datetime | str, last: datetime | str) -> str:
        """From and to; the day appears once if both are on the same day."""
        if self._local(first).date() == self._local(last).date():
            between = (
                self.time(first) if self.time(first) == self.time(last) else f"{self.time(first)}–{self.time(last)}"
            )
            return f"{self.day(first)}, {between}"
        return f"{self.moment(first)} – {self.moment(last)}"

    def zone_words(self, moment: datetime | str) -> str:
        """For example: Europe/Madrid, UTC+2."""
        offset = self._local(moment).utcoffset()
        minutes = int(offset.total_seconds()) // 60 if offset else 0
        hours, rest = divmod(abs(minutes), 60)
        shift = f"{'-' if minutes < 0 else '+'}{hours}{f':{rest:02d}' if rest else ''}" if minutes else ""
        return f"{self.zone_name.replace('_', ' ')}, UTC{shift}"

    def name(self, text: str, most: int = NAME_LENGTH) -> str:
        """A file's name for use in a sentence: one line, shortened in the middle, and unable to change the direction of
        the text around it."""
        return plain_name(text, most)

    @property
    def _formatted(self) -> str:
        return "en_GB" if self.locale == "en" else self.locale  # day before month, as in Europe

    def _local(self, moment: datetime | str) -> datetime:
        at = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
        return at.astimezone(self.zone)


def recipient_of(user: User) -> Recipient:
    """The person as a recipient; the portal's settings apply where they have chosen nothing."""
    zone = user.time_zone or current_app.config["DEFAULT_TIME_ZONE"]
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        zone = "UTC"
    return Recipient(user.locale or current_app.config["DEFAULT_LOCALE"], zone)


def plain_name(text: str, most: int = NAME_LENGTH) -> str:
    """The name without line breaks, control characters and direction marks. A right-to-left name is isolated with our
    own marks."""
    shown = "".join(
        " " if unicodedata.category(char) in ("Cc", "Zl", "Zp") else char
        for char in text
        if ord(char) not in DIRECTION_MARKS and unicodedata.category(char) != "Cs"
    )
    shown = " ".join(shown.split())
    if len(shown) > most:
        ending = shown[-12:]
        shown = f"{shown[: most - len(ending) - 1]}…{ending}"
    if any(unicodedata.bidirectional(char) in ("R", "AL") for char in shown):
        shown = f"\u2068{shown}\u2069"
    return shown
