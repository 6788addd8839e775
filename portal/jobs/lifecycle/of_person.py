"""The verbs of a job's owner and of administrators, without those that remove it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Self

from sqlalchemy import and_, case, func, or_

from portal.causes import CauseCode
from portal.database import db
from portal.jobs.core import corrected_cells, ledger, steps, timeline
from portal.jobs.core.corrected_cells import Place
from portal.jobs.core.hand_edits import plan_retry
from portal.jobs.core.job_columns import COUNTERS
from portal.jobs.core.job_tables import AttemptEnd, EventKind, Opening
from portal.jobs.core.retry_backoff import Backoff
from portal.jobs.core.status import ENDED, RETRYABLE, WAITING, Status, statuses_before
from portal.jobs.lifecycle.guards import Guards
from portal.jobs.metrics.record import recount, update_metrics
from portal.jobs.notify import send
from portal.sources.base import FINAL

# What a person's press gives a job that waits for a worker from then on.
_FRESH: dict[str, Any] = {"retry_count": 0, **dict.fromkeys((
    "next_retry_at", "not_before", "wait_cause", "waits_since", "paused_at", "enqueued_at", "last_error",
    "skipped_step",
))}  # fmt: skip


class PersonVerbs(Guards):
    """What a person does with a job."""

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
            steps.place(job)
            update_metrics(job, now)  # after the rows: it locks the metrics until the commit
            timeline.record(job.id, EventKind.RETRIED, now, actor, numbers=job.waiting_numbers, why=why)
            send.job_moved_on(job, now)
        return job

    @classmethod
    def skip_source(
        cls, job_id: int, seen_round: int, actor: str, now: datetime, *, why: str | None = None
    ) -> Self | None:
        """Let a job that one of its several sources holds up go on with the next one, with a fresh budget. What the
        source has answered stays; the next worker moves the rest on, by the rules of the others. `seen_round` is the
        round that the page showed, so that a second press skips nothing."""
        is_ended = cls.status.in_(RETRYABLE)
        values = {**_FRESH, "skipped_step": cls.step, "status": case((is_ended, Status.RETRYING), else_=cls.status)}
        guards = (cls.id == job_id, cls.round == seen_round, *cls.held_up())
        job = cls._change(guards, now, round=cls.round + 1, **values)
        if job:
            skipped = job.source
            job.failed_count -= ledger.reopen(job.id, step=job.step)
            steps.place(job, job.step + 1)
            update_metrics(job, now)  # after the rows: it locks the metrics until the commit
            timeline.record(job.id, EventKind.SOURCE_SKIPPED, now, actor, source=skipped, then=job.source, why=why)
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
        values["blank_count"] = max(0, seen.blank_count - change.filled)
        values["left_alone_count"] = seen.left_alone_count + change.left_alone
        values["total_numbers"] = seen.total_numbers + change.counts.total()
        values["processed_numbers"] = seen.processed_numbers + sum(change.counts[outcome] for outcome in FINAL)
        stays = seen.status == Status.COMPLETED and values["processed_numbers"] == values["total_numbers"]
        if not stays:
            values |= {"status": Status.RETRYING, "completed_at": None, **_FRESH}
        guards = (cls.id == job_id, cls.status.in_(statuses_before(Status.RETRYING)), cls.round == seen_round)
        job = cls._change(guards, now, round=cls.round + 1, **values)
        if job:
            steps.recount(job)
            steps.place(job)
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
    def pause(cls, job_id: int, actor: str, now: datetime, *, why: str | None = None) -> Self | None:
        """Ask the job to wait. A worker that has it hands it back at its next save; a due retry waits too."""
        moving = (*WAITING, Status.PROCESSING)
        may_pause = or_(cls.status.in_(moving), and_(cls.status.in_(RETRYABLE), cls.next_retry_at.is_not(None)))
        job = cls._change((cls.id == job_id, may_pause, cls.paused_at.is_(None)), now, paused_at=now)
        if job:
            timeline.record(job.id, EventKind.PAUSED, now, actor, why=why)
        return job

    @classmethod
    def resume(cls, job_id: int, actor: str, now: datetime, *, why: str | None = None) -> Self | None:
        """Let a paused job continue, or start one now that was to start later."""
        later = func.coalesce(cls.wait_cause, "") == CauseCode.STARTS_LATER
        freed = {
            "paused_at": None, "enqueued_at": None, "waits_since": None,
            "not_before": case((later, None), else_=cls.not_before),
            "wait_cause": case((later, None), else_=cls.wait_cause),
        }  # fmt: skip
        job = cls._change((cls.id == job_id, or_(cls.paused_at.is_not(None), later)), now, **freed)
        if job:
            timeline.record(job.id, EventKind.RESUMED, now, actor, why=why)
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

    @classmethod
    def set_cost_cap(
        cls,
        job_id: int,
        cost_cap: int | None,
        actor: str,
        now: datetime,
        *,
        step: int | None = None,
        why: str | None = None,
    ) -> Self | None:
        """Change the most that the job may cost, or that the one of its several sources at `step` may, in billionths of
        its currency; None: no cap of its own."""
        job = cls._change((cls.id == job_id,), now, **({} if step else {"cost_cap": cost_cap}))
        if job and step and not steps.set_cost_cap(job_id, step, cost_cap):
            return None
        if job:
            facts = {"cost_cap": cost_cap, "currency": job.currency, "why": why}
            timeline.record(job.id, EventKind.LIMITS_SET, now, actor, **facts)
        return job
