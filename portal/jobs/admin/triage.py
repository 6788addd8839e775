"""Jobs that need attention (failed or timed out), counted by cause and by how long ago they last changed.

The counts use the same filters as the list that each number links to. Beyond CAP jobs, only the newest are counted.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import case, func, select

from portal.database import db
from portal.jobs.admin.filters import Filters, conditions
from portal.jobs.models import ScrapingJob

CAP = 5_000

SPANS: dict[str, timedelta | None] = {
    "1h": timedelta(hours=1),
    "3h": timedelta(hours=3),
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
    "all": None,
}


@dataclass(frozen=True)
class CauseRow:
    """One cause with its count for each of SPANS; each span includes the shorter ones."""

    cause: str
    counts: dict[str, int]


@dataclass(frozen=True)
class Grid:
    """The causes, most frequent first, and the sums. `full`: there are more jobs than were counted."""

    rows: list[CauseRow]
    sums: dict[str, int]
    full: bool


def grid(now: datetime, *, stopped: bool = False) -> Grid:
    """Return the grid of failed and timed out jobs; `stopped` leaves out those that are retried automatically."""
    job = ScrapingJob
    newest = (
        select(job.last_error, job.updated_at)
        .where(*conditions(Filters(still_open=True, stopped=stopped)))
        .order_by(job.updated_at.desc())
        .limit(CAP + 1)
        .subquery()
    )
    since = {span: now - back for span, back in SPANS.items() if back is not None}
    within = [func.sum(case((newest.c.updated_at >= moment, 1), else_=0)) for moment in since.values()]
    found = db.session.execute(select(newest.c.last_error, *within, func.count()).group_by(newest.c.last_error)).all()
    rows = [CauseRow(row[0] or "", dict(zip(SPANS, map(int, row[1:]), strict=True))) for row in found]
    # Recent failures matter more than those of weeks ago.
    rows.sort(key=lambda row: (*(-row.counts[span] for span in ("24h", "all")), row.cause))
    sums = {span: sum(row.counts[span] for row in rows) for span in SPANS}
    return Grid(rows, sums, sums["all"] > CAP)
