"""Ends an attempt: one method for each outcome, the conditions an attempt runs under, and its redacted traceback.

Each outcome is one verb of the lifecycle, committed here. None means that the job was taken away before.
"""

import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import select

from portal.causes import CauseCode, cause_for
from portal.clock import utcnow
from portal.database import db
from portal.jobs import shares
from portal.jobs.attempt import outage
from portal.jobs.attempt.ask_journal import AskJournal
from portal.jobs.attempt.budget import Budget
from portal.jobs.attempt.database_wait import until_back
from portal.jobs.core import steps
from portal.jobs.core.retry_backoff import Backoff
from portal.jobs.core.status import Status
from portal.jobs.lifecycle.retries import REFUSED_SECONDS
from portal.jobs.models import ScrapingJob
from portal.jobs.notify import send
from portal.jobs.shares import Holding
from portal.logs import redact_text
from portal.sources.catalogue import without_secrets

MAX_CHARACTERS = 6000  # the end is kept, because it says what happened


def redacted_traceback(error: BaseException) -> str:
    """Return the exception's traceback without secrets, fit for admins: the last `MAX_CHARACTERS` characters."""
    text = "".join(traceback.format_exception(error))
    return redact_text(without_secrets(text))[-MAX_CHARACTERS:]


def _never() -> bool:
    return False


def _nothing() -> None:
    return None


def _nothing_at(_: datetime) -> None:
    return None


FAILS = datetime(1970, 1, 1, tzinfo=UTC)  # noted as the end of a wait: the attempt fails instead
NONE: Mapping[str, str] = {}
Verb = Callable[[datetime], ScrapingJob | None]
Wait = tuple[str, datetime]  # a cause, and until when the job waits


@dataclass(frozen=True)
class Conditions:
    """What an attempt gets from outside: its worker's name, spans in seconds, the clock, and who may interrupt it."""

    worker: str
    lease_seconds: float
    backoff: Backoff
    clock: Callable[[], datetime] = utcnow
    stopped: Callable[[], bool] = _never  # a deploy: finish what is in flight, save, hand back
    on_fenced: Callable[[], None] = _nothing  # called from the heartbeat's thread when the job was taken away
    turn_seconds: float | None = None  # after so long, other people's files have their turn; None: never
    workers: int = 1  # that are alive: as many may come to work on the attempt
    on_taken: Callable[[], None] = _nothing  # called when a share was taken that left numbers for others
    on_saved: Callable[[int], None] | None = None  # called with the number of rows just saved
    journal: AskJournal | None = None  # of what is asked, where another process reads it once this one is gone


class AttemptOutcome:
    """The ways in which one worker's part of an attempt ends. The last one to leave ends the attempt."""

    def __init__(self, holding: Holding, conditions: Conditions, let_go: Callable[[], None] = _nothing) -> None:
        """`let_go` is called before the worker gives up its part: that it is gone from then on is no fault."""
        self.holding = holding
        self.job_id, self.attempt = holding.job_id, holding.attempt
        self.conditions = conditions
        self.let_go = let_go
        self.budget: Budget | None = None

    def _is_capped(self) -> bool:
        return self.budget is not None and self.budget.capped

    def _after(self, seconds: float) -> datetime:
        return self.conditions.clock() + timedelta(seconds=seconds)

    def _end(
        self, verb: Verb, *, wait: Wait | None = None, also: Callable[[datetime], None] = _nothing_at
    ) -> Status | None:
        """Leave the attempt, and end it by this verb if nobody else works on it, however long the database is away.
        Returns the job's status. `wait`: what ends the attempt for the others too; `also` is done in any case."""
        self.let_go()
        return until_back(lambda repeated: self._end_once(verb, wait, also, repeated))

    def _end_once(
        self, verb: Verb, wait: Wait | None, also: Callable[[datetime], None], repeated: bool
    ) -> Status | None:
        now = self.conditions.clock()
        if not shares.leave(self.holding):
            job = db.session.get(ScrapingJob, self.job_id, populate_existing=True) if repeated else None
            ended = job is not None and job.attempt == self.attempt and job.status != Status.PROCESSING
            status = job.status if job and ended else None  # by this very worker, in the try before
            db.session.commit()
            return status
        also(now)
        if self.budget is not None:
            self.budget.close(now)
        if shares.count_holders(self.job_id, self.attempt):
            if wait:
                shares.note_end(self.holding, *wait, now)
            status = Status.PROCESSING if shares.goes_on(self.holding) else None
        else:
            job = self._carry_out(verb, now)
            status = job.status if job else None
        db.session.commit()
        return status

    def _carry_out(self, verb: Verb, now: datetime) -> ScrapingJob | None:
        """End the attempt as its last worker: as another one has noted, or by this verb."""
        noted = shares.noted_end(self.holding)
        job = self._stop(*noted, now) if noted else verb(now)
        if job:
            shares.forget_left(self.holding)
        return job

    def _end_complete(self) -> Status | None:
        """Complete the job if every number has its answer, whoever still works on it: nothing is left for them."""
        self.let_go()
        return until_back(self._complete_once)

    def _complete_once(self, repeated: bool) -> Status | None:
        shares.remove(self.holding)  # before the job's row is locked, in the order in which a beat locks them
        now = self.conditions.clock()
        job = ScrapingJob.complete(self.job_id, self.attempt, now)
        if job is not None and self.budget is not None:
            self.budget.close(now)
        if job is None:
            db.session.rollback()
            if not repeated:
                return None
            job = db.session.get(ScrapingJob, self.job_id, populate_existing=True)
            job = job if job and job.attempt == self.attempt and job.status == Status.COMPLETED else None
        status = job.status if job else None
        db.session.commit()
        return status

    def _end_handed_back(self, cause: str, not_before: datetime | None = None) -> Status | None:
        wait = (cause, not_before) if not_before else None
        return self._end(lambda now: self._hand_back(cause, now, not_before), wait=wait)

    def _end_refused(self, source_name: str, cause: str, refused_for: Mapping[str, str] = NONE) -> Status | None:
        """The source refuses every request, or cannot be asked here: notify the admins. Unless the recipe is at fault,
        the file waits, continues automatically and uses no retry. `refused_for` has the numbers that it was asked
        about then, and their causes."""
        until = self._after(REFUSED_SECONDS) if cause_for(cause).waits else FAILS

        def note(now: datetime) -> None:
            outage.note_refused(self.job_id, refused_for)
            send.source_stopped(source_name, cause, now)

        return self._end(lambda now: self._stop(cause, until, now), wait=(cause, until), also=note)

    def _end_failed(self, cause: str) -> Status | None:
        def failed(now: datetime) -> ScrapingJob | None:
            # A worker that was lost or left just now may have left numbers that nobody has looked up.
            if shares.anything_left(self.job_id, self.attempt):
                return self._hand_back(CauseCode.RESTART, now)
            if self.holding.chain and (job := self._at_another_source(self.holding.chain.step, now)):
                return job
            if shares.pauses_here(self.job_id, self.attempt):
                return ScrapingJob.pause_after_first(self.job_id, self.attempt, now)
            return self._fail(cause, now)

        return self._end(failed)

    def _at_another_source(self, step: int, now: datetime) -> ScrapingJob | None:
        """Go on at another one of the job's sources, if numbers wait for it; pause once all of them have been asked
        about the first numbers, where the job's person wants to look at these."""
        last_no = db.session.scalar(select(ScrapingJob.pause_after).where(ScrapingJob.id == self.job_id))
        waits = steps.waiting_step(self.job_id, last_no)
        if waits is not None and waits != step:
            return ScrapingJob.go_on(self.job_id, self.attempt, waits, now)
        if last_no is not None and waits is None and steps.waiting_step(self.job_id) is not None:
            return ScrapingJob.pause_after_first(self.job_id, self.attempt, now)
        return None

    def _end_capped(self) -> Status | None:
        """No cap has room for one more number: the file pauses, for all its workers, and uses no retry."""
        wait = (CauseCode.CAP_REACHED, self.conditions.clock())
        return self._end(lambda now: self._stop(*wait, now), wait=wait)

    def _stop(self, cause: str, until: datetime, now: datetime) -> ScrapingJob | None:
        """End the attempt by what one of its workers has met."""
        if cause == CauseCode.CAP_REACHED:
            return ScrapingJob.pause_at_cap(self.job_id, self.attempt, now)
        return self._fail(cause, now) if until == FAILS else self._hand_back(cause, now, until)

    def _hand_back(self, cause: str, now: datetime, not_before: datetime | None = None) -> ScrapingJob | None:
        return ScrapingJob.hand_back(self.job_id, self.attempt, cause, now, not_before)

    def _fail(self, cause: str, now: datetime) -> ScrapingJob | None:
        return ScrapingJob.fail(self.job_id, self.attempt, cause, now, self.conditions.backoff)
