"""Moves the numbers on that wait at a source which a person has skipped, before the first of them is looked up.

It goes through `save`, behind the same fences, so that a worker that is killed in the middle leaves the rest to the
next one. Numbers in a batch that the source has taken stay there: they are paid for.
"""

from collections.abc import Collection, Iterator
from dataclasses import replace
from functools import partial

from sqlalchemy import update

from portal.causes import CauseCode
from portal.database import changed_rows, db
from portal.jobs.attempt.database_wait import until_back
from portal.jobs.attempt.entry import Entered
from portal.jobs.attempt.looked_up import LookedUp
from portal.jobs.attempt.outcome import Conditions
from portal.jobs.attempt.save import save
from portal.jobs.core import ledger, steps
from portal.jobs.core.steps import Chain
from portal.jobs.models import ScrapingJob
from portal.jobs.shares import Holding
from portal.sources.base import Answer, Outcome

AT_ONCE = 500  # numbers of one transaction
_SKIPPED = Answer(Outcome.FAILED, reason=CauseCode.SOURCE_SKIPPED)


def move_on(holding: Holding, entered: Entered, conditions: Conditions) -> CauseCode | None:
    """Move on what waits at the job's sources up to the skipped one; return what stopped it before its end. Raises
    AttemptTaken."""
    chain = holding.chain
    places = [replace(chain, step=step) for step in range(1, (entered.skipped_step or 0) + 1)] if chain else []
    for place in places:
        there = replace(holding, chain=place)
        for numbers in _waiting(there):
            if until_back(partial(_save, there, numbers, conditions)):
                return CauseCode.PAUSED
            if conditions.stopped():
                return CauseCode.RESTART
    until_back(lambda _: _note_done(holding))
    return None


def _waiting(there: Holding) -> Iterator[list[LookedUp]]:
    """The numbers that wait at one of the sources, as if it had been asked about them without an answer."""
    paid: Collection[str] = until_back(lambda _: _paid(there.job_id, there.chain))
    last_no = 0
    while numbers := until_back(partial(_next, there, last_no)):
        last_no = max(number.no for number in numbers.values())
        if some := [LookedUp(number, _SKIPPED, e164) for e164, number in numbers.items() if e164 not in paid]:
            yield some


def _next(there: Holding, last_no: int, _repeated: bool) -> dict[str, ledger.WaitingNumber]:
    found = ledger.waiting(there.job_id, last_no + 1, most=AT_ONCE, step=there.step)
    db.session.commit()
    return found


def _paid(job_id: int, chain: Chain | None) -> frozenset[str]:
    paid = frozenset(steps.in_batches(job_id, chain.source)) if chain else frozenset()
    db.session.commit()
    return paid


def _save(there: Holding, numbers: list[LookedUp], conditions: Conditions, repeated: bool) -> bool:
    return save(there, numbers, conditions.clock(), conditions.lease_seconds, repeated=repeated).paused


def _note_done(holding: Holding) -> None:
    # Numbers that were moved on were not looked up: they say nothing of how fast the next source is.
    done = {"skipped_step": None, "processed_at_claim": ScrapingJob.processed_numbers}
    changed_rows(update(ScrapingJob).where(*holding.fence_of_job).values(done))
    db.session.commit()
