"""Opens a new job's ledger in pieces, so that a large file does not keep everybody else's answers from being saved.

While it is being opened the job is hidden: it counts as deleted, and as without rows, so no page, worker or count sees
it. One short transaction at the end shows it. The sweep removes what a killed process leaves hidden.
"""

import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, select, text, update

from portal.database import changed_rows, db
from portal.jobs.core import ledger
from portal.jobs.core.job_tables import Number, NumberCell
from portal.jobs.models import ScrapingJob

PIECE_ROWS = 1000  # in one transaction: a few hundredths of a second
COPIED_ROWS = 10_000  # in one transaction on PostgreSQL, where writers do not wait for each other
LONGEST_PAUSE_SECONDS = 0.05
LEFT_BEHIND = timedelta(hours=1)  # a hidden job is so old only when the process that opened it is gone
LEFT_JOBS = 100  # removed in one pass of the sweep


def open_hidden(job: ScrapingJob, new: ledger.NewLedger, now: datetime) -> int:
    """Add the job and its ledger, hidden, and return its id. Commits after each piece."""
    job.deleted_at, job.total_numbers = now, 0
    db.session.add(job)
    db.session.flush()
    job_id = job.id
    db.session.commit()
    alone = db.engine.dialect.name == "sqlite"  # only one may write at a time
    piece = PIECE_ROWS if alone else COPIED_ROWS
    for first in range(0, len(new.cells), piece):
        began = time.monotonic()
        ledger.write_numbers(job_id, new.numbers[first : first + piece])  # never more than there are cells
        ledger.write_cells(job_id, new.cells[first : first + piece])
        db.session.commit()
        if alone and first + piece < len(new.cells):  # SQLite has no queue: without a pause nobody else gets its lock
            time.sleep(min(time.monotonic() - began, LONGEST_PAUSE_SECONDS))
    return job_id


def show(job_id: int, new: ledger.NewLedger, now: datetime) -> bool:
    """Show a hidden job with its counts, in the session's transaction. False: it has been removed."""
    counts = {"total_numbers": len(new.cells), "invalid_count": new.invalid, "processed_numbers": new.invalid}
    hidden = (ScrapingJob.id == job_id, *is_hidden())
    return changed_rows(update(ScrapingJob).where(*hidden).values(deleted_at=None, updated_at=now, **counts)) == 1


def remove_hidden(job_id: int) -> None:
    """Delete a hidden job with its ledger, in pieces. A job that is shown keeps it: the commit that failed may have
    been made, when the connection broke before its confirmation. Commits."""
    hidden = select(ScrapingJob.id).where(ScrapingJob.id == job_id, *is_hidden()).with_for_update()
    for table, key in ((NumberCell, NumberCell.row_no), (Number, Number.no)):
        some = select(key).where(table.job_id == job_id).distinct().order_by(key).limit(PIECE_ROWS)
        while True:
            if db.session.scalar(hidden) is None:
                db.session.rollback()
                return
            chosen = list(db.session.scalars(some))
            changed_rows(delete(table).where(table.job_id == job_id, key.in_(chosen)))
            db.session.commit()
            if len(chosen) < PIECE_ROWS:
                break
    changed_rows(delete(ScrapingJob).where(ScrapingJob.id == job_id, *is_hidden()))
    db.session.commit()


def remove_left_behind(now: datetime) -> Iterator[int]:
    """Remove hidden jobs whose process is gone, and yield their ids. A step of the sweep; it commits."""
    old = select(ScrapingJob.id).where(*is_hidden(), ScrapingJob.created_at < now - LEFT_BEHIND)
    left = list(db.session.scalars(old.order_by(ScrapingJob.created_at).limit(LEFT_JOBS)))
    db.session.commit()
    for job_id in left:
        remove_hidden(job_id)
        yield job_id


def is_hidden() -> tuple[Any, ...]:
    """The conditions of a job that is being opened."""
    # With a literal, so that SQLite sees that the small index of hidden jobs applies.
    return (ScrapingJob.deleted_at.is_not(None), text("total_numbers = 0"))
