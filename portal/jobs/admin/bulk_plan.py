"""The dry run of a bulk action: how many jobs it would change, and how many it would skip because of their status. It
reads and changes nothing.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select

from portal.accounts import User
from portal.database import db
from portal.jobs.admin.bulk import CAN_MOVE, selected
from portal.jobs.admin.filters import Filters, conditions
from portal.jobs.admin.job_list import CappedCount, status_counts
from portal.jobs.admin.operations import CHOSEN_AT_ONCE
from portal.jobs.core.bulk_tables import Verb
from portal.jobs.core.status import Status
from portal.jobs.models import ScrapingJob

NAMED = 10


@dataclass(frozen=True)
class BulkPlan:
    """The counts, by the jobs' present status. `gone`: ids whose job no longer exists. `first`: some of the jobs that
    it is about, NAMED at most."""

    moved: dict[Status, CappedCount]
    skipped: dict[Status, CappedCount]
    gone: int = 0
    first: tuple[ScrapingJob, ...] = ()

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


def some_matching(admin: User, wanted: Filters, limit: int) -> list[ScrapingJob]:
    """Return the first jobs under the filters, at most `limit`."""
    if not admin.is_admin:
        return []
    found = select(ScrapingJob).where(*conditions(wanted)).order_by(ScrapingJob.id).limit(limit)
    return list(db.session.scalars(found))
