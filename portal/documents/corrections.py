"""What people corrected in the cells of a document, beside the original and never instead of it.

A correction is the telephone numbers that a person typed or accepted for one cell, in E.164 with ` / ` between several.
A cell has one at most: of two people, tabs or presses the first wins, and only who takes it back can make another. It
must not know jobs: a job keeps its own copy in its ledger.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import ForeignKey, String, delete, select
from sqlalchemy.orm import Mapped, mapped_column

from portal.database import Model, UtcDateTime, changed_rows, db, upsert
from portal.documents.check import BETWEEN, Corrections, accepted_offer, check
from portal.documents.choice import SheetChoice
from portal.documents.models import Document
from portal.phone import Reason, parse

LONGEST_CORRECTION = 200  # characters
PIECE_CELLS = 1000  # in one transaction: others write in between
_KEY = ("document_id", "sheet", "row_no", "column")

Cell = tuple[int, int]
"""A cell's row, as Excel counts, and its column, from 0."""


class Correction(Model):
    """The numbers of one cell according to its person."""

    __tablename__ = "corrections"

    document_id: Mapped[int] = mapped_column(ForeignKey("documents.id"), primary_key=True)
    sheet: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)  # position in the workbook, from 0
    row_no: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)  # as Excel counts, from 1
    column: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)  # position in the row, from 0
    text: Mapped[str] = mapped_column(String(200))  # the cell as it is in the file, clipped
    corrected: Mapped[str] = mapped_column(String(LONGEST_CORRECTION))
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)


class CorrectedCell(NamedTuple):
    """A correction as pages show it."""

    row_no: int
    column: int
    text: str  # the cell's, as in the file
    corrected: str


class Refused(NamedTuple):
    """Why what was typed for a cell is not kept. `reason` is None when another correction was there first."""

    reason: Reason | None
    offered: tuple[str, ...] = ()


def read_typed(typed: str, country: str | None, usual: str) -> str | Refused:
    """Return the numbers in what a person typed, as they are kept; Refused when there is none.

    `country` is that of the cell's row. Without one, only what has a country code is clear; `usual` is offered for what
    has none.
    """
    phone = parse(typed, country or usual)
    if country is None and not typed.lstrip().startswith(("+", "00")) and (phone.numbers or phone.e164):
        return Refused(Reason.OTHER_COUNTRY, phone.numbers or (phone.e164 or "",))
    numbers = phone.numbers or ((phone.e164,) if phone.e164 else ())
    kept = BETWEEN.join(numbers)
    if not numbers or len(kept) > LONGEST_CORRECTION:
        return Refused(phone.reason or Reason.TOO_LONG, phone.offered)
    return kept


def made_in(document_id: int, sheet: int) -> list[CorrectedCell]:
    """Return the corrections of a sheet, in the order of its rows."""
    these = (Correction.document_id == document_id, Correction.sheet == sheet)
    columns = (Correction.row_no, Correction.column, Correction.text, Correction.corrected)
    rows = db.session.execute(select(*columns).where(*these).order_by(Correction.row_no, Correction.column))
    return [CorrectedCell(*row) for row in rows]


def corrections_of(document_id: int, sheet: int) -> dict[Cell, str]:
    """Return the corrected numbers of a sheet by cell, as `check` takes them."""
    these = (Correction.document_id == document_id, Correction.sheet == sheet)
    rows = db.session.execute(select(Correction.row_no, Correction.column, Correction.corrected).where(*these))
    return {(row_no, column): corrected for row_no, column, corrected in rows}


def correct(
    document_id: int,
    storage_key: str,
    sheet: int,
    cells: Mapping[Cell, tuple[str, str]],
    now: datetime,
    *,
    instead_of: Mapping[Cell, str] | None = None,
) -> set[Cell]:
    """Keep corrections: for each cell its text in the file, and its numbers. Commits in pieces.

    Returns the cells that now have the correction given here; another one that was there first stays, unless it is the
    one in `instead_of`. None is kept when the document was deleted or read again meanwhile (then its file has another
    `storage_key`).
    """
    kept: set[Cell] = set()
    waiting = list(cells.items())
    for first in range(0, len(waiting), PIECE_CELLS):
        piece = waiting[first : first + PIECE_CELLS]
        db.session.rollback()  # what was read ends first: SQLite cannot turn it into a writing transaction
        there = (Document.id == document_id, Document.storage_key == storage_key, Document.deleted_at.is_(None))
        if db.session.scalar(select(Document.id).where(*there).with_for_update()) is None:
            db.session.rollback()
            return kept
        for (row_no, column), _ in piece:
            if (before := (instead_of or {}).get((row_no, column))) is not None:
                these = (Correction.document_id == document_id, Correction.sheet == sheet)
                own = (Correction.row_no == row_no, Correction.column == column, Correction.corrected == before)
                changed_rows(delete(Correction).where(*these, *own))
        rows = [
            {"document_id": document_id, "sheet": sheet, "row_no": row_no, "column": column, "text": text[:200],
             "corrected": corrected, "made_at": now}
            for (row_no, column), (text, corrected) in piece
        ]  # fmt: skip
        db.session.execute(upsert(Correction, _KEY), rows)
        db.session.commit()
    now_there = corrections_of(document_id, sheet)
    return {cell for cell, (_, corrected) in cells.items() if now_there.get(cell) == corrected}


def offers(
    sheet_path: Path, choice: SheetChoice, corrections: Corrections, reason: Reason
) -> Iterator[tuple[Cell, tuple[str, str]]]:
    """Yield the cells of one reason that have one clear offer, each with its text and the offered numbers."""
    for cell in check(sheet_path, choice, corrections):
        if cell.reason is reason and (numbers := accepted_offer(reason, cell.offered)):
            yield (cell.row_no, cell.column), (cell.text, BETWEEN.join(numbers))


def take_back(document_id: int, sheet: int, cell: Cell | None) -> int:
    """Delete the correction of a cell, or all of the sheet's without one, and return how many. Commits."""
    db.session.rollback()
    these = [Correction.document_id == document_id, Correction.sheet == sheet]
    if cell is not None:
        these += [Correction.row_no == cell[0], Correction.column == cell[1]]
    deleted = changed_rows(delete(Correction).where(*these))
    db.session.commit()
    return deleted


def erase(document_id: int) -> None:
    """Delete the corrections of a document that is being deleted, or read again. Does not commit."""
    changed_rows(delete(Correction).where(Correction.document_id == document_id))
