"""The verbs by which the sweep repairs a job that is late, lost or due."""

from datetime import datetime
from typing import Any, Self

from sqlalchemy import func, select

from portal.causes import CauseCode
from portal.database import db
from portal.jobs.core import ledger, poison_numbers, steps, timeline
from portal.jobs.core.job_tables import AttemptEnd, EventKind
from portal.jobs.core.retry_backoff import Backoff
from portal.jobs.core.status import RETRYABLE, WAITING, Status
from portal.jobs.lifecycle.guards import Guards
from portal.jobs.metrics.record import update_metrics
from portal.jobs.notify import send
from portal.sources.pause import paused_source_names


class SweepVerbs(Guards):
    """What the sweep does with a job."""

    @classmethod
    def lose(
        cls, job_id: int, attempt: int, now: datetime, backoff: Backoff, *, actor: str | None = None
    ) -> Self | None:
        """Return a job to the queue whose worker stopped beating. An attempt that saved nothing new uses a retry,
        unless its end narrows down which number stops its worker; without any left the job fails."""
        guards = (*cls.held_by(job_id, attempt), cls.lease_until < now)
        tokens = poison_numbers.lock_workers(job_id, attempt)
        if db.session.scalar(select(cls.id).where(*guards).with_for_update(key_share=True)) is None:
            return None
        narrowed = [cls.blame(job_id, attempt, token, now) for token in tokens]
        freed = {"lease_until": None, "enqueued_at": None, "last_error": CauseCode.WORKER_LOST}
        free = any(narrowed) and poison_numbers.may_search_on(job_id)
        moved_on = guards if free else (*guards, cls.processed_numbers > cls.processed_at_claim)
        job = cls._change(moved_on, now, status=Status.RETRYING, **freed)
        if job is None:
            spends = (*guards, cls.retry_count < cls.max_retries)
            job = cls._change(spends, now, status=Status.RETRYING, retry_count=cls.retry_count + 1, **freed)
        if job:
            job._close_attempt(AttemptEnd.LOST, now, CauseCode.WORKER_LOST)
            timeline.record(job.id, EventKind.LOST, now, actor, attempt=job.attempt, retry=job.retry_count)
            return job
        return cls._end_unanswered(
            Status.FAILED, AttemptEnd.LOST, guards, job_id, CauseCode.WORKER_LOST, now, backoff, actor
        )

    @classmethod
    def blame(cls, job_id: int, attempt: int, token: int, now: datetime) -> bool:
        """Suspect the numbers that a lost worker had in hand of having stopped it, and give up one that did so again
        and again. Returns whether this narrows them down; False as well once the attempt is over. The caller has locked
        the worker."""
        going = select(cls.step).where(*cls.held_by(job_id, attempt))
        if (step := db.session.scalar(going.with_for_update(key_share=True))) is None:
            return False
        blamed = poison_numbers.blame(job_id, attempt, token, step, now)
        if blamed.given_up:
            counted = ("processed_numbers", "rejected_count", "processed_at_claim")  # the attempt has saved nothing new
            more = {name: getattr(cls, name) + blamed.given_up for name in counted}
            more["passed_on"] = cls.passed_on - blamed.given_up * (step - 1)
            cls._change(cls.held_by(job_id, attempt), now, **more)
            timeline.record(job_id, EventKind.NUMBER_GIVEN_UP, now, attempt=attempt, row=blamed.row)
        return blamed.narrowed

    @classmethod
    def time_out(
        cls,
        job_id: int,
        attempt: int,
        seen_progress_at: datetime | None,
        now: datetime,
        backoff: Backoff,
        *,
        actor: str | None = None,
    ) -> Self | None:
        """End an attempt in which no row came in for too long. None when one has come in since the caller looked
        (`seen_progress_at`)."""
        unmoved = cls.last_progress_at == seen_progress_at if seen_progress_at else cls.last_progress_at.is_(None)
        guards = (*cls.held_by(job_id, attempt), unmoved)
        return cls._end_unanswered(
            Status.TIMEOUT, AttemptEnd.TIMEOUT, guards, job_id, CauseCode.NO_PROGRESS, now, backoff, actor
        )

    @classmethod
    def stop_waiting(cls, job_id: int, waits_before: datetime, now: datetime) -> Self | None:
        """Fail a job for good that has waited for its source since before that moment without a new answer. None when
        it has begun to wait anew, was paused, or a worker has it."""
        guards = (
            cls.id == job_id,
            cls.status.in_(WAITING),
            cls.waits_since <= waits_before,
            cls.paused_at.is_(None),
            cls.source.not_in(paused_source_names()),
        )
        cause = func.coalesce(cls.wait_cause, CauseCode.SOURCE_BUSY)
        ended = {"last_error": cause, "enqueued_at": None, "not_before": None, "wait_cause": None}
        job = cls._change(guards, now, status=Status.FAILED, next_retry_at=None, **ended)
        if job:
            since = job.waits_since.isoformat() if job.waits_since else None
            facts: dict[str, Any] = {"attempt": job.attempt, "cause": job.last_error, "waited_since": since}
            timeline.record(job.id, EventKind.FAILED, now, ready=job.processed_numbers, **facts)
            update_metrics(job, now)
            send.job_failed(job, now)
        return job

    @classmethod
    def lift_cap(cls, job_id: int, now: datetime) -> Self | None:
        """Let a job continue that `pause_at_cap` has paused: there is room again."""
        guards = (cls.id == job_id, cls.status.in_(WAITING), cls.wait_cause == CauseCode.CAP_REACHED)
        freed = dict.fromkeys(("paused_at", "not_before", "wait_cause", "enqueued_at", "waits_since"))
        job = cls._change((*guards, cls.paused_at.is_not(None)), now, **freed)
        if job:
            timeline.record(job.id, EventKind.RESUMED, now)
        return job

    @classmethod
    def retry_when_due(
        cls, job_id: int, now: datetime, *, at_once: bool = False, actor: str | None = None
    ) -> Self | None:
        """Start the automatic retry of a failed or timed-out job; `at_once` does not wait for its time."""
        due = cls.next_retry_at.is_not(None) if at_once else cls.next_retry_at <= now
        guards = (
            cls.id == job_id, cls.status.in_(RETRYABLE), cls.retry_count < cls.max_retries, cls.paused_at.is_(None), due
        )  # fmt: skip
        fresh = {"next_retry_at": None, "not_before": None, "enqueued_at": None, "waits_since": None}
        job = cls._change(guards, now, status=Status.RETRYING, retry_count=cls.retry_count + 1, **fresh)
        if job:
            job.failed_count -= ledger.reopen(job.id, but=CauseCode.SOURCE_SKIPPED)
            steps.place(job)
            timeline.record(job.id, EventKind.RETRY_DUE, now, actor, retry=job.retry_count, of=job.max_retries)
        return job
