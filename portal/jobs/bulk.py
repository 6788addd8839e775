"""One verb over many jobs, for admins: the same commands as for one, and an account of what was done and what was not.

The jobs are looked at anew, one after the other: what moved on since the list was drawn is skipped, never forced.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from portal.accounts import User
from portal.jobs import commands, queries
from portal.jobs.models import ScrapingJob
from portal.jobs.status import RETRYABLE, Status

AT_ONCE = 500  # a press of a button must come back; what is over the cap is left for the next press
RETRY_FIRST = (*RETRYABLE, Status.CANCELLED)  # of all that match, those that the verb can move at all
TIME_OUT_FIRST = (Status.PROCESSING,)


@dataclass
class Account:
    """What became of a bulk action. `skipped` has each job that did not move, with the status it stands in."""

    done: list[int] = field(default_factory=list)
    skipped: list[tuple[int, str, Status]] = field(default_factory=list)

    @property
    def full(self) -> bool:
        """Whether as many were done as one press does: there may be more."""
        return len(self.done) == AT_ONCE


def retry_all(admin: User, job_ids: list[int], why: str | None, now: datetime) -> Account:
    """Retry each of the jobs that can be retried."""

    def verb(job: ScrapingJob) -> ScrapingJob | None:
        return commands.retry(job.id, job.round, admin.email, now, why=why or None)

    return _over(admin, job_ids, verb)


def time_out_all(admin: User, job_ids: list[int], why: str, now: datetime) -> Account:
    """End the attempt of each of the jobs that a worker has."""

    def verb(job: ScrapingJob) -> ScrapingJob | None:
        return commands.time_out(job.id, admin.email, why, now)

    return _over(admin, job_ids, verb)


def _over(admin: User, job_ids: list[int], verb: Callable[[ScrapingJob], ScrapingJob | None]) -> Account:
    account = Account()
    for job_id in job_ids[:AT_ONCE]:
        job = queries.find_job(admin, job_id)
        if job is None:  # deleted meanwhile: there is nothing to tell of it
            continue
        name, status = job.file_name, job.status
        if verb(job) is not None:
            account.done.append(job_id)
        else:
            after = queries.find_job(admin, job_id)
            account.skipped.append((job_id, name, after.status if after else status))
    return account
