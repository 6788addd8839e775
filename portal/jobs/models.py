"""`ScrapingJob`: one document being looked up at one source, with the methods that the seed gave it."""

from datetime import datetime, timedelta

from flask import current_app
from sqlalchemy import Connection, Index, event, update
from sqlalchemy.orm import Mapped, relationship

from portal.accounts import User
from portal.clock import utcnow
from portal.database import Model, db, enum_check, partial_index
from portal.documents.choice import SheetChoice, restored
from portal.documents.models import Document
from portal.jobs.core.hand_edits import reconcile
from portal.jobs.core.retry_backoff import Backoff
from portal.jobs.core.status import RETRYABLE, WAITING, Status
from portal.jobs.lifecycle import Lifecycle
from portal.jobs.metrics.record import update_metrics
from portal.seed_compat import Objects

BY_HAND = "shell"  # the worker's name in an attempt that was begun by hand


_HIDDEN = "deleted_at IS NOT NULL AND total_numbers = 0"  # being opened, by `jobs.opening`
_NOT_DELETED = "deleted_at IS NULL"
_IN_TRASH = "purge_at IS NOT NULL"
_FAILED = "status IN ('failed', 'timeout')"

_STOPPED = "status IN ('failed', 'timeout') AND next_retry_at IS NULL AND deleted_at IS NULL"
_GOING_ON = "ended_at IS NULL AND deleted_at IS NULL"
_UNCOUNTED = "status IN ('completed', 'failed', 'timeout', 'cancelled') AND next_retry_at IS NULL AND ended_at IS NULL"
_REOPENED = "status IN ('pending', 'processing', 'retrying') AND ended_at IS NOT NULL"
_TO_EXPIRE = "ended_at IS NOT NULL AND deleted_at IS NULL"


class ScrapingJob(Lifecycle, Model):
    """One document being looked up at one source."""

    __tablename__ = "scraping_jobs"

    document: Mapped[Document] = relationship()
    user: Mapped[User] = relationship()

    objects = Objects()

    # Each step of the sweep has its own small index and reads in that index's order; a full scan of a million
    # jobs costs five hundred times as much.
    __table_args__ = (
        enum_check("status", Status),
        Index("ix_jobs_of_user", "user_id", "id"),
        Index("ix_jobs_of_source", "source", "updated_at"),
        partial_index("ix_jobs_held", "lease_until", where="status = 'processing'"),
        partial_index(
            "ix_jobs_due", "next_retry_at", where="status IN ('failed', 'timeout') AND next_retry_at IS NOT NULL"
        ),
        partial_index(
            "ix_jobs_waiting", "enqueued_at", where="status IN ('pending', 'retrying') AND paused_at IS NULL"
        ),
        partial_index("ix_jobs_in_turn", "user_id", where="status IN ('pending', 'retrying') AND paused_at IS NULL"),
        partial_index("ix_jobs_of_repeat", "repeat_id", "repeat_at", where="repeat_id IS NOT NULL"),
        partial_index("ix_jobs_hidden", "created_at", where=_HIDDEN),
        partial_index(
            "ix_jobs_waits_since", "waits_since", where="status IN ('pending', 'retrying') AND waits_since IS NOT NULL"
        ),
        partial_index(
            "ix_jobs_not_before", "not_before", where="status IN ('pending', 'retrying') AND not_before IS NOT NULL"
        ),
        partial_index("ix_scraping_jobs_deleted_at", "deleted_at", where="deleted_at IS NOT NULL"),
        # For the metrics: unfinished jobs, jobs not counted yet, and jobs counted but active again; then for expiry.
        partial_index("ix_jobs_going_on", "status", "user_id", "deleted_at", "ended_at", where=_GOING_ON),
        partial_index("ix_jobs_uncounted", "id", where=_UNCOUNTED),
        partial_index("ix_jobs_reopened", "id", where=_REOPENED),
        partial_index("ix_jobs_to_expire", "user_id", "ended_at", "deleted_at", where=_TO_EXPIRE),
        # The admins' list has one for each filter and order. The columns that a count filters by are in the index too:
        # otherwise SQLite would look up each row.
        partial_index("ix_jobs_by_created", "created_at", "id", "deleted_at", where=_NOT_DELETED),
        partial_index("ix_jobs_by_status", "status", "created_at", "id", "deleted_at", where=_NOT_DELETED),
        partial_index("ix_jobs_by_user", "user_id", "created_at", "id", "status", "deleted_at", where=_NOT_DELETED),
        partial_index("ix_jobs_by_source", "source", "created_at", "id", "status", "deleted_at", where=_NOT_DELETED),
        partial_index("ix_jobs_by_updated", "updated_at", "id", where=_NOT_DELETED),
        # A person's own list: what stopped, by status, by name, and what a search looks in; then the trash.
        partial_index("ix_jobs_stopped", "user_id", "created_at", "id", where=_STOPPED),
        partial_index(
            "ix_jobs_of_user_status", "user_id", "status", "created_at", "id", "search_text", where=_NOT_DELETED
        ),
        partial_index("ix_jobs_of_user_name", "user_id", "search_text", "id", where=_NOT_DELETED),
        partial_index("ix_jobs_of_user_text", "user_id", "created_at", "id", "search_text", where=_NOT_DELETED),
        partial_index("ix_jobs_in_trash", "user_id", "purge_at", where=_IN_TRASH),
        partial_index("ix_jobs_to_purge", "purge_at", where=_IN_TRASH),
        partial_index("ix_jobs_by_name", "file_name", "id", where=_NOT_DELETED),
        partial_index(
            "ix_jobs_open", "updated_at", "id", "last_error", "next_retry_at", "status", "deleted_at", where=_FAILED
        ),
        partial_index(
            "ix_jobs_by_cause", "last_error", "updated_at", "id", "status", "next_retry_at", "deleted_at", where=_FAILED
        ),
    )

    @property
    def choice(self) -> SheetChoice:
        """What was chosen on the check page of the job's document, which must still be there."""
        sheets = self.document.sheets
        where = (self.sheet, self.header_row, self.columns)
        return restored(sheets, *where, self.country, self.country_column, self.left_out)

    def is_timed_out(self, now: datetime | None = None, timeout_minutes: int | None = None) -> bool:
        """Whether a worker has the job while no row came in for `timeout_minutes` (default: the job's own), counted
        from the last row that came in or, before the first one, from the start."""
        known = [moment for moment in (self.started_at, self.last_progress_at) if moment]
        if self.status != Status.PROCESSING or not known:
            return False
        return (now or utcnow()) - max(known) > timedelta(minutes=timeout_minutes or self.timeout_minutes)

    def can_retry(self) -> bool:
        """Whether an automatic retry is left."""
        return self.status in RETRYABLE and self.retry_count < self.max_retries

    # The seed's methods, for the shell: the usual verbs, committed at once. Each returns whether the job moved.

    def mark_as_processing(self) -> bool:
        """Begin an attempt by hand."""
        lease = current_app.config["SCRAPING_LEASE_SECONDS"]
        return self._by_hand(type(self).claim(self.id, self.attempt, utcnow(), worker=BY_HAND, lease_seconds=lease))

    def mark_as_completed(self) -> bool:
        """End the attempt, if every row has a final answer."""
        return self._by_hand(type(self).complete(self.id, self.attempt, utcnow()))

    def mark_as_failed(self, error: str) -> bool:
        """End the attempt as failed, with an error in words. A job that no worker has is claimed first."""
        self._claim_if_waiting()
        return self._by_hand(type(self).fail(self.id, self.attempt, error, utcnow(), backoff()))

    def mark_as_timeout(self) -> bool:
        """End the attempt as timed out. A job that no worker has is claimed first."""
        self._claim_if_waiting()
        seen = self.last_progress_at
        return self._by_hand(type(self).time_out(self.id, self.attempt, seen, utcnow(), backoff()))

    def increment_retry(self) -> bool:
        """Start the next automatic retry now, without waiting for its time."""
        return self._by_hand(type(self).retry_when_due(self.id, utcnow(), at_once=True))

    def save(self) -> None:
        """Commit changes made by hand, with what follows from them: a job set to failed with retries left is due. An
        error leaves the job as it is in the database."""
        try:
            reconcile(self, utcnow())
            db.session.add(self)
            db.session.flush()
            update_metrics(self, utcnow())
            db.session.commit()
        except Exception:
            db.session.rollback()
            raise

    def _claim_if_waiting(self) -> None:
        if self.status in WAITING:
            self.mark_as_processing()

    def _by_hand(self, moved: object) -> bool:
        db.session.commit()
        return moved is not None


@event.listens_for(ScrapingJob, "after_insert")
def _mark_started(_: object, connection: Connection, job: ScrapingJob) -> None:
    """Mark the document of a job that was added in the shell. One that a page makes is hidden until it is open."""
    if job.total_numbers:
        new = (Document.id == job.document_id, Document.first_job_at.is_(None))
        connection.execute(update(Document).where(*new).values(first_job_at=job.created_at))


def backoff() -> Backoff:
    """Return the backoff of this portal's settings."""
    return Backoff(base_seconds=current_app.config["SCRAPING_RETRY_SECONDS"])
