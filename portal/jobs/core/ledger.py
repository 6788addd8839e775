"""The ledger: a job's distinct numbers, and the cells of the file where they stand. It must not know a job's verbs;
`attempt.save` writes answers, fenced."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy import delete, exists, func, select, update

from portal.database import changed_rows, db, insert_many
from portal.documents.check import CheckedCell
from portal.jobs.core.job_tables import Attempt, Number, NumberCell, Ticket
from portal.sources.base import Outcome


class WaitingNumber(NamedTuple):
    """A number that is still to be looked up, for all cells where it stands."""

    no: int
    cells: int
    first_row: int
    suspicion: int = 0  # see `poison_numbers`


@dataclass(slots=True)
class NewNumber:
    """A row of `numbers` for a job that is being started."""

    no: int
    e164: str
    cells: int
    first_row: int


class NewCell(NamedTuple):
    """A row of `cells` for a job that is being started."""

    row_no: int
    column: int
    place: int
    text: str
    number_no: int | None
    repeats: bool
    reason: str | None
    corrected: str | None


@dataclass
class NewLedger:
    """The rows of both tables for a job that is being started, without its id. A million of each are in memory at
    once, so they are no dicts."""

    numbers: list[NewNumber] = field(default_factory=list)
    cells: list[NewCell] = field(default_factory=list)
    invalid: int = 0  # cells without a number
    rows: int = 0


def build(checked: Iterable[CheckedCell]) -> NewLedger:
    """Return the ledger of checked cells, in the order of their rows: each distinct number once, and each cell."""
    new = NewLedger()
    known: dict[str, NewNumber] = {}
    last_row = 0
    for cell in checked:
        number = known.get(cell.phone_e164) if cell.phone_e164 else None
        repeats = number is not None
        if cell.phone_e164 and number is None:
            number = NewNumber(len(known) + 1, cell.phone_e164, 0, cell.row_no)
            known[cell.phone_e164] = number
            new.numbers.append(number)
        if number:
            number.cells += 1
        else:
            new.invalid += 1
        no = number.no if number else None
        new.cells.append(
            NewCell(
                cell.row_no, cell.column, cell.place, cell.text[:200], no, repeats, cell.reason, cell.corrected,
            )
        )  # fmt: skip
        new.rows += cell.row_no != last_row
        last_row = cell.row_no
    return new


def write_numbers(job_id: int, numbers: Sequence[NewNumber]) -> None:
    """Write some numbers of a new job in the session's transaction."""
    insert_many(
        Number,
        [{"job_id": job_id, "no": n.no, "e164": n.e164, "cells": n.cells, "first_row": n.first_row} for n in numbers],
    )


def write_cells(job_id: int, cells: Sequence[NewCell]) -> None:
    """Write some cells of a new job in the session's transaction."""
    insert_many(NumberCell, [{"job_id": job_id, **cell._asdict()} for cell in cells])


def has_corrections(job_id: int) -> bool:
    """Whether a cell of the job has what its person wrote beside it."""
    corrected = exists().where(NumberCell.job_id == job_id, NumberCell.corrected.is_not(None))
    return bool(db.session.scalar(select(corrected)))


def waiting(
    job_id: int, first_no: int = 1, last_no: int | None = None, most: int | None = None
) -> dict[str, WaitingNumber]:
    """Return the numbers still to be looked up, by their E.164 form, in the file's order: those between two of them,
    and `most` at most."""
    query = select(Number.e164, Number.no, Number.cells, Number.first_row, Number.suspicion).where(
        Number.job_id == job_id, Number.outcome == Outcome.WAITING, Number.no >= first_no
    )
    if last_no is not None:
        query = query.where(Number.no <= last_no)
    rows = db.session.connection().execute(query.order_by(Number.no).limit(most)).all()
    return {e164: WaitingNumber(no, cells, row, suspicion) for e164, no, cells, row, suspicion in rows}


def reopen(job_id: int, reasons: Sequence[str] | None = None) -> int:
    """Let failed numbers wait again, all of them or those with one of these reasons. Returns in how many cells they
    stand. The caller has the job's row locked."""
    failed = [Number.job_id == job_id, Number.outcome == Outcome.FAILED]
    if reasons is not None:
        failed.append(Number.reason.in_(reasons))
    cells = db.session.scalar(select(func.coalesce(func.sum(Number.cells), 0)).where(*failed)) or 0
    changed_rows(update(Number).where(*failed).values(outcome=Outcome.WAITING, reason=None))
    return int(cells)


def erase(job_id: int) -> None:
    """Delete the ledger of a job that is being deleted, and its attempts' tracebacks, which may quote numbers."""
    delete_tickets(job_id)
    changed_rows(delete(NumberCell).where(NumberCell.job_id == job_id))
    changed_rows(delete(Number).where(Number.job_id == job_id))
    changed_rows(update(Attempt).where(Attempt.job_id == job_id).values(traceback=None))


def delete_tickets(job_id: int) -> None:
    """Delete the job's tickets: their batches are not fetched any more."""
    changed_rows(delete(Ticket).where(Ticket.job_id == job_id))
