"""Delivery: take each due notice, pass it to its channel and record the result, each step in its own transaction.

One notice is one delivery on any channel, so taking, waiting, failing and the log work the same for all. No mail server
delivers exactly once. A notice is taken before it is sent, and taken again if its sender does not report back, so none
is lost. If the sender dies in the millisecond between the server's 250 and our record of it, the notice is sent twice,
with the same Message-ID. This module must not know what a channel does.
"""

import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from queue import Empty, SimpleQueue

import structlog
from flask import current_app
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

BATCH = 100
LANES = 16
PASS_SECONDS = 15  # then the rest waits for the next pass: a sweep may take a minute in all
STEPS = 15  # how many times the wait grows: 2, 4, 6 … 30 minutes
MAX_TRIES = 30  # with growing waits, half a day of a dead mail server


def send_due(
    now: datetime, channels: Mapping[Channel, Deliver] | None = None, *, patience_seconds: float = 0.0
) -> Iterator[Notice]:
    """Send the due notices, and yield each one that was sent.

    Each route (the mail server, the chats, one person's webhook) has a lane of its own, and LANES of them run at once:
    ten webhooks that never answer delay nobody else's. `patience_seconds`: how long a mail server may think about a
    whole message.
    """
    channels = dict(channels or {**CHANNELS, Channel.MAIL: partial(_mail, patience_seconds=patience_seconds)})
    lanes: dict[Route, list[DueNotice]] = {}
    for seen in due_notices(now, BATCH):
        lanes.setdefault(seen.route, []).append(seen)
    until = time.monotonic() + PASS_SECONDS
    if len(lanes) == 1:
        yield from _run_lane(next(iter(lanes.values())), channels, now, until)
        return
    db.session.commit()  # on SQLite an open transaction of ours would keep every lane waiting
    app = current_app._get_current_object()  # type: ignore[attr-defined]

    def run(lane: list[DueNotice]) -> list[Notice]:
        with app.app_context():
            return list(_run_lane(lane, channels, now, until))

    for sent in _at_once(run, lanes.values()):
        yield from sent


def _at_once(
    run: Callable[[list[DueNotice]], list[Notice]], lanes: Collection[list[DueNotice]]
) -> Iterator[list[Notice]]:
    """Run LANES lanes at once, and yield the result of each as it ends. The threads are daemons: a process that is
    stopped does not wait for a server that takes its time, as it would with a pool of concurrent.futures."""
    waiting: SimpleQueue[list[DueNotice]] = SimpleQueue()
    ended: SimpleQueue[list[Notice] | Exception] = SimpleQueue()
    for lane in lanes:
        waiting.put(lane)

    def serve() -> None:
        with suppress(Empty):
            while True:
                lane = waiting.get_nowait()
                try:
                    ended.put(run(lane))
                except Exception as error:  # of the database: the caller gets it
                    ended.put(error)

    for n in range(min(LANES, len(lanes))):
        threading.Thread(target=serve, name=f"notices-{n}", daemon=True).start()
    for _ in lanes:
        result = ended.get()
        if isinstance(result, Exception):
            raise result
        yield result


def _mail(notice: Notice, now: datetime, *, patience_seconds: float) -> str:
    return email_channel.deliver(notice, now, patience_seconds)


def _run_lane(
    lane: list[DueNotice], channels: Mapping[Channel, Deliver], now: datetime, until: float
) -> Iterator[Notice]:
    """Send the notices of one route, one after the other, until it is down or the pass is over."""
    for seen in lane:
        if time.monotonic() > until:
            return
        if (taken := _take(seen, now)) is None:
            continue
        notice = load_detached(taken)
        try:
            answer = channels[notice.channel](notice, now)
        except Exception as error:  # any error: one notice that cannot be sent must not block the others
            db.session.rollback()
            if _note_failed(notice, error, now):
                postpone_route(seen, now)
                return  # the others stay due, and no try is counted
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
    twice = refused.unsure and notice.last_error == refused.answer  # it may have arrived twice already
    # A notice that an admin resends gets MAX_TRIES more.
    failed = refused.final or twice or notice.tries % MAX_TRIES == 0
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
