"""Sending what is to be told: taken, handed to its channel, noted, each committed by itself.

One notice is one delivery, whatever its channel, so that the taking, the waits, the giving up and the log are the same
for all. No mail server sends exactly once: a notice is taken before it is sent and taken again when its sender is not
heard of, so that none is lost; one whose sender died in the millisecond between the server's yes and our note is sent
twice, with the same Message-ID. It must not know what a channel does.
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
from portal.notices.outbox import AGAIN_SECONDS, DueNotice, Route, apart, due_notices, put_off_way, take
from portal.notices.webhook import webhook_channel

log = structlog.get_logger(__name__)

# A channel is one function. It is given a notice that belongs to no session, opens its own short transactions for what
# else it needs, holds none while it talks, and answers what the other side said. It raises Undelivered or OSError.
Deliver = Callable[[Notice, datetime], str]
CHANNELS: dict[Channel, Deliver] = {
    Channel.MAIL: email_channel.deliver,
    Channel.CHAT: chat_channel.deliver,
    Channel.WEBHOOK: webhook_channel.deliver,
}

BATCH = 50
PASS_SECONDS = 15  # after this, what is still due waits for the next pass: a sweep may take a minute
STEPS = 15  # the waits grow so often: 2, 4, 6 … 30 minutes
MAX_TRIES = 30  # with growing waits, half a day of a dead mail server


def send_due(now: datetime, channels: Mapping[Channel, Deliver] | None = None) -> Iterator[Notice]:
    """Send what is due, and give each that went out."""
    began, down = time.monotonic(), set[Route]()
    for seen in due_notices(now, BATCH):
        if seen.way in down:
            continue  # it stays due, and no try of it is spent
        if time.monotonic() - began > PASS_SECONDS:
            return
        if (taken := _taken(seen, now)) is None:
            continue
        notice = apart(taken)
        try:
            answer = (channels or CHANNELS)[notice.channel](notice, now)
        except Exception as error:  # whatever it is, one that cannot be sent must not keep the others from going out
            db.session.rollback()
            if _put_off(notice, error, now):
                down.add(seen.way)
                put_off_way(seen, now)
            continue
        if _note_sent(notice, answer, now):
            yield notice


def _taken(seen: DueNotice, now: datetime) -> int | None:
    """The id of the notice to send now: this one, the digest that it went into, or none."""
    if digests.may_be_held(seen):
        return digests.take_or_hold(seen, now)
    taken = take(seen.id, seen.tries, now)
    db.session.commit()
    return seen.id if taken else None


def _note_sent(notice: Notice, answer: str, now: datetime) -> bool:
    sent = {"state": Delivery.SENT, "sent_at": now, "answer": answer[:ANSWER_LENGTH], "last_error": None}
    return _note(notice, sent)


def _put_off(notice: Notice, error: Exception, now: datetime) -> bool:
    """Note the failure and when to try again. True: the way itself is down, so others need not be tried."""
    refused = error if isinstance(error, DeliveryFailed) else DeliveryFailed(str(error) or "no answer")
    known = isinstance(error, (DeliveryFailed, OSError))
    log.warning("notice not sent", notice=notice.id, channel=notice.channel, error=refused.answer, exc_info=not known)
    given_up = refused.final or notice.tries % MAX_TRIES == 0  # one that is sent again by hand has as many tries more
    wait = max(AGAIN_SECONDS * min(notice.tries % MAX_TRIES or MAX_TRIES, STEPS), refused.wait_seconds or 0)
    why = refused.answer[:ANSWER_LENGTH]
    state = Delivery.DEAD if given_up else Delivery.DUE
    _note(notice, {"state": state, "due_at": now + timedelta(seconds=wait), "answer": why, "last_error": why})
    return refused.down


def _note(notice: Notice, values: dict[str, object]) -> bool:
    """Write down how the try ended, unless somebody has taken the notice after us: their try counts then."""
    mine = (Notice.id == notice.id, Notice.tries == notice.tries, Notice.state == Delivery.SENDING)
    noted = changed_rows(update(Notice).where(*mine).values(**values)) == 1
    db.session.commit()
    return noted
