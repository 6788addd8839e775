"""One attempt: claim the job, look up what has no final answer, save as answers come in, and end it in one of its ways.

It knows no RQ: it is the same for a worker, the terminal and a test. The rows that remain are those that wait in the
ledger, never "after row n", so an attempt that is cut anywhere is gone on with by the next one.
"""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from operator import attrgetter

import structlog
from sqlalchemy.exc import SQLAlchemyError

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
from portal.sources.base import (
    AGAIN,
    FREE,
    LATE,
    NOT_READY,
    Answer,
    Outcome,
    Source,
    SourceBusy,
    SourceStopped,
    begin,
)  # fmt: skip
from portal.sources.catalogue import refresh as refresh_sources
from portal.sources.http.samples import Samples

__all__ = ["ADMIN_SECONDS", "Conditions", "run"]

log = structlog.get_logger(__name__)

# What a kill -9 can make us ask for again: 500 rows, or half a second's. A source so fast that 500 rows take less than
# a twentieth of a second costs nothing to ask again, and would spend its time on commits.
SAVE_ROWS = 500
SAVE_SECONDS = 0.5
SAVES_APART_SECONDS = 0.05
DRAIN_SECONDS = 7.0  # a worker that is told to stop hands back within ten
_OUTCOME = attrgetter("answer.outcome")


def run(job_id: int, attempt: int, given: Conditions) -> Status | None:
    """Run attempt number `attempt + 1` of a job, and say where the job stands then.

    None: there was nothing to claim (a stale or double message), or the job was taken away on the way.
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
    """The state of one attempt under way: what has come in and is not saved yet."""

    def __init__(self, job_id: int, attempt: int, given: Conditions) -> None:
        super().__init__(job_id, attempt, given)
        self.looked: list[LookedUp] = []
        self.fresh: dict[str, Answer] = {}  # of these, what the source has just answered
        self.told: list[str] = []  # numbers that the source has said something of, and be it "ask again"
        self.given_up: list[tuple[list[int], Answer]] = []  # numbers whose tries are spent
        self.not_ready = 0  # numbers that the source has taken and not answered
        self.silent_seconds: float | None = None  # the source said nothing at all: how long to wait for it
        self.unsaved_rows = 0
        self.saved_at = time.monotonic()
        self.paused = False
        self.rows: dict[str, list[int]] = {}
        self.samples = Samples()  # of answers that could not be used; so many of them are saved:
        self.samples_saved = 0
        self.fault: str | None = None  # the first one's traceback, and nothing of it once it is saved

    def go(self, source_name: str) -> ScrapingJob | None:
        refresh_sources()
        try:
            source = get_source(source_name)
        except UnknownSource:
            return self._end_refused(source_name, "source_unknown")
        self.rows = rows = ledger.waiting(self.job_id)
        db.session.commit()  # no transaction stays open while we look up
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
            return self._end_handed_back("paused" if self.paused else "restart")
        if self.silent_seconds is not None:
            return self._end_handed_back(outage.CAUSE, self._after(self.silent_seconds))
        if self.not_ready:
            return self._end_handed_back(NOT_READY, self._after(self.tickets.wait_seconds(self.given.clock())))
        return self._end(lambda now: ScrapingJob.complete(self.job_id, self.attempt, now)) or self._end_failed(
            "numbers_unanswered"
        )

    def _fill_in_kept(self, rows: dict[str, list[int]]) -> None:
        """What an earlier file was told, and is still good, is not asked again: it leaves `rows`."""
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

        asking, group, tries = begin(source, interrupted, self.tickets)
        self.samples = getattr(asking, "samples", self.samples)

        def guarded(numbers: Sequence[str]) -> Mapping[str, Answer]:
            try:
                return asking.lookup_many(numbers)
            except (SourceBusy, SourceStopped, AttemptTaken):
                raise
            except Exception as error:  # a source's own fault is these numbers' failure, never the file's
                log.exception("lookup failed", source=source.name)
                if self.fault is None:
                    self.fault = outcome.told(error)
                return dict.fromkeys(numbers, Answer(Outcome.FAILED, reason="source_error"))

        deck = RetryQueue(self.tickets.first(rows), group, tries)
        for come in stream(guarded, deck, source.concurrency, interrupted, DRAIN_SECONDS):
            if come is not None:
                asked, answers = come
                for e164 in asked:
                    answer = answers.get(e164)
                    if answer is None:
                        continue
                    if answer.reason == NOT_READY:  # it goes on waiting, and is fetched by another attempt
                        deck.settle()
                        self.not_ready += 1
                        continue
                    self.told.append(e164)
                    if answer.reason not in AGAIN:
                        deck.settle()
                        self._came(rows[e164], answer)
                        if self.keep.days:
                            self.fresh[e164] = answer
                    # Only an answer that stands is written: a number that is asked again goes on waiting.
                    elif not deck.again(e164, free=answer.reason in FREE, late=answer.reason in LATE):
                        deck.settle()
                        self.given_up.append((rows[e164], answer))
            # Also when nothing came in: this is how a silent attempt hears of a pause, a cancel or a newer attempt.
            since_save = time.monotonic() - self.saved_at
            if since_save >= SAVE_SECONDS or (self.unsaved_rows >= SAVE_ROWS and since_save >= SAVES_APART_SECONDS):
                self._save()
        # Not before: where the source turns out to be down for everybody, these have failed with it and go on waiting.
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
        """What is written in one transaction with the answers."""
        self.keep.remember(self.fresh, now)
        self.tickets.settle(self.told, now)
        if taken := self.samples.from_(self.samples_saved):
            samples.write(self.job_id, self.attempt, self.samples_saved, taken, self.rows, now)
            self.samples_saved += len(taken)
        if self.fault:
            timeline.note_fault(self.job_id, self.attempt, self.fault)
            self.fault = ""
        # Last: other workers of the same source wait for these rows until the commit.
        asked = [one for one in self.looked if one.answer.asked_at is None] if self.keep.days else self.looked
        stats.count(self.keep.source, Counter(map(_OUTCOME, asked)), now)
