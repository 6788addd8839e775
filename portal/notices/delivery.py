"""Delivery: take each due notice, pass it to its channel and record the result, each step in its own transaction.

One notice is one delivery on any channel, so taking, waiting, failing and the log work the same for all. No mail server
delivers exactly once. A notice is taken before it is sent, and taken again if its sender does not report back, so none
is lost. If the sender dies in the millisecond between the server's 250 and our record of it, the notice is sent twice,
with the same Message-ID. This module must not know what a channel does.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta

import structlog
from sqlalchemy import update

from portal.database import changed_rows, db
from portal.notices import digests
from portal.notices.chat import chat_channel
from portal.notices.email import email_channel
from portal.notices.errors import DeliveryFailed
from portal.notices.models import ANSWER_LENGTH, Channel, Delivery, Notice
from portal.notices.outbox import RETRY_SECONDS, DueNotice, Route, due_notices, load_detached, postpone_route, take
from portal.notices.webhook import webhook_channel

log = structlog.get_logger(__name__)

# A channel is one function. It gets a detached notice, opens short transactions of its own for anything else it needs,
# holds none open during the network call, and returns the server's answer. It raises DeliveryFailed or OSError.
Deliver = Callable[[Notice, datetime], str]
CHANNELS: dict[Channel, Deliver] = {
    Channel.MAIL: email_channel.deliver,
    Channel.CHAT: chat_channel.deliver,
    Channel.WEBHOOK: webhook_channel.deliver,
}

BATCH = 50
PASS_SECONDS = 15  # then the rest waits for the next pass: a sweep may take a minute in all
STEPS = 15  # how many times the wait grows: 2, 4, 6 … 30 minutes
MAX_TRIES = 30  # with growing waits, half a day of a dead mail server


def send_due(now: datetime, channels: Mapping[Channel, Deliver] | None = None) -> Iterator[Notice]:
    """Send the due notices, and yield each one that was sent."""
    began, down = time.monotonic(), set[Route]()
    for seen in due_notices(now, BATCH):
        if seen.route in down:
            continue  # it stays due, and no try is counted
        if time.monotonic() - began > PASS_SECONDS:
            return
        if (taken := _take(seen, now)) is None:
            continue
        notice = load_detached(taken)
        try:
            answer = (channels or CHANNELS)[notice.channel](notice, now)
        except Exception as error:  # any error: one notice that cannot be sent must not block the others
            db.session.rollback()
            if _note_failed(notice, error, now):
                down.add(seen.route)
                postpone_route(seen, now)
            continue
        if _note_sent(notice, answer, now):
            yield notice


def _take(seen: DueNotice, now: datetime) -> int | None:
    """Take the notice: its id, the id of the digest that it went into, or None if it must not be sent now."""
    if digests.may_be_held(seen):
        return digests.take_or_hold(seen, now)
    taken = take(seen.id, seen.tries, now)
    db.session.commit()
    return seen.id if taken else None


def _note_sent(notice: Notice, answer: str, now: datetime) -> bool:
    sent = {"state": Delivery.SENT, "sent_at": now, "answer": answer[:ANSWER_LENGTH], "last_error": None}
    return _note(notice, sent)


def _note_failed(notice: Notice, error: Exception, now: datetime) -> bool:
    """Record the failure and when to try again. True: the route is down, so the others on it need not be tried."""
    refused = error if isinstance(error, DeliveryFailed) else DeliveryFailed(str(error) or "no answer")
    known = isinstance(error, (DeliveryFailed, OSError))
    log.warning("notice not sent", notice=notice.id, channel=notice.channel, error=refused.answer, exc_info=not known)
    failed = refused.final or notice.tries % MAX_TRIES == 0  # a notice that an admin resends gets MAX_TRIES more
    wait = max(RETRY_SECONDS * min(notice.tries % MAX_TRIES or MAX_TRIES, STEPS), refused.wait_seconds or 0)
    why = refused.answer[:ANSWER_LENGTH]
    state = Delivery.DEAD if failed else Delivery.DUE
    _note(notice, {"state": state, "due_at": now + timedelta(seconds=wait), "answer": why, "last_error": why})
    return refused.down


def _note(notice: Notice, values: dict[str, object]) -> bool:
    """Record the result of this try, unless another sender has taken the notice since: then their try counts."""
    mine = (Notice.id == notice.id, Notice.tries == notice.tries, Notice.state == Delivery.SENDING)
    noted = changed_rows(update(Notice).where(*mine).values(**values)) == 1
    db.session.commit()
    return noted
