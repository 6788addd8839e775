"""The ledger: a job's distinct numbers, and the cells of the file where they stand. It must not know a job's verbs;
`attempt.save` writes answers, fenced."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, cast

from sqlalchemy import Table, and_, bindparam, delete, exists, func, or_, select, update

from portal.causes import CauseCode
from portal.database import changed_rows, db, insert_rows
from portal.documents.check import CheckedCell
from portal.jobs.core.job_tables import Attempt, Number, NumberCell, Opening, Ticket
from portal.jobs.core.step_rules import ByStep
from portal.jobs.core.step_tables import JobStep
from portal.phone import Reason
from portal.sources.base import Outcome

_NUMBERS = cast(Table, Number.__table__)


class WaitingNumber(NamedTuple):
    """A number that is still to be looked up, for all cells where it stands."""

    no: int
    cells: int
    first_row: int
    suspicion: int = 0  # see `poison_numbers`
    # of a job with several sources: what these have said of it so far
    by_step: ByStep | None = None
    answer: dict[str, str] | None = None


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
    """A piece of a new ledger, or all of it: rows of both tables, without the job's id."""

    numbers: list[NewNumber] = field(default_factory=list)
    cells: list[NewCell] = field(default_factory=list)
    # by `no`: in how many of these cells each number stands that an earlier piece has
    more_cells: Counter[int] = field(default_factory=Counter)
    invalid: int = 0  # cells without a number
    blank: int = 0  # of these, those in which there is nothing
    rows: int = 0
    last_row: int = 0
    is_last: bool = False


def build(checked: Iterable[CheckedCell]) -> NewLedger:
    """Return the ledger of checked cells, in the order of their rows: each distinct number once, and each cell."""
    (whole,) = pieces(checked, {}, None)
    return whole


def pieces(checked: Iterable[CheckedCell], known: dict[int, int], size: int | None) -> Iterator[NewLedger]:
    """Yield the ledger of checked cells in pieces of whole rows, each of about `size` cells; without a size, in one. At
    least one comes, and the last one says so.

    `known` has the `no` of each number that earlier pieces have, by its digits, and grows: the only thing that is kept
    of a piece, in a tenth of what its rows take.
    """
    new = NewLedger()
    for cell in checked:
        row_no, e164 = cell.row_no, cell.phone_e164
        if row_no != new.last_row:
            if size is not None and len(new.cells) >= size:
                yield new
                new = NewLedger()
            new.rows += 1
            new.last_row = row_no
        no, repeats = None, False
        if e164 is None:
            new.invalid += 1
            new.blank += cell.reason is Reason.BLANK
        else:
            digits = int(e164)
            no = known.get(digits)
            if no is None:
                no = known[digits] = len(known) + 1
                new.numbers.append(NewNumber(no, e164, 1, row_no))
            else:
                repeats = True
                if new.numbers and no >= (first := new.numbers[0].no):
                    new.numbers[no - first].cells += 1
                else:
                    new.more_cells[no] += 1
        reason = cell.reason.value if cell.reason is not None else None
        new.cells.append(NewCell(row_no, cell.column, cell.place, cell.text[:200], no, repeats, reason, cell.corrected))
    new.is_last = True
    yield new


def known_numbers(job_id: int) -> dict[int, int]:
    """Return the `no` of each number that is in a job's ledger, by its digits, as `pieces` takes them."""
    query = select(Number.e164, Number.no).where(Number.job_id == job_id, Number.e164.not_like("erased-%"))
    rows = db.session.execute(query.order_by(Number.no))
    return {int(e164): no for e164, no in rows.yield_per(10_000)}


_NUMBER = ("job_id", "no", "e164", "cells", "first_row")
_CELL = ("job_id", *NewCell._fields)


def write_numbers(job_id: int, numbers: Sequence[NewNumber]) -> None:
    """Write some numbers of a new job in the session's transaction."""
    insert_rows(Number, _NUMBER, [(job_id, one.no, one.e164, one.cells, one.first_row) for one in numbers])


def write_cells(job_id: int, cells: Sequence[NewCell]) -> None:
    """Write some cells of a new job in the session's transaction."""
    insert_rows(NumberCell, _CELL, [(job_id, *cell) for cell in cells])


def write_piece(job_id: int, piece: NewLedger) -> None:
    """Write a piece of a new ledger in the session's transaction."""
    write_numbers(job_id, piece.numbers)
    write_cells(job_id, piece.cells)
    if piece.more_cells:
        more = update(_NUMBERS).where(_NUMBERS.c.job_id == job_id, _NUMBERS.c.no == bindparam("of_no"))
        given = [{"of_no": no, "more": more_cells} for no, more_cells in piece.more_cells.items()]
        db.session.connection().execute(more.values(cells=_NUMBERS.c.cells + bindparam("more")), given)


def has_corrections(job_id: int) -> bool:
    """Whether a cell of the job has what its person wrote beside it."""
    corrected = exists().where(NumberCell.job_id == job_id, NumberCell.corrected.is_not(None))
    return bool(db.session.scalar(select(corrected)))


def waiting(
    job_id: int, first_no: int = 1, last_no: int | None = None, most: int | None = None, *, step: int | None = None
) -> dict[str, WaitingNumber]:
    """Return the numbers still to be looked up, by their E.164 form, in the file's order: those between two of them,
    and `most` at most. `step`: at this one of the job's several sources, with what the others have said."""
    columns: tuple[Any, ...] = (Number.e164, Number.no, Number.cells, Number.first_row, Number.suspicion)
    where = [Number.job_id == job_id, Number.outcome == Outcome.WAITING, Number.no >= first_no]
    if step is not None:
        columns, where = (*columns, Number.by_step, Number.answer), [*where, Number.step == step]
    query = select(*columns).where(*where)
    if last_no is not None:
        query = query.where(Number.no <= last_no)
    rows = db.session.connection().execute(query.order_by(Number.no).limit(most)).all()
    return {e164: WaitingNumber(*more) for e164, *more in rows}


def reopen(
    job_id: int, reasons: Sequence[str] | None = None, *, but: str | None = None, step: int | None = None
) -> int:
    """Let failed numbers wait again: all of them, those with one of these reasons or without the reason `but`, or those
    at one of the job's sources. Returns in how many cells they stand. The caller has the job's row locked."""
    failed = [Number.job_id == job_id, Number.outcome == Outcome.FAILED]
    if reasons is not None:
        failed.append(Number.reason.in_(reasons))
    if but is not None:
        failed.append(func.coalesce(Number.reason, "") != but)
    if step is not None:
        failed.append(Number.step == step)
    cells = db.session.scalar(select(func.coalesce(func.sum(Number.cells), 0)).where(*failed)) or 0
    changed_rows(update(Number).where(*failed).values(outcome=Outcome.WAITING, reason=None))
    return int(cells)


def may_retry(job_id: int) -> bool:
    """Whether an automatic retry has a number to look up: not one that failed at a source that a person skipped."""
    of_skipped = func.coalesce(Number.reason, "") == CauseCode.SOURCE_SKIPPED
    open_ones = or_(Number.outcome == Outcome.WAITING, and_(Number.outcome == Outcome.FAILED, ~of_skipped))
    return db.session.scalar(select(Number.no).where(Number.job_id == job_id, open_ones).limit(1)) is not None


def erase(job_id: int) -> None:
    """Delete the ledger of a job that is being deleted, and its attempts' tracebacks, which may quote numbers."""
    delete_tickets(job_id)
    changed_rows(delete(Opening).where(Opening.job_id == job_id))
    changed_rows(delete(NumberCell).where(NumberCell.job_id == job_id))
    changed_rows(delete(Number).where(Number.job_id == job_id))
    changed_rows(delete(JobStep).where(JobStep.job_id == job_id))
    changed_rows(update(Attempt).where(Attempt.job_id == job_id).values(traceback=None))


def delete_tickets(job_id: int, source: str | None = None) -> None:
    """Delete the job's tickets, all of them or those of one source: their batches are not fetched any more."""
    own = [Ticket.job_id == job_id, *([Ticket.source == source] if source is not None else [])]
    changed_rows(delete(Ticket).where(*own))
