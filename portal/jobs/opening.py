"""Opens a new job's ledger in pieces, so that a large file does not keep everybody else's answers from being saved.

A small file is opened at once. While it is, the job is hidden: it counts as deleted, and as without rows, so no page,
worker or count sees it. One short transaction at the end shows it, and the sweep removes what a killed process leaves
hidden.

A large one is shown at once, with the counts of its check, and its first worker opens the ledger, before anything is
looked up and before another worker may join. How far it has come is in the database (`Opening`), written with each
piece and fenced like an answer: whoever claims the job next goes on from there. Memory holds one piece, and a few bytes
for each number.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from flask import current_app
from sqlalchemy import delete, func, select, text, update

from portal.database import changed_rows, db
from portal.documents.check import CheckFacts, Corrections, cells_of, check_facts
from portal.documents.choice import SheetChoice
from portal.documents.storage import Storage, sheet_part
from portal.jobs.core import changes, ledger, list_merges, steps
from portal.jobs.core.job_tables import Number, NumberCell, Opening
from portal.jobs.models import ScrapingJob
from portal.jobs.shares import AttemptTaken, Holding, renew
from portal.sources.base import Outcome

AT_ONCE_CELLS = 10_000  # a file with more is opened by its first worker; so many take a fifth of a second
PIECE_ROWS = 1000  # in one transaction: a few hundredths of a second
WORKER_ROWS = 4000  # the same for a worker, which reads so long before each that others get the lock between two
COPIED_ROWS = 10_000  # in one transaction on PostgreSQL, where writers do not wait for each other
LONGEST_PAUSE_SECONDS = 0.05
LEFT_BEHIND = timedelta(hours=1)  # a hidden job is so old only when the process that opened it is gone
LEFT_JOBS = 100  # removed in one pass of the sweep


class AtOnce:
    """The whole ledger of a small file: it is written while the job is hidden. `without` are cells without a number."""

    def __init__(self, ledger_of: ledger.NewLedger) -> None:
        self.total, self.rows, self.without = len(ledger_of.cells), ledger_of.rows, ledger_of.invalid
        self._ledger = ledger_of
        self._job_id: int | None = None

    def prepare(self, job: ScrapingJob, now: datetime) -> None:
        """Add the job and its ledger, hidden. Commits after each piece."""
        new = self._ledger
        job.deleted_at, job.total_numbers = now, 0
        db.session.add(job)
        db.session.flush()
        job_id = self._job_id = job.id
        db.session.commit()
        piece = PIECE_ROWS if _is_alone() else COPIED_ROWS
        for first in range(0, len(new.cells), piece):
            began = time.monotonic()
            ledger.write_numbers(job_id, new.numbers[first : first + piece])  # never more than there are cells
            ledger.write_cells(job_id, new.cells[first : first + piece])
            db.session.commit()
            if _is_alone() and first + piece < len(new.cells):  # SQLite has no queue: else nobody else gets its lock
                time.sleep(min(time.monotonic() - began, LONGEST_PAUSE_SECONDS))

    def show(self, _job: ScrapingJob, now: datetime) -> int | None:
        """Show the job with its counts, in the session's transaction, and return its id. None: it has been removed."""
        counts = _counts(self.total, self._ledger.invalid, self._ledger.blank)
        hidden = (ScrapingJob.id == self._job_id, *is_hidden())
        shown = changed_rows(update(ScrapingJob).where(*hidden).values(deleted_at=None, updated_at=now, **counts))
        return self._job_id if shown == 1 else None

    def undo(self) -> None:
        """Remove what was prepared. Commits."""
        if self._job_id is not None:
            remove_hidden(self._job_id)


class ByWorker:
    """The ledger of a large file, which the job's first worker opens. `found` are the counts of its check; those of the
    opening replace them at its end."""

    def __init__(self, found: CheckFacts, corrections: Corrections) -> None:
        self.total, self.rows, self.without = found.total, found.rows, found.invalid + found.blank
        self._blank = found.blank
        self._corrections = corrections

    def prepare(self, job: ScrapingJob, now: datetime) -> None:
        """Nothing: the job is shown as it is."""

    def show(self, job: ScrapingJob, _now: datetime) -> int | None:
        """Add the job, in the session's transaction, and return its id."""
        for name, count in _counts(self.total, self.without, self._blank).items():
            setattr(job, name, count)
        db.session.add(job)
        db.session.flush()
        kept = [(row_no, column, numbers) for (row_no, column), numbers in self._corrections.items()]
        db.session.add(Opening(job_id=job.id, corrections=kept))
        return job.id

    def undo(self) -> None:
        """Nothing: nothing was prepared."""


def _counts(total: int, without: int, blank: int) -> dict[str, int]:
    """The counters of a job that is opened: all its cells, those without a number, and the blank ones among these."""
    return {"total_numbers": total, "invalid_count": without, "blank_count": blank, "processed_numbers": without}


def new_ledger(
    path: Path, choice: SheetChoice, corrections: Corrections, found: CheckFacts | int, at_once: int
) -> AtOnce | ByWorker:
    """Return the ledger of a job that is about to be started: of a file with more than `at_once` cells as its counts
    alone. `path` is the file of the sheet's rows; `found` are its counts, or how many cells it may have."""
    if (found if isinstance(found, int) else found.total) <= at_once:
        return AtOnce(ledger.build(cells_of(path, choice, corrections)))
    return ByWorker(check_facts(path, choice, corrections) if isinstance(found, int) else found, corrections)


def _is_alone() -> bool:
    """Whether only one may write at a time."""
    return db.engine.dialect.name == "sqlite"


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


# ── a large file, by its first worker ───────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Unopened:
    """What is left to open of a job's ledger."""

    job_id: int
    path: Path  # of the sheet's rows
    choice: SheetChoice
    corrections: Corrections
    row_no: int  # the last row whose cells are in the ledger
    known: dict[int, int]  # the numbers that are: see `ledger.pieces`

    def pieces(self) -> Iterator[ledger.NewLedger]:
        """The pieces to write, read from the file one after the other. Raises OSError."""
        found = cells_of(self.path, self.choice, self.corrections, self.row_no)
        return ledger.pieces(found, self.known, WORKER_ROWS if _is_alone() else COPIED_ROWS)


def left_to_open(job_id: int) -> Unopened | None:
    """Return what is left to open of a job's ledger; None when it is whole. Commits. Raises OSError when the file
    cannot be read on this machine now."""
    begun = db.session.get(Opening, job_id, populate_existing=True)
    if begun is None:
        db.session.commit()
        return None
    job = db.session.get_one(ScrapingJob, job_id)
    key, row_no = job.document.storage_key, begun.row_no
    choice = job.choice
    corrections = {(row, column): numbers for row, column, numbers in begun.corrections}
    known = ledger.known_numbers(job_id) if row_no else {}
    db.session.commit()  # nobody waits while a storage elsewhere gives the file
    storage: Storage = current_app.extensions["storage"]
    return Unopened(job_id, storage.fetch(key, sheet_part(choice.sheet)), choice, corrections, row_no, known)


def write_piece(
    holding: Holding, after_row: int, piece: ledger.NewLedger, now: datetime, lease_seconds: float, *, repeated: bool
) -> bool:
    """Write the piece that follows on row `after_row`, and commit. Returns whether the job is paused. With the last
    piece, the job gets the counts of what was opened.

    `repeated`: the same piece was written before, perhaps committed. Raises AttemptTaken, with nothing written.
    """
    renew(holding, now, lease_seconds)
    # Locked before the first row is written: whoever deletes the job locks it too, and so finds all its rows.
    until = now + timedelta(seconds=lease_seconds)
    goes_on = update(ScrapingJob).where(*holding.fence_of_job).values(lease_until=until, last_progress_at=now)
    job = db.session.execute(goes_on.returning(ScrapingJob.paused_at, ScrapingJob.user_id)).one_or_none()
    begun = db.session.get(Opening, holding.job_id, populate_existing=True) if job is not None else None
    if job is None or not (repeated or (begun and begun.row_no == after_row)):
        db.session.rollback()
        raise AttemptTaken
    if begun is not None and begun.row_no == after_row:
        ledger.write_piece(holding.job_id, piece)
        begun.row_no = piece.last_row
        begun.cells += len(piece.cells)
        begun.invalid += piece.invalid
        begun.blank += piece.blank
        if piece.is_last:
            _finish(holding, begun)
            changes.note(holding.job_id, job.user_id)
    db.session.commit()
    return job.paused_at is not None


def _finish(holding: Holding, begun: Opening) -> None:
    none = begun.invalid
    counts = _counts(begun.cells, none, begun.blank) | {"processed_at_claim": none}
    mine = (Number.job_id == holding.job_id, Number.outcome == Outcome.REJECTED)  # erased meanwhile
    if erased := db.session.scalar(select(func.sum(Number.cells)).where(*mine)):
        counts |= dict.fromkeys(("rejected_count", "left_alone_count"), int(erased))
        counts["processed_numbers"] = none + int(erased)
    changed_rows(update(ScrapingJob).where(*holding.fence_of_job).values(**counts))
    merge_id = db.session.scalar(select(ScrapingJob.merge_id).where(ScrapingJob.id == holding.job_id))
    if merge_id is not None:
        list_merges.drop_unneeded(merge_id, holding.job_id)
    if holding.chain:
        steps.arrive(holding.job_id, begun.cells - none)
    db.session.delete(begun)
