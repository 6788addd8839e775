"""Compares a new list with an earlier one, in the background: nobody's page waits for it, and memory is flat.

A worker that is killed loses nothing but time: the next one begins again. What one has written for a comparison that
was asked for anew, or taken over by another worker meanwhile, is never read.
"""

import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import chain, islice
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import delete, or_, update

from portal.database import begin_reading, changed_rows, db, insert_rows
from portal.documents import corrections
from portal.documents.check import cells_of
from portal.documents.choice import SheetChoice, restored
from portal.documents.comparison.key_columns import ColumnSamples, KeyOption, options
from portal.documents.comparison.row_keys import ListRow, NumberAt, list_rows
from portal.documents.comparison.two_lists import TwoLists
from portal.documents.models import Document
from portal.documents.reader.sheet_file import header_of
from portal.documents.storage import Storage, sheet_part
from portal.jobs.core.merge_tables import ListChange, ListMerge, MergeProblem, MergeState
from portal.jobs.merge import carried
from portal.jobs.merge.earlier_rows import numbers_of
from portal.jobs.models import ScrapingJob

log = structlog.get_logger(__name__)

LEASE_SECONDS = 60.0
RENEWED_SECONDS = 10.0
MOST_TRIES = 3
PIECE_ROWS = 2000  # in one transaction
SAME_AND_BLANK = "same_and_blank"  # among a comparison's counts: rows that are the same, and have no telephone


class _Lost(Exception):
    """Another worker compares these lists now, or they are compared no more."""


def compare(merge_id: int, storage: Storage, clock: Callable[[], datetime]) -> bool:
    """Compare the two lists, and return whether this call did. Commits. Raises what is wrong with the program."""
    held = _Hold(merge_id, clock)
    if not held.claim():
        return False
    try:
        lists = _Lists(merge_id, storage)
    except _Gone as gone:
        held.finish(state=MergeState.REFUSED, problem=gone.problem)
        return True
    except OSError as error:  # the storage is away: the page asks again
        log.warning("lists cannot be compared now", error=str(error))
        held.change(lease_until=None, tries=ListMerge.tries - 1)
        return False
    try:
        _compare(held, lists)
    except _Lost:
        db.session.rollback()
        return False
    except BaseException:
        db.session.rollback()
        held.change(lease_until=None)  # another may try at once; this try counts
        raise
    return True


def _compare(held: "_Hold", lists: "_Lists") -> None:
    held.clear()
    longest = max(lists.rows, 1)
    samples = [ColumnSamples(longest).add_all(held.watched(rows())) for rows in (lists.new_rows, lists.old_rows)]
    found = options(samples[0], samples[1], lists.header, lists.old_header)
    column, before = _key(lists, found)
    with TwoLists(column, before, held.renew_when_due) as two:
        two.add_before(lists.old_rows())
        two.add_new(lists.new_rows())
        kinds = two.compare()
        counts = {kind.value: count for kind, count in kinds.items()}
        counts |= {"before_no_key": two.before_without_key(), SAME_AND_BLANK: two.same_and_blank()}
        begin_reading()
        answered = carried.outcomes(db.session.get_one(ScrapingJob, lists.before_id), two.numbers())
        db.session.commit()
        counts |= {f"{source}:{outcome.value}": count for (source, outcome), count in answered.items()}
        changed = chain(
            ((held.merge_id, False, *change) for change in two.changes()),
            ((held.merge_id, True, *change) for change in two.gone()),
        )
        while piece := list(islice(changed, PIECE_ROWS)):
            held.renew()
            insert_rows(ListChange, ("merge_id", "of_before", "row_no", "kind", "before"), piece)
            db.session.commit()
    held.finish(
        state=MergeState.READY, column=column, before_column=before, counts=counts,
        options=[[one.column, one.before, round(one.unique, 4), round(one.overlap, 4)] for one in found],
    )  # fmt: skip


def _key(lists: "_Lists", found: list[KeyOption]) -> tuple[int, int]:
    """The columns of both lists by which rows are compared: the one that was asked for, or the likeliest."""
    asked = lists.column
    if asked is None and not found:
        return lists.choice.columns[0], lists.old_columns[0]
    option = next((one for one in found if one.column == asked), None) if asked is not None else found[0]
    return (option.column, option.before) if option else (asked or 0, asked or 0)


class _Gone(Exception):
    """One of the lists is not there any more."""

    def __init__(self, problem: MergeProblem) -> None:
        super().__init__(problem)
        self.problem = problem


class _Lists:
    """Where both lists are, read from the database once."""

    def __init__(self, merge_id: int, storage: Storage) -> None:
        """Raises _Gone, and OSError while a file cannot be read on this machine."""
        begin_reading()
        merge = db.session.get_one(ListMerge, merge_id, populate_existing=True)
        document = db.session.get_one(Document, merge.document_id)
        before = db.session.get(ScrapingJob, merge.before_id)
        self.before_id, self.column = merge.before_id, merge.column
        try:
            if before is None or before.deleted_at is not None:
                raise _Gone(MergeProblem.EARLIER_GONE)
            if document.deleted_at is not None or not document.sheets:
                raise _Gone(MergeProblem.CONTENT_GONE)
            self.choice: SheetChoice = restored(document.sheets, **merge.choice)
            self.corrections = corrections.corrections_of(document.id, self.choice.sheet)
            new = document.storage_key, sheet_part(self.choice.sheet)
            old = before.document.storage_key, sheet_part(before.sheet)
            old_header_row, self.old_columns = before.header_row, before.columns
            some = [(document.sheets, self.choice.sheet), (before.document.sheets, before.sheet)]
            self.rows = max(facts["rows"] for sheets, index in some for facts in sheets if facts["index"] == index)
        finally:
            db.session.commit()  # nobody waits while a storage elsewhere gives the files
        self.path = _fetched(storage, *new, MergeProblem.CONTENT_GONE)
        self.old_path = _fetched(storage, *old, MergeProblem.EARLIER_GONE)
        self.header = header_of(self.path, self.choice.header_row)
        self.old_header = header_of(self.old_path, old_header_row)

    def new_rows(self) -> Iterator[ListRow]:
        cells = cells_of(self.path, self.choice, self.corrections)
        return list_rows(
            self.path, (NumberAt(one.row_no, one.column, one.phone_e164, one.corrected or one.text) for one in cells)
        )

    def old_rows(self) -> Iterator[ListRow]:
        return list_rows(self.old_path, numbers_of(self.before_id))


def _fetched(storage: Storage, key: str, part: str, problem: MergeProblem) -> Path:
    try:
        return storage.fetch(key, part)
    except FileNotFoundError:
        raise _Gone(problem) from None


class _Hold:
    """One worker's hold on a comparison: the number of its try is the fence of what it writes."""

    def __init__(self, merge_id: int, clock: Callable[[], datetime]) -> None:
        self.merge_id, self._clock = merge_id, clock
        self._try = 0
        self._renewed = time.monotonic()

    def claim(self) -> bool:
        """Take the comparison, unless somebody has it or it is done. After the third try it is refused."""
        now = self._clock()
        free = or_(ListMerge.lease_until.is_(None), ListMerge.lease_until < now)
        waiting = (ListMerge.id == self.merge_id, ListMerge.state == MergeState.WAITING, free)
        taken = update(ListMerge).where(*waiting).values(tries=ListMerge.tries + 1, lease_until=self._until(now))
        tries = db.session.scalar(taken.returning(ListMerge.tries), execution_options={"synchronize_session": False})
        db.session.commit()
        self._try = tries or 0
        if self._try > MOST_TRIES:
            self.finish(state=MergeState.REFUSED, problem=MergeProblem.FAULT)
            return False
        return self._try > 0

    def watched(self, rows: Iterator[ListRow]) -> Iterator[ListRow]:
        """The same rows, with the lease renewed on the way."""
        while piece := list(islice(rows, PIECE_ROWS)):
            self.renew_when_due()
            yield from piece

    def renew_when_due(self) -> None:
        """Renew the lease every few seconds. Commits. Raises _Lost."""
        if time.monotonic() - self._renewed >= RENEWED_SECONDS:
            self.renew()
            db.session.commit()

    def renew(self) -> None:
        """Renew the lease, in the session's transaction. Raises _Lost."""
        self._renewed = time.monotonic()
        if not self._write(lease_until=self._until(self._clock())):
            raise _Lost

    def clear(self) -> None:
        """Delete what a worker wrote that was killed. Commits. Raises _Lost."""
        self.renew()
        changed_rows(delete(ListChange).where(ListChange.merge_id == self.merge_id))
        db.session.commit()

    def finish(self, **values: Any) -> None:
        """Write the result, if the comparison is still held. Commits."""
        self.change(lease_until=None, compared_at=self._clock(), **values)

    def change(self, **values: Any) -> None:
        """Change the comparison, if it is still held. Commits."""
        self._write(**values)
        db.session.commit()

    def _write(self, **values: Any) -> bool:
        mine = (
            ListMerge.id == self.merge_id, ListMerge.state == MergeState.WAITING,
            ListMerge.tries == self._try,
        )  # fmt: skip
        return changed_rows(update(ListMerge).where(*mine).values(**values)) == 1

    def _until(self, now: datetime) -> datetime:
        return now + timedelta(seconds=LEASE_SECONDS)
