"""What happens to a comparison of two lists when its job is started, or deleted. `jobs.merge` makes it.

It must not know a job's verbs.
"""

from sqlalchemy import delete, select, update

from portal.database import changed_rows
from portal.jobs.core.merge_tables import Asks, ListChange, ListMerge, MergeState


def mark_started(merge_id: int, compared: str, asks: Asks) -> bool:
    """Give the comparison to the job that is being started, in the session's transaction. False: it is not ready, or
    is of another choice than `compared`."""
    ready = (
        ListMerge.id == merge_id, ListMerge.compared == compared, ListMerge.state == MergeState.READY,
        ListMerge.is_started.is_(False),
    )  # fmt: skip
    return changed_rows(update(ListMerge).where(*ready).values(is_started=True, asks=asks)) == 1


def erase(merge_id: int) -> None:
    """Delete the comparison of a job that is being deleted. Does not commit."""
    changed_rows(delete(ListChange).where(ListChange.merge_id == merge_id))
    changed_rows(delete(ListMerge).where(ListMerge.id == merge_id))


def erase_unstarted(document_id: int) -> None:
    """Delete the comparison that a document has and that was not started. Does not commit."""
    mine = (ListMerge.document_id == document_id, ListMerge.is_started.is_(False))
    changed_rows(delete(ListChange).where(ListChange.merge_id.in_(select(ListMerge.id).where(*mine))))
    changed_rows(delete(ListMerge).where(*mine))
