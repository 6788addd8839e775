"""A job's verbs: the only writer of `status`.

Each verb is one guarded UPDATE. It returns the job when this caller made the move, and None when another caller was
first, the job has another status or the attempt is no longer the current one: losing is normal and changes nothing.
The event, the attempt's end and the notice are written in the same transaction. Verbs never commit; their callers
commit, and push to Redis only after that.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Self

from sqlalchemy import ColumnElement, and_, case, exists, func, or_, select, update
from sqlalchemy.ext.hybrid import hybrid_property

from portal.causes import CauseCode
from portal.database import among, db
from portal.jobs import retries
from portal.jobs.core import changes, corrected_cells, ledger, poison_numbers, timeline
from portal.jobs.core.answer_changes import MOST_COUNTED, count_changes, job_before
from portal.jobs.core.corrected_cells import Place
from portal.jobs.core.hand_edits import plan_retry
from portal.jobs.core.job_columns import COUNTERS, JobColumns
from portal.jobs.core.job_tables import AttemptEnd, EventKind, Opening
from portal.jobs.core.retry_backoff import Backoff
from portal.jobs.core.status import ENDED, RETRYABLE, WAITING, Status, statuses_before
from portal.jobs.metrics.record import record_deletion, record_restoration, recount, update_metrics
from portal.jobs.notify import send
from portal.sources.base import FINAL
from portal.sources.pause import paused_source_names

# What a person's press gives a job that waits for a worker from then on.
_FRESH: dict[str, Any] = dict.fromkeys(
    ("next_retry_at", "not_before", "wait_cause", "waits_since", "paused_at", "enqueued_at", "last_error")
) | {"retry_count": 0}


class Lifecycle(JobColumns):
    """The verbs of a job; `ScrapingJob` is their table."""

    @classmethod
    def held_by(cls, job_id: int, attempt: int) -> tuple[ColumnElement[bool], ...]:
        """The fence: conditions that hold only while this very attempt has the job. Every write of an attempt carries
        them."""
        return (cls.id == job_id, cls.attempt == attempt, cls.status == Status.PROCESSING)

    @classmethod
    def claimable(cls, now: datetime) -> tuple[ColumnElement[bool], ...]:
        """Conditions that hold for a job that a worker could claim now. Everything that counts, pushes or claims
        waiting jobs uses them.

        The statuses are literals, so that SQLite sees that the index of waiting jobs applies.
        """
        return (
            among(cls.status, WAITING),
            cls.paused_at.is_(None),
            cls.source.not_in(paused_source_names()),
            cls.deleted_at.is_(None),
            or_(cls.not_before.is_(None), cls.not_before <= now),
        )

    @hybrid_property
    def waiting_numbers(self) -> int:
        """Rows not looked up yet, without the rows that failed. The class has it as SQL."""
        return self.total_numbers - self.processed_numbers - self.failed_count

    @classmethod
    def is_open(cls) -> ColumnElement[bool]:
        """Whether, as SQL, the job's ledger is whole: the first worker of a large file opens it."""
        return ~exists().where(Opening.job_id == cls.id).correlate(cls)

    # ── verbs of a worker ───────────────────────────────────────────────────────────────────────────────────────

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
            last_token=0,
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
    def pause_after_first(cls, job_id: int, attempt: int, now: datetime) -> Self | None:
        """Pause a job whose first numbers have been looked up, as its person wished, until that person goes on."""
        job = cls.hand_back(job_id, attempt, CauseCode.FIRST_READY, now)
        if job:
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

    # ── verbs of the sweep ──────────────────────────────────────────────────────────────────────────────────────

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
        going = select(cls.id).where(*cls.held_by(job_id, attempt))
        if db.session.scalar(going.with_for_update(key_share=True)) is None:
            return False
        blamed = poison_numbers.blame(job_id, attempt, token, now)
        if blamed.given_up:
            counted = ("processed_numbers", "rejected_count", "processed_at_claim")  # the attempt has saved nothing new
            more = {name: getattr(cls, name) + blamed.given_up for name in counted}
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
            job.failed_count -= ledger.reopen(job.id)
            timeline.record(job.id, EventKind.RETRY_DUE, now, actor, retry=job.retry_count, of=job.max_retries)
        return job

    # ── verbs of a person ───────────────────────────────────────────────────────────────────────────────────────

    @classmethod
    def retry(
        cls,
        job_id: int,
        seen_round: int,
        actor: str,
        now: datetime,
        *,
        reasons: Sequence[str] | None = None,
        why: str | None = None,
    ) -> Self | None:
        """Retry for a person, with a fresh budget. `seen_round` is the round that the page showed, so that a second
        press of the same button finds a newer round and starts nothing. With `reasons`, only rows that failed for one
        of them are looked up again."""
        job = cls._move(
            job_id,
            Status.RETRYING,
            now,
            cls.status.not_in((Status.PROCESSING, Status.COMPLETED)),
            cls.round == seen_round,
            **_FRESH,
            round=cls.round + 1,
        )
        if job:
            job.failed_count -= ledger.reopen(job.id, reasons)
            update_metrics(job, now)  # after the rows: it locks the metrics until the commit
            timeline.record(job.id, EventKind.RETRIED, now, actor, numbers=job.waiting_numbers, why=why)
            send.job_moved_on(job, now)
        return job

    @classmethod
    def correct(
        cls, job_id: int, seen_round: int, cells: Mapping[Place, str], actor: str, now: datetime
    ) -> Self | None:
        """Give cells of an ended job the numbers that a person wrote for them, and look up those that have no answer
        in the job yet, with a fresh budget. `cells` has the numbers of each, as `documents.corrections` keeps them;
        cells with an answer stay as they are. A complete job without a new number stays complete.

        `seen_round` is the round that the page showed, so that a second press adds nothing. None: somebody was first,
        the job is not at its end, or there is nothing to change.
        """
        # Locked before the cells are written: the row's own UPDATE comes last, when it is known what it counts.
        seen = db.session.get(cls, job_id, populate_existing=True, with_for_update={"key_share": True, "of": cls})
        has_ended = seen is not None and seen.status in ENDED and seen.next_retry_at is None
        has_ended = has_ended and db.session.get(Opening, job_id) is None
        if seen is None or not has_ended or seen.round != seen_round or seen.deleted_at is not None:
            return None
        change = corrected_cells.write(job_id, cells)
        if not change.cells:
            return None
        values: dict[str, Any] = {
            counter: getattr(seen, counter) + change.counts[outcome] for outcome, counter in COUNTERS.items()
        }
        values["total_numbers"] = seen.total_numbers + change.counts.total()
        values["processed_numbers"] = seen.processed_numbers + sum(change.counts[outcome] for outcome in FINAL)
        stays = seen.status == Status.COMPLETED and values["processed_numbers"] == values["total_numbers"]
        if not stays:
            values |= {"status": Status.RETRYING, "completed_at": None, **_FRESH}
        guards = (cls.id == job_id, cls.status.in_(statuses_before(Status.RETRYING)), cls.round == seen_round)
        job = cls._change(guards, now, round=cls.round + 1, **values)
        if job:
            if stays:
                recount(job)
            else:
                update_metrics(job, now)  # after the rows: it locks the metrics until the commit
            facts = {"cells": change.cells, "numbers": job.waiting_numbers}
            timeline.record(job.id, EventKind.CORRECTED, now, actor, **facts)
            send.job_moved_on(job, now)
        return job

    @classmethod
    def time_out_by_hand(
        cls, job_id: int, actor: str, why: str, now: datetime, backoff: Backoff, *, attempt: int | None = None
    ) -> Self | None:
        """Time the job out because an admin thinks that it hangs. Its worker is fenced, and the automatic retry
        follows. `attempt` is the one that the admin saw; without it, the current one."""
        guards = (cls.id == job_id, cls.status == Status.PROCESSING, *([cls.attempt == attempt] if attempt else []))
        facts = {"actor": actor, "why": why}
        return cls._end_unanswered(
            Status.TIMEOUT, AttemptEnd.TIMEOUT, guards, job_id, CauseCode.BY_ADMIN, now, backoff, **facts
        )

    @classmethod
    def cancel(cls, job_id: int, actor: str, now: datetime, *, why: str | None = None) -> Self | None:
        """Stop for good; finished answers are kept."""
        ended = {
            "lease_until": None, "next_retry_at": None, "not_before": None, "paused_at": None, "waits_since": None
        }  # fmt: skip
        job = cls._move(job_id, Status.CANCELLED, now, enqueued_at=None, **ended)
        if job:
            job._close_attempt(AttemptEnd.CANCELLED, now)
            update_metrics(job, now)
            timeline.record(job.id, EventKind.CANCELLED, now, actor, ready=job.processed_numbers, why=why)
            send.job_moved_on(job, now)
        return job

    @classmethod
    def pause(cls, job_id: int, actor: str, now: datetime) -> Self | None:
        """Ask the job to wait. A worker that has it hands it back at its next save; a due retry waits too."""
        moving = (*WAITING, Status.PROCESSING)
        may_pause = or_(cls.status.in_(moving), and_(cls.status.in_(RETRYABLE), cls.next_retry_at.is_not(None)))
        job = cls._change((cls.id == job_id, may_pause, cls.paused_at.is_(None)), now, paused_at=now)
        if job:
            timeline.record(job.id, EventKind.PAUSED, now, actor)
        return job

    @classmethod
    def resume(cls, job_id: int, actor: str, now: datetime) -> Self | None:
        """Let a paused job continue, or start one now that was to start later."""
        later = func.coalesce(cls.wait_cause, "") == CauseCode.STARTS_LATER
        freed = {
            "paused_at": None, "enqueued_at": None, "waits_since": None,
            "not_before": case((later, None), else_=cls.not_before),
            "wait_cause": case((later, None), else_=cls.wait_cause),
        }  # fmt: skip
        job = cls._change((cls.id == job_id, or_(cls.paused_at.is_not(None), later)), now, **freed)
        if job:
            timeline.record(job.id, EventKind.RESUMED, now, actor)
        return job

    @classmethod
    def put_first(cls, job_id: int, actor: str, now: datetime, *, why: str | None = None) -> Self | None:
        """Let a job that waits for a worker go before everybody's others."""
        job = cls._change((cls.id == job_id, *cls.claimable(now), cls.put_first_at.is_(None)), now, put_first_at=now)
        if job:
            timeline.record(job.id, EventKind.PUT_FIRST, now, actor, why=why)
        return job

    @classmethod
    def set_limits(
        cls, job_id: int, max_retries: int, timeout_minutes: int, actor: str, now: datetime, *, why: str | None = None
    ) -> Self | None:
        """Change how many retries and minutes this job has. A finally failed job that gets retries continues with the
        next sweep; one whose retries are now used up becomes final."""
        job = cls._change((cls.id == job_id,), now, max_retries=max_retries, timeout_minutes=timeout_minutes)
        if job and job.status in RETRYABLE:
            was_final = job.next_retry_at is None
            plan_retry(job, now)
            update_metrics(job, now)
            if job.next_retry_at is None and not was_final:
                send.job_failed(job, now)
        if job:
            limits = {"max_retries": max_retries, "timeout_minutes": timeout_minutes}
            timeline.record(job.id, EventKind.LIMITS_SET, now, actor, why=why, **limits)
        return job

    # ── verbs that remove a job; `erasure` deletes its rows and its file ────────────────────────────────────────────

    @classmethod
    def delete(cls, job_id: int, actor: str, now: datetime) -> Self | None:
        """Remove the job from every page. A job that a worker has must be cancelled first."""
        guards = (cls.id == job_id, cls.status != Status.PROCESSING)
        job = cls._change(guards, now, deleted_at=now, enqueued_at=None, next_retry_at=None)
        if job:
            record_deletion(job, now)
            timeline.record(job.id, EventKind.DELETED, now, actor, file_name=job.file_name, ready=job.processed_numbers)
            send.job_moved_on(job, now)
        return job

    @classmethod
    def expire(cls, job_id: int, ended_before: datetime, now: datetime) -> Self | None:
        """Remove an ended job whose retention period is over. None when it is active again, or has ended again
        since."""
        ended = (cls.id == job_id, cls.status.in_(ENDED), cls.next_retry_at.is_(None), cls.ended_at <= ended_before)
        job = cls._change(ended, now, deleted_at=now, expired_at=now, enqueued_at=None, paused_at=None)
        if job:
            record_deletion(job, now)
            timeline.record(job.id, EventKind.EXPIRED, now, ready=job.processed_numbers)
        return job

    @classmethod
    def trash(cls, job_id: int, purge_at: datetime, actor: str, now: datetime) -> Self | None:
        """Remove the job from every page but the trash, where it can be restored until `purge_at`. A job that a worker
        has must be cancelled first."""
        guards = (cls.id == job_id, cls.status != Status.PROCESSING)
        job = cls._change(guards, now, deleted_at=now, purge_at=purge_at, enqueued_at=None, next_retry_at=None)
        if job:
            record_deletion(job, now)
            timeline.record(job.id, EventKind.TRASHED, now, actor)
            send.job_moved_on(job, now)
        return job

    @classmethod
    def restore(cls, job_id: int, actor: str, now: datetime) -> Self | None:
        """Take the job out of the trash, as it was when it was put there."""
        job = cls._change_any((cls.id == job_id, cls.purge_at.is_not(None)), now, deleted_at=None, purge_at=None)
        if job:
            record_restoration(job)
            timeline.record(job.id, EventKind.RESTORED, now, actor)
        return job

    @classmethod
    def purge(cls, job_id: int, actor: str | None, now: datetime) -> Self | None:
        """Remove the job from the trash for good; no actor: its days there are over."""
        job = cls._change_any((cls.id == job_id, cls.purge_at.is_not(None)), now, deleted_at=now, purge_at=None)
        if job:
            timeline.record(job.id, EventKind.DELETED, now, actor, file_name=job.file_name, ready=job.processed_numbers)
        return job

    # ── shared by the verbs ─────────────────────────────────────────────────────────────────────────────────────────

    @classmethod
    def _change(cls, guards: Sequence[ColumnElement[bool]], now: datetime, **values: Any) -> Self | None:
        return cls._change_any((*guards, cls.deleted_at.is_(None)), now, **values)

    @classmethod
    def _change_any(cls, guards: Sequence[ColumnElement[bool]], now: datetime, **values: Any) -> Self | None:
        statement = update(cls).where(*guards).values(updated_at=now, **values).returning(cls)
        options = {"populate_existing": True, "synchronize_session": False}
        job = db.session.scalars(statement, execution_options=options).one_or_none()
        if job:
            changes.note(job.id, job.user_id)
        return job

    @classmethod
    def _move(
        cls, job_id: int, after: Status, now: datetime, *guards: ColumnElement[bool], **values: Any
    ) -> Self | None:
        where = (cls.id == job_id, cls.status.in_(statuses_before(after)), *guards)
        return cls._change(where, now, status=after, **values)

    @classmethod
    def _end_unanswered(
        cls,
        after: Status,
        end: AttemptEnd,
        guards: Sequence[ColumnElement[bool]],
        job_id: int,
        cause: str,
        now: datetime,
        backoff: Backoff,
        actor: str | None = None,
        why: str | None = None,
    ) -> Self | None:
        """End an attempt as failed or timed out: with a time for the next retry, or for good and with a notice."""
        # Locked, because the wait depends on a budget that an admin may be changing right now.
        seen = db.session.get(cls, job_id, populate_existing=True, with_for_update={"key_share": True, "of": cls})
        if seen is None:
            return None
        next_retry_at = retries.next_retry_at(seen, now, backoff)
        values: dict[str, Any] = {"lease_until": None, "last_error": cause, "next_retry_at": next_retry_at}
        values |= {"waits_since": None, "not_before": None, "wait_cause": None}
        job = cls._change(guards, now, status=after, **values)
        if job:
            job._close_attempt(end, now, cause)
            until = next_retry_at.isoformat() if next_retry_at else None
            facts = {"attempt": job.attempt, "cause": cause, "until": until, "why": why}
            timeline.record(job.id, EventKind(after), now, actor, ready=job.processed_numbers, **facts)
            update_metrics(job, now)
            if next_retry_at is None:
                send.job_failed(job, now)
        return job

    def _close_attempt(self, end: AttemptEnd, now: datetime, cause: str | None = None) -> None:
        timeline.close_attempt(self.id, self.attempt, end, self.processed_numbers, now, cause)
