"""One attempt's conversation with a source: asks in pace, reads each answer, and draws what follows for all numbers.

Answers of single numbers come back as Answers; what concerns everybody is raised as SourceBusy or SourceStopped. It
repeats nothing by itself: an Answer says by its reason whether the attempt should ask again (`asks_again`).
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NoReturn

import structlog

from portal.causes import REFUSALS, CauseCode
from portal.net.retry_after import rate_limit_seconds, retry_after_seconds
from portal.sources.base import Answer, Outcome, SourceBusy, SourceStopped, Tickets
from portal.sources.http.async_batch import AsyncBatches
from portal.sources.http.batch import ask_many
from portal.sources.http.classify import Verdict, judge, judge_whole
from portal.sources.http.client import NoAnswer, RequestInterrupted, SourceClient
from portal.sources.http.extract import FieldMissing, pick
from portal.sources.http.first_request import FirstRequestGate
from portal.sources.http.response import SourceResponse, UnreadableResponse
from portal.sources.http.robots import Robots
from portal.sources.http.samples import Samples
from portal.sources.limits.interfaces import Breaker, Limiter
from portal.sources.recipes.model import AnswerFormat, Recipe, Request
from portal.sources.recipes.placeholders import BadValue, Filled, MissingSecret, fill

log = structlog.get_logger(__name__)

LIMITED_SECONDS = 60.0  # how long "too many requests" is borne with before the worker is freed
BROKEN_AFTER = 20  # numbers refused with 400 one after the other: then it is the recipe
CHANGED_ROWS, CHANGED_SHARE = 20, 0.05


def _never() -> bool:
    return False


class SourceSession:
    """See the module. Its methods may be called from many threads at once."""

    def __init__(
        self,
        recipe: Recipe,
        environ: Mapping[str, str],
        asker: SourceClient,
        make_pace: Callable[[float | None], Limiter],
        fuse: Breaker,
        robots: Robots,
        stop: Callable[[], bool],
        tickets: Tickets,
    ) -> None:
        self.recipe = recipe
        self._environ, self._asker, self._fuse, self._robots = environ, asker, fuse, robots
        self._make_pace = make_pace
        self._per_second = recipe.limits.per_second
        self._pace = make_pace(self._per_second)
        self.stop = stop
        self._gate = FirstRequestGate(stop)
        self._lock = threading.Lock()
        self._limited_since: float | None = None
        self._unsure: set[str] = set()  # numbers refused with 400 since the last answer of another kind
        self._doubted: set[str] = set()
        self._answered = False
        self._read = self._unread = 0
        self.samples = Samples(filter(None, (environ.get(name, "").strip() for name in recipe.secrets)))
        self.silent = True
        batch = recipe.batch
        self._later = AsyncBatches(batch, batch.poll, tickets) if batch and batch.poll else None

    def lookup_many(self, numbers: Sequence[str]) -> Mapping[str, Answer]:
        """The answers for one call's numbers. A number that is not in it was not asked: we were told to stop."""
        try:
            if self._later:
                return self._later.ask(self, numbers)
            if self.recipe.batch:
                return ask_many(self, self.recipe.batch, numbers)
            return {number: self._one(number) for number in numbers}
        except RequestInterrupted:
            return {}

    def _one(self, number: str) -> Answer:
        request = self.recipe.request
        try:
            filled = self.filled(request, [number])
            self._heed_robots(filled)
            reply = self.exchange(filled, request)
        except NoAnswer:
            return self.temporary()
        return self.answer(number, Verdict(reply.verdict), reply)

    def filled(self, request: Request, numbers: Sequence[str], *, ticket: str = "", key: str = "") -> Filled:
        form = self.recipe.batch.number if self.recipe.batch else "e164"
        try:
            return fill(request, numbers, self._environ, number_form=form, ticket=ticket, batch_key=key)
        except MissingSecret as error:
            raise SourceStopped(CauseCode.SECRET_MISSING) from error
        except BadValue:
            raise SourceStopped(CauseCode.RECIPE_BROKEN) from None

    def exchange(self, filled: Filled, request: Request, *, fetching: bool = False) -> SourceResponse:
        """Send in pace. Raises NoAnswer, Interrupted, SourceBusy, SourceStopped. Until one answer has come, requests
        go one at a time: wrong credentials are refused once, and not once for each number in flight.

        `fetching`: what was handed in and may be paid for is fetched, although we were told to stop."""
        stop = _never if fetching else self.stop
        with self._gate:
            try:
                self._pace.wait(stop)
            except SourceBusy:
                if stop():
                    raise RequestInterrupted from None
                raise
            if stop():
                raise RequestInterrupted
            self._fuse.check()  # last: whom it lets through as a probe has to come back with an outcome
            try:
                reply = self._asker.send(filled, request)
            except (NoAnswer, SourceStopped):
                self._fuse.failed()
                raise
            self._heed(reply, fetching)
            return reply

    def _heed(self, reply: SourceResponse, fetching: bool) -> None:
        """What follows from an answer for every number."""
        self.silent &= reply.status >= 500
        verdict = (judge_whole if self.recipe.batch else judge)(reply, self.recipe.outcomes)
        reply.verdict = verdict
        if verdict in REFUSALS:
            self._refused(verdict)
        if verdict == Verdict.LIMITED:
            self._fuse.succeeded()  # it lives
            self._wait_for_the_source(reply)
            return
        self._limited_since = None
        if verdict == Verdict.TEMPORARY and not (fetching and reply.status < 500):  # "not yet" is a sign of life
            self._fuse.failed()
            return
        self._fuse.succeeded()
        self._pace.told("ok")
        if seconds := rate_limit_seconds(reply.headers):
            self._pace.pause(seconds)

    def _refused(self, verdict: Verdict) -> NoReturn:
        """The source refuses us: nobody of this attempt asks again, and no other worker."""
        refusal = SourceStopped(verdict.value)
        self._gate.shut(refusal)
        self._fuse.trip(verdict.value)
        raise refusal

    def _wait_for_the_source(self, reply: SourceResponse) -> None:
        """Too many requests: the pace is moved for every worker. Raises SourceBusy when that has gone on too long."""
        now = time.monotonic()
        with self._lock:
            since = self._limited_since = self._limited_since or now
        asked = retry_after_seconds(reply.headers, datetime.now(UTC))
        # Without a word from the source: as long again as it has been saying so.
        seconds = asked if asked is not None else min(max(1.0, now - since), LIMITED_SECONDS)
        self._pace.told(CauseCode.RATE_LIMITED)
        if seconds > LIMITED_SECONDS or now - since > LIMITED_SECONDS:
            raise SourceBusy(CauseCode.RATE_LIMITED, max(seconds, 1.0))
        self._pace.pause(seconds)

    def _heed_robots(self, filled: Filled) -> None:
        if not self.recipe.limits.robots:
            return
        if not self._robots.allow(filled.url):
            raise SourceStopped(CauseCode.ROBOTS_REFUSE)
        delay = self._robots.delay_seconds(filled.url)
        if delay and (self._per_second is None or self._per_second > 1 / delay):
            self._per_second = 1 / delay
            self._pace = self._make_pace(self._per_second)

    def temporary(self) -> Answer:
        """No answer for this number. Raises SourceBusy when it was the failure by which the source counts as down."""
        self._fuse.check()
        return Answer(Outcome.FAILED, reason=CauseCode.TEMPORARY)

    def answer(self, number: str, verdict: Verdict, reply: SourceResponse, where: Any = None) -> Answer:
        """One number's answer by its verdict. `where`: its item out of an answer for many."""
        if verdict == Verdict.UNSURE:
            return self._doubt(number)
        with self._lock:
            self._unsure.clear()
        if verdict == Verdict.LIMITED:
            return Answer(Outcome.FAILED, reason=CauseCode.RATE_LIMITED)
        if verdict == Verdict.TEMPORARY:
            return self.temporary()
        if verdict in REFUSALS:  # said in one number's item
            self._refused(verdict)
        if verdict == Verdict.REJECTED:
            return Answer(Outcome.REJECTED, reason=CauseCode.REJECTED)
        if verdict == Verdict.NOT_FOUND:
            self._note_read(True)
            return Answer(Outcome.NOT_FOUND)
        if verdict == Verdict.UNREADABLE:
            return self.unreadable(reply, "no rule for success holds", number=number, where=where)
        try:
            if where is None:
                where = reply.page if self.recipe.kind == AnswerFormat.HTML else reply.json
            fields = pick(self.recipe.fields, where)
        except (UnreadableResponse, FieldMissing) as error:
            why = f"no field {error}" if isinstance(error, FieldMissing) else str(error)
            return self.unreadable(reply, why, number=number, where=where)
        self._note_read(True)
        return Answer(Outcome.FOUND, fields)

    def unreadable(self, reply: SourceResponse, why: str, rows: int = 1, number: str = "", where: Any = None) -> Answer:
        """An answer came and cannot be used. Raises SourceStopped when that is so for too many: the page changed.
        `number`: whose alone it is, and `where` its item out of an answer for many."""
        if self.samples.take(reply, why, number, where):
            log.warning("answer not usable", source=self.recipe.name, why=why, status=reply.status)
        self._note_read(False, rows)
        return Answer(Outcome.FAILED, reason=CauseCode.SOURCE_ERROR)

    def _note_read(self, good: bool, rows: int = 1) -> None:
        with self._lock:
            self._read += rows
            self._unread += 0 if good else rows
            self._answered |= good
            changed = self._read >= CHANGED_ROWS and self._unread > CHANGED_SHARE * self._read
        if changed and not good:
            raise SourceStopped(CauseCode.PAGE_CHANGED)

    def _doubt(self, number: str) -> Answer:
        """400: where the source has answered others it is this number's fault; else it may be ours, and is asked once
        more. Raises SourceStopped when it is said of one number after the other."""
        with self._lock:
            self._unsure.add(number)
            if len(self._unsure) > BROKEN_AFTER:
                raise SourceStopped(CauseCode.RECIPE_BROKEN)
            again = not self._answered and number not in self._doubted
            self._doubted.add(number)
        if again:
            return Answer(Outcome.FAILED, reason=CauseCode.UNSURE)
        return Answer(Outcome.REJECTED, reason=CauseCode.REJECTED)
