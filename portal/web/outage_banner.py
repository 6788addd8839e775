"""The banner shown while lookups are stopped: on every page of a signed-in person, and removed without a reload.

Each process caches the answer for a few seconds, so that a hundred open pages cost one query.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import Flask, current_app, g

from portal.clock import utcnow
from portal.jobs.health.processes import is_stalled

REMEMBERED = timedelta(seconds=3)


@dataclass
class BannerState:
    """The cached answer of this process, and when the process started to watch."""

    since: datetime
    checked_at: datetime | None = None
    answer: bool = False

    def stopped(self, now: datetime, interval: timedelta) -> bool:
        """The cached answer, or a new one when that is too old."""
        if self.checked_at is None or not timedelta() <= now - self.checked_at < REMEMBERED:
            self.answer, self.checked_at = is_stalled(now, self.since, interval), now
        return self.answer


def set_up(app: Flask) -> None:
    """Start watching, and give every template the check."""
    app.extensions["standstill"] = BannerState(utcnow())
    app.jinja_env.globals.update(lookups_stopped=lookups_stopped)


def lookups_stopped() -> bool:
    """Whether the banner is shown now."""
    state: BannerState = current_app.extensions["standstill"]
    if g.get("reads_nothing"):  # the page of an error, when the database may be away
        return state.answer
    return state.stopped(utcnow(), timedelta(minutes=current_app.config["SCRAPING_CHECK_INTERVAL"]))
