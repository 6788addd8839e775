"""One attempt: claim the job, look up what has no final answer, save as answers come in, and end it in one of its ways.

It knows no RQ: it is the same for a worker, the terminal and a test. The rows that remain are those that wait in the
ledger, never "after row n", so an attempt that is cut anywhere is gone on with by the next one.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy.exc import SQLAlchemyError

from portal.clock import utcnow
from portal.database import db
from portal.jobs import faults, ledger, telling, timeline
from portal.jobs.backoff import Backoff
from portal.jobs.deck import Deck
from portal.jobs.heartbeat import Heartbeat
from portal.jobs.keeping import Keep
from portal.jobs.models import ScrapingJob
from portal.jobs.saving import Fenced, Looked, save
from portal.jobs.status import Status
from portal.jobs.window import stream
from portal.sources import UnknownSource
from portal.sources import get as get_source
from portal.sources.base import AGAIN, FREE, LATE, Answer, Outcome, Source, SourceBusy, SourceStopped, begin

log = structlog.get_logger(__name__)

# What a kill -9 can make us ask for again: 500 rows, or half a second's. A source so fast that 500 rows take less than
# a twentieth of a second costs nothing to ask again, and would spend its time on commits.
SAVE_ROWS = 500
SAVE_SECONDS = 0.5
SAVES_APART_SECONDS = 0.05
ADMIN_SECONDS = 600  # a source that refuses us is asked again after this, by one job for all: its breaker is open
FOR_AN_ADMIN = frozenset({"blocked", "credentials", "no_credit"})
DRAIN_SECONDS = 7.0  # a worker that is told to stop hands back within ten


def _never() -> bool:
    return False


def _nothing() -> None:
    return None


@dataclass(frozen=True)
class Conditions:
    """What an attempt is given from outside: its worker's name, spans, the clock, and who may interrupt it."""

    worker: str
    lease_seconds: float
    backoff: Backoff
    clock: Callable[[], datetime] = utcnow
    stopped: Callable[[], bool] = _never  # a deploy: finish what is in flight, save, hand back
    on_fenced: Callable[[], None] = _nothing  # the job was taken away: called from the heartbeat's thread
    on_saved: Callable[[int], None] | None = None  # told how many rows were just saved


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
    except Fenced:
        log.info("attempt fenced")
        return None
    except Exception as error:
        db.session.rollback()
        with suppress(SQLAlchemyError):  # the database may be what failed
            timeline.note_fault(job_id, present, faults.told(error))
            db.session.commit()
        raise
    finally:
        structlog.contextvars.unbind_contextvars("job", "attempt")
    return ended.status if ended else None


class _Attempt:
    """The state of one attempt under way: what has come in and is not saved yet."""

    def __init__(self, job_id: int, attempt: int, given: Conditions) -> None:
        self.job_id = job_id
        self.attempt = attempt
        self.given = given
        self.looked: list[Looked] = []
        self.fresh: dict[str, Answer] = {}  # of these, what the source has just answered
        self.given_up: list[tuple[list[int], Answer]] = []  # numbers whose tries are spent
        self.unsaved_rows = 0
        self.saved_at = time.monotonic()
        self.paused = False
        self.fault: str | None = None  # the first one's traceback, and nothing of it once it is saved

    def go(self, source_name: str) -> ScrapingJob | None:
        try:
            source = get_source(source_name)
        except UnknownSource:
            return self._end_failed("source_unknown")
        rows = ledger.waiting(self.job_id)
        db.session.commit()  # no transaction stays open while we look up
        self.keep = Keep.of(source_name)
        try:
            self._fill_in_kept(rows)
            self._look_up(source, rows)
        except SourceBusy as busy:
            self._save()
            return self._end_handed_back(busy.reason, self.given.clock() + timedelta(seconds=busy.seconds))
        except SourceStopped as stopped:
            self._save()
            return self._end_refused(source_name, stopped.reason)
        self._save()
        if self.given.stopped() or self.paused:
            return self._end_handed_back("paused" if self.paused else "restart")
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
        self.looked.append(Looked(rows, answer))
        self.unsaved_rows += len(rows)

    def _look_up(self, source: Source, rows: dict[str, list[int]]) -> None:
        def interrupted() -> bool:
            return self.paused or self.given.stopped()

        asking, group, tries = begin(source, interrupted)

        def guarded(numbers: Sequence[str]) -> Mapping[str, Answer]:
            try:
                return asking.lookup_many(numbers)
            except (SourceBusy, SourceStopped):
                raise
            except Exception as error:  # a source's own fault is these numbers' failure, never the file's
                log.exception("lookup failed", source=source.name)
                if self.fault is None:
                    self.fault = faults.told(error)
                return dict.fromkeys(numbers, Answer(Outcome.FAILED, reason="source_error"))

        deck = Deck(rows, group, tries)
        for come in stream(guarded, deck, source.concurrency, interrupted, DRAIN_SECONDS):
            if come is not None:
                asked, answers = come
                for e164 in asked:
                    answer = answers.get(e164)
                    if answer is None:
                        continue
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
        for lost, answer in self.given_up:
            self._came(lost, answer)

    def _save(self) -> None:
        now, fresh = self.given.clock(), self.fresh
        self.paused = save(
            self.job_id, self.attempt, self.looked, now, self.given.lease_seconds,
            beside=lambda: self._beside(fresh, now),
        )  # fmt: skip
        if self.looked and self.given.on_saved:
            self.given.on_saved(self.unsaved_rows)
        self.looked, self.fresh, self.unsaved_rows = [], {}, 0
        self.saved_at = time.monotonic()

    def _beside(self, fresh: dict[str, Answer], now: datetime) -> None:
        self.keep.remember(fresh, now)
        if self.fault:
            timeline.note_fault(self.job_id, self.attempt, self.fault)
            self.fault = ""

    def _end(self, verb: Callable[[datetime], ScrapingJob | None]) -> ScrapingJob | None:
        job = verb(self.given.clock())
        db.session.commit()
        return job

    def _end_handed_back(self, cause: str, not_before: datetime | None = None) -> ScrapingJob | None:
        return self._end(lambda now: ScrapingJob.hand_back(self.job_id, self.attempt, cause, now, not_before))

    def _end_refused(self, source_name: str, cause: str) -> ScrapingJob | None:
        """The source refuses us all. What only an admin can put right is told to them, and the file waits meanwhile:
        it goes on by itself after that, and has used no retry."""
        if cause not in FOR_AN_ADMIN:
            return self._end_failed(cause)
        now = self.given.clock()
        telling.source_stopped(source_name, cause, now)
        return self._end_handed_back(cause, now + timedelta(seconds=ADMIN_SECONDS))

    def _end_failed(self, cause: str) -> ScrapingJob | None:
        return self._end(lambda now: ScrapingJob.fail(self.job_id, self.attempt, cause, now, self.given.backoff))
