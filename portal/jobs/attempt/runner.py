"""Runs one attempt: claim the job, look up the numbers without a final answer, save answers as they come in, and end
it.

It must not know RQ: a worker, the terminal and a test run it alike. The rows that remain are those that wait in the
ledger, never "after row n", so the next attempt continues one that was interrupted anywhere.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial

import structlog
from sqlalchemy.exc import SQLAlchemyError

from portal.causes import CauseCode, cause_for
from portal.database import db
from portal.database_errors import is_away
from portal.jobs import shares
from portal.jobs.attempt import entry, outage, outcome, source_version
from portal.jobs.attempt.answer_buffer import AnswerBuffer
from portal.jobs.attempt.batch_tickets import KeptTickets
from portal.jobs.attempt.budget import BudgetedQueue, budget_at
from portal.jobs.attempt.database_wait import roll_back, until_back
from portal.jobs.attempt.entry import Entered
from portal.jobs.attempt.exclusion_watch import ExclusionWatch
from portal.jobs.attempt.heartbeat import Heartbeat
from portal.jobs.attempt.held_shares import HeldShares
from portal.jobs.attempt.kept_answers import KeptAnswers
from portal.jobs.attempt.ledger_opening import open_ledger
from portal.jobs.attempt.lookup_window import Lookup, drain_seconds_of, stream
from portal.jobs.attempt.number_queue import NumberQueue
from portal.jobs.attempt.outcome import AttemptOutcome, Conditions
from portal.jobs.attempt.skipped_source import move_on
from portal.jobs.attempt.turn import Turn
from portal.jobs.core import timeline
from portal.jobs.core.ledger import WaitingNumber
from portal.jobs.core.status import Status
from portal.jobs.shares import AttemptTaken
from portal.sources import UnknownSource
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

__all__ = ["Conditions", "run"]

log = structlog.get_logger(__name__)

# What a kill -9 can make us look up again: 500 rows, or those of half a second. A source so fast that 500 rows take
# less than a quarter of a second costs nothing to ask again, and would spend its time on commits.
SAVE_NUMBERS = 500
SAVE_SECONDS = 0.5
SAVES_APART_SECONDS = 0.25
POLL_SHARE = 0.5  # of the time without an answer after which a job times out
FILE_AWAY_SECONDS = 60.0  # before the file of a job is asked for again


def run(job_id: int, attempt: int, conditions: Conditions, *, join: bool = False) -> Status | None:
    """Run attempt number `attempt + 1` of a job, or work on it beside others (`join`); return the job's status after
    it.

    None: there was nothing to claim (a stale or duplicate message), or the job was taken away on the way.
    """
    begin = entry.join if join else entry.claim
    entered = until_back(lambda repeated: begin(job_id, attempt, conditions, repeated), stopped=conditions.stopped)
    if entered is None:
        return None
    holding = entered.holding
    structlog.contextvars.bind_contextvars(job=job_id, attempt=holding.attempt)
    heartbeat = Heartbeat(
        db.engine,
        holding,
        lease_seconds=conditions.lease_seconds,
        clock=conditions.clock,
        on_fenced=conditions.on_fenced,
    )
    working = _Attempt(entered, conditions, heartbeat.let_go)
    try:
        with heartbeat:
            return working.work()
    except AttemptTaken:
        log.info("attempt fenced")
        return None
    except Exception as error:
        roll_back()
        with suppress(SQLAlchemyError):  # the database may be what failed
            timeline.note_fault(job_id, holding.attempt, outcome.redacted_traceback(error))
            db.session.commit()
        raise
    finally:
        if working.budget is not None:
            working.budget.end()
        structlog.contextvars.unbind_contextvars("job", "attempt")


class _Attempt(AttemptOutcome):
    """The state of one worker's part of an attempt."""

    def __init__(self, entered: Entered, conditions: Conditions, let_go: Callable[[], None]) -> None:
        super().__init__(entered.holding, conditions, let_go)
        self.entered = entered
        self.exhausted: list[tuple[str, Answer]] = []  # numbers whose tries are used up
        self.not_ready = 0  # numbers that the source has accepted and not answered
        self.silent_seconds: float | None = None  # how long to wait for a source that gave no answer at all
        self.turn = Turn(entered.holding, conditions.turn_seconds, conditions.clock())
        self.gives_way = False  # its turn is over
        self.session: LookupSession | None = None
        self.blocked: list[str] = []  # numbers that an attempt before was refused, as if the source blocked us
        self.answers_others = False  # whether it has answered for other numbers since

    def work(self) -> Status | None:
        """Look up what waits, and leave the attempt. Returns the job's status; None: it was taken away."""
        source_name = self.entered.source
        refresh_sources()
        try:
            source = get_source(source_name)
        except UnknownSource:
            return self._end_refused(source_name, CauseCode.SOURCE_UNKNOWN)
        if not self.entered.is_open and (stopped_by := open_ledger(self.holding, self.conditions)) is not None:
            waits = self._after(FILE_AWAY_SECONDS) if stopped_by == CauseCode.FILE_AWAY else None
            return self._end_handed_back(stopped_by, waits)
        if self.entered.skipped_step and (stopped_by := move_on(self.holding, self.entered, self.conditions)):
            return self._end_handed_back(stopped_by)
        self._note_version(source.data_version)
        if not self.holding.is_first:
            until_back(lambda _: self._see_refusals(source_name))
        self.cache = CachePolicy.of(source_name)
        self.kept = until_back(lambda _: KeptAnswers.of(self.entered, self.cache))
        self.watch = until_back(lambda _: ExclusionWatch(source_name))
        pace = source.seconds_for(1000) / 1000
        self.held = HeldShares(self.holding, self.conditions.lease_seconds, pace, self.conditions.workers)
        self.tickets = KeptTickets(
            self.job_id, self.attempt, source_name, self.cache.version, self.held, self.conditions.clock,
            self.conditions.lease_seconds, self._interrupted, self.entered.timeout_seconds * POLL_SHARE,
            is_new=self.holding.is_first,
        )  # fmt: skip
        # Numbers that were paid for or refused before have a place of their own in the order of the whole file.
        self.whole = bool(self.blocked) or until_back(lambda _: self.tickets.any_kept())
        self.buffer = AnswerBuffer(self.conditions, self.cache, self.tickets, self.held)
        given = (self.conditions.clock, self.conditions.lease_seconds, self.conditions.journal)
        self.budget = self.buffer.budget = budget_at(source_name, self.entered.user_id, self.held, *given)
        try:
            self._look_up(source)
        except SourceBusy as busy:
            self.buffer.save()
            return self._end_handed_back(busy.reason, self._after(busy.seconds))
        except SourceStopped as stopped:
            self.buffer.save()
            refused_for = getattr(self.session, "refused_numbers", {})
            return self._end_refused(source_name, stopped.reason, refused_for)
        finally:
            if close := getattr(self.session, "close", None):  # others may be waiting for its places
                close()
        self.buffer.save()
        if self.buffer.paused or self.buffer.ends or self.conditions.stopped():
            return self._end_handed_back(CauseCode.PAUSED if self.buffer.paused else CauseCode.RESTART)
        if self._is_capped():
            return self._end_complete() or self._end_capped()
        if self.gives_way:
            return self._end_complete() or self._end_handed_back(CauseCode.TURN)
        if self.silent_seconds is not None:
            return self._end_handed_back(CauseCode.SOURCE_SILENT, self._after(self.silent_seconds))
        if self.not_ready:
            seconds = until_back(lambda _: self.tickets.wait_seconds(self.conditions.clock()))
            return self._end_handed_back(CauseCode.NOT_READY, self._after(seconds))
        return self._end_complete() or self._end_failed(CauseCode.NUMBERS_UNANSWERED)

    def _interrupted(self) -> bool:
        return self.buffer.paused or self.buffer.ends or self.gives_way or self.conditions.stopped()

    def _note_version(self, version: str) -> None:
        """Note with which version of the source's data it works, where the job does not know it yet."""
        if not source_version.is_last(self.entered.versions, version):
            until_back(lambda _: source_version.note(self.job_id, self.attempt, self.entered.versions, version))

    def _see_refusals(self, source_name: str) -> None:
        self.blocked = outage.blocked_before(self.job_id, self.holding.step)
        self.answers_others = bool(self.blocked) and outage.has_answered_since_block(self.job_id, source_name)
        db.session.commit()  # no transaction is open during lookups

    def _doubt_not_found(self, source_name: str, doubt: Callable[..., None], _repeated: bool) -> None:
        """Let the session doubt the source's "not found", unless it has found something just now."""
        if not outage.finds_now(source_name, self.conditions.clock()):
            doubt(has_found_before=outage.has_found_before(source_name))
        db.session.commit()

    def _take_share(self, source: Source, group: int, *, suspects: bool = False) -> list[str]:
        """Take the next share and use kept answers for it. Returns the numbers that the source has to be asked about;
        none once nothing is left to take, or the attempt is to stop."""
        while not self._interrupted() and not self._is_capped():
            if self.held.is_last:
                break
            if len(self.held) and self.turn.should_leave(self.conditions.clock()):
                self.gives_way = True
                break
            taken = until_back(partial(self._take, group, source.concurrency, suspects))
            if not taken:
                break
            if self.held.more:
                self.conditions.on_taken()
            asked = self._without_kept_answers(self._without_excluded(taken))
            if asked:
                if self.blocked:
                    asked = outage.judge_last(asked, self.blocked, self.attempt)
                return self.tickets.paid_first(asked)
        return []

    def _take(self, group: int, window: int, suspects: bool, repeated: bool) -> dict[str, WaitingNumber]:
        how = {"whole": self.whole, "suspects": suspects, "repeated": repeated}
        return self.held.take(self.conditions.clock(), group=group, window=window, **how)

    def _without_excluded(self, numbers: Mapping[str, WaitingNumber]) -> Mapping[str, WaitingNumber]:
        """Answer for numbers that are on a list of excluded ones, and return the others."""
        excluded = until_back(lambda _: self.watch.taken(numbers, self.conditions.clock()))
        if not excluded:
            return numbers
        for e164, answer in excluded.items():
            self.buffer.add(e164, numbers[e164], answer)
        self.buffer.save()
        return {e164: number for e164, number in numbers.items() if e164 not in excluded}

    def _without_kept_answers(self, numbers: Mapping[str, WaitingNumber]) -> list[str]:
        """Use answers of earlier files that are still good, and return the numbers that have none."""
        if self.kept is None:
            return list(numbers)
        asked: list[str] = []
        in_order = list(numbers)
        for first in range(0, len(in_order), SAVE_NUMBERS):
            some = in_order[first : first + SAVE_NUMBERS]
            known = until_back(partial(self._known, some))
            for e164, answer in known.items():
                self.buffer.add(e164, numbers[e164], answer)
            asked.extend(e164 for e164 in some if e164 not in known)
            if known:
                self.buffer.save()
        return asked

    def _known(self, numbers: Sequence[str], _repeated: bool) -> dict[str, Answer]:
        return self.kept.of_numbers(numbers, self.conditions.clock()) if self.kept else {}

    def _look_up(self, source: Source) -> None:
        buffer, interrupted, held = self.buffer, self._interrupted, self.held
        first = self._take_share(source, 1) if self.whole else ()  # the session asks for the tickets of these
        session, group_size, tries = open_session(source, interrupted, self.tickets)
        self.session = session
        buffer.samples = getattr(session, "samples", buffer.samples)
        if self.blocked and (remember := getattr(session, "remember_blocked", None)):
            remember(self.blocked, answers_others=self.answers_others)
        if self.budget is not None:
            self.budget.serve(session, any_paid=bool(self.tickets.open()))
        if doubt := getattr(session, "doubt_not_found", None):
            until_back(partial(self._doubt_not_found, source.name, doubt))

        def guarded(numbers: Sequence[str]) -> Mapping[str, Answer]:
            try:
                excluded = self.watch.asked(numbers, self.conditions.clock())
                asked = [one for one in numbers if one not in excluded] if excluded else numbers
                answers = session.lookup_many(asked) if asked else {}
                return {**excluded, **answers} if excluded else answers
            except (LookupEnded, AttemptTaken):
                raise
            except Exception as error:  # a fault of the source fails these numbers, never the file
                if is_away(error) and interrupted():  # stopped before they were sent: they stay as they were
                    return {}
                log.exception("lookup failed", source=source.name)
                buffer.note_fault(error)
                return dict.fromkeys(numbers, Answer(Outcome.FAILED, reason=CauseCode.SOURCE_ERROR))

        queue = BudgetedQueue(self.budget, first, group_size, tries, more=lambda: self._take_share(source, group_size))
        self._stream(guarded, queue, source)
        late: list[str] = []  # went alone and were refused: whose fault it is shows when another one is answered
        if held.suspects_left:
            buffer.save()  # so that what stops the process is looked for among as few numbers as possible
        while held.suspects_left and not interrupted() and not self._is_capped():
            share = self._take_share(source, group_size, suspects=True)
            self._stream(
                guarded, BudgetedQueue(self.budget, share, group_size, tries), source, late if len(share) == 1 else None
            )
            buffer.save()
            if not interrupted() and (left := [held[number] for number in share if number in held]):
                until_back(partial(self._acquit, left))
            held.suspects_left = bool(share)
        if late:
            self._stream(guarded, BudgetedQueue(self.budget, late, group_size, tries), source)
        # Only now: if the source turns out to be down for everybody, these failed because of it and stay waiting.
        if session.silent and self.exhausted and not interrupted():
            self.silent_seconds = until_back(lambda _: self._silent_seconds())
        if self.silent_seconds is None:
            for e164, answer in self.exhausted:
                buffer.add(e164, held[e164], answer)

    def _acquit(self, numbers: Sequence[WaitingNumber], _repeated: bool) -> None:
        """Suspect numbers no more that are left without an answer: the process has outlived them."""
        self.held.acquit(numbers)

    def _stream(self, lookup: Lookup, queue: NumberQueue, source: Source, late: list[str] | None = None) -> None:
        """Look up the numbers of the queue, and save their answers as they come in. Those that have to be asked about
        after all others are added to `late`, if it is given."""
        buffer = self.buffer
        for received in stream(lookup, queue, source.concurrency, self._interrupted, drain_seconds_of(source)):
            if received is not None:
                group, answers = received
                is_usual = len(answers) == len(group) and all(answer.reason is None for answer in answers.values())
                if is_usual:  # one by one they would cost a fast source as much as it takes to save them
                    queue.settle(len(group))
                    buffer.add_all(group, answers)
                for e164 in () if is_usual else group:
                    answer = answers.get(e164)
                    if answer is None:
                        continue
                    if answer.reason == CauseCode.NOT_READY:  # it stays waiting, and another attempt fetches it
                        queue.settle()
                        self.not_ready += 1
                        continue
                    buffer.note_response(e164)
                    cause = cause_for(answer.reason)
                    if cause.asks_again and self.budget is not None:
                        self.budget.came_back(e164, answer)
                    if not cause.asks_again:
                        queue.settle()
                        buffer.add(e164, self.held[e164], answer, fresh=True)
                    elif cause.late and late is not None:
                        queue.settle()
                        late.append(e164)
                    # Only a definite answer is written: a number that will be looked up again stays waiting.
                    elif not queue.retry(e164, free=cause.free, late=cause.late):
                        queue.settle()
                        self.exhausted.append((e164, answer))
            # Save even without answers: so a silent attempt learns of a pause, a cancel or a newer attempt.
            since_save = time.monotonic() - buffer.saved_at
            if since_save >= SAVE_SECONDS or (buffer.unsaved >= SAVE_NUMBERS and since_save >= SAVES_APART_SECONDS):
                buffer.save()
            self.gives_way = self.gives_way or self.turn.is_over(self.conditions.clock())

    def _silent_seconds(self) -> float | None:
        others = shares.others_answered(self.holding)
        seconds = None if others else outage.wait_seconds(self.job_id, self.conditions.clock(), self.holding.step)
        db.session.commit()
        return seconds
