"""Works on an order to erase a number: one slice at a time, each step committed alone.

Interrupted at any line, the next slice goes on where this one stopped, and doing a step twice does nothing more. The
order is over only when a last look finds the number nowhere: a file that was being read, opened or looked up at that
moment is waited for. Of two workers with one order, the late one loses.
"""

import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import structlog
from flask import current_app
from sqlalchemy import or_, select, update

from portal import audit
from portal.clock import utcnow
from portal.database import changed_rows, db
from portal.documents.models import Document
from portal.documents.storage import Storage
from portal.jobs.core.erasure_tables import Erasure, ErasureState
from portal.jobs.number_erasure import documents, job_rows, local_files, other_rows
from portal.jobs.number_erasure.documents import Asked

log = structlog.get_logger(__name__)

SLICE_SECONDS = 5.0
LEASE_SECONDS = 300.0  # longer than one large file takes
_NEXT = {
    ErasureState.NUMBERS: ErasureState.FILES,
    ErasureState.FILES: ErasureState.TEXTS,
    ErasureState.TEXTS: ErasureState.CHECK,
    ErasureState.CHECK: ErasureState.DISK,
}


class _Lost(Exception):
    """Another worker has the order."""


def _never() -> bool:
    return False


def work(
    order_id: int, storage: Storage, *, clock: Callable[[], datetime] = utcnow, stopped: Callable[[], bool] = _never,
    seconds: float = SLICE_SECONDS,
) -> bool:  # fmt: skip
    """Work on an order for `seconds`; return whether there is more to do at once. Does nothing while another worker has
    it."""
    attempt = _claim(order_id, clock())
    if attempt is None:
        return False
    until = time.monotonic() + seconds
    slice_ = _Slice(order_id, attempt, storage, clock)
    goes_on = True
    try:
        while goes_on and not stopped() and time.monotonic() < until:
            goes_on = slice_.step()
    except _Lost:
        return False
    except Exception:
        db.session.rollback()
        log.exception("erasing a number was interrupted", erasure=order_id)
        goes_on = False  # the sweep goes on with it
    _release(order_id, attempt)
    return goes_on


def idle(now: datetime) -> list[int]:
    """Return the orders that are not over and that no worker has."""
    free = or_(Erasure.lease_until.is_(None), Erasure.lease_until < now)
    return list(db.session.scalars(select(Erasure.id).where(Erasure.ended_at.is_(None), free).order_by(Erasure.id)))


def _claim(order_id: int, now: datetime) -> int | None:
    free = or_(Erasure.lease_until.is_(None), Erasure.lease_until < now)
    taken = update(Erasure).where(Erasure.id == order_id, Erasure.ended_at.is_(None), free)
    taken = taken.values(attempt=Erasure.attempt + 1, lease_until=now + timedelta(seconds=LEASE_SECONDS))
    attempt = db.session.scalar(taken.returning(Erasure.attempt), execution_options={"synchronize_session": False})
    db.session.commit()
    return attempt


def _release(order_id: int, attempt: int) -> None:
    held = (Erasure.id == order_id, Erasure.attempt == attempt)
    changed_rows(update(Erasure).where(*held).values(lease_until=None))
    db.session.commit()


class _Slice:
    """One worker's work on an order."""

    def __init__(self, order_id: int, attempt: int, storage: Storage, clock: Callable[[], datetime]) -> None:
        self.order_id, self.attempt, self.storage, self.clock = order_id, attempt, storage, clock
        self.now = clock()

    def step(self) -> bool:
        """Do one step, and return whether another may follow at once."""
        self.now = self.clock()
        order = db.session.get_one(Erasure, self.order_id, populate_existing=True)
        state, after, e164, by = order.state, order.after_id, order.e164, order.by
        db.session.commit()
        if state == ErasureState.DISK or e164 is None:
            return self._disk()
        asked = Asked.of(e164)
        match state:
            case ErasureState.NUMBERS:
                return self._numbers(e164, by, asked)
            case ErasureState.FILES:
                return self._file(after, asked)
            case ErasureState.TEXTS:
                return self._texts(after, asked)
            case _:
                return self._check(e164, by, asked)

    def _write(self, *, next_step: bool = False, after: int | None = None, **counted: int) -> None:
        """Write how far the order is. Raises _Lost."""
        values = {name: getattr(Erasure, name) + n for name, n in counted.items() if n}
        values["lease_until"] = self.now + timedelta(seconds=LEASE_SECONDS)
        held = (Erasure.id == self.order_id, Erasure.attempt == self.attempt)
        if after is not None:
            values["after_id"] = after
        changed = changed_rows(update(Erasure).where(*held).values(**values))
        if changed and next_step:
            order = db.session.get_one(Erasure, self.order_id, populate_existing=True)
            order.state, order.after_id = _NEXT[order.state], 0
        db.session.commit()
        if not changed:
            raise _Lost

    def _erase_numbers(self, e164: str, by: str, asked: Asked) -> bool:
        """Erase the number in all ledgers; return whether it was in one, or still is."""
        found = False
        for job_id in job_rows.jobs_with(e164):
            cells = job_rows.erase_in_job(job_id, e164, by, self.now)
            found = True
            self._write(cells=cells or 0)
        kept, others = job_rows.erase_kept(e164)
        others += job_rows.erase_corrections(asked.in_cells)
        self._write(kept=kept, others=others)
        return found

    def _numbers(self, e164: str, by: str, asked: Asked) -> bool:
        self._erase_numbers(e164, by, asked)
        self._write(next_step=True)
        return True

    def _documents(self, after: int) -> Iterator[int]:
        there = select(Document.id).where(Document.id > after, Document.erased_at.is_(None))
        yield from db.session.scalars(there.order_by(Document.id).limit(1)).all()

    def _file(self, after: int, asked: Asked) -> bool:
        """Look through the next stored file. One that is being read waits for the last look."""
        for document_id in self._documents(after):
            self._write(after=document_id, files=int(self._erase_in_file(document_id, asked)))
            return True
        self._write(next_step=True)
        return True

    def _erase_in_file(self, document_id: int, asked: Asked) -> bool:
        cells = job_rows.erased_cells(document_id)
        # What is made of a file is of its answers too, so a file of a job that had the number is always new.
        anyway = any(asked.in_cells.is_in(cell.text) or asked.in_cells.is_in(cell.corrected or "") for cell in cells)
        db.session.commit()
        try:
            return documents.erase_in_document(document_id, asked, self.storage, self.now, anyway=anyway)
        except documents.NotNow:
            return False

    def _texts(self, after: int, asked: Asked) -> bool:
        """Look through the next jobs, and at the end through all other tables and the data folder."""
        found, last = other_rows.erase_in_jobs(after, asked.in_cells)
        if last is not None:
            self._write(after=last, others=found)
            return True
        self._other_tables(asked)
        folder: Path = current_app.config["PORTAL_DATA_DIR"]
        self._write(others=local_files.erase_in_folder(folder, asked.in_lines), next_step=True)
        return True

    def _other_tables(self, asked: Asked) -> None:
        for table in other_rows.tables():
            if found := other_rows.erase_in_table(table, asked.in_cells):
                self._write(others=found)

    def _check(self, e164: str, by: str, asked: Asked) -> bool:
        """Look once more. What came in meanwhile is erased, and what is under way is waited for, until the next
        sweep."""
        if self._erase_numbers(e164, by, asked):
            self._again()
            return False
        waits = job_rows.is_in_hand()
        db.session.commit()
        if waits or not self._files_are_done(asked) or not documents.delete_replaced(self.storage, self.now):
            return False
        self._other_tables(asked)
        order = db.session.get_one(Erasure, self.order_id, populate_existing=True)
        order.state, order.e164 = ErasureState.DISK, None
        db.session.commit()
        return True

    def _again(self) -> None:
        """Look through all files again: one of them has brought the number back while it was looked up."""
        order = db.session.get_one(Erasure, self.order_id, populate_existing=True)
        order.state, order.after_id = ErasureState.FILES, 0
        db.session.commit()

    def _files_are_done(self, asked: Asked) -> bool:
        """Whether no file is left that was being read when it was looked through; each is looked through now."""
        order = db.session.get_one(Erasure, self.order_id)
        late = (Document.created_at <= order.created_at, Document.read_at >= order.created_at)
        unread = (Document.created_at <= order.created_at, Document.read_at.is_(None), Document.deleted_at.is_(None))
        read_late = list(db.session.scalars(select(Document.id).where(*late, Document.erased_at.is_(None))))
        if db.session.scalar(select(Document.id).where(*unread, Document.state == "reading").limit(1)):
            db.session.commit()
            return False
        db.session.commit()
        for document_id in read_late:
            self._write(files=int(self._erase_in_file(document_id, asked)))
        return True

    def _disk(self) -> bool:
        """Let what was deleted go from the database's own file, and end the order."""
        _vacuum()
        order = db.session.get_one(Erasure, self.order_id, populate_existing=True)
        order.state, order.ended_at, order.e164 = ErasureState.DONE, self.now, None
        facts = {"cells": order.cells, "files": order.files, "kept": order.kept, "others": order.others}
        audit.note(order.by, "number_is_erased", "erasure", order.id, None, self.now, **facts)
        db.session.commit()
        return False


def _vacuum() -> None:
    """Have the database let go of deleted rows. A row's bytes stay in its file until then."""
    db.session.rollback()
    raw = db.engine.raw_connection()  # outside any transaction
    try:
        connection: Any = raw.driver_connection
        if db.engine.dialect.name == "sqlite":
            connection.execute("PRAGMA busy_timeout=30000")
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        else:
            connection.autocommit = True
            connection.execute("SET statement_timeout = 0")  # of a large table it takes minutes
            for name in ("numbers", "cells", "cached_answers", "documents", "corrections", "erasures"):
                connection.execute(f"VACUUM {name}")
            connection.execute("RESET statement_timeout")
            connection.autocommit = False
    finally:
        raw.close()
