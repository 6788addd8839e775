"""An attempt's turn: after a minute it gives its worker back, if another person's file waits for one.

A person who is alone on the portal keeps it; a job that gives way goes to the back of the queue and uses no retry. An
attempt in which nothing comes in may give way for `timeout_minutes` in all, as each turn starts its time-out anew.
"""

from datetime import datetime, timedelta

from sqlalchemy import exists, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import aliased

from portal.database import reading
from portal.jobs.models import ScrapingJob
from portal.jobs.shares import Holding
from portal.jobs.turns import is_needed_elsewhere

LOOK_SECONDS = 5.0
WAITED = timedelta(seconds=10)  # a worker that is free takes a job sooner: its owner does not wait


class Turn:
    """The turn of one worker on an attempt. Without `seconds` it never ends."""

    def __init__(self, holding: Holding, seconds: float | None, began_at: datetime) -> None:
        self._holding, self._job_id = holding, holding.job_id
        self._ends = seconds is not None
        self._look_at = began_at + timedelta(seconds=seconds) if seconds is not None else None

    def is_over(self, now: datetime) -> bool:
        """Whether the attempt should give way. Asks the database every few seconds, once its time is up."""
        if self._look_at is None or now < self._look_at:
            return False
        self._look_at = now + timedelta(seconds=LOOK_SECONDS)
        other = aliased(ScrapingJob)
        waits = exists().where(
            *other.claimable(now), other.user_id != ScrapingJob.user_id, other.enqueued_at <= now - WAITED
        )
        own = (
            ScrapingJob.waits_since, ScrapingJob.timeout_minutes, ScrapingJob.processed_numbers,
            ScrapingJob.processed_at_claim,
        )  # fmt: skip
        try:
            with reading() as session:
                job = session.execute(select(*own).where(ScrapingJob.id == self._job_id, waits)).one_or_none()
        except SQLAlchemyError:  # the database is away: nobody can take over either
            return False
        if job is None:
            return False
        moves = job.processed_numbers > job.processed_at_claim or job.waits_since is None
        return moves or now - job.waits_since < timedelta(minutes=job.timeout_minutes)

    def should_leave(self, now: datetime) -> bool:
        """Whether the worker should go, between two shares, to a file that needs it more, because the attempt has
        others. Asks the database."""
        if not self._ends:
            return False
        try:
            return is_needed_elsewhere(self._job_id, self._holding.attempt, now)
        except SQLAlchemyError:
            return False
