"""The statuses of a job and the moves between them, as data. Pure: it knows no database, no Flask and no clock."""

from enum import StrEnum


class Status(StrEnum):
    """The status of a job. Waiting has a reason and a time beside the status, not statuses of its own."""

    PENDING = "pending"  # confirmed, waiting for its first worker
    PROCESSING = "processing"  # a worker has it and beats
    COMPLETED = "completed"  # every row has a final answer
    FAILED = "failed"  # the source gave up on rows; final when no next retry is due
    TIMEOUT = "timeout"  # the worker lived, but no row came in for `timeout_minutes`
    RETRYING = "retrying"  # handed back, waiting for a worker to continue
    CANCELLED = "cancelled"  # stopped by a person; what is ready is kept


MOVES: dict[Status, frozenset[Status]] = {
    # claimed by a worker, failed by the sweep after a day at a source that is down, or cancelled by a person
    Status.PENDING: frozenset({Status.PROCESSING, Status.FAILED, Status.CANCELLED}),
    # ended by its worker, timed out by the sweep, or handed back for a deploy, a pause or a lost worker
    Status.PROCESSING: frozenset({Status.COMPLETED, Status.FAILED, Status.TIMEOUT, Status.RETRYING, Status.CANCELLED}),
    # the same
    Status.RETRYING: frozenset({Status.PROCESSING, Status.FAILED, Status.CANCELLED}),
    # a retry that is due, or that a person asked for
    Status.FAILED: frozenset({Status.RETRYING, Status.CANCELLED}),
    Status.TIMEOUT: frozenset({Status.RETRYING, Status.CANCELLED}),
    # only rows without an answer are looked up
    Status.CANCELLED: frozenset({Status.RETRYING}),
    # corrected cells are looked up
    Status.COMPLETED: frozenset({Status.RETRYING}),
}

WAITING = (Status.PENDING, Status.RETRYING)  # a worker may claim these
RETRYABLE = (Status.FAILED, Status.TIMEOUT)  # the sweep may retry these
ENDED = (Status.COMPLETED, Status.FAILED, Status.TIMEOUT, Status.CANCELLED)  # no worker has these or will take them
STOPPABLE = (Status.PENDING, Status.RETRYING, Status.PROCESSING, Status.FAILED, Status.TIMEOUT)


class CellStatus(StrEnum):
    """What people read of a cell: the outcome of its number, or that nothing is in it, so that there is nothing to fix.
    The words are those of `sources.base.Outcome`, and one more."""

    FOUND = "found"
    NOT_FOUND = "not_found"
    INVALID = "invalid"  # something is in it, and it is no telephone number
    REJECTED = "rejected"
    WAITING = "waiting"
    FAILED = "failed"
    BLANK = "blank"

    @classmethod
    def of(cls, outcome: str, reason: str | None) -> "CellStatus":
        """The status of a cell with this outcome, and with this reason for having no answer."""
        return cls.BLANK if reason == cls.BLANK else cls(outcome)


def may_move(before: Status, after: Status) -> bool:
    """Whether a job may go from one status to the other."""
    return after in MOVES[before]


def statuses_before(after: Status) -> tuple[Status, ...]:
    """Return the statuses from which a job may move to this one."""
    return tuple(status for status in Status if after in MOVES[status])
