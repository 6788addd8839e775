"""Files that are looked up again at fixed times: set by a person, started by the sweep, each time as a job of its own.

A time that passed while the portal was off is made up for once. A job carries the repeat and the time that it was for:
whoever starts one asks for it first, while no other file of this person can start, so that two sweeps, or one that was
killed before it noted the next time, start none twice.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import and_, not_, select, update

from portal.accounts import User
from portal.database import changed_rows, db
from portal.documents.choice import kept, restored
from portal.documents.models import Document
from portal.jobs import commands
from portal.jobs.core import changes as announced
from portal.jobs.core import steps
from portal.jobs.core.answer_changes import AnswerChange, changes, count_changes, job_before
from portal.jobs.core.repeat_rule import RepeatRule
from portal.jobs.core.repeat_tables import Repeat
from portal.jobs.core.step_tables import NextSource
from portal.jobs.models import ScrapingJob
from portal.jobs.opening import is_hidden
from portal.sources.several import names_of

log = structlog.get_logger(__name__)

BATCH = 50  # started in one pass of the sweep


def set_repeat(job: ScrapingJob, rule: RepeatRule, actor: str, now: datetime) -> Repeat:
    """Look the job's document up again by this rule, in place of any rule that it has. Commits."""
    stop(job, actor, now)
    choice = job.choice
    repeat = Repeat(
        document_id=job.document_id, user_id=job.user_id, choice=kept(choice), created_at=now,
        source=names_of(job.all_sources)[0], then=[one.kept() for one in steps.further(job)],
        cost_cap=job.cost_cap,
        every=rule.every, day=rule.day, at_minute=rule.at.hour * 60 + rule.at.minute, time_zone=rule.zone,
        next_at=rule.next_after(now),
    )  # fmt: skip
    db.session.add(repeat)
    _announce(job, "repeat", actor, now)
    db.session.commit()
    return repeat


def stop(job: ScrapingJob, actor: str, now: datetime) -> bool:
    """Repeat the job's document no more. False: it was not repeated. Commits."""
    own = (Repeat.document_id == job.document_id, Repeat.ended_at.is_(None))
    stopped = changed_rows(update(Repeat).where(*own).values(ended_at=now)) > 0
    if stopped:
        _announce(job, "repeat_stopped", actor, now)
    db.session.commit()
    return stopped


def _announce(job: ScrapingJob, verb: str, actor: str, now: datetime) -> None:
    announced.note(job.id, job.user_id)
    if actor != job.user.email:
        commands.audit_act(job, verb, actor, None, now)


def of_job(job: ScrapingJob) -> Repeat | None:
    """Return the rule by which the job's document is looked up again, if there is one."""
    own = (Repeat.document_id == job.document_id, Repeat.ended_at.is_(None))
    return db.session.scalar(select(Repeat).where(*own).limit(1))


def job_before_of(job: ScrapingJob) -> ScrapingJob | None:
    """Return the complete job that this one repeats, if it repeats one."""
    before_id = job_before(job)
    return None if before_id is None else db.session.get(ScrapingJob, before_id)


def changes_since(before: ScrapingJob, job: ScrapingJob, most: int | None = None) -> Iterator[AnswerChange]:
    """Yield the numbers of a job whose answer differs from that of the job before, in the order of the file."""
    return changes(before.id, job.id, most)


def count_since(before: ScrapingJob, job: ScrapingJob) -> int:
    """Count these numbers."""
    return count_changes(before.id, job.id)


def run_due(now: datetime) -> Iterator[int]:
    """Start the jobs whose time has come, and yield their ids. A step of the sweep; it commits."""
    due = select(Repeat.id).where(Repeat.ended_at.is_(None), Repeat.next_at <= now)
    ids = list(db.session.scalars(due.order_by(Repeat.next_at).limit(BATCH)))
    db.session.commit()
    for repeat_id in ids:
        job_id = _run(repeat_id, now)
        if job_id is not None:
            yield job_id


def _run(repeat_id: int, now: datetime) -> int | None:
    repeat = db.session.get(Repeat, repeat_id, populate_existing=True)
    if repeat is None or repeat.ended_at is not None or repeat.next_at > now:
        return None
    at, next_at = repeat.next_at, repeat.rule.next_after(now)
    document, user = db.session.get(Document, repeat.document_id), db.session.get(User, repeat.user_id)
    if document is None or not _has_jobs(document) or user is None or not user.is_active:
        _note(repeat_id, at, ended_at=now)
        return None
    choice, source = restored(document.sheets, **repeat.choice), repeat.source
    cost_cap = repeat.cost_cap
    then = [NextSource.restored(one) for one in repeat.then]
    problem, job_id = None, started(repeat_id, at)
    if job_id is None:
        try:
            job = commands.start(
                document, choice, source, user, now, remembered=False, repeats=(repeat_id, at),
                same=lambda: started(repeat_id, at), then=then, cost_cap=cost_cap,
            )  # fmt: skip
            job_id = job.id
        except commands.CannotStart as error:
            log.warning("a repeated file could not start", repeat=repeat_id, why=error.code)
            problem = error.code
    _note(repeat_id, at, next_at=next_at, problem=problem)
    return job_id


def _has_jobs(document: Document) -> bool:
    """Whether a person still sees the document: one whose jobs are all in the trash is not looked up again."""
    seen = (ScrapingJob.document_id == document.id, ScrapingJob.deleted_at.is_(None))
    return document.deleted_at is None and db.session.scalar(select(ScrapingJob.id).where(*seen).limit(1)) is not None


def started(repeat_id: int, at: datetime) -> int | None:
    """Return the id of the job that the repeat has started for this time. One that is still being opened is not."""
    own = (ScrapingJob.repeat_id == repeat_id, ScrapingJob.repeat_at == at, not_(and_(*is_hidden())))
    return db.session.scalar(select(ScrapingJob.id).where(*own).limit(1))


def _note(repeat_id: int, at: datetime, **values: Any) -> None:
    """Note what came of the time, unless another sweep has done so, and commit."""
    own = (Repeat.id == repeat_id, Repeat.next_at == at, Repeat.ended_at.is_(None))
    changed_rows(update(Repeat).where(*own).values(**values))
    db.session.commit()
