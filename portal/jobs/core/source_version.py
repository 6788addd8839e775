"""With which versions of its source's data a job was looked up: an attempt notes its own when it begins."""

from sqlalchemy import update

from portal.database import changed_rows
from portal.jobs.models import ScrapingJob

MOST = 5  # versions that are remembered, the last ones
LONGEST = 38  # letters of one


def note(job_id: int, attempt: int, known: str, version: str) -> None:
    """Note the version that an attempt works with, unless it is the last one that is known. A late worker notes
    nothing."""
    versions = [one for one in known.split(", ") if one]
    if versions[-1:] == [version[:LONGEST]]:
        return
    own = update(ScrapingJob).where(ScrapingJob.id == job_id, ScrapingJob.attempt == attempt)
    text = ", ".join([*versions, version[:LONGEST]][-MOST:])
    changed_rows(own.values(source_versions=text, updated_at=ScrapingJob.updated_at))
