"""How a job moves: the guarded UPDATE that every verb of `lifecycle` is made of, and the one way out of an attempt.

It gives no verb of its own: which status comes after which is said in `lifecycle`.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Self

from sqlalchemy import ColumnElement, update

from portal.database import db
from portal.jobs.core import timeline
from portal.jobs.core.backoff import Backoff
from portal.jobs.core.columns import JobColumns
from portal.jobs.core.status import Status, sources_of
from portal.jobs.core.tables import AttemptEnd
from portal.jobs.metrics.counting import keep_count
from portal.jobs.notify import telling


class Moving(JobColumns):
    """What the verbs share."""

    @classmethod
    def held_by(cls, job_id: int, attempt: int) -> tuple[ColumnElement[bool], ...]:
        """The fence: true only while this very attempt has the job. Every write of an attempt carries it."""
        return (cls.id == job_id, cls.attempt == attempt, cls.status == Status.PROCESSING)

    @classmethod
    def _change(cls, guards: Sequence[ColumnElement[bool]], now: datetime, **values: Any) -> Self | None:
        statement = update(cls).where(*guards, cls.deleted_at.is_(None)).values(updated_at=now, **values).returning(cls)
        options = {"populate_existing": True, "synchronize_session": False}
        return db.session.scalars(statement, execution_options=options).one_or_none()

    @classmethod
    def _move(
        cls, job_id: int, after: Status, now: datetime, *guards: ColumnElement[bool], **values: Any
    ) -> Self | None:
        where = (cls.id == job_id, cls.status.in_(sources_of(after)), *guards)
        return cls._change(where, now, status=after, **values)

    @classmethod
    def _give_up(
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
        """End an attempt as failed or timed out: with the next retry's moment, or for good and with a notice."""
        # Locked, as the wait is reckoned from a budget that an admin may change at this moment.
        seen = db.session.get(cls, job_id, populate_existing=True, with_for_update={"key_share": True, "of": cls})
        if seen is None:
            return None
        retries_left = seen.retry_count < seen.max_retries
        wait = backoff.wait_seconds(seen.retry_count + 1) if retries_left else 0.0
        next_retry_at = now + timedelta(seconds=wait) if retries_left else None
        values = {"lease_until": None, "last_error": cause, "next_retry_at": next_retry_at}
        job = cls._change(guards, now, status=after, **values)
        if job:
            job._close(end, now, cause)
            until = next_retry_at.isoformat() if next_retry_at else None
            facts = {"attempt": job.attempt, "cause": cause, "until": until, "why": why}
            timeline.record(job.id, after.value, now, actor, ready=job.processed_numbers, **facts)
            keep_count(job, now)
            if next_retry_at is None:
                telling.job_failed(job, now)
        return job

    def _close(self, end: AttemptEnd, now: datetime, cause: str | None = None) -> None:
        timeline.close_attempt(self.id, self.attempt, end, self.processed_numbers, now, cause)

    @property
    def waiting_numbers(self) -> int:
        """Rows not looked up yet; rows that failed are counted apart."""
        return self.total_numbers - self.processed_numbers - self.failed_count
