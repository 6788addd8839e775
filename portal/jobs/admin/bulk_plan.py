"""The dry run of a bulk action: how many jobs it would change, and how many it would skip because of their status. It
reads and changes nothing.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select

from portal.accounts import User
from portal.database import db
from portal.jobs.admin.bulk import CAN_MOVE, selected
from portal.jobs.admin.filters import Filters, conditions
from portal.jobs.admin.job_list import CappedCount, status_counts
from portal.jobs.admin.operations import CHOSEN_AT_ONCE
from portal.jobs.core.bulk_tables import Verb
from portal.jobs.core.status import Status
from portal.jobs.models import ScrapingJob
from portal.jobs.spending.next_sources import cost_at
from portal.sources.several import names_of

NAMED = 10


@dataclass(frozen=True)
class BulkPlan:
    """The counts, by the jobs' present status. `gone`: ids whose job no longer exists. `first`: some of the jobs that
    it is about, NAMED at most. For `Verb.SKIP_SOURCE`, those that are moved are held up by one of several sources."""

    moved: dict[Status, CappedCount]
    skipped: dict[Status, CappedCount]
    gone: int = 0
    first: tuple[ScrapingJob, ...] = ()
    costs: tuple[tuple[int | None, str], ...] = ()  # what it may cost at most, in each currency; None: nobody knows

    @property
    def to_move(self) -> CappedCount:
        return _sum(self.moved)

    @property
    def to_skip(self) -> CappedCount:
        return _sum(self.skipped)

    @property
    def over(self) -> bool:
        """Whether a count is incomplete."""
        return self.to_move.more or self.to_skip.more


def _sum(counts: dict[Status, CappedCount]) -> CappedCount:
    total = sum(one.n for one in counts.values())
    return CappedCount(min(total, CHOSEN_AT_ONCE), total > CHOSEN_AT_ONCE or any(one.more for one in counts.values()))


def plan_for(admin: User, verb: Verb, wanted: Filters | None, job_ids: Sequence[int]) -> BulkPlan:
    """Return the plan for all jobs under `wanted`, or else for `job_ids`."""
    gone = 0
    if verb == Verb.SKIP_SOURCE:
        return _plan_for_skipping(admin, wanted, job_ids)
    if wanted is not None:
        counts = status_counts(wanted, CHOSEN_AT_ONCE)
        if wanted.status is not None:
            counts = {wanted.status: counts[wanted.status]}
        jobs = some_matching(admin, wanted, NAMED)
    else:
        jobs = selected(admin, job_ids)
        gone = len(job_ids) - len(jobs)
        counts = {status: CappedCount(n) for status, n in Counter(job.status for job in jobs).items()}
    there = {status: one for status, one in counts.items() if one.n or one.more}
    can = CAN_MOVE[verb]
    return BulkPlan(
        {status: one for status, one in there.items() if status in can},
        {status: one for status, one in there.items() if status not in can},
        gone,
        tuple(jobs[:NAMED]),
    )


def _plan_for_skipping(admin: User, wanted: Filters | None, job_ids: Sequence[int]) -> BulkPlan:
    """The same for files that go on with their next source: not their status decides, but what they wait for."""
    job = ScrapingJob
    where = conditions(wanted) if wanted is not None else [job.deleted_at.is_(None), job.id.in_(job_ids)]
    if not admin.is_admin:
        return BulkPlan({}, {})
    by_status = select(job.status, func.count()).where(*where).group_by(job.status)
    counts = Counter[Status](dict(db.session.execute(by_status).all()))
    cells = func.sum(job.total_numbers - job.processed_numbers)
    held_up = select(job.status, job.chain, job.step, func.count(), cells).where(*where, *job.held_up())
    moved: Counter[Status] = Counter()
    costs: dict[str, int | None] = {}
    for status, chain, step, many, unanswered in db.session.execute(held_up.group_by(job.status, job.chain, job.step)):
        moved[status] += many
        cost, currency = cost_at(names_of(chain)[step:], int(unanswered))
        known = costs.get(currency, 0)
        costs[currency] = None if cost is None or known is None else known + cost
    first = select(job).where(*where, *job.held_up()).order_by(job.id).limit(NAMED)
    return BulkPlan(
        {status: CappedCount(many) for status, many in moved.items()},
        {status: CappedCount(many) for status, many in (counts - moved).items()},
        0 if wanted is not None else len(job_ids) - counts.total(),
        tuple(db.session.scalars(first)),
        tuple((cost, currency) for currency, cost in sorted(costs.items()) if currency),
    )


def some_matching(admin: User, wanted: Filters, limit: int) -> list[ScrapingJob]:
    """Return the first jobs under the filters, at most `limit`."""
    if not admin.is_admin:
        return []
    found = select(ScrapingJob).where(*conditions(wanted)).order_by(ScrapingJob.id).limit(limit)
    return list(db.session.scalars(found))
