"""Shows a job's notices as timeline lines. They are read from the notices table, so the two can never disagree."""

from sqlalchemy import or_, select
from sqlalchemy.orm import aliased

from portal.accounts import User
from portal.database import db
from portal.jobs.core.job_tables import Event, EventKind
from portal.notices.models import Channel, Delivery, Notice

SHOWN = 50


def with_notices(job_id: int, events: list[Event]) -> list[Event]:
    """Return the events, newest first, with a line for each notice that was sent, failed, or is being retried."""
    digest = aliased(Notice)
    tried = or_(Notice.tries > 0, Notice.state == Delivery.FOLDED)
    found = (
        select(Notice, digest, User.email)
        .outerjoin(digest, digest.id == Notice.digest_id)
        .outerjoin(User, User.id == Notice.user_id)
        .where(Notice.job_id == job_id, tried)
        .order_by(Notice.id.desc())
        .limit(SHOWN)
    )
    lines = [_line(job_id, notice, folded or notice, email) for notice, folded, email in db.session.execute(found)]
    return sorted([*lines, *events], key=lambda event: event.at, reverse=True) if lines else events


def _line(job_id: int, notice: Notice, carrier: Notice, email: str | None) -> Event:
    """Make a line that is in no session. `carrier` is what was sent: the notice itself, or the digest that includes
    it."""
    facts = {
        "what": notice.kind,
        "channel": notice.channel.value,
        "state": carrier.state.value,
        "digest": carrier is not notice,
        "email": email if notice.channel == Channel.MAIL else None,
        "until": carrier.due_at.isoformat() if carrier.state in (Delivery.DUE, Delivery.SENDING) else None,
    }
    return Event(
        job_id=job_id, at=carrier.sent_at or carrier.created_at, kind=EventKind.NOTIFIED, actor=None, facts=facts
    )
