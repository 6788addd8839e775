"""What follows from a job's row without a query: what may be done, how far it is, and whether its owner has to act.

Pure: it knows no Flask and no clock, and returns codes, never sentences.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import blake2s

from portal.causes import IN_TROUBLE, CauseCode, cause_for
from portal.jobs.core.job_columns import COUNTERS, JobColumns
from portal.jobs.core.status import ENDED, RETRYABLE, STOPPABLE, WAITING, CellStatus, Status
from portal.sources.base import Outcome
from portal.sources.several import names_of

ROWS_BEFORE_ESTIMATE = 30
SECONDS_BEFORE_ESTIMATE = 30.0
SOONER, LATER = 0.8, 1.25  # the estimate's bounds, as shares of the time at the speed so far


class Action(StrEnum):
    """What a person may do with a job."""

    RETRY = "retry"
    CANCEL = "cancel"
    PAUSE = "pause"
    RESUME = "resume"
    DELETE = "delete"
    TIME_OUT = "time_out"  # admins only
    SKIP_SOURCE = "skip_source"  # go on with the next of its several sources
    LIMITS = "limits"  # admins only
    PUT_FIRST = "put_first"  # admins only


class Summary(StrEnum):
    """The answer to "do I have to do anything?"."""

    QUEUED = "queued"
    STARTING = "starting"  # a worker has it, and no row has come in yet
    WORKING = "working"
    GOING_ON = "going_on"  # handed back, waiting for a worker
    GIVES_WAY = "gives_way"  # handed back so that other people's files have their turn
    WORKER_AWAY = "worker_away"  # its worker has stopped beating; the sweep takes the job back
    PAUSING = "pausing"  # paused by a person, a worker still has it
    PAUSED = "paused"
    FIRST_READY = "first_ready"  # paused after its first numbers, as its person wished
    CAP_REACHED = "cap_reached"  # paused until there is room under a spending cap
    STARTS_LATER = "starts_later"  # waits for the moment that its person chose
    SOURCE_BUSY = "source_busy"
    SOURCE_REFUSES = "source_refuses"  # waits for an administrator to fix the source, and retries automatically
    SOURCE_PAUSED = "source_paused"  # an administrator has paused the source
    RETRY_PLANNED = "retry_planned"
    RETRY_FOR_ADMIN = "retry_for_admin"  # the same, for a cause that only an administrator can fix
    STOPPED = "stopped"  # no more automatic retries: somebody has to act
    STOPPED_FOR_ADMIN = "stopped_for_admin"
    CANCELLED = "cancelled"
    DONE = "done"


AFTER_A_FAULT = frozenset({
    Summary.STOPPED, Summary.STOPPED_FOR_ADMIN, Summary.RETRY_PLANNED, Summary.RETRY_FOR_ADMIN, Summary.GOING_ON
})  # fmt: skip


@dataclass(frozen=True)
class Progress:
    """How far a job is. `percent` is 100 for a completed job only."""

    percent: int
    ready: int  # rows with a final answer
    total: int
    moving: bool  # a worker has it, and it is not paused
    waiting: bool  # it waits for a moment or a person, so there is no estimate
    per_minute: float | None
    seconds_left: tuple[float, float] | None  # earliest, latest
    # of several sources: the longest it can take, if those that follow have to be asked about all that wait
    most_seconds: float | None
    last_at: datetime | None  # when the last row came in, while a worker has the job


def actions(job: JobColumns) -> frozenset[Action]:
    """Return what can be done with the job now. Deleting is always possible: it stops the job first."""
    allowed = {Action.DELETE}
    planned = job.next_retry_at is not None
    retryable = job.status in RETRYABLE or job.status == Status.CANCELLED
    if retryable and retryable_numbers(job):
        allowed.add(Action.RETRY)
    if job.status in STOPPABLE and (planned or job.status not in RETRYABLE):
        allowed.add(Action.CANCEL)
    if job.paused_at is not None or (job.status in WAITING and job.wait_cause == CauseCode.STARTS_LATER):
        allowed.add(Action.RESUME)
    elif planned or job.status in WAITING or job.status == Status.PROCESSING:
        allowed.add(Action.PAUSE)
    if job.status == Status.PROCESSING:
        allowed.add(Action.TIME_OUT)
    if job.step < job.step_count and retryable_numbers(job) and _is_held_up(job):
        allowed.add(Action.SKIP_SOURCE)
    if job.status != Status.COMPLETED:
        allowed.add(Action.LIMITS)
    if job.status in WAITING and job.paused_at is None and job.put_first_at is None:
        allowed.add(Action.PUT_FIRST)
    return frozenset(allowed)


def _is_held_up(job: JobColumns) -> bool:
    """Whether the source that is asked now holds the job up; `Guards.held_up` is the same as SQL."""
    if job.status in RETRYABLE:
        return job.last_error != CauseCode.SOURCE_SKIPPED
    if job.status not in WAITING:
        return False
    if job.paused_at is not None:
        return job.wait_cause == CauseCode.CAP_REACHED
    return job.wait_cause in IN_TROUBLE or (job.source_paused and job.wait_cause != CauseCode.STARTS_LATER)


def outcome_counts(job: JobColumns) -> dict[Outcome, int]:
    """Count the rows by outcome, from the job's counters. Their sum is the job's total."""
    return {
        **{outcome: getattr(job, name) for outcome, name in COUNTERS.items()},
        Outcome.WAITING: max(0, job.total_numbers - job.processed_numbers - job.failed_count),
    }


def cell_counts(job: JobColumns) -> dict[CellStatus, int]:
    """Count the cells as people read them, the blank ones last. Their sum is the job's total."""
    counts = {CellStatus(outcome): count for outcome, count in outcome_counts(job).items()}
    counts[CellStatus.INVALID] = max(0, job.invalid_count - job.blank_count)
    return {**counts, CellStatus.BLANK: min(job.blank_count, job.invalid_count)}


def retryable_numbers(job: JobColumns) -> int:
    """Count the rows without a final answer: those that a full retry looks up."""
    return max(0, job.total_numbers - job.processed_numbers)


def cells_to_fix(job: JobColumns) -> int:
    """Count the cells whose number is wrong or was refused. In a blank one there is nothing to fix, and one that is
    excluded or erased is right and left alone."""
    return max(0, job.invalid_count - job.blank_count + job.rejected_count - job.left_alone_count)


def is_unfinished(job: JobColumns) -> bool:
    """Whether the page may change without its reader doing anything. An ended job with no retry planned is not
    watched."""
    return job.status not in ENDED or job.next_retry_at is not None


def is_partial(job: JobColumns) -> bool:
    """Whether a download made now has rows without an answer."""
    return job.processed_numbers < job.total_numbers


def progress(job: JobColumns, now: datetime, seconds_for: Callable[[str, int], float] | None = None) -> Progress:
    """Return how far the job is, how fast, and when it ends. The speed is that of this attempt, over the rows that got
    a final answer or went on to another source: when many rows fail, the estimate is too long, never too short.
    `seconds_for`: how long a source takes for so many numbers; without it nobody knows of those that follow."""
    total, ready = job.total_numbers, job.processed_numbers
    processing = job.status == Status.PROCESSING
    moving = processing and job.paused_at is None
    is_last = job.step == job.step_count  # nobody knows before how many numbers come to its next source
    per_second = _speed(job, now) if moving else None
    remaining = outcome_counts(job)[Outcome.WAITING]
    seconds_left = most_seconds = None
    if per_second and remaining and is_last:
        seconds_left = remaining / per_second * SOONER, remaining / per_second * LATER
    elif per_second and remaining and seconds_for is not None:
        behind = sum(seconds_for(name, remaining) for name in names_of(job.all_sources)[job.step :])
        most_seconds = (_waiting_here(job, remaining) / per_second + behind) * LATER
    return Progress(
        percent=_percent(job),
        ready=ready,
        total=total,
        moving=moving,
        waiting=job.paused_at is not None or (not processing and (job.source_paused or _is_later(job.not_before, now))),
        per_minute=per_second * 60 if per_second else None,
        seconds_left=seconds_left,
        most_seconds=most_seconds,
        last_at=job.last_progress_at if processing else None,
    )


def _percent(job: JobColumns) -> int:
    if job.status == Status.COMPLETED:
        return 100
    count = job.step_count
    behind = count * job.processed_numbers + job.passed_on  # each source that a cell has behind it counts
    return max(0, min(99, 100 * behind // (count * job.total_numbers))) if job.total_numbers else 0


def _waiting_here(job: JobColumns, waiting: int) -> int:
    """How many of the cells that wait do so at the source that is asked now, at most: the others have gone on."""
    gone_on = job.passed_on - (job.step - 1) * waiting - (job.step_count - 1) * job.failed_count
    return waiting - max(0, -(-gone_on // (job.step_count - job.step)))


def _speed(job: JobColumns, now: datetime) -> float | None:
    """Rows a second in this attempt; None before there are enough to judge by."""
    if job.started_at is None:
        return None
    rows = job.processed_numbers - job.processed_at_claim
    seconds = (now - job.started_at).total_seconds()
    if rows <= 0 or seconds <= 0 or (rows < ROWS_BEFORE_ESTIMATE and seconds < SECONDS_BEFORE_ESTIMATE):
        return None
    return rows / seconds


def _is_later(moment: datetime | None, now: datetime) -> bool:
    return moment is not None and moment > now


_PAUSES: dict[str, Summary] = {
    CauseCode.FIRST_READY: Summary.FIRST_READY, CauseCode.CAP_REACHED: Summary.CAP_REACHED
}  # fmt: skip


def summary_sentence(job: JobColumns, now: datetime) -> Summary:
    """Return which sentence tells the owner whether to act; `jobs.words` has the sentences."""
    if job.status == Status.COMPLETED:
        return Summary.DONE
    if job.status == Status.CANCELLED:
        return Summary.CANCELLED
    if job.status in RETRYABLE and job.next_retry_at is None:
        return Summary.STOPPED_FOR_ADMIN if cause_for(job.last_error).for_admin else Summary.STOPPED
    if job.status == Status.PROCESSING:
        return _processing_summary(job, now)
    if job.paused_at is not None:
        return _PAUSES.get(job.wait_cause or "", Summary.PAUSED)
    if job.status in RETRYABLE:
        return Summary.RETRY_FOR_ADMIN if cause_for(job.last_error).for_admin else Summary.RETRY_PLANNED
    if job.source_paused:
        return Summary.SOURCE_PAUSED
    if _is_later(job.not_before, now):
        if job.wait_cause == CauseCode.STARTS_LATER:
            return Summary.STARTS_LATER
        return Summary.SOURCE_REFUSES if cause_for(job.wait_cause).for_admin else Summary.SOURCE_BUSY
    if job.wait_cause == CauseCode.TURN:
        return Summary.GIVES_WAY
    return Summary.QUEUED if job.attempt == 0 else Summary.GOING_ON


def _processing_summary(job: JobColumns, now: datetime) -> Summary:
    if job.paused_at is not None:
        return Summary.PAUSING
    if job.lease_until is not None and job.lease_until < now:
        return Summary.WORKER_AWAY
    return Summary.STARTING if job.last_progress_at is None else Summary.WORKING


def cause_of(job: JobColumns, now: datetime) -> str | None:
    """Return the code of what holds the job up, or of what ended its last attempt; None while all is well."""
    summary = summary_sentence(job, now)
    if summary == Summary.SOURCE_PAUSED:
        return CauseCode.SOURCE_PAUSED
    if summary == Summary.CAP_REACHED:
        return CauseCode.CAP_REACHED
    if summary in (Summary.SOURCE_BUSY, Summary.SOURCE_REFUSES):
        return job.wait_cause or CauseCode.SOURCE_BUSY
    return job.last_error if summary in AFTER_A_FAULT else None


def version(job: JobColumns) -> str:
    """Return a short text that changes with everything a page shows of the job's row, and only with that.

    `updated_at` is left out: a worker that waits for its source touches the row every second.
    """
    shown = (
        job.id, job.status, job.attempt, job.round, job.total_numbers, job.processed_numbers, job.found_count,
        job.not_found_count, job.invalid_count, job.rejected_count, job.failed_count, job.left_alone_count,
        job.blank_count, job.retry_count, job.max_retries,
        job.timeout_minutes, job.last_error, job.last_progress_at, job.not_before, job.next_retry_at, job.paused_at,
        job.deleted_at, job.wait_cause, job.source_paused, job.cost, job.cost_unsure, job.cost_cap, job.step,
        job.passed_on,
    )  # fmt: skip
    return blake2s(repr(shown).encode(), digest_size=6).hexdigest()


def version_of_all(jobs: Iterable[JobColumns]) -> str:
    """Return the same for a list of jobs."""
    return blake2s(" ".join(version(job) for job in jobs).encode(), digest_size=6).hexdigest()
