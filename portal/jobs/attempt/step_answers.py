"""Writes the answers of one of a job's several sources: each number ends, or goes on to another source.

It is part of `save`, in the same transaction and behind the same fences. So a number that goes on does so with its
answer and its cost, once.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import JSON, Connection, Table, bindparam, literal_column, update

from portal.causes import CauseCode
from portal.jobs.attempt.looked_up import LookedUp
from portal.jobs.core import steps
from portal.jobs.core.job_tables import Number
from portal.jobs.core.step_rules import Judged, judge, read
from portal.jobs.core.step_tables import counter_of
from portal.jobs.core.steps import Chain
from portal.jobs.models import ScrapingJob
from portal.jobs.shares import Holding
from portal.sources.base import FINAL, Outcome

_NUMBERS = cast(Table, Number.__table__)
_JOBS = cast(Table, ScrapingJob.__table__)
_WRITE = (
    update(_NUMBERS)
    .where(_NUMBERS.c.job_id == bindparam("of_job"), _NUMBERS.c.no == bindparam("of_no"))
    .where(_NUMBERS.c.outcome == literal_column(f"'{Outcome.WAITING}'"), _NUMBERS.c.step == bindparam("at_step"))
    .values(
        {
            "outcome": bindparam("new_outcome"), "reason": bindparam("new_reason"),
            "answer": bindparam("new_answer", type_=JSON(none_as_null=True)),
            "checked_at": bindparam("new_at"), "attempt": bindparam("by_attempt"), "step": bindparam("new_step"),
            "by_step": bindparam("new_by_step"), "suspicion": 0, "cost": _NUMBERS.c.cost + bindparam("new_cost"),
        }
    )
)  # fmt: skip


class StepAnswers:
    """The answers of one save at one source, judged. `counts` has the cells by outcome, as the job's counters take
    them; those that go on to another source are in none."""

    def __init__(self, holding: Holding, chain: Chain, looked_up: Sequence[LookedUp], now: datetime) -> None:
        self._holding, self._step, self._looked_up = holding, chain.step, looked_up
        how = (chain.rules, chain.sources, chain.step)
        self._judged: list[Judged] = [
            judge(*how, one.number.by_step, one.number.answer, one.answer, now, holding.attempt) for one in looked_up
        ]
        self.counts: Counter[Outcome] = Counter()
        self.left_alone = 0  # cells whose number is excluded
        self._said: Counter[str] = Counter()  # by column of the step
        self._arrived: Counter[int] = Counter()
        passed_on = gone_on = 0
        for one, judged in zip(looked_up, self._judged, strict=True):
            cells, behind = one.number.cells, chain.step - 1
            if judged.outcome == Outcome.WAITING:
                self._arrived[judged.step] += cells
                gone_on += cells
            else:
                self.counts[judged.outcome] += cells
                self.left_alone += cells if judged.reason == CauseCode.EXCLUDED else 0
            passed_on += cells * ((0 if judged.outcome in FINAL else judged.step - 1) - behind)
            if (before := read(one.number.by_step).get(chain.step)) is not None:  # it has failed here before
                self._said[counter_of(before.outcome, before.reason)] -= cells
            if str(chain.step) in judged.by_step:
                self._said[counter_of(one.answer.outcome, one.answer.reason)] += cells
        # What a lost attempt has saved is seen by `processed_at_claim`, also where nothing is final yet.
        self.progress = {
            "passed_on": _JOBS.c.passed_on + passed_on, "processed_at_claim": _JOBS.c.processed_at_claim - gone_on
        }  # fmt: skip

    def write(self, connection: Connection) -> int:
        """Write the numbers, and return how many of them were waiting at this source."""
        of_all = {"of_job": self._holding.job_id, "at_step": self._step}
        rows: list[dict[str, Any]] = [
            {
                "of_no": one.number.no, "new_outcome": judged.outcome, "new_reason": judged.reason,
                "new_answer": judged.answer, "new_at": judged.at, "by_attempt": judged.attempt,
                "new_step": judged.step, "new_by_step": judged.by_step, "new_cost": one.answer.cost, **of_all,
            }
            for one, judged in zip(self._looked_up, self._judged, strict=True)
        ]  # fmt: skip
        return connection.execute(_WRITE, rows).rowcount

    def count(self, more_cost: int) -> None:
        """Count them at their source; `more_cost` is that of numbers that were erased meanwhile."""
        cost = more_cost + sum(one.answer.cost for one in self._looked_up)
        steps.count(self._holding.job_id, self._step, self._said, self._arrived, cost)


def of(holding: Holding, looked_up: Sequence[LookedUp], now: datetime) -> StepAnswers | None:
    """Judge the answers of a save, of a job with several sources."""
    return StepAnswers(holding, holding.chain, looked_up, now) if holding.chain else None
