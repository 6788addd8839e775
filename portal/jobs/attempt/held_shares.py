"""The shares that one worker holds of an attempt, and which of their numbers still wait for an answer here.

A share holds about ten seconds' work at the pace seen so far, and towards the end of the file less, so that all
workers end together. The next one is taken before the last number of the one before is out: there is no barrier. Its
methods take part in the caller's transaction, or open one of their own; none knows how a number is looked up.
"""

import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from sqlalchemy import func, select

from portal.database import db
from portal.jobs import shares
from portal.jobs.core.job_tables import Number
from portal.jobs.core.ledger import WaitingNumber
from portal.jobs.models import ScrapingJob
from portal.jobs.shares import Holding

SHARE_SECONDS = 10.0
SHORTEST_SECONDS = 0.2  # else the last shares of a fast source would cost more than their numbers
MOST_NUMBERS = 2000  # in one share: what a worker keeps in memory, and what others may have to take over
ROUNDS_LEFT = 2  # a share leaves so many more for each worker


class HeldShares(Mapping[str, WaitingNumber]):
    """The numbers of the shares that a worker holds, by their E.164 form, until their answers are saved."""

    def __init__(
        self,
        holding: Holding,
        lease_seconds: float,
        seconds_per_number: float,
        workers: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`workers` are those that could work on the attempt at once."""
        self.holding = holding
        self._lease_seconds, self._workers = lease_seconds, workers
        self._seconds_per_number = seconds_per_number
        self._numbers: dict[str, WaitingNumber] = {}
        self._share_of: dict[int, int] = {}  # by number: the first number of its share
        self._left: Counter[int] = Counter()  # by share: numbers whose answers are not saved
        self._clock, self._saved, self._began = clock, 0, clock()
        self._last_no: int | None = None
        self.is_last = False  # whether nothing is left to take, nor will be
        self._aside = False  # whether it has set suspects aside
        self.more = False  # whether the last share left numbers that nobody has had
        self.suspects_left = False  # whether the last take has left nothing but suspects

    def __getitem__(self, e164: str) -> WaitingNumber:
        return self._numbers[e164]

    def several(self, e164s: Iterable[str]) -> list[WaitingNumber]:
        """These numbers, in that order."""
        return list(map(self._numbers.__getitem__, e164s))

    def __iter__(self) -> Iterator[str]:
        return iter(self._numbers)

    def __len__(self) -> int:
        return len(self._numbers)

    def take(
        self,
        now: datetime,
        *,
        group: int,
        window: int,
        whole: bool = False,
        suspects: bool = False,
        repeated: bool = False,
    ) -> dict[str, WaitingNumber]:
        """Take the next share and commit. Empty: there is none. `whole`: all that nobody has had, for sources that
        have to see a file's numbers in an order of their own. `suspects`: also numbers with which another worker was
        lost; nothing may be in flight then. `repeated`: the same take failed before, perhaps only after its commit.
        Raises AttemptTaken."""
        taken = shares.taken_already(self.holding, self._left.keys()) if repeated else None
        if taken is None:
            size = None if whole else self._size(group, window)
            taken = shares.take(self.holding, size, now, self._lease_seconds, suspects=suspects)
        db.session.commit()
        self.suspects_left = taken is shares.SUSPECTS_LEFT
        if taken is None or self.suspects_left:
            return {}
        self._aside = self._aside or taken.aside
        self.more, self.is_last = taken.more, taken.last and not self._aside
        self._left[taken.first_no] = len(taken.numbers)
        self._numbers.update(taken.numbers)
        self._share_of.update((number.no, taken.first_no) for number in taken.numbers.values())
        return taken.numbers

    def _size(self, group: int, window: int) -> int:
        """How many numbers the next share has: a multiple of a call's, and enough to fill the window twice."""
        seconds = self._clock() - self._began
        known = self._saved > window and seconds > 0
        pace = self._saved / seconds if known else 1 / max(self._seconds_per_number, 1e-6)
        size = min(pace * SHARE_SECONDS, MOST_NUMBERS)
        if self._workers > 1:
            size = min(size, self._rest() / (ROUNDS_LEFT * self._workers))
        size = max(size, 2 * window * group, min(pace * SHORTEST_SECONDS, MOST_NUMBERS))
        return math.ceil(size / group) * group

    def _rest(self) -> int:
        """How many numbers no worker has had yet, at most."""
        job_id = self.holding.job_id
        if self._last_no is None:
            self._last_no = db.session.scalar(select(func.max(Number.no)).where(Number.job_id == job_id)) or 0
        next_no = db.session.scalar(select(ScrapingJob.next_no).where(ScrapingJob.id == job_id))
        return max(0, self._last_no - next_no + 1) if next_no is not None else 0

    def finish(self, saved: Sequence[int]) -> Callable[[], None]:
        """Delete the shares of which the last numbers, by `no`, are saved in this transaction. Call what it returns
        after the commit; until then the same numbers can be saved again."""
        of_share = Counter(filter(None, map(self._share_of.get, saved)))
        over = [first_no for first_no, count in of_share.items() if self._left[first_no] <= count]
        shares.finish(self.holding, over)

        def committed() -> None:
            self._left.subtract(of_share)
            for first_no in over:
                del self._left[first_no]
            for no in saved:
                self._share_of.pop(no, None)
            self._saved += of_share.total()

        return committed

    def acquit(self, numbers: Iterable[WaitingNumber]) -> None:
        """Suspect these numbers no more of stopping the process, and commit."""
        nos = [number.no for number in numbers]
        shares.acquit(self.holding, {self._share_of[no] for no in nos if no in self._share_of}, nos)
        db.session.commit()

    def forget(self, e164s: Iterable[str]) -> None:
        """Forget numbers whose answers are saved."""
        for e164 in e164s:
            self._numbers.pop(e164, None)
