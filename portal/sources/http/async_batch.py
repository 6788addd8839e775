"""Batches that a source accepts now and answers later: submits a batch, saves its ticket, polls until it is ready.

A number in an open ticket, of this attempt or an earlier one, is fetched and never submitted again. Must not know where
tickets are stored, nor how a request is sent.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urljoin
from uuid import uuid4

import structlog

from portal.causes import REFUSALS, CauseCode
from portal.sources.base import Answer, LookupEnded, Outcome, SubmittedBatch, Tickets
from portal.sources.http.batch import answers_for_all, answers_in
from portal.sources.http.classify import Verdict, any_holds, search
from portal.sources.http.client import NoResponse, RequestInterrupted
from portal.sources.http.exchange import Exchange
from portal.sources.http.response import SourceResponse, UnreadableResponse
from portal.sources.recipes.model import AnswerReading, Batch, Poll, Request
from portal.sources.recipes.placeholders import names_in
from portal.sources.recipes.toml_table import plain

log = structlog.get_logger(__name__)

DRAIN_SECONDS = 2.0  # after a stop, answers that are nearly ready are still fetched; the next attempt fetches the rest
STEP_SECONDS = 0.2
UNKNOWN, GONE = 404, 410  # 410 is final; 404 may also mean "not yet"
UNREADABLE = (CauseCode.PAGE_CHANGED, CauseCode.ANSWERS_UNUSABLE)

Answers = Mapping[str, Answer]


@dataclass
class PollResult:
    """The result of polling. `ready` has the answers; `gone` means that the source no longer has them."""

    ready: SourceResponse | None = None
    gone: bool = False
    responded: bool = False  # the source responded, even if only with "not yet"
    unknown: bool = True  # every response said that the ticket is unknown
    stopped: bool = False  # the attempt was stopped


def poll(
    session: Exchange,
    batch: Batch,
    rules: Poll,
    ask: Callable[[Request], SourceResponse],
    until: float,
    *,
    at_once: bool,
) -> PollResult:
    """Poll until that moment (monotonic), at least once. `ask` sends each poll. Raises what `Exchange.ask`
    raises, except NoResponse."""
    request = poll_request(batch, rules)
    not_yet = session.recipe.outcomes.get("retry", ())
    result = PollResult()
    wait = 0.0 if at_once else rules.interval_seconds
    while True:
        _sleep(session, min(wait, max(0.0, until - time.monotonic())))
        wait = rules.interval_seconds
        if session.stop() and not result.stopped:
            result.stopped, until = True, min(until, time.monotonic() + DRAIN_SECONDS)
        try:
            response = ask(request)
        except NoResponse:
            pass  # the ticket remains valid
        else:
            is_ready = any_holds(rules.ready, response)
            if is_ready:
                result.ready = _results(session, batch, rules, response) if rules.results else response
                if result.ready is not None:
                    return result
            if not is_ready and (response.status == GONE or any_holds(rules.gone, response)):
                result.gone = True
                return result
            if not is_ready and response.verdict in REFUSALS:  # not of the batch, which is not ready: of us
                session.answer("", Verdict(response.verdict), response)
            if response.status < 500:
                result.responded = True
                result.unknown &= response.status == UNKNOWN and not any_holds(not_yet, response)
        if time.monotonic() >= until:
            result.unknown &= result.responded
            return result


def _results(session: Exchange, batch: Batch, rules: Poll, response: SourceResponse) -> SourceResponse | None:
    """The answers from the address in a response that is ready. None when it did not give them this time: the next
    poll may bring another address."""
    try:
        address = search(rules.results, response.json)
    except UnreadableResponse:
        address = None
    if not isinstance(address, str) or not address.strip():
        response.why, response.verdict = f"no address at {rules.results}", Verdict.UNREADABLE
        return response
    try:
        found = session.fetch(urljoin(rules.url, address.strip()), batch.request)
    except NoResponse:
        return None
    return found if found.status < 400 else None


def poll_request(batch: Batch, rules: Poll) -> Request:
    """The request that polls: like the one that submits the batch, but without a body."""
    return Request(
        rules.url,
        headers={name: text for name, text in batch.request.headers.items() if name.lower() != "content-type"},
        timeout_seconds=batch.request.timeout_seconds,
        max_body_bytes=batch.request.max_body_bytes,
        redirects=batch.request.redirects,
        reading=AnswerReading() if rules.results else batch.request.reading,
        sign=batch.request.sign,
        certificate=batch.request.certificate,
    )


def _sleep(session: Exchange, seconds: float) -> None:
    """Sleep in small steps, so that a stop is noticed."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0 and not session.stop():
        time.sleep(min(STEP_SECONDS, left))
    if left > 0:  # stopped: poll for what is paid for a little faster, but still with a pause
        time.sleep(min(STEP_SECONDS, left))


class _PendingBatch:
    """One batch in this attempt. `answers` is set once it is finished, with or without success."""

    def __init__(self, batch: SubmittedBatch, *, earlier: bool = False) -> None:
        self.batch, self.earlier = batch, earlier  # earlier: submitted by an earlier attempt
        self.saved = earlier
        self.started = time.monotonic()
        self.until: float | None = None
        self.answers: Answers | None = None
        self.ended: LookupEnded | None = None  # an item of its response ended the attempt
        self.lock = threading.Lock()  # several threads may want its numbers: one fetches, the others wait

    @property
    def age_seconds(self) -> float:
        return self.batch.age_seconds + time.monotonic() - self.started


class AsyncBatches:
    """One attempt's batches at one source."""

    def __init__(self, batch: Batch, poll: Poll, tickets: Tickets) -> None:
        self._batch, self._poll, self._tickets = batch, poll, tickets
        self._has_key = "batch_key" in names_in(batch.request)
        self._batch_of: dict[str, _PendingBatch] = {}
        for batch_before in tickets.open():  # of two with the same number the newer one counts
            self._batch_of.update(dict.fromkeys(batch_before.numbers, _PendingBatch(batch_before, earlier=True)))

    def lookup_many(self, session: Exchange, numbers: Sequence[str]) -> Answers:
        """The answers for these numbers. A number that is missing was not looked up: the attempt was stopped."""
        numbers_of: dict[_PendingBatch, list[str]] = {}
        new: list[str] = []
        for number in numbers:
            pending = self._batch_of.get(number)
            (new if pending is None else numbers_of.setdefault(pending, [])).append(number)
        if new:
            numbers_of[_PendingBatch(SubmittedBatch(uuid4().hex, tuple(new)))] = new
        answers: dict[str, Answer] = {}
        try:
            for pending, wanted in numbers_of.items():
                answers.update(self._answers(session, pending, wanted))
        except RequestInterrupted:
            pass
        except LookupEnded as ended:
            raise ended.with_answers(answers) from None
        return answers

    def _answers(self, session: Exchange, pending: _PendingBatch, numbers: Sequence[str]) -> Answers:
        with pending.lock:
            answers = pending.answers if pending.answers is not None else self._submit_and_fetch(session, pending)
        if pending.answers is not None:  # finished: a number that is looked up again is submitted again
            for number in numbers:
                if self._batch_of.get(number) is pending:
                    del self._batch_of[number]
        wanted = {number: answers[number] for number in numbers if number in answers}
        if pending.ended:
            raise pending.ended.with_answers(wanted)
        return wanted

    def _submit_and_fetch(self, session: Exchange, pending: _PendingBatch) -> Answers:
        if pending.batch.ticket is None and (failed := self._submit(session, pending)) is not None:
            return failed
        numbers = pending.batch.numbers
        response = self._fetch(session, pending)
        if response is None:
            return pending.answers or dict.fromkeys(numbers, Answer(Outcome.FAILED, reason=CauseCode.NOT_READY))
        try:
            pending.answers = answers_in(session, self._batch, numbers, response)
        except LookupEnded as ended:
            pending.answers, pending.ended = ended.answers, ended
        unreadable = CauseCode.SOURCE_ERROR in {answer.reason for answer in pending.answers.values()} or (
            pending.ended is not None and pending.ended.reason in UNREADABLE
        )
        # Answers that are paid for and cannot be read keep their ticket: a fixed recipe fetches them at no cost.
        if unreadable and pending.age_seconds <= self._poll.keep_seconds:
            return pending.answers
        # The ticket's answer never changes. What it refuses is submitted again once the source accepts it.
        if pending.answers:
            self._tickets.fetched(pending.batch, pending.answers)
        else:
            self._tickets.drop(pending.batch, lost=False)
        return pending.answers

    def _submit(self, session: Exchange, pending: _PendingBatch) -> Answers | None:
        """Submit the batch and save its ticket. Returns the answers when that failed, else None."""
        numbers, request = pending.batch.numbers, self._batch.request
        # For so old a key the source may repeat an old failure.
        if pending.saved and pending.age_seconds >= self._poll.keep_seconds:
            self._tickets.drop(pending.batch, lost=False)
            pending.batch, pending.saved = replace(pending.batch, key=uuid4().hex, age_seconds=0.0), False
        if self._has_key and not pending.saved:  # saved before it is sent: the next attempt can repeat it exactly
            self._save(pending)
        try:
            response = session.ask(request, numbers, key=pending.batch.key)
        except NoResponse:
            return self._not_submitted(pending, {number: session.temporary() for number in numbers}, certain=False)
        if same_for_all := answers_for_all(session, numbers, response):
            return self._not_submitted(pending, same_for_all, certain=response.status < 500)
        try:
            ticket = search(self._poll.ticket, response.json)
            if ticket is None or isinstance(ticket, dict | list):
                raise UnreadableResponse(f"no ticket at {self._poll.ticket}")
        except UnreadableResponse as error:
            answers = dict.fromkeys(numbers, session.unreadable(response, str(error), len(numbers)))
            return self._not_submitted(pending, answers, certain=True)
        pending.batch = replace(pending.batch, ticket=plain(ticket), age_seconds=0.0)
        pending.started = time.monotonic()
        self._save(pending)
        return None

    def _save(self, pending: _PendingBatch) -> None:
        self._tickets.keep(pending.batch)
        pending.saved = True
        self._batch_of.update(dict.fromkeys(pending.batch.numbers, pending))

    def _not_submitted(self, pending: _PendingBatch, answers: Answers, *, certain: bool) -> Answers:
        """Have its numbers looked up again. Where the source may have accepted the batch after all (not `certain`), the
        same key is sent again."""
        if certain or not self._has_key:
            pending.answers = answers
            if pending.saved:
                self._tickets.drop(pending.batch, lost=False)
        return answers

    def _fetch(self, session: Exchange, pending: _PendingBatch) -> SourceResponse | None:
        """The response with the answers; None when they were not in time or will never come. In the second case
        `pending.answers` is set."""
        keep_seconds = self._poll.keep_seconds

        def ask(request: Request) -> SourceResponse:
            batch = pending.batch
            return session.ask(request, (), ticket=batch.ticket or "", key=batch.key, fetching=True)

        if pending.until is None:
            limit = min(self._poll.limit_seconds, self._tickets.longest_poll_seconds)
            span = min(limit, max(0.0, keep_seconds - pending.age_seconds))
            pending.until = time.monotonic() + span
        result = poll(session, self._batch, self._poll, ask, pending.until, at_once=pending.earlier)
        if result.ready is not None or (result.stopped and not result.gone):
            return result.ready
        numbers = pending.batch.numbers
        # A ticket of an earlier attempt has had time to become known. For a new one, 404 may mean "not yet".
        if result.gone or (result.unknown and pending.earlier):
            pending.answers = {number: session.temporary() for number in numbers}
        # A source that does not respond at all may only be away for a while: its tickets are kept twice as long.
        elif pending.age_seconds >= keep_seconds * (1 if result.responded else 2):
            pending.answers = dict.fromkeys(numbers, Answer(Outcome.FAILED, reason=CauseCode.NEVER_READY))
        if pending.answers is not None:
            ticket = pending.batch.ticket
            log.warning("ticket dropped", source=session.recipe.name, ticket=ticket, gone=result.gone)
            self._tickets.drop(pending.batch, lost=True)
        return None
