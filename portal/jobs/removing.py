"""The verbs that take a job out of everybody's sight: a person deletes it, or its days are over. Its status stays, and
with it what the figures count. What becomes of its rows and its file, `erasing` knows.
"""

from datetime import datetime
from typing import Self

from portal.jobs.core import timeline
from portal.jobs.core.status import ENDED, Status
from portal.jobs.metrics.counting import keep_deletion
from portal.jobs.moving import Moving
from portal.jobs.notify import telling


class Removing(Moving):
    """The two verbs."""

    @classmethod
    def delete(cls, job_id: int, actor: str, now: datetime) -> Self | None:
        """Take the job out of everybody's sight; one that a worker has must be cancelled first."""
        guards = (cls.id == job_id, cls.status != Status.PROCESSING)
        job = cls._change(guards, now, deleted_at=now, enqueued_at=None, next_retry_at=None)
        if job:
            keep_deletion(job, now)
            timeline.record(job.id, "deleted", now, actor, file_name=job.file_name, ready=job.processed_numbers)
            telling.job_moved_on(job, now)
        return job

    @classmethod
    def expire(cls, job_id: int, ended_before: datetime, now: datetime) -> Self | None:
        """The days for which an ended job is kept are over. None when it goes on again, or ended anew since."""
        ended = (cls.id == job_id, cls.status.in_(ENDED), cls.next_retry_at.is_(None), cls.ended_at <= ended_before)
        job = cls._change(ended, now, deleted_at=now, expired_at=now, enqueued_at=None, paused_at=None)
        if job:
            keep_deletion(job, now)
            timeline.record(job.id, "expired", now, ready=job.processed_numbers)
        return job
