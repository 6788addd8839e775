"""Runs one attempt: claim the job, look up the numbers without a final answer, save answers as they come in, and end
it.

It must not know RQ: a worker, the terminal and a test run it alike. The rows that remain are those that wait in the
ledger, never "after row n", so the next attempt continues one that was interrupted anywhere.
"""

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from operator import attrgetter

import structlog
from sqlalchemy.exc import SQLAlchemyError

from portal.causes import CauseCode, cause_for
from portal.database import db
from portal.jobs.attempt import outage, outcome
from portal.jobs.attempt.batch_tickets import KeptTickets
from portal.jobs.attempt.heartbeat import Heartbeat
from portal.jobs.attempt.lookup_window import stream
from portal.jobs.attempt.number_queue import NumberQueue
from portal.jobs.attempt.outcome import ADMIN_SECONDS, AttemptOutcome, Conditions
from portal.jobs.attempt.save import AttemptTaken, LookedUp, save
from portal.jobs.core import answer_samples, ledger, timeline
from portal.jobs.core.status import Status
from portal.jobs.models import ScrapingJob
from portal.sources import UnknownSource, stats
from portal.sources import get as get_source
from portal.sources.answer_cache import CachePolicy
from portal.sources.base import (
    Answer,
    LookupEnded,
    LookupSession,
    Outcome,
    Source,
    SourceBusy,
    SourceStopped,
    open_session,
)
from portal.sources.catalogue import refresh as refresh_sources
from portal.sources.http.answer_samples import Samples

__all__ = ["ADMIN_SECONDS", "Conditions", "run"]

log = structlog.get_logger(__name__)

# What a kill -9 can make us look up again: 500 rows, or those of half a second. A source so fast that 500 rows take
# less than a twentieth of a second costs nothing to ask again, and would spend its time on commits.
SAVE_ROWS = 500
SAVE_SECONDS = 0.5
SAVES_APART_SECONDS = 0.05
DRAIN_SECONDS = 7.0  # a worker that has to stop hands its job back within ten seconds
_OUTCOME = attrgetter("answer.outcome")


def run(job_id: int, attempt: int, conditions: Conditions) -> Status | None:
    """Run attempt number `attempt + 1` of a job, and return the job's status after it.

    None: there was nothing to claim (a stale or duplicate message), or the job was taken away on the way.
    """
    job = ScrapingJob.claim(
        job_id, attempt, conditions.clock(), worker=conditions.worker, lease_seconds=conditions.lease_seconds
    )
    db.session.commit()
    if job is None:
        return None
    current, source_name = job.attempt, job.source
    structlog.contextvars.bind_contextvars(job=job_id, attempt=current)
    try:
        with Heartbeat(
            db.engine,
            job_id,
            current,
            lease_seconds=conditions.lease_seconds,
            clock=conditions.clock,
            on_fenced=conditions.on_fenced,
        ):
            ended = _Attempt(job_id, current, conditions).work(source_name)
    except AttemptTaken:
        log.info("attempt fenced")
        return None
    except Exception as error:
        db.session.rollback()
        with suppress(SQLAlchemyError):  # the database may be what failed
            timeline.note_fault(job_id, current, outcome.redacted_traceback(error))
            db.session.commit()
        raise
    finally:
        structlog.contextvars.unbind_contextvars("job", "attempt")
    return ended.status if ended else None


class _Attempt(AttemptOutcome):
    """The state of an attempt in progress: the answers that came in and are not saved yet."""

    def __init__(self, job_id: int, attempt: int, conditions: Conditions) -> None:
        super().__init__(job_id, attempt, conditions)
        self.looked_up: list[LookedUp] = []
        self.fresh: dict[str, Answer] = {}  # those of `looked_up` that the source has just answered, not the cache
        self.responded: list[str] = []  # numbers that got any response, even "ask again"
        self.exhausted: list[tuple[list[int], Answer]] = []  # numbers whose tries are used up
        self.not_ready = 0  # numbers that the source has accepted and not answered
        self.silent_seconds: float | None = None  # how long to wait for a source that gave no answer at all
        self.unsaved_rows = 0
        self.saved_at = time.monotonic()
        self.paused = False
        self.session: LookupSession | None = None
        self.rows: dict[str, list[int]] = {}
        self.samples = Samples()  # of answers that could not be used
        self.samples_saved = 0  # how many of `samples` are saved
        self.fault: str | None = None  # first traceback; "" once saved, so that later ones are ignored

    def work(self, source_name: str) -> ScrapingJob | None:
        refresh_sources()
        try:
            source = get_source(source_name)
        except UnknownSource:
            return self._end_refused(source_name, CauseCode.SOURCE_UNKNOWN)
        self.rows = rows = ledger.waiting(self.job_id)
        self.blocked = outage.blocked_before(self.job_id)
        self.answers_others = bool(self.blocked) and outage.has_answered_since_block(self.job_id, source_name)
        db.session.commit()  # no transaction is open during lookups
        self.cache = CachePolicy.of(source_name)
        self.tickets = KeptTickets(
            self.job_id, self.attempt, source_name, self.cache.version, rows.keys(), self.conditions.clock,
            self.conditions.lease_seconds,
        )  # fmt: skip
        try:
            self._use_cached_answers(rows)
            self._look_up(source, rows)
        except SourceBusy as busy:
            self._save()
            return self._end_handed_back(busy.reason, self._after(busy.seconds))
        except SourceStopped as stopped:
            self._save()
            outage.note_blocked(self.job_id, getattr(self.session, "blocked_numbers", ()))
            return self._end_refused(source_name, stopped.reason)
        self._save()
        if self.conditions.stopped() or self.paused:
            return self._end_handed_back(CauseCode.PAUSED if self.paused else CauseCode.RESTART)
        if self.silent_seconds is not None:
            return self._end_handed_back(CauseCode.SOURCE_SILENT, self._after(self.silent_seconds))
        if self.not_ready:
            return self._end_handed_back(
                CauseCode.NOT_READY, self._after(self.tickets.wait_seconds(self.conditions.clock()))
            )
        return self._end(lambda now: ScrapingJob.complete(self.job_id, self.attempt, now)) or self._end_failed(
            CauseCode.NUMBERS_UNANSWERED
        )

    def _use_cached_answers(self, rows: dict[str, list[int]]) -> None:
        """Use answers of earlier files that are still good: their numbers leave `rows` and are not looked up again."""
        numbers = list(rows) if self.cache.days else []
        for first in range(0, len(numbers), SAVE_ROWS):
            for e164, answer in self.cache.known(numbers[first : first + SAVE_ROWS], self.conditions.clock()).items():
                self._add_answer(rows.pop(e164), answer)
            self._save()

    def _add_answer(self, rows: list[int], answer: Answer) -> None:
        self.looked_up.append(LookedUp(rows, answer))
        self.unsaved_rows += len(rows)

    def _look_up(self, source: Source, rows: dict[str, list[int]]) -> None:
        def interrupted() -> bool:
            return self.paused or self.conditions.stopped()

        session, group_size, tries = open_session(source, interrupted, self.tickets)
        self.session = session
        self.samples = getattr(session, "samples", self.samples)
        numbers: Iterable[str] = rows
        if self.blocked and (remember := getattr(session, "remember_blocked", None)):
            remember(self.blocked, answers_others=self.answers_others)
            numbers = outage.judge_last(rows, self.blocked, self.attempt)

        def guarded(numbers: Sequence[str]) -> Mapping[str, Answer]:
            try:
                return session.lookup_many(numbers)
            except (LookupEnded, AttemptTaken):
                raise
            except Exception as error:  # a fault of the source fails these numbers, never the file
                log.exception("lookup failed", source=source.name)
                if self.fault is None:
                    self.fault = outcome.redacted_traceback(error)
                return dict.fromkeys(numbers, Answer(Outcome.FAILED, reason=CauseCode.SOURCE_ERROR))

        queue = NumberQueue(self.tickets.paid_first(numbers), group_size, tries)
        for received in stream(guarded, queue, source.concurrency, interrupted, DRAIN_SECONDS):
            if received is not None:
                group, answers = received
                for e164 in group:
                    answer = answers.get(e164)
                    if answer is None:
                        continue
                    if answer.reason == CauseCode.NOT_READY:  # it stays waiting, and another attempt fetches it
                        queue.settle()
                        self.not_ready += 1
                        continue
                    self.responded.append(e164)
                    cause = cause_for(answer.reason)
                    if not cause.asks_again:
                        queue.settle()
                        self._add_answer(rows[e164], answer)
                        if self.cache.days:
                            self.fresh[e164] = answer
                    # Only a definite answer is written: a number that will be looked up again stays waiting.
                    elif not queue.retry(e164, free=cause.free, late=cause.late):
                        queue.settle()
                        self.exhausted.append((rows[e164], answer))
            # Save even without answers: so a silent attempt learns of a pause, a cancel or a newer attempt.
            since_save = time.monotonic() - self.saved_at
            if since_save >= SAVE_SECONDS or (self.unsaved_rows >= SAVE_ROWS and since_save >= SAVES_APART_SECONDS):
                self._save()
        # Only now: if the source turns out to be down for everybody, these failed because of it and stay waiting.
        if session.silent and self.exhausted and not interrupted():
            self.silent_seconds = outage.wait_seconds(self.job_id, self.conditions.clock())
            db.session.commit()
        if self.silent_seconds is None:
            for unanswered, answer in self.exhausted:
                self._add_answer(unanswered, answer)

    def _save(self) -> None:
        now = self.conditions.clock()
        self.paused = save(
            self.job_id,
            self.attempt,
            self.looked_up,
            now,
            self.conditions.lease_seconds,
            also_write=lambda: self._save_with_answers(now),
        )
        if self.looked_up and self.conditions.on_saved:
            self.conditions.on_saved(self.unsaved_rows)
        self.looked_up, self.fresh, self.responded, self.unsaved_rows = [], {}, [], 0
        self.saved_at = time.monotonic()

    def _save_with_answers(self, now: datetime) -> None:
        """Write what belongs in one transaction with the answers."""
        self.cache.remember(self.fresh, now)
        self.tickets.settle(self.responded, now)
        if taken := self.samples.since(self.samples_saved):
            answer_samples.write(self.job_id, self.attempt, self.samples_saved, taken, self.rows, now)
            self.samples_saved += len(taken)
        if self.fault:
            timeline.note_fault(self.job_id, self.attempt, self.fault)
            self.fault = ""
        # Last, because other workers of the same source wait for these rows until the commit.
        from_source = (
            [one for one in self.looked_up if one.answer.asked_at is None] if self.cache.days else self.looked_up
        )
        stats.count(self.cache.source, Counter(map(_OUTCOME, from_source)), now)
