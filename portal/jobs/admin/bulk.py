"""Bulk actions of administrators: applies one verb to many jobs, and says why it skips one. A job that changed since
it was selected is skipped, never forced.

A few jobs are done here, at once; more become an operation, which `operation_runner` works through. The verbs are those
of `lifecycle`, so that nothing can be done to many jobs that could not be done to one.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select

from portal.accounts import User
from portal.database import db
from portal.jobs.commands import audit_act
from portal.jobs.core.bulk_tables import Verb
from portal.jobs.core.status import RETRYABLE, STOPPABLE, WAITING, Status
from portal.jobs.dispatch import push_job
from portal.jobs.models import ScrapingJob, backoff

AT_ONCE = 50  # jobs that one request does itself; more are done in the background
NEEDS_REASON = frozenset({Verb.TIME_OUT, Verb.CANCEL, Verb.LIMITS})  # they override what the portal does automatically
NEEDS_PUSH = frozenset({Verb.RETRY, Verb.SKIP_SOURCE})  # workers are notified afterwards
CAN_MOVE: dict[Verb, frozenset[Status]] = {
    Verb.RETRY: frozenset({*RETRYABLE, Status.CANCELLED}),
    Verb.TIME_OUT: frozenset({Status.PROCESSING}),
    Verb.CANCEL: frozenset(STOPPABLE),
    Verb.LIMITS: frozenset(Status) - {Status.COMPLETED},
    Verb.SKIP_SOURCE: frozenset({*WAITING, *RETRYABLE}),
}

# Why a job was skipped, if not for its status.
GONE, MOVED_ON, NOTHING_LEFT, FAULT = "gone", "moved_on", "nothing_left", "fault"
NOT_HELD_UP = "not_held_up"  # it does not wait for one of several sources


@dataclass(frozen=True)
class BulkOrder:
    """A verb, who ordered it and why. `limits`: max_retries and timeout_minutes, for Verb.LIMITS."""

    verb: Verb
    by: str
    reason: str | None = None
    limits: tuple[int, int] | None = None


@dataclass
class BulkResult:
    """The result: each job that was changed, its id and its file's name, and each that was not, with the code of the
    reason."""

    done: list[tuple[int, str]] = field(default_factory=list)
    skipped: list[tuple[int, str, str]] = field(default_factory=list)

    @property
    def reasons(self) -> list[tuple[str, int]]:
        """Count the skipped jobs by reason, the most frequent first."""
        return Counter(why for _, _, why in self.skipped).most_common()


def act(order: BulkOrder, job_id: int, seen_round: int, seen_attempt: int, now: datetime) -> str | None:
    """Apply the order to one job, if it is still in the round and attempt that were seen, in the session's transaction.
    Returns None when done, or the code of the reason why not. The caller commits and notifies the workers."""
    with db.session.begin_nested() as here:
        moved = _move(order, job_id, seen_round, seen_attempt, now)
        if moved is not None and order.verb == Verb.RETRY and moved.waiting_numbers == 0:
            here.rollback()  # an attempt would find nothing to do
            return NOTHING_LEFT
    return None if moved is not None else _why_not(order, job_id, seen_round, seen_attempt)


def _move(order: BulkOrder, job_id: int, seen_round: int, seen_attempt: int, now: datetime) -> ScrapingJob | None:
    why = order.reason
    if order.verb == Verb.RETRY:
        return ScrapingJob.retry(job_id, seen_round, order.by, now, why=why)
    if order.verb == Verb.SKIP_SOURCE:
        return ScrapingJob.skip_source(job_id, seen_round, order.by, now, why=why)
    if order.verb == Verb.TIME_OUT:
        return ScrapingJob.time_out_by_hand(job_id, order.by, why or "", now, backoff(), attempt=seen_attempt)
    as_seen = _current(job_id)
    if as_seen is None or (as_seen.round, as_seen.attempt) != (seen_round, seen_attempt):
        return None
    if as_seen.status not in CAN_MOVE[order.verb]:
        return None
    if order.verb == Verb.CANCEL:
        return ScrapingJob.cancel(job_id, order.by, now, why=why)
    retries, minutes = order.limits or (as_seen.max_retries, as_seen.timeout_minutes)
    return ScrapingJob.set_limits(job_id, retries, minutes, order.by, now, why=why)


def _current(job_id: int) -> ScrapingJob | None:
    there = select(ScrapingJob).where(ScrapingJob.id == job_id, ScrapingJob.deleted_at.is_(None))
    return db.session.scalar(there, execution_options={"populate_existing": True})


def _why_not(order: BulkOrder, job_id: int, seen_round: int, seen_attempt: int) -> str:
    job = _current(job_id)
    if job is None:
        return GONE
    if job.status in CAN_MOVE[order.verb] and (job.round, job.attempt) != (seen_round, seen_attempt):
        return MOVED_ON
    if order.verb == Verb.SKIP_SOURCE and job.status in CAN_MOVE[order.verb]:
        return NOT_HELD_UP
    return job.status.value


def do_at_once(order: BulkOrder, jobs: Sequence[ScrapingJob], now: datetime) -> BulkResult:
    """Apply the order to a few jobs, each committed alone."""
    account = BulkResult()
    for job_id, name, seen_round, attempt in [(job.id, job.file_name, job.round, job.attempt) for job in jobs]:
        why = act(order, job_id, seen_round, attempt, now)
        if why is None:
            audit_act(db.session.get_one(ScrapingJob, job_id), order.verb, order.by, order.reason, now)
        db.session.commit()
        if why is not None:
            account.skipped.append((job_id, name, why))
            continue
        account.done.append((job_id, name))
        if order.verb in NEEDS_PUSH:
            push_job(job_id, now)
    return account


def selected(admin: User, job_ids: Sequence[int]) -> list[ScrapingJob]:
    """Return those of the jobs that exist, in the order of `job_ids`; none if the user is not an administrator."""
    if not admin.is_admin:
        return []
    found: dict[int, ScrapingJob] = {}
    for first in range(0, len(job_ids), 500):
        some = job_ids[first : first + 500]
        here = select(ScrapingJob).where(ScrapingJob.id.in_(some), ScrapingJob.deleted_at.is_(None))
        found |= {job.id: job for job in db.session.scalars(here)}
    return [found[job_id] for job_id in dict.fromkeys(job_ids) if job_id in found]
