"""With which versions of its source's data a job was looked up. A new job has the one of its start; an attempt that
works with another one adds it."""

from sqlalchemy import update

from portal.database import changed_rows, db
from portal.jobs.core.job_columns import VERSION_LENGTH
from portal.jobs.models import ScrapingJob

MOST = 5  # versions that are remembered, the last ones
BETWEEN = "; "  # a version may have commas


def is_last(known: str, version: str) -> bool:
    """Whether a version is the last one that a job knows."""
    return known.rpartition(BETWEEN)[2] == version[:VERSION_LENGTH]


def note(job_id: int, attempt: int, known: str, version: str) -> None:
    """Add the version that an attempt works with. A late worker adds nothing. Commits."""
    versions = [one for one in known.split(BETWEEN) if one]
    text = BETWEEN.join([*versions, version[:VERSION_LENGTH]][-MOST:])
    own = update(ScrapingJob).where(ScrapingJob.id == job_id, ScrapingJob.attempt == attempt)
    changed_rows(own.values(source_versions=text, updated_at=ScrapingJob.updated_at))
    db.session.commit()
