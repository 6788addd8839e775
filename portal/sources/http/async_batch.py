"""Batches that a source takes now and answers later: submit, remember the ticket, poll until it is ready.

A number in an open ticket, of this attempt or an earlier one, is fetched and never submitted again. It must not know
where tickets are kept, nor how one exchange is made.
"""

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import uuid4

import structlog

from portal.causes import CauseCode
from portal.sources.base import Answer, Outcome, SubmittedBatch, Tickets
from portal.sources.http.batch import about_all, answers_in
from portal.sources.http.classify import any_holds, search
from portal.sources.http.client import NoAnswer, RequestInterrupted
from portal.sources.http.exchange import Exchange
from portal.sources.http.response import SourceResponse, UnreadableResponse
from portal.sources.recipes.model import Batch, Poll, Request
from portal.sources.recipes.placeholders import Filled, names_in
from portal.sources.recipes.toml_table import plain

DRAIN_SECONDS = 2.0  # told to stop: what is nearly ready is still fetched; the rest is the next attempt's
STEP_SECONDS = 0.2
UNKNOWN, GONE = 404, 410  # the second is taken at its word; the first may also mean "not yet"


@dataclass
class PollResult:
    """What came of it. `ready` has the answers. `gone`: the source says that it has them no longer."""

    ready: SourceResponse | None = None
    gone: bool = False
    heard: bool = False  # it said something, and be it "not yet"
    unknown: bool = True  # whatever it said was that it knows no such ticket
    stopped: bool = False  # we were told to stop


def poll(session: Exchange, batch: Batch, rules: Poll, filled: Filled, until: float, *, at_once: bool) -> PollResult:
    """Ask until that moment (monotonic), once at least. Raises what `Exchange.exchange` raises, but NoAnswer."""
    request = poll_request(batch, rules)
    still_none = session.recipe.outcomes.get("retry", ())
    found = PollResult()
    wait = 0.0 if at_once else rules.interval_seconds
    while True:
        _sleep(session, min(wait, max(0.0, until - time.monotonic())))
        wait = rules.interval_seconds
        if session.stop() and not found.stopped:
            found.stopped, until = True, min(until, time.monotonic() + DRAIN_SECONDS)
        try:
            reply = session.exchange(filled, request, fetching=True)
        except NoAnswer:
            pass  # the ticket stays good
        else:
            if any_holds(rules.ready, reply):
                found.ready = reply
                return found
            if reply.status == GONE or any_holds(rules.gone, reply):
                found.gone = True
                return found
            if reply.status < 500:
                found.heard = True
                found.unknown &= reply.status == UNKNOWN and not any_holds(still_none, reply)
        if time.monotonic() >= until:
            found.unknown &= found.heard
            return found


def poll_request(batch: Batch, rules: Poll) -> Request:
    """What is sent to ask for the answers: as the batch was handed in, but without its body."""
    return Request(
        rules.url,
        headers={name: text for name, text in batch.request.headers.items() if name.lower() != "content-type"},
        timeout_seconds=batch.request.timeout_seconds,
        max_body_bytes=batch.request.max_body_bytes,
        redirects=batch.request.redirects,
    )


def _sleep(session: Exchange, seconds: float) -> None:
    """In small steps, so that being told to stop is seen."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0 and not session.stop():
        time.sleep(min(STEP_SECONDS, left))
    if left > 0:  # told to stop: what is paid for is fetched a little faster, not without a pause
        time.sleep(min(STEP_SECONDS, left))


log = structlog.get_logger(__name__)

Answers = Mapping[str, Answer]


class _UnderWay:
    """One batch in this attempt. `answers` are there when it is over, whatever came of it."""

    def __init__(self, batch: SubmittedBatch, *, earlier: bool = False) -> None:
        self.batch, self.earlier = batch, earlier
        self.kept = earlier
        self.begun = time.monotonic()
        self.until: float | None = None
        self.answers: Answers | None = None
        self.lock = threading.Lock()  # its numbers may be asked for by several threads: one fetches, the others wait

    @property
    def age_seconds(self) -> float:
        return self.batch.age_seconds + time.monotonic() - self.begun


class AsyncBatches:
    """One attempt's batches at one source."""

    def __init__(self, batch: Batch, poll: Poll, tickets: Tickets) -> None:
        self._batch, self._poll, self._tickets = batch, poll, tickets
        self._keyed = "batch_key" in names_in(batch.request)
        self._of: dict[str, _UnderWay] = {}
        for one in tickets.open():  # of two with one number the newer one counts
            self._of.update(dict.fromkeys(one.numbers, _UnderWay(one, earlier=True)))

    def ask(self, session: Exchange, numbers: Sequence[str]) -> Answers:
        """The answers for these numbers. One that is missing was not asked: we were told to stop."""
        under_way: dict[_UnderWay, list[str]] = {}
        fresh: list[str] = []
        for number in numbers:
            one = self._of.get(number)
            (fresh if one is None else under_way.setdefault(one, [])).append(number)
        if fresh:
            under_way[_UnderWay(SubmittedBatch(uuid4().hex, tuple(fresh)))] = fresh
        answers: dict[str, Answer] = {}
        try:
            for one, mine in under_way.items():
                answers.update(self._answers(session, one, mine))
        except RequestInterrupted:
            pass
        return answers

    def _answers(self, session: Exchange, one: _UnderWay, numbers: Sequence[str]) -> Answers:
        with one.lock:
            said = one.answers if one.answers is not None else self._take(session, one)
        if one.answers is not None:  # it is over: a number that is asked for again is handed in anew
            for number in numbers:
                if self._of.get(number) is one:
                    del self._of[number]
        return {number: said[number] for number in numbers}

    def _take(self, session: Exchange, one: _UnderWay) -> Answers:
        if one.batch.ticket is None and (refused := self._hand_in(session, one)) is not None:
            return refused
        numbers = one.batch.numbers
        reply = self._fetch(session, one)
        if reply is None:
            return one.answers or dict.fromkeys(numbers, Answer(Outcome.FAILED, reason=CauseCode.NOT_READY))
        one.answers = answers_in(session, self._batch, numbers, reply)
        # What was paid for and could not be read is fetched again, by a recipe that was put right, and not paid again.
        if one.age_seconds > self._poll.keep_seconds or CauseCode.SOURCE_ERROR not in {
            a.reason for a in one.answers.values()
        }:
            self._tickets.fetched(one.batch)
        return one.answers

    def _hand_in(self, session: Exchange, one: _UnderWay) -> Answers | None:
        """Hand it in and remember its ticket; the answers when nothing came of that."""
        numbers, request = one.batch.numbers, self._batch.request
        if one.kept and one.age_seconds >= self._poll.keep_seconds:  # so old a key may be answered with an old failure
            self._tickets.drop(one.batch, lost=False)
            one.batch, one.kept = replace(one.batch, key=uuid4().hex, age_seconds=0.0), False
        if self._keyed and not one.kept:  # known before it is sent: whoever comes after us sends the very same again
            self._keep(one)
        try:
            reply = session.exchange(session.filled(request, numbers, key=one.batch.key), request)
        except NoAnswer:
            return self._not_taken(one, {number: session.temporary() for number in numbers}, surely=False)
        if refused := about_all(session, numbers, reply):
            return self._not_taken(one, refused, surely=reply.status < 500)
        try:
            ticket = search(self._poll.ticket, reply.json)
            if ticket is None or isinstance(ticket, dict | list):
                raise UnreadableResponse(f"no ticket at {self._poll.ticket}")
        except UnreadableResponse as error:
            said = dict.fromkeys(numbers, session.unreadable(reply, str(error), len(numbers)))
            return self._not_taken(one, said, surely=True)
        one.batch = replace(one.batch, ticket=plain(ticket), age_seconds=0.0)
        one.begun = time.monotonic()
        self._keep(one)
        return None

    def _keep(self, one: _UnderWay) -> None:
        self._tickets.keep(one.batch)
        one.kept = True
        self._of.update(dict.fromkeys(one.batch.numbers, one))

    def _not_taken(self, one: _UnderWay, said: Answers, *, surely: bool) -> Answers:
        """Its numbers are asked for again. Where it may have been taken after all, with the same key."""
        if surely or not self._keyed:
            one.answers = said
            if one.kept:
                self._tickets.drop(one.batch, lost=False)
        return said

    def _fetch(self, session: Exchange, one: _UnderWay) -> SourceResponse | None:
        """The answers; None when they were not in time, or never will be. Then `one` is over."""
        keep_seconds = self._poll.keep_seconds
        filled = session.filled(
            poll_request(self._batch, self._poll), (), ticket=one.batch.ticket or "", key=one.batch.key
        )
        if one.until is None:
            span = min(self._poll.limit_seconds, max(0.0, keep_seconds - one.age_seconds))
            one.until = time.monotonic() + span
        found = poll(session, self._batch, self._poll, filled, one.until, at_once=one.earlier)
        if found.ready is not None or (found.stopped and not found.gone):
            return found.ready
        numbers = one.batch.numbers
        # A ticket of an earlier attempt had time enough to become known. Of a new one, 404 may mean "not yet".
        if found.gone or (found.unknown and one.earlier):
            one.answers = {number: session.temporary() for number in numbers}
        # Where the source does not say a word, it may only be away for a while.
        elif one.age_seconds >= keep_seconds * (1 if found.heard else 2):
            one.answers = dict.fromkeys(numbers, Answer(Outcome.FAILED, reason=CauseCode.NEVER_READY))
        if one.answers is not None:
            log.warning("ticket dropped", source=session.recipe.name, ticket=one.batch.ticket, gone=found.gone)
            self._tickets.drop(one.batch, lost=True)
        return None
