"""The tables of bulk operations: one verb over many jobs, worked off in the background, and the telephone numbers that
admins look for. They know no verb's meaning.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from portal.database import EnumColumn, Model, UtcDateTime, only, partial_index


class Verb(StrEnum):
    """What can be done with many jobs at once."""

    RETRY = "retry"
    TIME_OUT = "time_out"
    CANCEL = "cancel"
    LIMITS = "limits"  # how often and how long they may try


class OperationState(StrEnum):
    """Where an operation stands."""

    WAITING = "waiting"  # for the worker
    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"  # by a person; what was done stays done


UNDER_WAY = (OperationState.WAITING, OperationState.RUNNING)
_UNDER_WAY = "state IN ('waiting', 'running')"


class Operation(Model):
    """One verb over many jobs. `attempt` is the fence and `lease_until` the sign of life, as of a job."""

    __tablename__ = "operations"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(64), unique=True)  # of the form: its second press starts nothing
    verb: Mapped[Verb] = mapped_column(EnumColumn(Verb))
    by: Mapped[str] = mapped_column(String(255))  # the admin's address
    reason: Mapped[str | None] = mapped_column(Text)
    limits: Mapped[dict[str, int] | None] = mapped_column(JSON)  # max_retries, timeout_minutes
    # The filters of "all that match" (jobs.filters), and as `address` what the list's address said. Nothing: ticked.
    selection: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    state: Mapped[OperationState] = mapped_column(EnumColumn(OperationState), default=OperationState.WAITING)
    chosen: Mapped[int] = mapped_column(default=0)
    done: Mapped[int] = mapped_column(default=0)
    skipped: Mapped[int] = mapped_column(default=0)
    skipped_why: Mapped[dict[str, int]] = mapped_column(JSON, default=dict)  # code → how many, of all that were skipped
    up_to_job: Mapped[int]  # jobs that came later are not hit
    choose_after: Mapped[int | None]  # the job from which choosing goes on; nothing: all are chosen
    done_up_to: Mapped[int] = mapped_column(default=0)  # the last job that was seen to: here it is gone on
    attempt: Mapped[int] = mapped_column(default=0)
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    enqueued_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    stop_asked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    __table_args__ = (
        only("verb", Verb),
        only("state", OperationState),
        partial_index("ix_operations_under_way", "enqueued_at", where=_UNDER_WAY),
    )


class ChosenJob(Model):
    """A job that an operation has chosen, as it stood then: one that has moved on since is skipped. The row is gone
    once the job is seen to; of those that were skipped, the first ones stay, with the reason."""

    __tablename__ = "operation_jobs"

    operation_id: Mapped[int] = mapped_column(ForeignKey("operations.id"), primary_key=True)
    job_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    seen_round: Mapped[int]
    seen_attempt: Mapped[int]
    skipped_why: Mapped[str | None] = mapped_column(String(40))


class PhoneSearch(Model):
    """A telephone number that an admin looks for. The address carries the key alone, and only for a while."""

    __tablename__ = "phone_searches"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    e164: Mapped[str] = mapped_column(String(20))
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
