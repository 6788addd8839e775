"""The commands that people and pages give: each is one verb, committed, and only then pushed to Redis.

A command returns the job when it did what was asked, and None when somebody else was first or the job has another
status. None of them fails because Redis is away.
"""

from datetime import datetime

from portal import audit
from portal.database import allow_writing, db
from portal.documents.storage import Storage
from portal.jobs import corrections
from portal.jobs.core import timeline
from portal.jobs.core.derived import is_unfinished
from portal.jobs.core.job_tables import EventKind
from portal.jobs.core.status import STOPPABLE
from portal.jobs.dispatch import push_job
from portal.jobs.erasure import delete_file, delete_index, erase
from portal.jobs.models import ScrapingJob, backoff
from portal.jobs.starting import CannotStart, Merge, chain_problem, start
from portal.notices.kinds import NoticeKind
from portal.notices.outbox import drop_seen

__all__ = [
    "CannotStart", "Merge", "audit_act", "cancel", "chain_problem", "correct", "delete", "note_download", "note_seen",
    "pause", "put_first", "resume", "retry", "set_cost_cap", "set_limits", "skip_source", "start", "time_out",
]  # fmt: skip

ADMIN_ONLY = frozenset({"time_out", "limits", "put_first"})


def audit_act(job: ScrapingJob, verb: str, actor: str, why: str | None, now: datetime) -> None:
    """Write what an admin did to a job into the audit. Does not commit."""
    audit.note(actor, verb, "job", job.id, why, now, file=job.file_name, owner=job.user.email)


def _commit(
    job: ScrapingJob | None, now: datetime, verb: str, actor: str, why: str | None = None, *, push: bool = False
) -> ScrapingJob | None:
    """Commit the command, with an audit entry when an admin gave it, and push the job to the workers."""
    if job is not None and (verb in ADMIN_ONLY or actor != job.user.email):
        audit_act(job, verb, actor, why, now)
    db.session.commit()
    if job is not None and push:
        push_job(job.id, now)
    return job


def retry(
    job_id: int,
    seen_round: int,
    actor: str,
    now: datetime,
    *,
    reasons: list[str] | None = None,
    why: str | None = None,
) -> ScrapingJob | None:
    """Look up again the rows without a final answer, with a fresh budget. `reasons` limits it to rows that failed for
    one of them."""
    job = ScrapingJob.retry(job_id, seen_round, actor, now, reasons=reasons, why=why)
    if job is not None and job.waiting_numbers == 0:  # no reason was ticked: an attempt would only fail again
        db.session.rollback()
        return None
    return _commit(job, now, "retry", actor, why, push=True)


def skip_source(
    job_id: int, seen_round: int, actor: str, now: datetime, *, why: str | None = None
) -> ScrapingJob | None:
    """Let a job that one of its several sources holds up go on with the next one."""
    return _commit(ScrapingJob.skip_source(job_id, seen_round, actor, now, why=why), now, "skip_source", actor, why,
                   push=True)  # fmt: skip


def correct(job_id: int, seen_round: int, actor: str, now: datetime) -> ScrapingJob | None:
    """Give the ended job the numbers that were written beside its cells, and look up those that it does not know."""
    written = corrections.written_beside(job_id)
    job = ScrapingJob.correct(job_id, seen_round, written, actor, now) if written else None
    return _commit(job, now, "correct", actor, push=True)


def cancel(job_id: int, actor: str, now: datetime, *, why: str | None = None) -> ScrapingJob | None:
    """Stop a job; finished answers are kept."""
    return _commit(ScrapingJob.cancel(job_id, actor, now, why=why), now, "cancel", actor, why)


def pause(job_id: int, actor: str, now: datetime, *, why: str | None = None) -> ScrapingJob | None:
    """Let a job wait until somebody resumes it."""
    return _commit(ScrapingJob.pause(job_id, actor, now, why=why), now, "pause", actor, why)


def resume(job_id: int, actor: str, now: datetime, *, why: str | None = None) -> ScrapingJob | None:
    """Let a paused job continue, or start one now that was to start later."""
    return _commit(ScrapingJob.resume(job_id, actor, now, why=why), now, "resume", actor, why, push=True)


def time_out(job_id: int, actor: str, why: str, now: datetime) -> ScrapingJob | None:
    """End an attempt that hangs, as an admin."""
    return _commit(ScrapingJob.time_out_by_hand(job_id, actor, why, now, backoff()), now, "time_out", actor, why)


def put_first(job_id: int, actor: str, now: datetime, *, why: str | None = None) -> ScrapingJob | None:
    """Let a waiting job go before everybody's others, as an admin."""
    return _commit(ScrapingJob.put_first(job_id, actor, now, why=why), now, "put_first", actor, why, push=True)


def set_limits(
    job_id: int, max_retries: int, timeout_minutes: int, actor: str, now: datetime, *, why: str | None = None
) -> ScrapingJob | None:
    """Change how many retries and minutes one job has, as an admin."""
    job = ScrapingJob.set_limits(job_id, max_retries, timeout_minutes, actor, now, why=why)
    return _commit(job, now, "limits", actor, why)


def set_cost_cap(
    job_id: int, cost_cap: int | None, actor: str, now: datetime, *, step: int | None = None, why: str | None = None
) -> ScrapingJob | None:
    """Change the most that a job may cost, or that the one of its sources at `step` may. One that is paused at a cap
    continues; it pauses again at the next one."""
    job = ScrapingJob.set_cost_cap(job_id, cost_cap, actor, now, step=step, why=why)
    lifted = ScrapingJob.lift_cap(job_id, now) if job is not None else None
    return _commit(job, now, "cost_cap", actor, why, push=lifted is not None)


def note_seen(job_id: int, user_id: int) -> bool:
    """Note that the job's owner has seen it end on an open page: the mail that says so is not sent, if it is not under
    way. A mail about a failure is sent all the same. Returns whether there was one."""
    job = db.session.get(ScrapingJob, job_id)
    seen = job is not None and job.user_id == user_id and drop_seen(job_id, NoticeKind.JOB_COMPLETED) > 0
    db.session.commit()
    return seen


def note_download(job_id: int, actor: str, file_name: str, now: datetime) -> None:
    """Record on the timeline who downloaded which file, and in the audit when it is somebody else's.

    The page that sends the file otherwise only reads.
    """
    with allow_writing():
        timeline.record(job_id, EventKind.DOWNLOADED, now, actor, what=file_name)
        job = db.session.get(ScrapingJob, job_id)
        if job is not None and actor != job.user.email:
            audit_act(job, "results_downloaded", actor, None, now)
        db.session.commit()


def delete(job_id: int, actor: str, now: datetime, storage: Storage, *, why: str | None = None) -> ScrapingJob | None:
    """Delete a job with its rows and, when no other job needs it, its document. Its timeline stays."""
    # Locked, because a retry that comes in between would leave a job that is deleted and never ended.
    job = db.session.get(ScrapingJob, job_id, populate_existing=True, with_for_update={"key_share": True})
    if job is None or job.deleted_at is not None:
        db.session.rollback()
        return None
    unused = erase(job, now)
    if job.status in STOPPABLE and is_unfinished(job):
        ScrapingJob.cancel(job_id, actor, now)  # from here on, a worker that has it is fenced
    job = ScrapingJob.delete(job_id, actor, now, why=why)
    if job is None:
        db.session.rollback()
        return None
    if actor != job.user.email:
        audit_act(job, "delete", actor, why, now)
    db.session.commit()
    if unused:
        delete_file(storage, unused)  # after the commit: an extra file is harmless, a row without its file is not
    else:
        delete_index(storage, job, job.document.storage_key)
    return job
