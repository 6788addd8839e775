"""The shares of an attempt: how several workers look up one job's numbers without getting in each other's way.

A worker that claims a job, or joins its attempt, becomes a holder with a token and a lease of its own. It takes the
numbers share by share: the next that nobody has had, or those of a holder that left or was lost. What it writes is
fenced twice, by its own row here and by the job's attempt; a holder that was lost writes nothing, and nothing else of
the job is disturbed. The attempt ends when its last holder leaves.

Every transaction takes its locks in one order: the holder's row, its numbers, the job's row. Nothing here commits.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, exists, func, insert, or_, select, update

from portal.database import among, changed_rows, db
from portal.jobs.core import ledger, steps
from portal.jobs.core.job_tables import Number
from portal.jobs.core.ledger import WaitingNumber
from portal.jobs.core.poison_numbers import share_size
from portal.jobs.core.share_tables import Holder, Share
from portal.jobs.core.status import Status
from portal.jobs.core.steps import Chain
from portal.jobs.models import ScrapingJob
from portal.sources.base import FINAL, Outcome


class AttemptTaken(Exception):
    """This worker no longer has the attempt, or its own part of it: it was claimed again, cancelled, timed out or
    declared lost."""


@dataclass(frozen=True)
class Holding:
    """A worker's hold on an attempt."""

    job_id: int
    attempt: int
    token: int
    chain: Chain | None = None  # of a job with several sources: it works at one of them

    @property
    def step(self) -> int | None:
        """The position of the source at which it works; None: its job has no other."""
        return self.chain.step if self.chain else None

    @property
    def is_first(self) -> bool:
        """Whether nobody has worked on the job before."""
        return self.attempt == 1 and self.token == 1

    @property
    def fence(self) -> tuple[ColumnElement[bool], ...]:
        """Conditions that hold only while this very worker has its part of the attempt. Every write carries them,
        beside those of the attempt (`ScrapingJob.held_by`)."""
        return (Holder.job_id == self.job_id, Holder.attempt == self.attempt, Holder.token == self.token)

    @property
    def shares(self) -> tuple[ColumnElement[bool], ...]:
        """Conditions of the shares that this worker has."""
        return (Share.job_id == self.job_id, Share.attempt == self.attempt, Share.holder == self.token)

    @property
    def fence_of_job(self) -> tuple[ColumnElement[bool], ...]:
        """Conditions that hold only while the attempt goes on."""
        return ScrapingJob.held_by(self.job_id, self.attempt)


@dataclass(frozen=True)
class Taken:
    """A share that was taken, and its numbers in the file's order. `more`: others are left that nobody has had. `last`:
    nobody else has a number of the job, and none is left but suspects. `aside`: some of these were met on the way."""

    first_no: int
    numbers: dict[str, WaitingNumber]
    more: bool = False
    last: bool = False
    aside: bool = False


SUSPECTS_LEFT = Taken(0, {})  # nothing but suspects is left, which a worker takes with nothing else in hand


def hold(job: ScrapingJob, worker: str, now: datetime, lease_seconds: float) -> Holding:
    """Become the first holder of an attempt that has just been claimed, in the same transaction."""
    holding = _enter(job.id, job.attempt, 1, worker, now, lease_seconds)  # `claim` has written the token
    return replace(holding, chain=steps.chain_of(job.id, job.chain, job.step))


def join(
    job_id: int, attempt: int, now: datetime, *, worker: str, lease_seconds: float, most: int | None
) -> Holding | None:
    """Become one more holder of a job's attempt, of `most` at once. None: it is over, has nothing to take, or has as
    many."""
    job = ScrapingJob.held_by(job_id, attempt)
    found = db.session.execute(
        select(ScrapingJob.last_token, ScrapingJob.chain, ScrapingJob.step)
        .where(*job, *may_be_joined(now))
        .with_for_update(key_share=True)
    ).one_or_none()
    if found is None or (most is not None and count_holders(job_id, attempt) >= most):
        return None
    token = found.last_token + 1
    changed_rows(update(ScrapingJob).where(*job).values(last_token=token))
    holding = _enter(job_id, attempt, token, worker, now, lease_seconds)
    return replace(holding, chain=steps.chain_of(job_id, found.chain, found.step))


def _enter(job_id: int, attempt: int, token: int, worker: str, now: datetime, lease_seconds: float) -> Holding:
    until = now + timedelta(seconds=lease_seconds)
    row = {"job_id": job_id, "attempt": attempt, "token": token, "worker": worker, "joined_at": now}
    db.session.execute(insert(Holder).values(lease_until=until, **row))
    return Holding(job_id, attempt, token)


def held_by_worker(job_id: int, attempt: int, worker: str) -> Holding | None:
    """Return the hold that the worker of this name has on an attempt. None: it has none, or the attempt is over."""
    own = (Holder.job_id == job_id, Holder.attempt == attempt, Holder.worker == worker)
    query = select(Holder.token, ScrapingJob.chain, ScrapingJob.step)
    query = query.join(ScrapingJob, ScrapingJob.id == Holder.job_id)
    row = db.session.execute(query.where(*own, *ScrapingJob.held_by(job_id, attempt))).first()
    return Holding(job_id, attempt, row.token, steps.chain_of(job_id, row.chain, row.step)) if row else None


def others_answered(holding: Holding) -> bool:
    """Whether another worker of the attempt has saved an answer that the source gave."""
    of_attempt = and_(Number.attempt == holding.attempt, Number.outcome.in_(FINAL))
    if holding.chain:  # one that has gone on to another source waits for that one
        of_attempt = or_(of_attempt, and_(Number.outcome == Outcome.WAITING, Number.step > holding.chain.step))
    answered = exists().where(
        Number.job_id == holding.job_id, of_attempt, Number.checked_at >= ScrapingJob.started_at
    )  # fmt: skip
    job = (*holding.fence_of_job, ScrapingJob.last_token > 1, answered.correlate(ScrapingJob))
    return db.session.scalar(select(ScrapingJob.id).where(*job)) is not None


def take(
    holding: Holding, size: int | None, now: datetime, lease_seconds: float, *, suspects: bool = False
) -> Taken | None:
    """Take the next share, of `size` numbers at most; without a size, all that nobody has had. `suspects`: the worker
    has nothing in hand, so that it may also take numbers with which another was lost; they come last.

    None: there is nothing to take now, or the attempt is to end. Raises AttemptTaken.
    """
    renew(holding, now, lease_seconds)
    job = db.session.execute(
        select(
            ScrapingJob.next_no, ScrapingJob.pause_after, ScrapingJob.last_token, ScrapingJob.paused_at,
            ScrapingJob.not_before,
        )
        .where(*holding.fence_of_job)
        .with_for_update(key_share=True)
    ).one_or_none()  # fmt: skip
    if job is None:
        db.session.rollback()
        raise AttemptTaken
    if job.paused_at is not None or job.not_before is not None:
        return None
    if job.next_no is not None and (taken := _take_fresh(holding, job.next_no, size, job.pause_after)):
        return replace(taken, last=not taken.more and job.last_token == 1)  # nobody joins when nothing is left
    return _take_left(holding, suspects=suspects)


def _take_fresh(holding: Holding, next_no: int | None, size: int | None, last_no: int | None) -> Taken | None:
    """Take the next numbers that nobody has had, up to the one after which the job pauses, and set suspects before them
    aside."""
    taken, aside = None, False
    if last_no is not None and next_no is not None and next_no > last_no:
        return None
    while next_no is not None and taken is None:
        waiting = _waiting(holding, next_no, last_no, None if size is None else size + 1)
        suspicion = next((number.suspicion for number in waiting.values()), 0) if size is not None else 0
        alike = waiting if size is None else _alike(waiting, suspicion, size)
        next_no = next((number.no for e164, number in waiting.items() if e164 not in alike), None)
        if alike:
            nos = [number.no for number in alike.values()]
            _add_share(holding, nos[0], nos[-1], suspicion, holder=None if suspicion else holding.token)
            aside = aside or bool(suspicion)
            taken = None if suspicion else Taken(nos[0], alike, next_no is not None, aside=aside)
    if next_no is None and last_no is not None:
        next_no = next((number.no for number in _waiting(holding, last_no + 1, most=1).values()), None)
    changed_rows(update(ScrapingJob).where(*holding.fence_of_job).values(next_no=next_no))
    return taken


def _waiting(
    holding: Holding, first_no: int, last_no: int | None = None, most: int | None = None
) -> dict[str, WaitingNumber]:
    return ledger.waiting(holding.job_id, first_no, last_no, most, step=holding.step)


def _alike(waiting: dict[str, WaitingNumber], suspicion: int, most: int) -> dict[str, WaitingNumber]:
    """The first of these numbers, `most` at most, up to one that is suspected more or less."""
    return dict(takewhile(lambda one: one[1].suspicion == suspicion, list(waiting.items())[:most]))


def _add_share(holding: Holding, first_no: int, last_no: int, suspicion: int, holder: int | None) -> None:
    key = {"job_id": holding.job_id, "attempt": holding.attempt, "first_no": first_no}
    db.session.execute(insert(Share).values(last_no=last_no, suspicion=suspicion, holder=holder, **key))


def _take_left(holding: Holding, *, suspects: bool) -> Taken | None:
    """Take a share whose worker left or was lost: of suspects no more than may be lost together again."""
    while (share := db.session.execute(_left(holding.job_id, holding.attempt).limit(1)).one_or_none()) is not None:
        if share.suspicion and not suspects:
            return SUSPECTS_LEFT
        own = (Share.job_id == holding.job_id, Share.attempt == holding.attempt, Share.first_no == share.first_no)
        size = share_size(share.suspicion)
        waiting = _waiting(holding, share.first_no, share.last_no, None if size is None else size + 1)
        rest = waiting.popitem()[1] if size is not None and len(waiting) > size else None
        if waiting:
            last_no = rest.no - 1 if rest else share.last_no
            changed_rows(update(Share).where(*own).values(holder=holding.token, last_no=last_no))
            if rest:
                _add_share(holding, rest.no, share.last_no, share.suspicion, holder=None)
            return Taken(share.first_no, waiting)
        changed_rows(delete(Share).where(*own))
    return None


def taken_already(holding: Holding, known: Collection[int]) -> Taken | None:
    """Return a share that the worker has without knowing it: the connection broke while it was being taken. `known`
    are the first numbers of the others."""
    mine = select(Share.first_no, Share.last_no).where(*holding.shares, Share.first_no.not_in(known))
    share = db.session.execute(mine.order_by(Share.first_no).limit(1)).one_or_none()
    if share is None:
        return None
    return Taken(share.first_no, _waiting(holding, share.first_no, share.last_no))


def _left(job_id: int, attempt: int) -> Any:
    query = select(Share.first_no, Share.last_no, Share.suspicion)
    query = query.where(Share.job_id == job_id, Share.attempt == attempt, Share.holder.is_(None))
    return query.order_by(Share.suspicion, Share.first_no)


def renew(holding: Holding, now: datetime, lease_seconds: float) -> None:
    """Renew the worker's lease, which also keeps others from taking its shares until the commit. Raises AttemptTaken,
    with nothing written."""
    until = now + timedelta(seconds=lease_seconds)
    if changed_rows(update(Holder).where(*holding.fence).values(lease_until=until)) != 1:
        db.session.rollback()
        raise AttemptTaken


def acquit(holding: Holding, first_nos: Collection[int], nos: Collection[int]) -> None:
    """Suspect these numbers, and the shares in which they are, no more of stopping the process that looks them up."""
    mine = (Number.job_id == holding.job_id, Number.no.in_(nos), Number.outcome == Outcome.WAITING)
    changed_rows(update(Number).where(*mine).values(suspicion=0))
    changed_rows(update(Share).where(*holding.shares, Share.first_no.in_(first_nos)).values(suspicion=0))


def finish(holding: Holding, first_nos: Sequence[int]) -> None:
    """Delete shares of which every number has its answer, in the transaction that saves the last of these."""
    if first_nos:
        changed_rows(delete(Share).where(*holding.shares, Share.first_no.in_(first_nos)))


def remove(holding: Holding) -> bool:
    """Delete the worker's hold on the attempt. False: it no longer had it."""
    return changed_rows(delete(Holder).where(*holding.fence)) == 1


def forget_left(holding: Holding) -> None:
    """Delete the shares of an attempt that its last worker has ended."""
    changed_rows(delete(Share).where(Share.job_id == holding.job_id, Share.attempt == holding.attempt))


def leave(holding: Holding) -> bool:
    """Leave the attempt, and let others take what is left of the own shares. Locks the job's row, so that of two
    holders who leave at once one sees that it is the last. False: the worker no longer had its part."""
    if not remove(holding):
        return False
    changed_rows(update(Share).where(*holding.shares).values(holder=None))
    lock = select(ScrapingJob.id).where(ScrapingJob.id == holding.job_id)
    db.session.execute(lock.with_for_update(key_share=True)).one_or_none()
    return True


def workers_of(job: ScrapingJob) -> list[str]:
    """Return the names of the workers that are at work on a job, in the order in which they came."""
    held = select(Holder.worker).where(Holder.job_id == job.id, Holder.attempt == job.attempt)
    return list(db.session.scalars(held.order_by(Holder.token))) if job.status == Status.PROCESSING else []


def goes_on(holding: Holding) -> bool:
    """Whether the attempt goes on."""
    return db.session.scalar(select(ScrapingJob.id).where(*holding.fence_of_job)) is not None


def count_holders(job_id: int, attempt: int) -> int:
    """Count the workers of an attempt."""
    held = select(func.count()).where(Holder.job_id == job_id, Holder.attempt == attempt)
    return db.session.scalar(held) or 0


def anything_left(job_id: int, attempt: int) -> bool:
    """Whether the attempt has numbers that no worker has now."""
    job = (ScrapingJob.id == job_id, ScrapingJob.attempt == attempt, or_(_has_fresh(), has_left()))
    return db.session.scalar(select(ScrapingJob.id).where(*job)) is not None


def pauses_here(job_id: int, attempt: int) -> bool:
    """Whether the attempt has had all numbers up to the one after which the job pauses, and others are left."""
    beyond = ScrapingJob.next_no > ScrapingJob.pause_after
    return db.session.scalar(select(ScrapingJob.id).where(*ScrapingJob.held_by(job_id, attempt), beyond)) is not None


def _has_fresh() -> ColumnElement[bool]:
    """Whether, as SQL, a job's attempt has numbers to look up now that no worker has had."""
    within = or_(ScrapingJob.pause_after.is_(None), ScrapingJob.next_no <= ScrapingJob.pause_after)
    return and_(ScrapingJob.next_no.is_not(None), within)


def has_left() -> ColumnElement[bool]:
    """Whether, as SQL, a job's attempt has a share that no worker has now."""
    own = and_(Share.job_id == ScrapingJob.id, Share.attempt == ScrapingJob.attempt)
    return exists().where(own, Share.holder.is_(None)).correlate(ScrapingJob)


def may_be_joined(now: datetime) -> tuple[ColumnElement[bool], ...]:
    """Conditions that hold for a job that a worker is at work on and another may join."""
    alive = and_(Holder.job_id == ScrapingJob.id, Holder.attempt == ScrapingJob.attempt, Holder.lease_until >= now)
    return (
        among(ScrapingJob.status, (Status.PROCESSING,)),
        ScrapingJob.paused_at.is_(None),
        ScrapingJob.not_before.is_(None),
        ScrapingJob.deleted_at.is_(None),
        ScrapingJob.skipped_step.is_(None),  # the first worker moves numbers on, which nobody may have missed
        exists().where(alive).correlate(ScrapingJob),
        or_(_has_fresh(), has_left()),
        ScrapingJob.is_open(),
    )


def note_end(holding: Holding, cause: str, until: datetime, now: datetime) -> None:
    """Note what ends the attempt for all its workers, and until when it waits then. The first cause stays. They see
    it when they save or take."""
    job = (*holding.fence_of_job, ScrapingJob.not_before.is_(None))
    changed_rows(update(ScrapingJob).where(*job).values(wait_cause=cause, not_before=until, updated_at=now))


def noted_end(holding: Holding) -> tuple[str, datetime] | None:
    """Return what `note_end` has noted on the attempt: a cause, and until when the job waits."""
    noted = select(ScrapingJob.wait_cause, ScrapingJob.not_before).where(*holding.fence_of_job)
    row = db.session.execute(noted).one_or_none()
    return (row.wait_cause, row.not_before) if row and row.wait_cause and row.not_before else None
