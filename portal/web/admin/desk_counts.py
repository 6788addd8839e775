"""The counts on the administrators' tabs: what needs somebody. Each process keeps them for a few seconds, so that every
page can show them.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from flask import Flask, current_app, g

from portal.clock import utcnow
from portal.jobs import status_counts
from portal.jobs.core.status import RETRYABLE
from portal.notices.log import undelivered_count

REMEMBERED = timedelta(seconds=5)


@dataclass
class DeskCounts:
    """The counts of this process and when it read them."""

    counted_at: datetime | None = None
    counts: dict[str, int] = field(default_factory=dict)

    def read(self, now: datetime) -> dict[str, int]:
        """The counts, read again when they are too old."""
        if self.counted_at is None or not timedelta() <= now - self.counted_at < REMEMBERED:
            by_status = status_counts.count_by_status()
            self.counts = {
                "triage": sum(by_status[status] for status in RETRYABLE),
                "notices": undelivered_count(),
            }
            self.counted_at = now
        return self.counts


def set_up(app: Flask) -> None:
    """Give every template the counts."""
    app.extensions["desk_counts"] = DeskCounts()
    app.jinja_env.globals["desk_counts"] = desk_counts


def desk_counts() -> dict[str, int]:
    """What needs an administrator: `triage` are files, `notices` messages that were not delivered."""
    kept: DeskCounts = current_app.extensions["desk_counts"]
    if g.get("reads_nothing"):  # the page of an error, when the database may be away
        return kept.counts
    return kept.read(utcnow())
