"""Counts each source's answers by the minute, so that its recent health can be read at once.

A number that was looked up counts once, however many rows have it; a cached answer does not count. Counts are written
together with the answers. The rows of an hour are few and are summed; the sweep deletes older ones. These functions do
not commit; their callers do.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select

from portal.database import changed_rows, db, upsert
from portal.sources.base import Outcome
from portal.sources.models import SourceMinute


def count(source: str, outcomes: Mapping[Outcome, int], now: datetime) -> None:
    """Count answers that have just arrived. Must be the last statement before a commit, as other workers of the same
    source wait for its rows."""
    minute = now.replace(second=0, microsecond=0)
    rows = [
        {"source": source, "minute": minute, "outcome": outcome, "n": n, "last_at": now}
        for outcome, n in sorted(outcomes.items())
        if n
    ]
    if rows:
        statement = upsert(SourceMinute.__table__, ("source", "minute", "outcome"), add=("n",), replace=("last_at",))
        db.session.connection().execute(statement, rows)


def since(sources: Iterable[str], moment: datetime) -> dict[str, dict[Outcome, int]]:
    """The number of answers since a moment, to the minute, by source and outcome. A source without any is left out."""
    summed = (
        select(SourceMinute.source, SourceMinute.outcome, func.sum(SourceMinute.n))
        .where(SourceMinute.source.in_(list(sources)), SourceMinute.minute >= moment)
        .group_by(SourceMinute.source, SourceMinute.outcome)
        .order_by(SourceMinute.source, SourceMinute.outcome)
    )
    found: dict[str, dict[Outcome, int]] = {}
    for source, outcome, n in db.session.execute(summed):
        found.setdefault(source, {})[outcome] = int(n)
    return found


def last_answers(sources: Iterable[str]) -> dict[str, datetime]:
    """When the last answer for a number of each source was saved. A source without one in the last hours is left
    out."""
    answered = (SourceMinute.source.in_(list(sources)), SourceMinute.outcome.in_((Outcome.FOUND, Outcome.NOT_FOUND)))
    # A row of an earlier version of the portal has the minute only.
    at = func.max(func.coalesce(SourceMinute.last_at, SourceMinute.minute, type_=SourceMinute.minute.type))
    latest = select(SourceMinute.source, at).where(*answered).group_by(SourceMinute.source)
    return {row[0]: row[1] for row in db.session.execute(latest)}


def forget(now: datetime, hours: float = 2.0) -> int:
    """Delete counts that no page shows any more, and return how many rows that were."""
    return changed_rows(delete(SourceMinute).where(SourceMinute.minute < now - timedelta(hours=hours)))
