"""The tables beside a job's row: the ledger (its numbers, the cells where they stand, how far it is opened), tickets,
attempts, timeline events, samples of unusable answers, and the sweep's state.

They name the job by its id and must not know its verbs.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, String, Text, and_, case, func, literal, select
from sqlalchemy.orm import Mapped, mapped_column

from portal.causes import CauseCode
from portal.database import EnumColumn, Model, UtcDateTime, enum_check, partial_index
from portal.jobs.core.status import CellStatus
from portal.jobs.core.step_rules import ByStep
from portal.sources.base import Outcome


class Number(Model):
    """One distinct telephone number of a job, and its answer. While a worker has the job, none is added or removed;
    corrections of a job that has ended add some.

    It is looked up once, wherever it stands: `NumberCell` says where. One with an answer stays also when its only cell
    was corrected, so that it is not paid for twice.
    """

    __tablename__ = "numbers"

    job_id: Mapped[int] = mapped_column(ForeignKey("scraping_jobs.id"), primary_key=True)
    no: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)  # in the order of the file, from 1
    e164: Mapped[str] = mapped_column(String(20))
    cells: Mapped[int]  # how many cells it stands in, 0 after a correction; the job's counters count cells
    first_row: Mapped[int]  # the row of the first of them, as Excel counts, from 1
    outcome: Mapped[Outcome] = mapped_column(EnumColumn(Outcome), default=Outcome.WAITING)
    reason: Mapped[str | None] = mapped_column(String(40))  # a CauseCode
    answer: Mapped[dict[str, str] | None] = mapped_column(JSON)  # the source's fields
    checked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    attempt: Mapped[int | None]  # the attempt that wrote the answer
    # What the source has charged for it in all attempts, in billionths of its currency.
    cost: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    suspicion: Mapped[int] = mapped_column(default=0, server_default="0")  # see `poison_numbers`; 0: none
    step: Mapped[int] = mapped_column(default=1, server_default="1")  # at which of its job's sources it is, or ended
    # what each source of a job with several has said of it: see `step_rules`; `answer` has the fields of all then
    by_step: Mapped[ByStep | None] = mapped_column(JSON(none_as_null=True))

    __table_args__ = (
        enum_check("outcome", Outcome),
        # Also for the search of one number in everybody's jobs, hence this order.
        Index("ix_numbers_e164_job_id", "e164", "job_id", unique=True),
        partial_index("ix_numbers_excluded", "job_id", where="reason = 'excluded'"),
        partial_index("ix_numbers_failed", "job_id", "attempt", "no", where="outcome IN ('failed')"),
    )


class NumberCell(Model):
    """One cell of the document that may hold a number: what is written in it, and its number or why it has none."""

    __tablename__ = "cells"

    job_id: Mapped[int] = mapped_column(ForeignKey("scraping_jobs.id"), primary_key=True)
    row_no: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)  # as Excel counts, from 1
    column: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)  # position in the row, from 0
    place: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)  # of the number in the cell, from 1
    text: Mapped[str] = mapped_column(String(200))  # the cell as the person wrote it, clipped
    number_no: Mapped[int | None]  # empty: not a number
    repeats: Mapped[bool] = mapped_column(default=False)  # the number stands in an earlier cell already
    reason: Mapped[str | None] = mapped_column(String(40))  # why it is not a number: a phone.Reason
    corrected: Mapped[str | None] = mapped_column(String(200))  # its numbers, where a person wrote them


class Opening(Model):
    """A job whose ledger is not whole yet: a worker opens the rest before it looks anything up (`jobs.opening`). The
    row is deleted with the last cell."""

    __tablename__ = "openings"

    job_id: Mapped[int] = mapped_column(ForeignKey("scraping_jobs.id"), primary_key=True)
    row_no: Mapped[int] = mapped_column(default=0)  # the last row of the file whose cells are in the ledger
    cells: Mapped[int] = mapped_column(default=0)  # that are in it, and of these the ones without a number
    invalid: Mapped[int] = mapped_column(default=0)
    blank: Mapped[int] = mapped_column(default=0, server_default="0")  # of these
    # row, column and numbers of each cell that was corrected when the job was started
    corrections: Mapped[list[tuple[int, int, str]]] = mapped_column(JSON, default=list)


_E164 = case((func.coalesce(Number.reason, "") == CauseCode.ERASED, None), else_=Number.e164).label("e164")
_NO_NUMBER = literal(Outcome.INVALID, EnumColumn(Outcome))
_answers = (
    select(
        NumberCell.job_id, NumberCell.row_no, NumberCell.column, NumberCell.place, NumberCell.text,
        NumberCell.number_no, _E164, case((NumberCell.repeats, Number.first_row)).label("duplicate_of"),
        func.coalesce(Number.outcome, _NO_NUMBER, type_=EnumColumn(Outcome)).label("outcome"),
        func.coalesce(NumberCell.reason, Number.reason).label("reason"),
        Number.answer, Number.checked_at, Number.attempt, NumberCell.corrected,
    )
    .outerjoin(Number, and_(Number.job_id == NumberCell.job_id, Number.no == NumberCell.number_no))
    .subquery("cell_answers")
)  # fmt: skip


class CellAnswer(Model):
    """A cell with the answer for its number, as pages and files show it. Read only: a join of the two tables.

    `duplicate_of` is the first row with the same number; a cell without a number is `invalid`.
    """

    __table__ = _answers
    __mapper_args__ = {"primary_key": [_answers.c.job_id, _answers.c.row_no, _answers.c.column, _answers.c.place]}

    job_id: Mapped[int]
    row_no: Mapped[int]
    column: Mapped[int]
    place: Mapped[int]
    text: Mapped[str]
    number_no: Mapped[int | None]
    e164: Mapped[str | None]
    duplicate_of: Mapped[int | None]
    outcome: Mapped[Outcome]
    reason: Mapped[str | None]
    answer: Mapped[dict[str, str] | None]
    checked_at: Mapped[datetime | None]
    attempt: Mapped[int | None]
    corrected: Mapped[str | None]

    @property
    def status(self) -> CellStatus:
        """What people read of the cell."""
        return CellStatus.of(self.outcome, self.reason)


class Ticket(Model):
    """A batch that the source has accepted and not answered yet. The row is deleted when its answers are saved."""

    __tablename__ = "tickets"

    job_id: Mapped[int] = mapped_column(ForeignKey("scraping_jobs.id"), primary_key=True)
    key: Mapped[str] = mapped_column(String(32), primary_key=True)  # our own, sent along if the recipe says so
    source: Mapped[str] = mapped_column(String(40))
    version: Mapped[str] = mapped_column(String(80))  # of the recipe that handed it in; a newer one may fetch it
    ticket: Mapped[str | None] = mapped_column(Text)  # empty: it was being sent, and may have been accepted
    numbers: Mapped[list[str]] = mapped_column(JSON)  # in E.164, in the order in which they were sent
    attempt: Mapped[int]
    handed_in_at: Mapped[datetime] = mapped_column(UtcDateTime)


class AttemptEnd(StrEnum):
    """How an attempt ended."""

    COMPLETED = "completed"
    FAILED = "failed"
    TIMEOUT = "timeout"
    LOST = "lost"  # its worker stopped beating
    HANDED_BACK = "handed_back"  # a deploy, a pause or a busy source
    CANCELLED = "cancelled"


class Attempt(Model):
    """One time that a worker took the job, or several in a row that were all handed back for the same cause."""

    __tablename__ = "attempts"

    job_id: Mapped[int] = mapped_column(ForeignKey("scraping_jobs.id"), primary_key=True)
    attempt: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    worker: Mapped[str | None] = mapped_column(String(80))
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    end: Mapped[AttemptEnd | None] = mapped_column(EnumColumn(AttemptEnd))
    cause: Mapped[str | None] = mapped_column(Text)  # a CauseCode
    processed_before: Mapped[int] = mapped_column(default=0)
    processed_after: Mapped[int | None]
    times: Mapped[int] = mapped_column(default=1, server_default="1")  # how many in a row; it has the last one's number
    idle_seconds: Mapped[float] = mapped_column(default=0.0, server_default="0")  # the waits between them
    traceback: Mapped[str | None] = mapped_column(Text)  # of an error in the program; without secrets, for admins only

    __table_args__ = (Index("ix_attempts_started_at", "started_at"),)


class EventKind(StrEnum):
    """What a line of the timeline reports. `words.timeline` has a sentence for each."""

    CREATED = "created"
    STARTED = "started"
    COMPLETED = "completed"  # an attempt's end is named after the status that it gives the job
    FAILED = "failed"
    TIMEOUT = "timeout"
    HANDED_BACK = "handed_back"
    LOST = "lost"
    RETRY_DUE = "retry_due"
    RETRIED = "retried"
    CORRECTED = "corrected"
    CANCELLED = "cancelled"
    PAUSED = "paused"
    RESUMED = "resumed"
    SOURCE_SKIPPED = "source_skipped"
    LIMITS_SET = "limits_set"
    PUT_FIRST = "put_first"
    TICKETS_LOST = "tickets_lost"
    NUMBER_GIVEN_UP = "number_given_up"
    NUMBER_ERASED = "number_erased"
    DOWNLOADED = "downloaded"
    TRASHED = "trashed"
    RESTORED = "restored"
    DELETED = "deleted"
    EXPIRED = "expired"
    NOTIFIED = "told"  # never written: `notify.history` makes it from a notice


class Event(Model):
    """One line of a job's timeline: what happened, when and by whom. Events are only added."""

    __tablename__ = "events"

    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("scraping_jobs.id"))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    kind: Mapped[EventKind] = mapped_column(EnumColumn(EventKind, 40, newer=True))
    actor: Mapped[str | None] = mapped_column(String(255))  # a person's email address; empty: the portal
    facts: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)

    __table_args__ = (Index("ix_events_job_id_id", "job_id", "id"),)


class SweepState(Model):
    """When the sweep last began and ended, in one row."""

    __tablename__ = "sweep_state"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    began_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class AnswerSample(Model):
    """Part of an answer that could not be used, for an admin to look at."""

    __tablename__ = "answer_samples"

    job_id: Mapped[int] = mapped_column(ForeignKey("scraping_jobs.id"), primary_key=True)
    attempt: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    nth: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)  # position in the attempt, from 0
    row_no: Mapped[int | None]  # empty: the answer was for many rows
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    status: Mapped[int]  # HTTP status
    why: Mapped[str] = mapped_column(String(200))  # `sources.words.sample_words` words it for people
    body: Mapped[str] = mapped_column(Text)
