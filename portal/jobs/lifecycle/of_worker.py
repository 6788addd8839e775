"""The verbs by which a worker takes a job, and ends its attempt."""

from datetime import datetime, timedelta
from typing import Self

from portal.causes import CauseCode
from portal.jobs.core import ledger, steps, timeline
from portal.jobs.core.answer_changes import MOST_COUNTED, count_changes, job_before
from portal.jobs.core.job_tables import AttemptEnd, EventKind
from portal.jobs.core.retry_backoff import Backoff
from portal.jobs.core.status import Status
from portal.jobs.lifecycle import retries
from portal.jobs.lifecycle.guards import Guards
from portal.jobs.metrics.record import update_metrics
from portal.jobs.notify import send


class WorkerVerbs(Guards):
    """What a worker does with a job."""

    @classmethod
    def claim(cls, job_id: int, attempt: int, now: datetime, *, worker: str, lease_seconds: float) -> Self | None:
        """Take a waiting job for attempt number `attempt + 1`. None: a stale or duplicate message, or the job is not
        yet due."""
        job = cls._move(
            job_id,
            Status.PROCESSING,
            now,
            cls.attempt == attempt,
            *cls.claimable(now),
            attempt=cls.attempt + 1,
            started_at=now,
            lease_until=now + timedelta(seconds=lease_seconds),
            last_progress_at=None,
            processed_at_claim=cls.processed_numbers,
            worker=worker,
            enqueued_at=None,
            not_before=None,
            wait_cause=None,
            next_retry_at=None,
            put_first_at=None,
            next_no=1,
            last_token=1,  # of the worker that claims it
        )
        if job:
            timeline.open_attempt(job.id, job.attempt, worker, job.processed_numbers, now)
            timeline.record(job.id, EventKind.STARTED, now, attempt=job.attempt, waiting=job.waiting_numbers)
        return job

    @classmethod
    def complete(cls, job_id: int, attempt: int, now: datetime) -> Self | None:
        """Complete a job whose every row has a final answer. None when rows are left, or the attempt is over."""
        guards = (*cls.held_by(job_id, attempt), cls.processed_numbers == cls.total_numbers, cls.is_open())
        job = cls._change(
            guards, now, status=Status.COMPLETED, completed_at=now, lease_until=None, last_error=None, paused_at=None,
            waits_since=None, not_before=None, wait_cause=None,
        )  # fmt: skip
        if job:
            job._close_attempt(AttemptEnd.COMPLETED, now)
            ledger.delete_tickets(job.id)
            update_metrics(job, now)
            timeline.record(job.id, EventKind.COMPLETED, now, attempt=job.attempt, total=job.total_numbers)
            before = job_before(job)
            changed = None if before is None else count_changes(before, job.id, MOST_COUNTED)
            send.job_completed(job, now, changed=changed)
        return job

    @classmethod
    def fail(cls, job_id: int, attempt: int, cause: str, now: datetime, backoff: Backoff) -> Self | None:
        """End the attempt with rows unanswered: plan the next retry, or make the failure final and notify."""
        guards = cls.held_by(job_id, attempt)
        return cls._end_unanswered(Status.FAILED, AttemptEnd.FAILED, guards, job_id, cause, now, backoff)

    @classmethod
    def hand_back(
        cls, job_id: int, attempt: int, cause: str, now: datetime, not_before: datetime | None = None
    ) -> Self | None:
        """Return the job to the queue for a deploy, a pause, a turn or a busy source. It uses no retry. With
        `not_before` it waits, and `SCRAPING_WAIT_HOURS` without a new answer are the longest wait in all."""
        guards = cls.held_by(job_id, attempt)
        explained = not_before is not None or cause == CauseCode.TURN
        waits = {"not_before": not_before, "wait_cause": cause if explained else None}
        since = retries.waits_since(cls, cause, not_before, now)
        values = {"lease_until": None, "enqueued_at": None, "waits_since": since, **waits}
        job = cls._change(guards, now, status=Status.RETRYING, **values)
        if job:
            job._close_attempt(AttemptEnd.HANDED_BACK, now, cause)
            folds = retries.is_like_the_one_before(cause, job.processed_numbers > job.processed_at_claim)
            facts = timeline.fold_attempts(job.id, job.attempt) if folds else {}
            until = not_before.isoformat() if not_before else None
            timeline.record(job.id, EventKind.HANDED_BACK, now, attempt=job.attempt, cause=cause, until=until, **facts)
        return job

    @classmethod
    def go_on(cls, job_id: int, attempt: int, step: int, now: datetime) -> Self | None:
        """Return a job to the queue that has nothing left to ask at one of its several sources, to be asked at the one
        at `step`."""
        job = cls.hand_back(job_id, attempt, CauseCode.NEXT_STEP, now)
        if job:
            ledger.delete_tickets(job.id, job.source)
            steps.place(job, step)
            job = cls._change((cls.id == job_id,), now, waits_since=None)
        return job

    @classmethod
    def pause_after_first(cls, job_id: int, attempt: int, now: datetime) -> Self | None:
        """Pause a job whose first numbers have been looked up, as its person wished, until that person goes on."""
        job = cls.hand_back(job_id, attempt, CauseCode.FIRST_READY, now)
        if job:
            steps.place(job)
            values = {"paused_at": now, "pause_after": None, "wait_cause": CauseCode.FIRST_READY}
            job = cls._change((cls.id == job_id,), now, **values)
        return job

    @classmethod
    def pause_at_cap(cls, job_id: int, attempt: int, now: datetime) -> Self | None:
        """Pause a job because no cap on what may be spent has room for one more number. `lift_cap` ends it."""
        job = cls.hand_back(job_id, attempt, CauseCode.CAP_REACHED, now)
        if job:
            values = {"paused_at": now, "not_before": None, "wait_cause": CauseCode.CAP_REACHED}
            job = cls._change((cls.id == job_id,), now, **values)
        return job
