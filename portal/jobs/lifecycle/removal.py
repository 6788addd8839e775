"""The verbs that remove a job from the pages; `erasure` deletes its rows and its file."""

from datetime import datetime
from typing import Self

from portal.jobs.core import timeline
from portal.jobs.core.job_tables import EventKind
from portal.jobs.core.status import ENDED, Status
from portal.jobs.lifecycle.guards import Guards
from portal.jobs.metrics.record import record_deletion, record_restoration
from portal.jobs.notify import send


class Removal(Guards):
    """How a job is removed, and comes back from the trash."""

    @classmethod
    def delete(cls, job_id: int, actor: str, now: datetime, *, why: str | None = None) -> Self | None:
        """Remove the job from every page. A job that a worker has must be cancelled first."""
        guards = (cls.id == job_id, cls.status != Status.PROCESSING)
        job = cls._change(guards, now, deleted_at=now, enqueued_at=None, next_retry_at=None)
        if job:
            record_deletion(job, now)
            facts = {"file_name": job.file_name, "ready": job.processed_numbers, "why": why}
            timeline.record(job.id, EventKind.DELETED, now, actor, **facts)
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
    def trash(
        cls, job_id: int, purge_at: datetime, actor: str, now: datetime, *, why: str | None = None
    ) -> Self | None:
        """Remove the job from every page but the trash, where it can be restored until `purge_at`. A job that a worker
        has must be cancelled first."""
        guards = (cls.id == job_id, cls.status != Status.PROCESSING)
        job = cls._change(guards, now, deleted_at=now, purge_at=purge_at, enqueued_at=None, next_retry_at=None)
        if job:
            record_deletion(job, now)
            timeline.record(job.id, EventKind.TRASHED, now, actor, why=why)
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
