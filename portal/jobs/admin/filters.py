"""Filters of the administrators' list of jobs, as conditions of a query. The list, its counts, the grid of causes and
bulk actions on all matching jobs share them, so that they agree.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Self

from sqlalchemy import ColumnElement, or_, select, true

from portal.accounts import User
from portal.database import among, db
from portal.ids import MAX_INTEGER, id_in
from portal.jobs.core.job_tables import Number
from portal.jobs.core.status import RETRYABLE, Status
from portal.jobs.models import ScrapingJob
from portal.jobs.queries import containing

MATCHING_OWNERS = 200  # owners that one part of an e-mail address may match


@dataclass(frozen=True)
class Filters:
    """Filters; an unset field does not filter. `e164` is a telephone number that the file must contain."""

    status: Status | None = None
    name: str = ""  # part of the file's name, or a job's id
    user: str = ""  # part of the owner's address
    source: str = ""
    cause: str | None = None  # of jobs that failed or timed out; "" for those without a cause
    job_id: int | None = None
    e164: str | None = None
    since: datetime | None = None  # created
    until: datetime | None = None
    changed_since: datetime | None = None
    still_open: bool = False  # failed or timed out
    stopped: bool = False  # only failed or timed out jobs that are not retried automatically

    @property
    def named_id(self) -> int | None:
        """The job id that `name` may also mean."""
        return id_in(self.name)

    @property
    def only_status(self) -> bool:
        """Whether only the status filters."""
        return self.as_json().keys() <= {"status"}

    def as_json(self) -> dict[str, Any]:
        """Return the fields that are set, in a form that a table can store."""
        kept = {one.name: getattr(self, one.name) for one in fields(self)}
        kept = {name: value for name, value in kept.items() if value or (name == "cause" and value is not None)}
        return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in kept.items()}

    @classmethod
    def from_json(cls, kept: dict[str, Any]) -> Self:
        """Return the filters stored by `as_json`."""
        known = {one.name for one in fields(cls)}
        given = {name: value for name, value in kept.items() if name in known}
        for name in ("since", "until", "changed_since"):
            if name in given:
                given[name] = datetime.fromisoformat(given[name])
        if given.get("status"):
            given["status"] = Status(given["status"])
        return cls(**given)


def conditions(wanted: Filters, *, with_name: bool = True) -> list[ColumnElement[bool]]:
    """Return the filters as conditions on ScrapingJob. `with_name=False` leaves out the name (it has no index)."""
    job = ScrapingJob
    there = job.deleted_at.is_(None)
    still_open = wanted.still_open or wanted.stopped or wanted.cause is not None
    # Worded differently for open jobs: otherwise SQLite prefers the index by status and sorts all of them. Worded like
    # this, only the indexes of open jobs fit, which have them in order.
    where: list[ColumnElement[bool]] = [there.is_(true()) if still_open else there]
    if wanted.status is not None:
        where.append(job.status == wanted.status)
    if wanted.job_id is not None:
        where.append(job.id == (wanted.job_id if 0 < wanted.job_id <= MAX_INTEGER else -1))
    if wanted.user:
        where.append(_owned_by(wanted.user))
    if wanted.source:
        where.append(job.source == wanted.source)
    if wanted.e164:
        where.append(job.id.in_(select(Number.job_id).where(Number.e164 == wanted.e164)))
    if wanted.since is not None:
        where.append(job.created_at >= wanted.since)
    if wanted.until is not None:
        where.append(job.created_at < wanted.until)
    if wanted.changed_since is not None:
        where.append(job.updated_at >= wanted.changed_since)
    if still_open:
        where.append(among(job.status, RETRYABLE))  # worded like the indexes of open jobs
    if wanted.stopped:
        where.append(job.next_retry_at.is_(None))
    if wanted.cause is not None:
        where.append(job.last_error == wanted.cause if wanted.cause else job.last_error.is_(None))
    if wanted.name and with_name:
        named = containing(job.file_name, wanted.name)
        where.append(named if wanted.named_id is None else or_(named, job.id == wanted.named_id))
    return where


def _owned_by(part: str) -> ColumnElement[bool]:
    people = select(User.id).where(containing(User.email, part)).order_by(User.id).limit(MATCHING_OWNERS)
    found: Sequence[int] = db.session.scalars(people).all()
    return ScrapingJob.user_id == found[0] if len(found) == 1 else ScrapingJob.user_id.in_(found)
