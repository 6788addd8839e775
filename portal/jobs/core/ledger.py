"""The ledger: one row for each row of the file. It must not know a job's verbs; `attempt.save` writes answers,
fenced."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, select, update

from portal.database import changed_rows, db
from portal.jobs.core.job_tables import Attempt, Number, Ticket
from portal.sources.base import Outcome

CHUNK = 500


def open_ledger(job_id: int, rows: Iterable[dict[str, Any]]) -> None:
    """Write the rows of a new job. Each has row_no, text, e164, duplicate_of, outcome, reason and checked_at."""
    batch: list[dict[str, Any]] = []
    for row in rows:
        batch.append({"job_id": job_id, **row})
        if len(batch) == CHUNK:
            db.session.execute(insert(Number), batch)
            batch = []
    if batch:
        db.session.execute(insert(Number), batch)


def waiting(job_id: int) -> dict[str, list[int]]:
    """Return the numbers still to be looked up, in E.164, each with all rows that hold it, in the file's order."""
    rows = db.session.execute(
        select(Number.e164, Number.row_no)
        .where(Number.job_id == job_id, Number.outcome == Outcome.WAITING)
        .order_by(Number.row_no)
    )
    numbers: dict[str, list[int]] = {}
    for e164, row_no in rows:
        numbers.setdefault(str(e164), []).append(row_no)
    return numbers


def reopen(job_id: int, reasons: Sequence[str] | None = None) -> int:
    """Let failed rows wait again, all of them or those with one of these reasons. Returns how many."""
    statement = update(Number).where(Number.job_id == job_id, Number.outcome == Outcome.FAILED)
    if reasons is not None:
        statement = statement.where(Number.reason.in_(reasons))
    return changed_rows(statement.values(outcome=Outcome.WAITING, reason=None))


def erase(job_id: int) -> None:
    """Delete every row of a job that is being deleted, and its attempts' tracebacks, which may quote them."""
    delete_tickets(job_id)
    changed_rows(delete(Number).where(Number.job_id == job_id))
    changed_rows(update(Attempt).where(Attempt.job_id == job_id).values(traceback=None))


def delete_tickets(job_id: int) -> None:
    """Delete the job's tickets: their batches are not fetched any more."""
    changed_rows(delete(Ticket).where(Ticket.job_id == job_id))


def initial_row(
    row_no: int, text: str, e164: str | None, duplicate_of: int | None, reason: str | None, now: datetime
) -> dict[str, Any]:
    """Return a row as it is when the job is confirmed: waiting, or invalid already, with its reason."""
    return {
        "row_no": row_no,
        "text": text[:200],
        "e164": e164,
        "duplicate_of": duplicate_of,
        "outcome": Outcome.WAITING if e164 else Outcome.INVALID,
        "reason": reason,
        "checked_at": None if e164 else now,
    }
