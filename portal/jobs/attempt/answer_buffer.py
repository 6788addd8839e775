"""The answers of one attempt that came in and are not saved yet, with everything that is written beside them.

While the database is away it holds them and tries again. When they cannot be written for another reason, the number
that cannot be saved fails alone. It must not know how an attempt ends.
"""

import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from operator import attrgetter

import structlog

from portal.causes import CauseCode
from portal.jobs.attempt import outcome
from portal.jobs.attempt.batch_tickets import KeptTickets
from portal.jobs.attempt.budget import Budget
from portal.jobs.attempt.database_wait import roll_back, until_back
from portal.jobs.attempt.held_shares import HeldShares
from portal.jobs.attempt.outcome import Conditions
from portal.jobs.attempt.save import LedgerMismatch, LookedUp, Seen, save
from portal.jobs.core import answer_samples, timeline
from portal.jobs.core.ledger import WaitingNumber
from portal.jobs.shares import AttemptTaken
from portal.sources import stats
from portal.sources.answer_cache import CachePolicy
from portal.sources.base import Answer, Outcome
from portal.sources.http.answer_samples import Samples

log = structlog.get_logger(__name__)

SAMPLES_OF_A_WORKER = 1000  # more than a session keeps: each worker of an attempt counts its own
_OUTCOME = attrgetter("answer.outcome")


class AnswerBuffer:
    """Collects answers and saves them. `held` has the numbers that the worker looks up."""

    def __init__(self, conditions: Conditions, cache: CachePolicy, tickets: KeptTickets, held: HeldShares) -> None:
        self._holding, self._conditions = held.holding, conditions
        self._cache, self._tickets, self._held = cache, tickets, held
        self._unsaved: list[LookedUp] = []
        self._responded: list[str] = []
        self.samples = Samples()  # of answers that could not be used
        self._samples_saved = 0  # how many of `samples` are saved
        self._fault: str | None = None  # first traceback; "" once saved, so that later ones are ignored
        self._unsaved_cells = 0
        self.budget: Budget | None = None
        self.saved_at = time.monotonic()
        self.paused = False  # by a person, as the last save has seen
        self.ends = False  # because of what another worker has met, as the last save has seen

    def add(self, e164: str, number: WaitingNumber, answer: Answer, *, fresh: bool = False) -> None:
        """Take the answer for a number."""
        self._unsaved.append(LookedUp(number, answer, e164, fresh))
        self._unsaved_cells += number.cells

    def add_all(self, e164s: Sequence[str], answers: Mapping[str, Answer]) -> None:
        """Take the answers that the source has just given for these numbers."""
        numbers = self._held.several(e164s)
        self._unsaved += [
            LookedUp(number, answers[e164], e164, True) for e164, number in zip(e164s, numbers, strict=True)
        ]
        self._unsaved_cells += sum(number.cells for number in numbers)
        self._responded += e164s

    @property
    def unsaved(self) -> int:
        """How many numbers have an answer that is not saved yet."""
        return len(self._unsaved)

    def note_response(self, e164: str) -> None:
        """Record that the source gave some response for this number, even "ask again": its ticket is used up."""
        self._responded.append(e164)

    def note_fault(self, error: BaseException) -> None:
        """Keep the traceback of a fault of the program for admins; the first of an attempt names the cause."""
        if self._fault is None:
            self._fault = outcome.redacted_traceback(error)

    def save(self) -> None:
        """Save everything in hand, in one transaction if possible; it waits while the database is away. Raises
        AttemptTaken and LedgerMismatch, with nothing written."""
        unsaved, had_cells = self._unsaved, self._unsaved_cells
        try:
            self._write(unsaved, also=True)
        except (AttemptTaken, LedgerMismatch):
            raise
        except Exception as error:
            roll_back()
            log.exception("answers not saved; trying one by one")
            self.note_fault(error)
            self._write_apart(unsaved)
            self._write_rest()
        self._held.forget(one.e164 for one in unsaved)
        self._unsaved, self._responded, self._unsaved_cells = [], [], 0
        self.saved_at = time.monotonic()
        if had_cells and self._conditions.on_saved:
            self._conditions.on_saved(had_cells)

    def _write_apart(self, unsaved: Sequence[LookedUp]) -> None:
        """Save these answers in halves, down to the one that cannot be saved, which becomes a failure."""
        if not unsaved:
            return
        try:
            self._write(unsaved, also=False)
        except (AttemptTaken, LedgerMismatch):
            raise
        except Exception:
            roll_back()
            if len(unsaved) > 1:
                half = len(unsaved) // 2
                self._write_apart(unsaved[:half])
                self._write_apart(unsaved[half:])
                return
            (one,) = unsaved
            log.exception("an answer cannot be saved", row=one.number.first_row)
            failed = Answer(Outcome.FAILED, reason=CauseCode.SOURCE_ERROR, cost=one.answer.cost)
            self._write([LookedUp(one.number, failed, one.e164)], also=False)

    def _write_rest(self) -> None:
        """Save what is written beside answers. Samples and tracebacks are dropped if they cannot be saved."""
        try:
            self._write((), also=True)
        except (AttemptTaken, LedgerMismatch):
            raise
        except Exception:
            roll_back()
            log.exception("samples not saved")
            self._samples_saved, self._fault = len(self.samples.since(0)), ""
            self._write((), also=True)

    def _write(self, unsaved: Sequence[LookedUp], *, also: bool) -> None:
        """Save these answers in one transaction; `also`: with samples, the traceback and used-up tickets."""
        committed: Callable[[], None] = _nothing  # of the last try that came so far: it may have been committed

        def write(repeated: bool) -> Seen:
            now = self._conditions.clock()

            def with_answers(erased: Collection[str]) -> None:
                nonlocal committed
                from_source = [one for one in unsaved if one.answer.asked_at is None]
                finished = self._held.finish([one.number.no for one in unsaved])
                if self._cache.days:
                    self._cache.remember(
                        {one.e164: one.answer for one in unsaved if one.fresh and one.e164 not in erased}, now
                    )
                beside = self._write_beside(now, erased) if also else _nothing
                settled = self.budget.settle(unsaved) if self.budget is not None else _nothing

                def both() -> None:
                    beside()
                    finished()
                    settled()

                committed = both
                # Last, because other workers of the same source wait for these rows until the commit.
                stats.count(self._cache.source, Counter(map(_OUTCOME, from_source)), now)

            return save(self._holding, unsaved, now, self._conditions.lease_seconds, with_answers, repeated=repeated)

        self.paused, self.ends = until_back(write)
        committed()

    def _write_beside(self, now: datetime, erased: Collection[str]) -> Callable[[], None]:
        """Write samples, the traceback and used-up tickets, and nothing of numbers that were erased meanwhile. Call
        what it returns after the commit."""
        job_id, attempt = self._holding.job_id, self._holding.attempt
        settled = self._tickets.settle(self._responded, now)
        taken, fault = self.samples.since(self._samples_saved), self._fault
        if taken:
            first = (self._holding.token - 1) * SAMPLES_OF_A_WORKER + self._samples_saved
            kept = [one for one in taken if one.number not in erased]
            answer_samples.write(job_id, attempt, first, kept, self._held, now)
        if fault:
            timeline.note_fault(job_id, attempt, fault)

        def committed() -> None:
            settled()
            self._samples_saved += len(taken)
            if fault:
                self._fault = ""

        return committed


def _nothing() -> None:
    return None
