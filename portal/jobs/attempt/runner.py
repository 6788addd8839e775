"""Runs one attempt: claim the job, look up the numbers without a final answer, save answers as they come in, and end
it.

It must not know RQ: a worker, the terminal and a test run it alike. The rows that remain are those that wait in the
ledger, never "after row n", so the next attempt continues one that was interrupted anywhere.
"""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from operator import attrgetter

import structlog
from sqlalchemy.exc import SQLAlchemyError

from portal.causes import CauseCode, cause_for
from portal.database import db
from portal.jobs.attempt import outage, outcome
from portal.jobs.attempt.heartbeat import Heartbeat
from portal.jobs.attempt.outcome import ADMIN_SECONDS, AttemptOutcome, Conditions
from portal.jobs.attempt.retry_queue import RetryQueue
from portal.jobs.attempt.save import AttemptTaken, LookedUp, save
from portal.jobs.attempt.tickets import KeptTickets
from portal.jobs.attempt.window import stream
from portal.jobs.core import ledger, samples, timeline
from portal.jobs.core.status import Status
from portal.jobs.models import ScrapingJob
from portal.sources import UnknownSource, stats
from portal.sources import get as get_source
from portal.sources.answer_cache import CachePolicy
from portal.sources.base import Answer, Outcome, Source, SourceBusy, SourceStopped, open_session
from portal.sources.catalogue import refresh as refresh_sources
from portal.sources.http.samples import Samples

__all__ = ["ADMIN_SECONDS", "Conditions", "run"]

log = structlog.get_logger(__name__)

# What a kill -9 can make us look up again: 500 rows, or those of half a second. A source so fast that 500 rows take
# less than a twentieth of a second costs nothing to ask again, and would spend its time on commits.
SAVE_ROWS = 500
SAVE_SECONDS = 0.5
SAVES_APART_SECONDS = 0.05
DRAIN_SECONDS = 7.0  # a worker that has to stop hands its job back within ten seconds
_OUTCOME = attrgetter("answer.outcome")


def run(job_id: int, attempt: int, given: Conditions) -> Status | None:
    """Run attempt number `attempt + 1` of a job, and return the job's status after it.

    None: there was nothing to claim (a stale or duplicate message), or the job was taken away on the way.
    """
    job = ScrapingJob.claim(job_id, attempt, given.clock(), worker=given.worker, lease_seconds=given.lease_seconds)
    db.session.commit()
    if job is None:
        return None
    present, source_name = job.attempt, job.source
    structlog.contextvars.bind_contextvars(job=job_id, attempt=present)
    try:
        with Heartbeat(
            db.engine, job_id, present, lease_seconds=given.lease_seconds, clock=given.clock, on_fenced=given.on_fenced
        ):
            ended = _Attempt(job_id, present, given).go(source_name)
    except AttemptTaken:
        log.info("attempt fenced")
        return None
    except Exception as error:
        db.session.rollback()
        with suppress(SQLAlchemyError):  # the database may be what failed
            timeline.note_fault(job_id, present, outcome.told(error))
            db.session.commit()
        raise
    finally:
        structlog.contextvars.unbind_contextvars("job", "attempt")
    return ended.status if ended else None


class _Attempt(AttemptOutcome):
    """The state of an attempt in progress: the answers that came in and are not saved yet."""

    def __init__(self, job_id: int, attempt: int, given: Conditions) -> None:
        super().__init__(job_id, attempt, given)
        self.looked: list[LookedUp] = []
        self.fresh: dict[str, Answer] = {}  # those of `looked` that the source has just answered, not the cache
        self.told: list[str] = []  # numbers that got any response, even "ask again"
        self.given_up: list[tuple[list[int], Answer]] = []  # numbers whose tries are used up
        self.not_ready = 0  # numbers that the source has accepted and not answered
        self.silent_seconds: float | None = None  # how long to wait for a source that gave no answer at all
        self.unsaved_rows = 0
        self.saved_at = time.monotonic()
        self.paused = False
        self.rows: dict[str, list[int]] = {}
        self.samples = Samples()  # of answers that could not be used
        self.samples_saved = 0  # how many of `samples` are saved
        self.fault: str | None = None  # first traceback; "" once saved, so that later ones are ignored

    def go(self, source_name: str) -> ScrapingJob | None:
        refresh_sources()
        try:
            source = get_source(source_name)
        except UnknownSource:
            return self._end_refused(source_name, CauseCode.SOURCE_UNKNOWN)
        self.rows = rows = ledger.waiting(self.job_id)
        db.session.commit()  # no transaction is open during lookups
        self.keep = CachePolicy.of(source_name)
        self.tickets = KeptTickets(
            self.job_id, self.attempt, source_name, self.keep.version, rows.keys(), self.given.clock,
            self.given.lease_seconds,
        )  # fmt: skip
        try:
            self._fill_in_kept(rows)
            self._look_up(source, rows)
        except SourceBusy as busy:
            self._save()
            return self._end_handed_back(busy.reason, self._after(busy.seconds))
        except SourceStopped as stopped:
            self._save()
            return self._end_refused(source_name, stopped.reason)
        self._save()
        if self.given.stopped() or self.paused:
            return self._end_handed_back(CauseCode.PAUSED if self.paused else CauseCode.RESTART)
        if self.silent_seconds is not None:
            return self._end_handed_back(CauseCode.SOURCE_SILENT, self._after(self.silent_seconds))
        if self.not_ready:
            return self._end_handed_back(
                CauseCode.NOT_READY, self._after(self.tickets.wait_seconds(self.given.clock()))
            )
        return self._end(lambda now: ScrapingJob.complete(self.job_id, self.attempt, now)) or self._end_failed(
            CauseCode.NUMBERS_UNANSWERED
        )

    def _fill_in_kept(self, rows: dict[str, list[int]]) -> None:
        """Use answers of earlier files that are still good: their numbers leave `rows` and are not looked up again."""
        numbers = list(rows) if self.keep.days else []
        for first in range(0, len(numbers), SAVE_ROWS):
            for e164, answer in self.keep.known(numbers[first : first + SAVE_ROWS], self.given.clock()).items():
                self._came(rows.pop(e164), answer)
            self._save()

    def _came(self, rows: list[int], answer: Answer) -> None:
        self.looked.append(LookedUp(rows, answer))
        self.unsaved_rows += len(rows)

    def _look_up(self, source: Source, rows: dict[str, list[int]]) -> None:
        def interrupted() -> bool:
            return self.paused or self.given.stopped()

        asking, group, tries = open_session(source, interrupted, self.tickets)
        self.samples = getattr(asking, "samples", self.samples)

        def guarded(numbers: Sequence[str]) -> Mapping[str, Answer]:
            try:
                return asking.lookup_many(numbers)
            except (SourceBusy, SourceStopped, AttemptTaken):
                raise
            except Exception as error:  # a fault of the source fails these numbers, never the file
                log.exception("lookup failed", source=source.name)
                if self.fault is None:
                    self.fault = outcome.told(error)
                return dict.fromkeys(numbers, Answer(Outcome.FAILED, reason=CauseCode.SOURCE_ERROR))

        deck = RetryQueue(self.tickets.first(rows), group, tries)
        for come in stream(guarded, deck, source.concurrency, interrupted, DRAIN_SECONDS):
            if come is not None:
                asked, answers = come
                for e164 in asked:
                    answer = answers.get(e164)
                    if answer is None:
                        continue
                    if answer.reason == CauseCode.NOT_READY:  # it stays waiting, and another attempt fetches it
                        deck.settle()
                        self.not_ready += 1
                        continue
                    self.told.append(e164)
                    cause = cause_for(answer.reason)
                    if not cause.asks_again:
                        deck.settle()
                        self._came(rows[e164], answer)
                        if self.keep.days:
                            self.fresh[e164] = answer
                    # Only a definite answer is written: a number that will be looked up again stays waiting.
                    elif not deck.again(e164, free=cause.free, late=cause.late):
                        deck.settle()
                        self.given_up.append((rows[e164], answer))
            # Save even without answers: so a silent attempt learns of a pause, a cancel or a newer attempt.
            since_save = time.monotonic() - self.saved_at
            if since_save >= SAVE_SECONDS or (self.unsaved_rows >= SAVE_ROWS and since_save >= SAVES_APART_SECONDS):
                self._save()
        # Only now: if the source turns out to be down for everybody, these failed because of it and stay waiting.
        if asking.silent and self.given_up and not interrupted():
            self.silent_seconds = outage.wait_seconds(self.job_id, self.given.clock())
            db.session.commit()
        if self.silent_seconds is None:
            for lost, answer in self.given_up:
                self._came(lost, answer)

    def _save(self) -> None:
        now = self.given.clock()
        self.paused = save(
            self.job_id, self.attempt, self.looked, now, self.given.lease_seconds, beside=lambda: self._beside(now)
        )
        if self.looked and self.given.on_saved:
            self.given.on_saved(self.unsaved_rows)
        self.looked, self.fresh, self.told, self.unsaved_rows = [], {}, [], 0
        self.saved_at = time.monotonic()

    def _beside(self, now: datetime) -> None:
        """Write what belongs in one transaction with the answers."""
        self.keep.remember(self.fresh, now)
        self.tickets.settle(self.told, now)
        if taken := self.samples.since(self.samples_saved):
            samples.write(self.job_id, self.attempt, self.samples_saved, taken, self.rows, now)
            self.samples_saved += len(taken)
        if self.fault:
            timeline.note_fault(self.job_id, self.attempt, self.fault)
            self.fault = ""
        # Last, because other workers of the same source wait for these rows until the commit.
        asked = [one for one in self.looked if one.answer.asked_at is None] if self.keep.days else self.looked
        stats.count(self.keep.source, Counter(map(_OUTCOME, asked)), now)
