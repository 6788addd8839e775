"""What every verb of a job is made of: the conditions under which it may move, and the guarded UPDATE.

The event, the attempt's end and the notice are written in the transaction of the UPDATE. Nothing here commits.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Self

from sqlalchemy import ColumnElement, and_, exists, func, not_, or_, update
from sqlalchemy.ext.hybrid import hybrid_property

from portal.causes import IN_TROUBLE, CauseCode
from portal.database import among, db
from portal.jobs.core import changes, ledger, timeline
from portal.jobs.core.job_columns import JobColumns
from portal.jobs.core.job_tables import AttemptEnd, EventKind, Opening
from portal.jobs.core.retry_backoff import Backoff
from portal.jobs.core.status import RETRYABLE, WAITING, Status, statuses_before
from portal.jobs.lifecycle import retries
from portal.jobs.metrics.record import update_metrics
from portal.jobs.notify import send
from portal.sources.pause import paused_source_names
from portal.sources.several import BETWEEN


class Guards(JobColumns):
    """The conditions of a job's verbs, and how they write."""

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

    @classmethod
    def held_up(cls) -> tuple[ColumnElement[bool], ...]:
        """Conditions that hold for a job that one of its several sources holds up, and that has another behind it.
        `derived.actions` says the same of one job."""
        position = func.length(cls.chain) - func.length(func.replace(cls.chain, BETWEEN, "")) + 1
        starts_later = func.coalesce(cls.wait_cause, "") == CauseCode.STARTS_LATER
        paused = and_(cls.source.in_(paused_source_names()), not_(starts_later))
        waits = and_(cls.paused_at.is_(None), or_(cls.wait_cause.in_(IN_TROUBLE), paused))
        capped = and_(cls.paused_at.is_not(None), cls.wait_cause == CauseCode.CAP_REACHED)
        ended = func.coalesce(cls.last_error, "") != CauseCode.SOURCE_SKIPPED
        return (
            cls.chain != "", cls.step < position, cls.processed_numbers < cls.total_numbers, cls.deleted_at.is_(None),
            or_(and_(cls.status.in_(WAITING), or_(waits, capped)), and_(cls.status.in_(RETRYABLE), ended)),
        )  # fmt: skip

    @hybrid_property
    def waiting_numbers(self) -> int:
        """Rows not looked up yet, without the rows that failed. The class has it as SQL."""
        return self.total_numbers - self.processed_numbers - self.failed_count

    @classmethod
    def is_open(cls) -> ColumnElement[bool]:
        """Whether, as SQL, the job's ledger is whole: the first worker of a large file opens it."""
        return ~exists().where(Opening.job_id == cls.id).correlate(cls)

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
        if seen.chain and cause == CauseCode.NUMBERS_UNANSWERED and not ledger.may_retry(job_id):
            cause, next_retry_at = CauseCode.SOURCE_SKIPPED, None
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
