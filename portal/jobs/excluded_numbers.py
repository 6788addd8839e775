"""How many numbers a start, a retry or a correction would leave alone, because they are on a list of excluded ones.

Read-only: the buttons name how many numbers will be looked up. An attempt judges each number again (`attempt`).
"""

from collections import Counter
from collections.abc import Collection

from sqlalchemy import and_, func, or_, select

from portal.database import db
from portal.jobs.core.job_tables import Number
from portal.jobs.models import ScrapingJob
from portal.sources import exclusions
from portal.sources.base import Outcome
from portal.sources.exclusions import Excluded

MOST_COUNTED = 50_000  # distinct numbers, in two seconds: in a larger file they are counted once it is looked up


def excluded_among(numbers: Collection[str], source: str) -> dict[str, Excluded]:
    """Return those of the numbers (E.164) that are excluded at this source, each with its list. None are while a list
    cannot be read: then nothing is looked up."""
    try:
        return exclusions.excluded_among(numbers, source)
    except exclusions.ListUnreadable:
        return {}


def are_any() -> bool:
    """Whether there is a list at all."""
    return bool(exclusions.newest())


def in_retry(job: ScrapingJob, reasons: Collection[str] | None) -> list[tuple[Excluded, int]] | None:
    """Return the lists that keep numbers of a retry from being looked up, each with how many cells, the longest first.
    `reasons` are those of the failed numbers that it is for; None: all. None when there are too many to count."""
    if not are_any():
        return []
    failed = Number.outcome == Outcome.FAILED
    if reasons is not None:
        failed = and_(failed, func.coalesce(Number.reason, "").in_(reasons))
    asked = select(Number.e164, Number.cells).where(
        Number.job_id == job.id, or_(Number.outcome == Outcome.WAITING, failed)
    )
    cells: dict[str, int] = dict(db.session.execute(asked.limit(MOST_COUNTED + 1)).all())
    if len(cells) > MOST_COUNTED:
        return None
    counts: Counter[Excluded] = Counter()
    for e164, excluded in excluded_among(cells, job.source).items():
        counts[excluded] += cells[e164]
    return counts.most_common()
