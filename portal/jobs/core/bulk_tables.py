"""The tables of bulk operations (one verb over many jobs, run in the background) and of admins' searches for a
telephone number. They must not know what a verb does.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from portal.database import EnumColumn, Model, UtcDateTime, enum_check, partial_index


class Verb(StrEnum):
    """What can be done with many jobs at once."""

    RETRY = "retry"
    TIME_OUT = "time_out"
    CANCEL = "cancel"
    LIMITS = "limits"  # how many retries and minutes they have
    SKIP_SOURCE = "skip_source"  # files with several sources go on with the next one


class OperationState(StrEnum):
    """The state of an operation."""

    WAITING = "waiting"  # for the worker
    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"  # by a person; finished jobs keep their change


UNDER_WAY = (OperationState.WAITING, OperationState.RUNNING)
_UNDER_WAY = "state IN ('waiting', 'running')"


class Operation(Model):
    """One verb over many jobs. As with a job, `attempt` is the fence and `lease_until` shows that a worker is alive."""

    __tablename__ = "operations"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(64), unique=True)  # of the form, so that a second press starts nothing
    verb: Mapped[Verb] = mapped_column(EnumColumn(Verb))
    by: Mapped[str] = mapped_column(String(255))  # the admin's address
    reason: Mapped[str | None] = mapped_column(Text)
    limits: Mapped[dict[str, int] | None] = mapped_column(JSON)  # max_retries, timeout_minutes
    # The filters of "all that match" (admin.filters), and the list's query as `address`. None: ticked jobs.
    selection: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    state: Mapped[OperationState] = mapped_column(EnumColumn(OperationState), default=OperationState.WAITING)
    chosen: Mapped[int] = mapped_column(default=0)
    done: Mapped[int] = mapped_column(default=0)
    skipped: Mapped[int] = mapped_column(default=0)
    skipped_why: Mapped[dict[str, int]] = mapped_column(JSON, default=dict)  # code → how many of the skipped jobs
    up_to_job: Mapped[int]  # the newest job it may touch; later jobs are left alone
    choose_after: Mapped[int | None]  # choosing continues after this job; None: all are chosen
    done_up_to: Mapped[int] = mapped_column(default=0)  # the last job processed: the next slice continues after it
    attempt: Mapped[int] = mapped_column(default=0)
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    enqueued_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    stop_asked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    __table_args__ = (
        enum_check("verb", Verb),
        enum_check("state", OperationState),
        partial_index("ix_operations_under_way", "enqueued_at", where=_UNDER_WAY),
    )


class ChosenJob(Model):
    """A job that an operation has chosen, with its round and attempt at that time: one that has changed since is
    skipped. The row is deleted when the job is processed; the first skipped ones stay, with the reason."""

    __tablename__ = "operation_jobs"

    operation_id: Mapped[int] = mapped_column(ForeignKey("operations.id"), primary_key=True)
    job_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    seen_round: Mapped[int]
    seen_attempt: Mapped[int]
    skipped_why: Mapped[str | None] = mapped_column(String(40))


class PhoneSearch(Model):
    """A telephone number that an admin searches for. The URL carries only the key, and only until it expires."""

    __tablename__ = "phone_searches"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    e164: Mapped[str] = mapped_column(String(20))
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
