"""How many jobs have each status now, without deleted ones. The page and the command both use it.

Unfinished jobs are few, and are counted. For ended jobs the metrics' sums are read, because counting a million of them
would take a tenth of a second. Each job is in one of the two, even before its end is in the metrics.
"""

from collections import Counter

from sqlalchemy import ColumnElement, exists, func, select

from portal.database import among, db
from portal.jobs.core.status import ENDED, Status
from portal.jobs.metrics.models import EVER, EVERYBODY, Metric
from portal.jobs.models import ScrapingJob

# Jobs that have ended and are not in the sums yet.
UNCOUNTED = (
    among(ScrapingJob.status, ENDED),
    ScrapingJob.next_retry_at.is_(None),
    ScrapingJob.ended_at.is_(None),
)


def has_uncounted() -> bool:
    """Whether there are ended jobs that are not in the sums yet; the sweep adds them."""
    return bool(db.session.scalar(select(exists().where(*UNCOUNTED))))


def count_by_status(user_id: int | None = None) -> dict[Status, int]:
    """Count jobs by status, with every status: everybody's, or one person's."""
    where: list[ColumnElement[bool]] = [ScrapingJob.ended_at.is_(None), ScrapingJob.deleted_at.is_(None)]
    if user_id is not None:
        where.append(ScrapingJob.user_id == user_id)
    counted: Counter[Status] = Counter()
    for status, count in db.session.execute(
        select(ScrapingJob.status, func.count()).where(*where).group_by(ScrapingJob.status)
    ):
        counted[status] += count
    still_there = func.sum(Metric.jobs - Metric.deleted_jobs)
    ever = (Metric.user_id == (user_id or EVERYBODY), Metric.grain == EVER)
    for status, count in db.session.execute(select(Metric.outcome, still_there).where(*ever).group_by(Metric.outcome)):
        counted[status] += int(count)
    return {status: counted[status] for status in Status}
