"""The outbox: write a notice in the transaction of what it reports, take it for sending, cancel what is no longer true.

A second notice with the same key is skipped. Taking is a compare-and-set that one of two senders wins. Nothing is sent
here.
"""

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import select, update

from portal.database import among, changed_rows, db, reading, upsert
from portal.notices.kinds import NoticeKind
from portal.notices.models import Channel, Delivery, Notice


def write(
    dedupe: str,
    kind: NoticeKind,
    user_id: int | None,
    job_id: int | None,
    facts: dict[str, Any],
    now: datetime,
    channel: Channel = Channel.MAIL,
    due_at: datetime | None = None,
) -> None:
    """Note that a person, or a room, is to be told, now or at `due_at`. Does not commit. The key is made different for
    each channel."""
    if channel != Channel.MAIL:
        dedupe = f"{dedupe}.{channel}"
    db.session.execute(
        upsert(Notice, ("dedupe",)).values(
            dedupe=dedupe, kind=kind, channel=channel, user_id=user_id, job_id=job_id, facts=facts,
            state=Delivery.DUE, tries=0, created_at=now, due_at=due_at or now,
        )
    )  # fmt: skip


AGAIN_SECONDS = 120  # a taken notice whose sender was not heard of; longer than any channel may take
UNSENT = (Delivery.DUE, Delivery.SENDING)


Route = tuple[Channel, int | None]  # what can be down as a whole: the mail server, the room, one person's webhook


class DueNotice(NamedTuple):
    """What a sender looks at before it takes."""

    id: int
    tries: int
    state: Delivery
    kind: NoticeKind
    channel: Channel
    user_id: int | None

    @property
    def way(self) -> Route:
        return self.channel, self.user_id if self.channel == Channel.WEBHOOK else None


def due_notices(now: datetime, most: int) -> list[DueNotice]:
    """What is to be sent now, the longest waiting first; people before their programs, some of which never answer."""
    due = (
        select(Notice.id, Notice.tries, Notice.state, Notice.kind, Notice.channel, Notice.user_id)
        .where(among(Notice.state, UNSENT), Notice.due_at <= now)
        .order_by(Notice.channel == Channel.WEBHOOK, Notice.due_at, Notice.id)
        .limit(most)
    )
    with reading() as session:
        return [DueNotice(*row) for row in session.execute(due)]


def take(notice_id: int, seen_tries: int, now: datetime) -> bool:
    """Take a notice; somebody who looked at the same time finds another count of tries. Does not commit."""
    mine = (Notice.id == notice_id, Notice.tries == seen_tries, Notice.due_at <= now, among(Notice.state, UNSENT))
    until = now + timedelta(seconds=AGAIN_SECONDS)
    taken = update(Notice).where(*mine).values(state=Delivery.SENDING, tries=seen_tries + 1, due_at=until)
    return changed_rows(taken) == 1


def put_off_way(seen: DueNotice, now: datetime) -> None:
    """Where a way is down, all that would go by it waits a little, with no try spent. Otherwise what has waited longest
    would fill each pass, and those whose way is well would never have their turn. Commits."""
    due = [Notice.channel == seen.channel, Notice.state == Delivery.DUE, Notice.due_at <= now]
    if seen.channel == Channel.WEBHOOK:
        due.append(Notice.user_id == seen.user_id)
    changed_rows(update(Notice).where(*due).values(due_at=now + timedelta(seconds=AGAIN_SECONDS)))
    db.session.commit()


def apart(notice_id: int) -> Notice:
    """The notice as it stands, in no session: it can be read with no transaction open."""
    with reading() as session:
        return session.get_one(Notice, notice_id)


def drop_held(job_id: int, kind: NoticeKind, now: datetime) -> int:
    """Drop the notices of this job and kind that a burst still holds back; how many. Does not commit. One that a
    sender has taken, or may take at any moment, is told all the same."""
    held = (
        Notice.job_id == job_id, Notice.kind == kind, Notice.state == Delivery.DUE, Notice.tries == 0,
        Notice.due_at > now,
    )  # fmt: skip
    return changed_rows(update(Notice).where(*held).values(state=Delivery.DROPPED))
