"""The answers that numbers of a new list have from the earlier job that it is compared with.

They are read when the new job looks its numbers up. A number that was erased by then is not taken over; what was
deleted with the earlier job was kept for the new one (`list_merges.hand_over`). Each keeps the date of its own answer,
and costs nothing.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import Any, NamedTuple, Self

from sqlalchemy import ColumnElement, select

from portal.causes import CauseCode
from portal.database import db
from portal.jobs.core.job_tables import Number
from portal.jobs.core.merge_tables import Asks, CarriedAnswer, ListMerge
from portal.jobs.core.step_rules import ByStep, read
from portal.jobs.models import ScrapingJob
from portal.sources.answer_cache import NOT_ASKED
from portal.sources.base import FINAL, Answer, Outcome
from portal.sources.several import base_of, names_of, step_of

CHUNK = 2000  # numbers in one query; the limit of both databases is far above
_NOT_CARRIED = (*NOT_ASKED, CauseCode.ERASED)  # no answer of a source


class Carried(NamedTuple):
    """From which job the answers come, which of its sources gave them, and which of them count."""

    before_id: int
    step: int  # the position of the source, from 1; 0: the job has one
    asks: Asks
    merge_id: int | None = None  # of a started job, for which answers may have been kept

    @classmethod
    def of(cls, merge_id: int, source: str) -> Self | None:
        """What a started job takes over at one of its sources; None: nothing."""
        merge = db.session.get(ListMerge, merge_id)
        before = db.session.get(ScrapingJob, merge.before_id) if merge else None
        found = cls.at(before, source, merge.asks) if merge and before else None
        return found._replace(merge_id=merge_id) if found else None

    @classmethod
    def at(cls, before: ScrapingJob, source: str, asks: Asks) -> Self | None:
        """The answers that an earlier job has from this source; None: it did not ask it, or everything is asked."""
        names = names_of(before.all_sources)
        if asks == Asks.EVERYTHING or source not in names:
            return None
        return cls(before.id, names.index(source) + 1 if before.chain else 0, asks)

    def answers(self, e164s: Iterable[str]) -> dict[str, Answer]:
        """The answers for these numbers, by number, each with `asked_at`."""
        wanted = list(e164s)
        found = dict(_answers(Number, Number.job_id == self.before_id, self.step, wanted))
        if self.merge_id is not None:  # after the earlier job: it may be deleted between the two
            left = [e164 for e164 in wanted if e164 not in found]
            found |= _answers(CarriedAnswer, CarriedAnswer.merge_id == self.merge_id, self.step, left)
        again = Outcome.NOT_FOUND if self.asks == Asks.NOT_FOUND else None
        return {e164: answer for e164, answer in found.items() if answer.outcome != again}


def outcomes(before: ScrapingJob, e164s: Iterable[str]) -> Counter[tuple[str, Outcome]]:
    """Count how each source of an earlier job has answered for these numbers, each given once; those without an answer
    are left out."""
    counted: Counter[tuple[str, Outcome]] = Counter()
    before_id, names, is_chain = before.id, names_of(before.all_sources), bool(before.chain)
    numbers = iter(e164s)
    while chunk := list(islice(numbers, CHUNK)):
        for step, name in enumerate(names, start=1):
            found = _answers(Number, Number.job_id == before_id, step if is_chain else 0, chunk)
            counted.update((name, answer.outcome) for _, answer in found)
    return counted


def _answers(
    table: type[Number] | type[CarriedAnswer], of: ColumnElement[bool], step: int, e164s: Iterable[str]
) -> Iterator[tuple[str, Answer]]:
    """Yield the final answers that a source gave for these numbers, from those rows of the table."""
    numbers = iter(e164s)
    if step:
        columns: tuple[Any, ...] = (table.e164, table.by_step, table.answer)
        those = [of, table.by_step.is_not(None)]
    else:
        columns = (table.e164, table.outcome, table.reason, table.answer, table.checked_at)
        # Without the moment when it was answered, no answer of a source.
        those = [of, table.outcome.in_(FINAL), table.checked_at.is_not(None)]
    while chunk := list(islice(numbers, CHUNK)):
        for e164, *rest in db.session.execute(select(*columns).where(table.e164.in_(chunk), *those)):
            answer = _of_step(step, *rest) if step else Answer(rest[0], rest[2] or {}, rest[1], rest[3])
            if answer and answer.outcome in FINAL and answer.reason not in _NOT_CARRIED:
                yield e164, answer


def _of_step(step: int, by_step: ByStep, fields: Mapping[str, str] | None) -> Answer | None:
    """What one of several sources has said of a number, under its own names."""
    said = read(by_step).get(step)
    if said is None:
        return None
    own = {base_of(field): value for field, value in (fields or {}).items() if step_of(field) == step}
    return Answer(said.outcome, own, said.reason, datetime.fromisoformat(said.at))
