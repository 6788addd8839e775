"""The tables beside a job's row: its numbers (the ledger), tickets, attempts, timeline events, samples of unusable
answers, and the sweep's state.

They name the job by its id and must not know its verbs.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from portal.database import EnumColumn, Model, UtcDateTime, enum_check
from portal.sources.base import Outcome


class Number(Model):
    """One row of the document and its answer. While the job exists, no row is added or removed."""

    __tablename__ = "numbers"

    job_id: Mapped[int] = mapped_column(ForeignKey("scraping_jobs.id"), primary_key=True)
    row_no: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)  # as Excel counts, from 1
    text: Mapped[str] = mapped_column(String(200))  # the cell as the person wrote it, clipped
    e164: Mapped[str | None] = mapped_column(String(20), index=True)  # empty: not a number
    duplicate_of: Mapped[int | None]  # the first row with the same number: looked up once, filled in everywhere
    outcome: Mapped[Outcome] = mapped_column(EnumColumn(Outcome), default=Outcome.WAITING)
    reason: Mapped[str | None] = mapped_column(String(40))  # a CauseCode, or a phone.Reason
    answer: Mapped[dict[str, str] | None] = mapped_column(JSON)  # the source's fields
    checked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    attempt: Mapped[int | None]  # the attempt that wrote the answer

    __table_args__ = (enum_check("outcome", Outcome),)


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
    CANCELLED = "cancelled"
    PAUSED = "paused"
    RESUMED = "resumed"
    LIMITS_SET = "limits_set"
    TICKETS_LOST = "tickets_lost"
    DOWNLOADED = "downloaded"
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
