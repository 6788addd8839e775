"""The sums of today for the administrators' first page. It only reads."""

from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from sqlalchemy import func, select

from portal.database import among, db
from portal.jobs.core.status import Status
from portal.jobs.metrics import periods, queries
from portal.jobs.metrics.summary import total
from portal.notices.models import Channel, Delivery, Notice

LOOKED_AT = 1_000  # emails, the newest: those of a day, read by an index


@dataclass(frozen=True)
class Today:
    """Since midnight in the reader's zone: files that ended, and those of them that are complete; numbers with an
    answer; emails sent, LOOKED_AT at most. And how many emails are waiting to be sent."""

    files: int
    completed: int
    answered: int
    emails: int
    emails_waiting: int


def today(now: datetime, zone: ZoneInfo) -> Today:
    """Return the sums of the day that `now` is on."""
    day = now.astimezone(zone).date()
    sums = total(queries.by_source(periods.between(day, day, zone)))
    midnight = datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
    mails = Notice.channel == Channel.MAIL
    newest = select(Notice.sent_at).where(mails, among(Notice.state, (Delivery.SENT,))).order_by(Notice.id.desc())
    latest = newest.limit(LOOKED_AT).subquery()
    sent = select(func.count()).where(latest.c.sent_at >= midnight)
    due = select(func.count()).where(mails, among(Notice.state, (Delivery.DUE, Delivery.SENDING)))
    emails, waiting = (db.session.scalar(query) or 0 for query in (sent, due))
    return Today(sums.jobs(), sums.jobs(Status.COMPLETED), sums.answered, emails, waiting)
