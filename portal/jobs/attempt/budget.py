"""The money of one worker's part of an attempt: no number is asked about before what it may cost is reserved.

The attempt takes numbers from a queue that asks `ready` first; the session calls `note_sent` from its threads a moment
before a request goes out; `settle` runs in the transaction that saves the answers. A source that says nothing of money
has no budget. It must not know how a source is asked.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from portal.database import db
from portal.jobs.attempt.ask_journal import AskJournal
from portal.jobs.attempt.database_wait import until_back
from portal.jobs.attempt.held_shares import HeldShares
from portal.jobs.attempt.number_queue import NumberQueue
from portal.jobs.attempt.save import LookedUp
from portal.jobs.core.ledger import WaitingNumber
from portal.jobs.shares import Holding
from portal.jobs.spending import reservations
from portal.jobs.spending.caps import caps_of
from portal.jobs.spending.reservations import Account, month_of
from portal.sources import facts_of
from portal.sources.base import Answer, LookupSession
from portal.sources.money import billionths

T = TypeVar("T")

# A step lasts about a second, so that what is reserved and not asked yet keeps nobody else's file waiting for long.
SHORT_SECONDS, LONG_SECONDS, MOST_STEP = 1.0, 4.0, 2000


class Budget:
    """See the module. `most` is what one question may cost, in billionths; None: the source does not say it before, and
    then nothing may be asked where a cap holds."""

    def __init__(
        self,
        holding: Holding,
        account: Account,
        most: int | None,
        numbers: Mapping[str, WaitingNumber],
        clock: Callable[[], datetime],
        lease_seconds: float,
        journal: AskJournal | None = None,
        step: int = 1,
    ) -> None:
        """`numbers` are those that the worker holds; the first step reserves for `step` questions."""
        self.holding, self.account, self.most = holding, account, most or 0
        self.capped = False  # no cap has room for one more number
        self._is_unbounded = most is None
        self._numbers, self._clock, self._lease_seconds = numbers, clock, lease_seconds
        self._journal = journal or AskJournal()
        self._journal.begin(holding.job_id, holding.attempt, holding.token)
        self._step, self._reserved_at = step, 0.0
        self._free = 0  # questions that are reserved and not given to a number
        self._held: Counter[str] = Counter()  # by number: questions that are reserved for it
        self._doubtful: Counter[str] = Counter()  # of these: those that came to nothing after they were sent
        self._month = ""
        self._lock = threading.Lock()
        self._closed = False

    def serve(self, session: LookupSession, *, any_paid: bool) -> None:
        """Let the session say what it sends; `any_paid`: take over what is reserved for batches that were handed in."""
        session.note_sent = self.note_sent
        if any_paid:
            how = (self.holding, self._clock())
            self._free += until_back(lambda _: self._commit(lambda: reservations.adopt(*how)))

    def ready(self, most_numbers: int) -> int:
        """For how many of so many numbers a question is reserved: as many, unless a cap is reached."""
        if self._is_unbounded:
            self.capped = self.capped or until_back(lambda _: self._commit(self._any_cap))
            return 0 if self.capped else most_numbers
        if self.most and self._free < most_numbers and not self.capped:
            now = time.monotonic()
            lasted, self._reserved_at = now - self._reserved_at, now
            if lasted < SHORT_SECONDS:
                self._step = min(2 * self._step, MOST_STEP)
            elif lasted > LONG_SECONDS:
                self._step = max(self._step // 2, most_numbers)
            wanted = max(self._step, most_numbers)
            granted, self._month = until_back(partial(self._reserve, wanted))
            self._free += granted
        if self.most and self._free < most_numbers:
            self.capped = self._free == 0
            return self._free
        return most_numbers

    def _reserve(self, wanted: int, repeated: bool) -> tuple[int, str]:
        # Repeated, it may have been committed before: then so much more is reserved, and given back at the end.
        how = (self.holding, self.account, self.most, wanted, self._clock(), self._lease_seconds)
        return self._commit(lambda: reservations.reserve(*how))

    def _any_cap(self) -> bool:
        from_now = month_of(self._clock())
        return bool(caps_of(self.account.user_id, self.account.source, self.account.currency, from_now))

    @staticmethod
    def _commit(act: Callable[[], T]) -> T:
        done = act()
        db.session.commit()
        return done

    def give(self, numbers: Sequence[str]) -> None:
        """Give a reserved question to each of these numbers, which are about to be asked about."""
        if self.most:
            for e164 in numbers:
                self._held[e164] += 1
                self._free -= 1

    def note_sent(self, numbers: Sequence[str], sent: bool) -> bool:
        """Note that these numbers are being asked about, or that asking about them cost nothing (not `sent`). Returns
        False once the attempt is over: then nothing may be sent."""
        with self._lock:
            if self._closed:
                return False
            for e164 in numbers:
                if (number := self._numbers.get(e164)) is not None:
                    self._journal.mark(number.no, max(0, self._held[e164] - (not sent)))
            return True

    def came_back(self, e164: str, answer: Answer) -> None:
        """A number got an answer that is not saved, as it is asked about again. If the question cost nothing, what was
        reserved for it is free again."""
        if not self.most or not self._held[e164]:
            return
        if answer.unsure:
            self._doubtful[e164] += 1
        elif not answer.cost:
            self._held[e164] -= 1
            self._free += 1
            if (number := self._numbers.get(e164)) is not None:
                self._journal.mark(number.no, self._held[e164])

    def settle(self, saved: Sequence[LookedUp]) -> Callable[[], None]:
        """Settle numbers with their answers, in the session's transaction that saves them. Call what it returns once
        that is committed; until then the same numbers can be settled again."""
        mine = [one for one in saved if one.answer.asked_at is None]
        held = {one.e164: self._held[one.e164] for one in mine}
        spent = sum(one.answer.cost for one in mine)
        released = self.most * sum(held.values())
        doubtful = sum(self._doubtful[one.e164] + one.answer.unsure for one in mine)
        if released or spent:
            unsure = min(self.most * doubtful, max(0, released - spent))
            month = self._month or month_of(self._clock())
            reservations.settle(
                self.holding, self.account, month, released=released, spent=spent, unsure=unsure,
            )  # fmt: skip

        def committed() -> None:
            for one in mine:
                self._held.pop(one.e164, None)
                self._doubtful.pop(one.e164, None)
                self._journal.mark(one.number.no, 0)

        return committed

    def close(self, now: datetime) -> None:
        """Close the reservation in the session's transaction: what was sent and not settled counts as spent."""
        with self._lock:
            self._closed = True
            asked = self._journal.marked()
        mine = (self.holding.job_id, self.holding.attempt, self.holding.token)
        reservations.close(*mine, asked, now)

    def end(self) -> None:
        """Close it, if that has not been done, and commit; the journal ends with it."""
        until_back(lambda _: self._commit(lambda: self.close(self._clock())))
        self._journal.end()


def budget_at(
    source: str,
    user_id: int,
    held: HeldShares,
    clock: Callable[[], datetime],
    lease_seconds: float,
    journal: AskJournal | None,
) -> Budget | None:
    """The money of a worker's part of an attempt at a source; None: it says nothing of money."""
    facts = facts_of(source)
    if not facts.is_priced:
        return None
    account = Account(user_id, source, facts.currency)
    most = None if facts.most is None else billionths(facts.most)
    step = 2 * facts.concurrency * facts.batch
    return Budget(held.holding, account, most, held, clock, lease_seconds, journal, step)


class BudgetedQueue(NumberQueue):
    """Gives out only numbers for which a question is reserved. Once a cap is reached it gives out none."""

    def __init__(self, budget: Budget | None, *of_all: Any, **more: Any) -> None:
        super().__init__(*of_all, **more)
        self.budget = budget

    def take(self) -> tuple[str, ...]:
        if self.budget is None or not super().left:
            return super().take()
        count = self.budget.ready(self._group)
        if count < 1:
            return ()
        whole, self._group = self._group, min(self._group, count)
        try:
            taken = super().take()
        finally:
            self._group = whole
        self.budget.give(taken)
        return taken

    @property
    def left(self) -> bool:
        return super().left and not (self.budget is not None and self.budget.capped)
