"""Whose job is next: people take turns, and nobody's long files hold all workers.

A message in Redis says only that there is work. A free worker asks here which job to take: that of the person whose
jobs have the fewest workers now and, among those, who was served the longest ago. Of one person's jobs the first are
those that an administrator put first, then those whose worker was taken away, then small and nearly finished ones. It
changes nothing; the claim decides between two workers that choose the same job.
"""

import heapq
import sys
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, literal, or_, select
from sqlalchemy.orm import Session

from portal import sources
from portal.database import among, reading
from portal.jobs.core.job_tables import Attempt
from portal.jobs.core.share_tables import Holder
from portal.jobs.core.status import WAITING, Status
from portal.jobs.lifecycle.retries import goes_first
from portal.jobs.models import ScrapingJob
from portal.jobs.shares import may_be_joined

TURN_SECONDS = 60.0  # after which a file gives its worker to another person's file that waits
LONG_SECONDS = 60.0  # a job that is expected to take longer counts towards a person's limit of workers
WORTH_SECONDS = 1.0  # a file that its workers end sooner gets no further one
SHORT_WAIT = timedelta(seconds=2)  # a worker that is free takes a job sooner
MOST_AHEAD = 50  # jobs, beyond which nobody knows when one starts
MOST_JOINED = 100  # attempts looked at for one to join
LOOKED_BACK = 500  # attempts: whoever has none among them was served longest ago
NEVER = datetime(1970, 1, 1, tzinfo=UTC)

_of_attempt = and_(Holder.job_id == ScrapingJob.id, Holder.attempt == ScrapingJob.attempt)


@dataclass(frozen=True)
class Person:
    """A person with jobs that a worker could take now. Jobs that were put first are not counted."""

    user_id: int
    jobs: int  # that wait for a worker
    held: int  # workers that these have
    served_at: datetime  # when a worker last took a job of theirs
    put_first: bool = False  # whether they have a job that was put first

    @property
    def order(self) -> tuple[int, datetime, int]:
        """The lowest one is next."""
        return self.held, self.served_at, self.user_id


@dataclass(frozen=True)
class Chosen:
    """The job that a free worker should take: claim it or, when `join`, work on its attempt beside others."""

    job_id: int
    attempt: int  # the last one before the attempt that the worker is to work on
    join: bool = False


def next_job(now: datetime, limit: int, elsewhere: Collection[str] = ()) -> Chosen | None:
    """Return the job that a free worker should take. None: no job may be taken now.

    `limit`: how many workers the long files of one person may have. `elsewhere`: sources that another machine offers
    and this one does not, whose jobs are left to it.
    """
    in_queue = (*_in_queue(now), *([ScrapingJob.source.not_in(elsewhere)] if elsewhere else []))
    columns = (ScrapingJob.id, ScrapingJob.attempt)
    with reading() as session:
        people = _people(session, in_queue)
        if any(person.put_first for person in people):
            put_first = select(*columns).where(*in_queue, ScrapingJob.put_first_at.is_not(None))
            first = session.execute(put_first.order_by(ScrapingJob.put_first_at).limit(1)).one_or_none()
            if first is not None:
                return Chosen(first.id, first.attempt)
        for person in sorted(people, key=lambda one: one.order):
            mine = [ScrapingJob.user_id == person.user_id, *in_queue]
            if person.held >= limit:
                mine.append(_is_short(session.scalars(select(ScrapingJob.source).where(*mine).distinct())))
            query = select(*columns).where(*mine).order_by(*own_order()).limit(1)
            if (job := session.execute(query).one_or_none()) is not None:
                return Chosen(job.id, job.attempt)
        return _job_to_join(session, now, limit)


def next_to_join(now: datetime) -> Chosen | None:
    """Return an attempt that one more worker would end sooner, however many its owner has. None: there is none."""
    with reading() as session:
        return _job_to_join(session, now, sys.maxsize)


def _job_to_join(session: Session, now: datetime, limit: int) -> Chosen | None:
    """Choose an attempt that one more worker would end sooner: of the person with the fewest workers, and of theirs
    the one with the fewest."""
    workers_of = select(func.count()).select_from(Holder).where(_of_attempt).scalar_subquery()
    job_columns = (ScrapingJob.id, ScrapingJob.attempt, ScrapingJob.user_id, ScrapingJob.source)
    query = select(*job_columns, ScrapingJob.waiting_numbers.label("waiting"), workers_of.label("workers"))
    jobs = session.execute(query.where(*may_be_joined(now)).order_by(ScrapingJob.id).limit(MOST_JOINED)).all()
    if not jobs:
        return None
    held = _held_by_person(session)
    choice: list[tuple[int, int, int, int]] = []
    for job in jobs:
        most = sources.most_workers(job.source)
        if (most is not None and job.workers >= most) or held.get(job.user_id, 0) >= limit:
            continue
        if sources.seconds_for(job.source, job.waiting) / job.workers > WORTH_SECONDS:
            choice.append((held.get(job.user_id, 0), job.workers, job.id, job.attempt))
    if not choice:
        return None
    *_, job_id, attempt = min(choice)
    return Chosen(job_id, attempt - 1, join=True)


def is_needed_elsewhere(job_id: int, attempt: int, now: datetime) -> bool:
    """Whether an attempt that several workers work on should give one of them away: to another person, whose file waits
    and who would not have more workers then than this one's owner, or to a file of the same owner whose worker was
    taken away, which would have to wait for the end of this one."""
    with reading() as session:
        workers = select(func.count()).where(Holder.job_id == job_id, Holder.attempt == attempt)
        if (session.scalar(workers) or 0) < 2:
            return False
        owner = session.scalar(select(ScrapingJob.user_id).where(ScrapingJob.id == job_id))
        held = _held_by_person(session)
        waiting = (*_in_queue(now), ScrapingJob.enqueued_at <= now - SHORT_WAIT)
        own = select(ScrapingJob.id).where(*waiting, ScrapingJob.user_id == owner, goes_first(ScrapingJob))
        if session.scalar(own.limit(1)) is not None:
            return True
        others = set(session.scalars(select(ScrapingJob.user_id).where(*waiting).distinct())) - {owner}
        return any(held.get(user_id, 0) + 1 < held.get(owner or 0, 0) for user_id in others)


def limit_of_one_person(setting: int, workers: int) -> int:
    """How many of these workers one person's long files may have: by default (0) all but one."""
    return setting or max(1, workers - 1)


def jobs_ahead(job: ScrapingJob, now: datetime) -> int | None:
    """Count the jobs that workers take before this one, if nothing else is started. None: it does not wait for a
    worker."""
    if job.status not in WAITING:  # most pages: no need to ask the database
        return None
    with reading() as session:
        ahead = _ahead(session, job, now)
        return sum(count for _, count in ahead) if ahead is not None else None


def starts_in_seconds(job: ScrapingJob, now: datetime, workers: int, limit: int) -> float | None:
    """Estimate in how many seconds a job that waits for a worker starts: when the workers have ended the files that
    they have and those ahead, or their turns are over. `workers` are alive, and `limit` of them may have one person's
    long files. None: it does not wait for a worker, none is alive, or so many files are ahead that nobody knows."""
    if job.status not in WAITING or workers < 1:
        return None
    with reading() as session:
        ahead = _ahead(session, job, now)
        if ahead is None or sum(count for _, count in ahead) > MOST_AHEAD:
            return None
        free_at: list[float] = []
        own: list[float] = []  # seconds to the end of the person's own files, for each of their workers
        for running in session.execute(_running_jobs()):
            left = _seconds_for(running.source, running.waiting) / running.workers
            turn = TURN_SECONDS - (now - running.started_at).total_seconds()
            if running.user_id == job.user_id:
                own += [left] * running.workers
            free_at += [left if running.user_id == job.user_id else min(left, max(0.0, turn))] * running.workers
        free_at = sorted([*free_at, *[0.0] * (workers - len(free_at))])
        for where, count in ahead:
            sooner = select(ScrapingJob.source, ScrapingJob.waiting_numbers.label("waiting")).where(*where)
            for one in session.execute(sooner.order_by(*own_order()).limit(count)):
                seconds = min(_seconds_for(one.source, one.waiting), TURN_SECONDS)
                heapq.heappush(free_at, heapq.heappop(free_at) + seconds)
        is_long = _seconds_for(job.source, job.waiting_numbers) > LONG_SECONDS
        at_least = sorted(own)[len(own) - limit] if is_long and len(own) >= limit else 0.0
        return max(free_at[0], at_least)


def _running_jobs() -> Any:
    workers = func.count(Holder.token).label("workers")
    columns = (ScrapingJob.user_id, ScrapingJob.source, ScrapingJob.started_at)
    query = select(*columns, ScrapingJob.waiting_numbers.label("waiting"), workers).join(Holder, _of_attempt)
    return query.where(among(ScrapingJob.status, (Status.PROCESSING,))).group_by(ScrapingJob.id)


def _seconds_for(source: str, numbers: int) -> float:
    try:
        return sources.seconds_for(source, numbers)
    except sources.UnknownSource:  # only another machine offers it
        return TURN_SECONDS


def _ahead(session: Session, job: ScrapingJob, now: datetime) -> list[tuple[list[ColumnElement[bool]], int]] | None:
    """Whose jobs workers take before this one: conditions, and how many of those that they hold for, in a person's own
    order. None: the job does not wait for a worker."""
    claimable = ScrapingJob.claimable(now)
    if session.scalar(select(ScrapingJob.id).where(ScrapingJob.id == job.id, *claimable)) is None:
        return None
    put_first = ScrapingJob.put_first_at.is_not(None)
    sooner = [*claimable, put_first]
    if job.put_first_at is not None:
        sooner.append(ScrapingJob.put_first_at < job.put_first_at)
    first = (sooner, session.scalar(select(func.count()).where(*sooner)) or 0)
    if job.put_first_at is not None:
        return [first]

    def of(user_id: int) -> list[ColumnElement[bool]]:
        return [ScrapingJob.user_id == user_id, *claimable, ~put_first]

    place = func.row_number().over(order_by=own_order()).label("place")
    own = select(ScrapingJob.id, place).where(*of(job.user_id)).subquery()
    before = (session.scalar(select(own.c.place).where(own.c.id == job.id)) or 1) - 1
    people = _people(session, claimable)
    me = next((one for one in people if one.user_id == job.user_id), Person(job.user_id, 1, 0, NEVER))
    others = [one for one in people if one.user_id != job.user_id]
    theirs = [(of(one.user_id), min(one.jobs, before + (one.order < me.order))) for one in others]
    return [first, (of(job.user_id), before), *[(where, count) for where, count in theirs if count]]


def _in_queue(now: datetime) -> tuple[ColumnElement[bool], ...]:
    """Conditions that hold for a job that a worker should take. One that was never pushed may be a terminal's own."""
    return (*ScrapingJob.claimable(now), ScrapingJob.enqueued_at.is_not(None))


def own_order() -> tuple[Any, ...]:
    """The order of one person's jobs that wait for a worker, as SQL."""
    return case((goes_first(ScrapingJob), 0), else_=1), ScrapingJob.waiting_numbers, ScrapingJob.id


def _people(session: Session, waits: Sequence[ColumnElement[bool]]) -> list[Person]:
    """Return whose jobs wait for a worker: those for which the conditions hold."""
    by_person = ScrapingJob.user_id
    put_first = ScrapingJob.put_first_at
    waiting = select(by_person, func.count() - func.count(put_first), func.max(put_first))
    found = session.execute(waiting.where(*waits).group_by(by_person)).all()
    if not found:
        return []
    holds = _held_by_person(session)
    served_at = _last_served(session) if len(found) > 1 else {}  # one person alone is next anyway
    # Whoever has a job that was put first is served before anybody else, and so comes after the others then.
    return [
        Person(user_id, jobs, holds.get(user_id, 0), put_first_at or served_at.get(user_id, NEVER), bool(put_first_at))
        for user_id, jobs, put_first_at in found
    ]


def _last_served(session: Session) -> dict[int, datetime]:
    """Return when a worker last took a job of each person, if it was lately."""
    by_person = ScrapingJob.user_id
    latest = select(Attempt.job_id, Attempt.started_at).order_by(Attempt.started_at.desc())
    latest_ones = latest.limit(LOOKED_BACK).subquery()
    begun_at = func.max(latest_ones.c.started_at)
    served = select(by_person, begun_at).join(latest_ones, latest_ones.c.job_id == ScrapingJob.id).group_by(by_person)
    return {row[0]: row[1] for row in session.execute(served)}


def _held_by_person(session: Session) -> dict[int, int]:
    """Count the workers that each person's files have. One that is run by hand counts as having one."""
    by_person = ScrapingJob.user_id
    held = select(by_person, func.count()).outerjoin(Holder, _of_attempt)
    held = held.where(among(ScrapingJob.status, (Status.PROCESSING,))).group_by(by_person)
    return dict(session.execute(held).all())


def _is_short(names: Iterable[str]) -> ColumnElement[bool]:
    """Whether a job at one of these sources is expected to take no longer than `LONG_SECONDS`."""
    short: list[ColumnElement[bool]] = []
    for name in names:
        try:
            most = int(LONG_SECONDS / max(sources.seconds_for(name, 1000) / 1000, 1e-6))
        except sources.UnknownSource:
            continue
        short.append(and_(ScrapingJob.source == name, ScrapingJob.waiting_numbers <= most))
    return or_(literal(False), *short)
