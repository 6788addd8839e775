"""The banner of a portal that stands still: on every page of whoever is signed in, and taken off without a reload.

Each process remembers the answer for a few seconds, so that a hundred open pages ask the database once.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import Flask, current_app

from portal.clock import utcnow
from portal.jobs.health.processes import is_stalled

REMEMBERED = timedelta(seconds=3)


@dataclass
class BannerState:
    """What this process knows, and since when it listens."""

    since: datetime
    asked_at: datetime | None = None
    answer: bool = False

    def ask(self, now: datetime, interval: timedelta) -> bool:
        """The remembered answer, or a new one when that is too old."""
        if self.asked_at is None or not timedelta() <= now - self.asked_at < REMEMBERED:
            self.answer, self.asked_at = is_stalled(now, self.since, interval), now
        return self.answer


def set_up(app: Flask) -> None:
    """Begin to listen, and let every template ask."""
    app.extensions["standstill"] = BannerState(utcnow())
    app.jinja_env.globals.update(portal_stands_still=is_still)


def is_still() -> bool:
    """Whether the banner is to be seen now."""
    watch: BannerState = current_app.extensions["standstill"]
    return watch.ask(utcnow(), timedelta(minutes=current_app.config["SCRAPING_CHECK_INTERVAL"]))
