"""Where the index of a result is kept, and who makes it: the page of a small one itself, a worker that of a large one.

It lies beside the person's file under one name for each job, and says of which answers it is: one of others is made
anew. Whoever loses it loses nothing.
"""

from contextlib import suppress
from pathlib import Path

import structlog
from sqlalchemy import select

from portal.database import db, reading
from portal.documents.storage import Storage, result_part
from portal.jobs.core.derived import is_unfinished
from portal.jobs.dispatch import push_result
from portal.jobs.models import ScrapingJob
from portal.jobs.result.builder import build, version_of
from portal.jobs.result.index_file import ResultIndex, Unusable

log = structlog.get_logger(__name__)

SMALL = 20_000  # cells: a second of work, which is less than a person waits for a worker


def open_index(job: ScrapingJob, storage: Storage, *, make: bool = True) -> ResultIndex | None:
    """Open the index of an ended job; make it first if the job is small, unless `make` says not to. None: it is made
    later, or cannot be written now."""
    if is_unfinished(job):
        return None
    key, part = job.document.storage_key, result_part(job.id)
    found = _opened(job, storage.path(key, part))
    if found is not None or not make:
        return found
    try:
        if job.total_numbers <= SMALL:
            return _opened(job, build(job, storage))
        with suppress(FileNotFoundError):  # no machine has made it yet
            found = _opened(job, storage.replace_derived(key, part))
    except OSError as error:
        log.warning("a result cannot be prepared", job=job.id, error=str(error))
        return None
    if found is None:
        push_result(job.id, version_of(job))
    return found


def ask_for(job_id: int) -> None:
    """Let a worker prepare the result of a large job that has just ended."""
    with reading() as session:
        large = (ScrapingJob.id == job_id, ScrapingJob.total_numbers > SMALL)
        job = session.scalar(select(ScrapingJob).where(*large))
    if job is not None and not is_unfinished(job):
        push_result(job.id, version_of(job))


def prepare(job_id: int, storage: Storage) -> None:
    """Prepare the result of a job for the pages of all machines, if nobody has."""
    job = db.session.get(ScrapingJob, job_id)
    if job is None or job.deleted_at is not None or is_unfinished(job):
        return
    key, part = job.document.storage_key, result_part(job.id)
    found = _opened(job, storage.path(key, part))
    if found is None:
        build(job, storage)
        storage.put_derived(key, part)
    else:
        found.__exit__()


def _opened(job: ScrapingJob, path: Path) -> ResultIndex | None:
    try:
        found = ResultIndex(path)
    except (FileNotFoundError, Unusable):
        return None
    if found.facts["version"] == version_of(job):
        return found
    found.__exit__()
    return None
