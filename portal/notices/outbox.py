"""The outbox: write a notice in the transaction of the event, take it for sending, cancel it if it is no longer true.

A second notice with the same key is ignored. Taking is a compare-and-set that one of two senders wins. This module
sends nothing.
"""

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import delete, select, update

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
    """Write a notice for a person, or for the admins' chats when `user_id` is None, due now or at `due_at`. Does not
    commit. The channel is added to `dedupe`, so the same event can be sent on several channels."""
    if channel != Channel.MAIL:
        dedupe = f"{dedupe}.{channel}"
    db.session.execute(
        upsert(Notice, ("dedupe",)).values(
            dedupe=dedupe, kind=kind, channel=channel, user_id=user_id, job_id=job_id, facts=facts,
            state=Delivery.DUE, tries=0, created_at=now, due_at=due_at or now,
        )
    )  # fmt: skip


RETRY_SECONDS = 120  # then a notice whose sender did not report back is taken again; longer than any channel may take
UNSENT = (Delivery.DUE, Delivery.SENDING)


Route = tuple[Channel, int | None]  # what can be down as a whole: the mail server, the chats, one person's webhook


class DueNotice(NamedTuple):
    """What a sender reads before it takes a notice."""

    id: int
    tries: int
    state: Delivery
    kind: NoticeKind
    channel: Channel
    user_id: int | None

    @property
    def route(self) -> Route:
        return self.channel, self.user_id if self.channel == Channel.WEBHOOK else None


def due_notices(now: datetime, most: int) -> list[DueNotice]:
    """The notices to send now, longest waiting first. Webhooks come last, because some of them never answer, and what
    has failed already comes after what is new."""
    due = (
        select(Notice.id, Notice.tries, Notice.state, Notice.kind, Notice.channel, Notice.user_id)
        .where(among(Notice.state, UNSENT), Notice.due_at <= now)
        .order_by(Notice.channel == Channel.WEBHOOK, Notice.tries > 0, Notice.due_at, Notice.id)
        .limit(most)
    )
    with reading() as session:
        return [DueNotice(*row) for row in session.execute(due)]


def take(notice_id: int, seen_tries: int, now: datetime) -> bool:
    """Take a notice; False if another sender was faster, or has it locked: nobody waits for it. The count of tries
    decides. Does not commit."""
    mine = (Notice.id == notice_id, Notice.tries == seen_tries, Notice.due_at <= now, among(Notice.state, UNSENT))
    until = now + timedelta(seconds=RETRY_SECONDS)
    free = select(Notice.id).where(*mine).with_for_update(skip_locked=True).scalar_subquery()
    taken = update(Notice).where(Notice.id == free)
    return changed_rows(taken.values(state=Delivery.SENDING, tries=seen_tries + 1, due_at=until)) == 1


def postpone_route(seen: DueNotice, now: datetime) -> None:
    """Postpone all due notices on a route that is down, without counting a try. Otherwise the longest waiting would
    fill every pass, and notices on working routes would never be sent. Commits."""
    due = [Notice.channel == seen.channel, Notice.state == Delivery.DUE, Notice.due_at <= now]
    if seen.channel == Channel.WEBHOOK:
        due.append(Notice.user_id == seen.user_id)
    changed_rows(update(Notice).where(*due).values(due_at=now + timedelta(seconds=RETRY_SECONDS)))
    db.session.commit()


def load_detached(notice_id: int) -> Notice:
    """The notice, detached from any session, so it can be read with no transaction open."""
    with reading() as session:
        return session.get_one(Notice, notice_id)


def drop_held(job_id: int, kind: NoticeKind, now: datetime) -> int:
    """Cancel the notices of this job and kind that are still held for a digest; returns how many. Does not commit. A
    notice that a sender has taken, or may take at any moment, is sent all the same."""
    held = (
        Notice.job_id == job_id, Notice.kind == kind, Notice.state == Delivery.DUE, Notice.tries == 0,
        Notice.due_at > now,
    )  # fmt: skip
    return changed_rows(update(Notice).where(*held).values(state=Delivery.DROPPED))


def drop_seen(job_id: int, kind: NoticeKind) -> int:
    """Cancel the job's mails of this kind that no sender has taken yet: the person has just seen what they say. Returns
    how many. Does not commit."""
    unsent = (
        Notice.job_id == job_id, Notice.kind == kind, Notice.channel == Channel.MAIL, Notice.state == Delivery.DUE,
        Notice.tries == 0,
    )  # fmt: skip
    return changed_rows(update(Notice).where(*unsent).values(state=Delivery.DROPPED))


def delete_old(before: datetime, most: int) -> int:
    """Delete ended notices that were written before a moment, at most `most`, and return how many. Ids grow with time,
    so only the lowest are read. Does not commit."""
    lowest = select(Notice.id).order_by(Notice.id).limit(most).subquery()
    old = select(Notice.id).where(Notice.id.in_(select(lowest)), Notice.created_at < before)
    ids = list(db.session.scalars(old.where(~among(Notice.state, UNSENT))))
    changed_rows(update(Notice).where(Notice.digest_id.in_(ids)).values(digest_id=None))
    return changed_rows(delete(Notice).where(Notice.id.in_(ids)))


def forget_file_name(job_id: int) -> None:
    """Replace the file's name by its reference in this job's notices, and in the digests that list it. For a file that
    is deleted: its name may be a person's. Does not commit."""
    about_job = select(Notice).where(Notice.job_id == job_id)
    notices = list(db.session.scalars(about_job))
    digests = {notice.digest_id for notice in notices if notice.digest_id is not None}
    for notice in [*notices, *db.session.scalars(select(Notice).where(Notice.id.in_(digests)))]:
        notice.facts = _nameless(notice.facts, job_id) if notice.job_id == job_id else notice.facts | {
            "files": [_nameless(file, job_id) if file.get("job_id") == job_id else file
                      for file in notice.facts.get("files", [])]
        }  # fmt: skip
    db.session.flush()


def _nameless(facts: dict[str, Any], job_id: int) -> dict[str, Any]:
    return facts | {"file_name": facts.get("reference") or f"SJ-{job_id}"} if "file_name" in facts else facts
