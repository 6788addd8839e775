"""Files that are paused at a spending cap: they continue once there is room again, as the cap was raised, a month has
begun, or another file has given back what it had reserved."""

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import select

from portal.causes import CauseCode
from portal.database import among, db
from portal.jobs.core.status import WAITING
from portal.jobs.models import ScrapingJob
from portal.jobs.spending.room import room_of

AT_ONCE = 500


def lift_caps(now: datetime) -> Iterator[ScrapingJob]:
    """Let the files continue that have room for one more number. Commits after each."""
    paused = (
        among(ScrapingJob.status, WAITING), ScrapingJob.paused_at.is_not(None),
        ScrapingJob.wait_cause == CauseCode.CAP_REACHED, ScrapingJob.deleted_at.is_(None),
    )  # fmt: skip
    waiting = select(ScrapingJob.id).where(*paused).order_by(ScrapingJob.updated_at).limit(AT_ONCE)
    for job_id in list(db.session.scalars(waiting)):
        job = db.session.get(ScrapingJob, job_id, populate_existing=True)
        lifted = ScrapingJob.lift_cap(job_id, now) if job is not None and not room_of(job, now).reached else None
        db.session.commit()
        if lifted is not None:
            yield lifted
