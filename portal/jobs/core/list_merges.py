"""What happens to a comparison of two lists when its job is started, or deleted. `jobs.merge` makes it.

It must not know a job's verbs.
"""

from sqlalchemy import and_, delete, exists, insert, literal, or_, select, update
from sqlalchemy.orm import aliased

from portal.database import changed_rows, db
from portal.jobs.core.job_columns import JobColumns
from portal.jobs.core.job_tables import Number, Opening
from portal.jobs.core.merge_tables import Asks, CarriedAnswer, ListChange, ListMerge, MergeState
from portal.sources.base import FINAL, OPEN

_ANSWERS = ("no", "e164", "outcome", "reason", "answer", "checked_at", "by_step")  # what is kept of a number


def mark_started(merge_id: int, compared: str, asks: Asks, jobs: type[JobColumns]) -> bool:
    """Give the comparison to the job that is being started, in the session's transaction. False: it is not ready, it
    is of another choice than `compared`, or the earlier one of the `jobs` was deleted. From here on that one keeps its
    answers for the new job, whatever becomes of it: see `hand_over`."""
    earlier = select(ListMerge.before_id).where(ListMerge.id == merge_id).scalar_subquery()
    # Locked: whoever deletes it has it locked too, and so sees that the comparison is started.
    there = select(jobs.id).where(jobs.id == earlier, jobs.deleted_at.is_(None)).with_for_update(read=True, of=jobs)
    if db.session.scalar(there) is None:
        return False
    ready = (
        ListMerge.id == merge_id, ListMerge.compared == compared, ListMerge.state == MergeState.READY,
        ListMerge.is_started.is_(False),
    )  # fmt: skip
    return changed_rows(update(ListMerge).where(*ready).values(is_started=True, asks=asks)) == 1


def hand_over(before: JobColumns) -> None:
    """Keep for the new lists what they have not taken over yet of an earlier job that is being deleted for good: they
    were started with the promise that these numbers cost nothing. Does not commit; the caller has the job locked, and
    deletes its numbers after this."""
    jobs, own = type(before), aliased(Number)
    waiting = (jobs.merge_id == ListMerge.id, jobs.processed_numbers < jobs.total_numbers)
    restorable = or_(jobs.deleted_at.is_(None), jobs.purge_at.is_not(None))
    taking = select(ListMerge.id, jobs.id, exists().where(Opening.job_id == jobs.id)).where(
        ListMerge.before_id == before.id, ListMerge.is_started, ListMerge.asks != Asks.EVERYTHING, *waiting, restorable
    )
    for merge_id, job_id, is_opened_later in db.session.execute(taking).all():
        final = and_(Number.outcome.in_(FINAL), Number.checked_at.is_not(None))
        answered = and_(Number.job_id == before.id, or_(final, Number.by_step.is_not(None)))
        # Of a file whose numbers are not read yet, nobody knows which it has: `drop_unneeded` follows.
        asked = own.job_id == job_id, own.e164 == Number.e164, own.outcome.in_(OPEN)
        needed = literal(True) if is_opened_later else exists().where(*asked)
        kept = select(literal(merge_id), *(getattr(Number, name) for name in _ANSWERS)).where(answered, needed)
        db.session.execute(insert(CarriedAnswer).from_select(["merge_id", *_ANSWERS], kept))


def drop_unneeded(merge_id: int, job_id: int) -> None:
    """Delete what was kept for a job whose numbers were not read yet, of numbers that it does not have. Does not
    commit."""
    has = exists().where(Number.job_id == job_id, Number.e164 == CarriedAnswer.e164)
    changed_rows(delete(CarriedAnswer).where(CarriedAnswer.merge_id == merge_id, ~has))


def erase(merge_id: int) -> None:
    """Delete the comparison of a job that is being deleted. Does not commit."""
    changed_rows(delete(CarriedAnswer).where(CarriedAnswer.merge_id == merge_id))
    changed_rows(delete(ListChange).where(ListChange.merge_id == merge_id))
    changed_rows(delete(ListMerge).where(ListMerge.id == merge_id))


def erase_unstarted(document_id: int) -> None:
    """Delete the comparison that a document has and that was not started. Does not commit."""
    mine = (ListMerge.document_id == document_id, ListMerge.is_started.is_(False))
    changed_rows(delete(ListChange).where(ListChange.merge_id.in_(select(ListMerge.id).where(*mine))))
    changed_rows(delete(ListMerge).where(*mine))
