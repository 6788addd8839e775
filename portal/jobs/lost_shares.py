"""What is left of an attempt's holders and shares: the sweep takes those of lost workers back, and deletes old ones."""

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import delete, exists, select, update

from portal.database import changed_rows, db
from portal.jobs.core.share_tables import Holder, Share
from portal.jobs.core.status import Status
from portal.jobs.models import ScrapingJob
from portal.jobs.shares import Holding


def take_back_lost(now: datetime) -> Iterator[Holder]:
    """Let others take the shares of workers that have stopped beating, where their jobs go on. Commits after each."""
    lost = list(db.session.scalars(select(Holder).where(Holder.lease_until < now).limit(500)))
    for holder in lost:
        holding = Holding(holder.job_id, holder.attempt, holder.token)
        db.session.expunge(holder)
        if changed_rows(delete(Holder).where(*holding.fence, Holder.lease_until < now)) == 1:
            ScrapingJob.blame(holder.job_id, holder.attempt, holder.token, now)
            changed_rows(update(Share).where(*holding.shares).values(holder=None))
            db.session.commit()
            yield holder
        db.session.commit()


def delete_old() -> None:
    """Delete the holders and shares of attempts that are over. Commits."""
    for table in (Holder, Share):
        own = (ScrapingJob.id == table.job_id, ScrapingJob.attempt == table.attempt)
        goes_on = exists().where(*own, ScrapingJob.status == Status.PROCESSING).correlate(table)
        changed_rows(delete(table).where(~goes_on))
        db.session.commit()


def erase(job_id: int) -> None:
    """Delete what is left of a job's holders and shares."""
    for table in (Holder, Share):
        changed_rows(delete(table).where(table.job_id == job_id))
