"""Finds the number that stops the process that looks it up, so that it does not take its whole file along.

When a worker is lost (killed by the system, or hung), the numbers that it had in hand are suspected. The next workers
look them up after all others and in smaller shares, with nothing else in hand; a lost one is divided again, until the
number is alone. One that has stopped a worker `DEADLY` times while it was alone is given up, and so has a final answer.
A worker that was lost for another reason costs nothing but these smaller shares. Those with the least suspicion go
first, so that no number is given up because of kills that have nothing to do with it.

It marks numbers and shares, and must not know a job's verbs. Nothing here commits.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import case, null, select, update

from portal.causes import CauseCode
from portal.database import changed_rows, db
from portal.jobs.core.job_tables import Attempt, AttemptEnd, Number
from portal.jobs.core.share_tables import Holder, Share
from portal.sources.base import Outcome

SIZES = (125, 8, 1)  # of a share of suspects, by suspicion from 1: a whole share of 2,000 is lost three times at most
ALONE = len(SIZES)  # the suspicion of a number that goes alone
DEADLY = 3  # times alone
FREE_LOSSES = 12  # of attempts in a row that saved nothing: three such numbers side by side. Then it is not the numbers


class Blamed(NamedTuple):
    """What a lost worker says of its numbers. `narrowed`: the next loss would say more. `given_up`: how many cells the
    number has that is given up now, and `row` the first of them."""

    narrowed: bool = False
    given_up: int = 0
    row: int | None = None


def share_size(suspicion: int) -> int | None:
    """Return how many numbers of this suspicion a share may have. None: as many as any."""
    return SIZES[min(suspicion, ALONE) - 1] if suspicion else None


def suspicion_after(suspicion: int, numbers: int) -> int:
    """Return the suspicion of so many numbers after a worker was lost with them: the same when it says nothing new."""
    if numbers == 1:
        return max(suspicion, ALONE) + 1
    return next((level for level, size in enumerate(SIZES, 1) if level > suspicion and size < numbers), suspicion)


def lock_workers(job_id: int, attempt: int) -> list[int]:
    """Lock the workers of an attempt, none of which can save or take anything until the commit. Returns their
    tokens."""
    held = select(Holder.token).where(Holder.job_id == job_id, Holder.attempt == attempt).order_by(Holder.token)
    return list(db.session.scalars(held.with_for_update(key_share=True)))


def blame(job_id: int, attempt: int, token: int, step: int, now: datetime) -> Blamed:
    """Suspect the waiting numbers that a lost worker had in hand, at this one of the job's sources: those of its share
    of suspects, if it had one. The caller has locked the worker, and counts on the job what was given up."""
    own = (Share.job_id == job_id, Share.attempt == attempt, Share.holder == token)
    shares = db.session.execute(select(Share.first_no, Share.last_no, Share.suspicion).where(*own)).all()
    shares = [share for share in shares if share.suspicion] or shares
    waiting = [number for share in shares for number in _waiting(job_id, step, share.first_no, share.last_no)]
    if not waiting:
        return Blamed()
    before = min(number.suspicion for number in waiting)
    suspicion = suspicion_after(before, len(waiting))
    for share in shares:
        between = (Number.no >= share.first_no, Number.no <= share.last_no, Number.suspicion < suspicion)
        mine = (Number.job_id == job_id, Number.outcome == Outcome.WAITING, Number.step == step, *between)
        changed_rows(update(Number).where(*mine).values(suspicion=suspicion))
        changed_rows(update(Share).where(*own, Share.first_no == share.first_no).values(suspicion=suspicion))
    if suspicion == before:
        return Blamed()
    if suspicion < ALONE + DEADLY:
        return Blamed(narrowed=True)
    return _give_up(job_id, attempt, waiting[0], now)


class _Suspect(NamedTuple):
    no: int
    cells: int
    first_row: int
    suspicion: int


def _waiting(job_id: int, step: int, first_no: int, last_no: int) -> Sequence[_Suspect]:
    query = select(Number.no, Number.cells, Number.first_row, Number.suspicion).where(
        Number.job_id == job_id, Number.outcome == Outcome.WAITING, Number.step == step,
        Number.no >= first_no, Number.no <= last_no,
    )  # fmt: skip
    return [_Suspect(*row) for row in db.session.execute(query)]


def may_search_on(job_id: int) -> bool:
    """Whether a further loss may use no retry: fewer than `FREE_LOSSES` attempts in a row have come to nothing."""
    last = select(Attempt.end, Attempt.processed_before, Attempt.processed_after).where(
        Attempt.job_id == job_id, Attempt.ended_at.is_not(None)
    )
    ended = db.session.execute(last.order_by(Attempt.attempt.desc()).limit(FREE_LOSSES)).all()
    vain = [one.end == AttemptEnd.LOST and one.processed_after == one.processed_before for one in ended]
    return len(vain) < FREE_LOSSES or not all(vain)


def _give_up(job_id: int, attempt: int, number: _Suspect, now: datetime) -> Blamed:
    mine = (Number.job_id == job_id, Number.no == number.no, Number.outcome == Outcome.WAITING)
    said_before = case((Number.by_step.is_(None), null()), else_=Number.answer)  # by other sources of the job
    final = {"outcome": Outcome.REJECTED, "reason": CauseCode.STOPS_WORKER, "answer": said_before}
    changed_rows(update(Number).where(*mine).values(**final, checked_at=now, attempt=attempt))
    return Blamed(narrowed=True, given_up=number.cells, row=number.first_row)
