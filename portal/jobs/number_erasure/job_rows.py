"""The ledgers of jobs: a number becomes a row without digits and without an answer, so that all sums stay.

Its row is final at once: no worker takes it any more, and one that has it in hand drops its answer (`attempt.save`).
"""

from datetime import datetime

from sqlalchemy import and_, delete, select, update

from portal.causes import CauseCode
from portal.database import changed_rows, db
from portal.documents.corrections import Correction
from portal.jobs.core import changes, timeline
from portal.jobs.core.bulk_tables import PhoneSearch
from portal.jobs.core.corrected_cells import LEFT_ALONE
from portal.jobs.core.job_columns import COUNTERS
from portal.jobs.core.job_tables import EventKind, Number, NumberCell, Opening, Ticket
from portal.jobs.core.merge_tables import CarriedAnswer
from portal.jobs.core.share_tables import Share
from portal.jobs.core.status import RETRYABLE, Status
from portal.jobs.dispatch import push_job
from portal.jobs.models import ScrapingJob
from portal.jobs.trials.source_trial import SourceTrial
from portal.phone.writings import Writings
from portal.sources.base import FINAL, Outcome
from portal.sources.drafts import DraftSample
from portal.sources.models import CachedAnswer


def jobs_with(e164: str) -> list[int]:
    """Return the jobs whose ledger has the number, the newest first: a new list may take an answer over from an earlier
    one, and would look up a number that only that one has lost."""
    return list(db.session.scalars(select(Number.job_id).where(Number.e164 == e164).order_by(Number.job_id.desc())))


def erase_in_job(job_id: int, e164: str, actor: str, now: datetime) -> int | None:
    """Erase the number in the ledger of one job, and return in how many cells it was. None: the job is being opened
    at this moment. Commits."""
    row = db.session.scalar(select(Number).where(Number.job_id == job_id, Number.e164 == e164).with_for_update())
    job = db.session.get(
        ScrapingJob, job_id, populate_existing=True, with_for_update={"key_share": True, "of": ScrapingJob}
    )
    if row is None or job is None:
        db.session.rollback()
        return 0
    if job.deleted_at is not None and not job.total_numbers and job.purge_at is None:
        db.session.rollback()
        return None
    before, cells, behind = row.outcome, row.cells, row.step - 1
    was_left_alone = row.reason in LEFT_ALONE
    is_opened = db.session.get(Opening, job_id) is None
    values = {"e164": f"erased-{row.no}", "outcome": Outcome.REJECTED, "reason": CauseCode.ERASED, "answer": None}
    mine = (Number.job_id == job_id, Number.no == row.no)
    changed_rows(update(Number).where(*mine).values(**values, suspicion=0, by_step=None))
    if is_opened:  # else its worker counts at the end
        counts = {COUNTERS[Outcome.REJECTED]: cells}
        if before in COUNTERS:
            counts[COUNTERS[before]] = counts.get(COUNTERS[before], 0) - cells
        if not was_left_alone:
            counts["left_alone_count"] = cells
        if before not in FINAL:
            counts["processed_numbers"] = cells
            counts["passed_on"] = -cells * behind
        moved = {name: getattr(ScrapingJob, name) + count for name, count in counts.items()}
        changed_rows(update(ScrapingJob).where(ScrapingJob.id == job_id).values(**moved, updated_at=now))
    _erase_in_tickets(job_id, e164)
    timeline.record(job_id, EventKind.NUMBER_ERASED, now, actor, cells=cells)
    changes.note(job_id, job.user_id)
    db.session.commit()
    if is_opened and before not in FINAL:
        _complete_if_last(job_id, actor, now)
    return cells


def _complete_if_last(job_id: int, actor: str, now: datetime) -> None:
    """Let a worker complete a stopped job in which nothing is left to look up. Commits."""
    job = db.session.get_one(ScrapingJob, job_id, populate_existing=True)
    is_last = job.processed_numbers == job.total_numbers and job.deleted_at is None
    retried = ScrapingJob.retry(job_id, job.round, actor, now) if is_last and job.status in RETRYABLE else None
    db.session.commit()
    if retried is not None:
        push_job(job_id, now)


def _erase_in_tickets(job_id: int, e164: str) -> None:
    """Take the number out of the batches that a source has. One of this number alone is not fetched any more."""
    for ticket in db.session.scalars(select(Ticket).where(Ticket.job_id == job_id)).all():
        if e164 in ticket.numbers:
            if len(ticket.numbers) == 1:
                db.session.delete(ticket)
            else:  # their order is that in which they were sent
                ticket.numbers = ["" if one == e164 else one for one in ticket.numbers]
    db.session.flush()


def is_in_hand() -> bool:
    """Whether a worker may still have an erased number in hand, and write something about it."""
    number = and_(
        Number.job_id == Share.job_id, Number.no.between(Share.first_no, Share.last_no),
        Number.reason == CauseCode.ERASED,
    )  # fmt: skip
    job = and_(ScrapingJob.id == Share.job_id, ScrapingJob.attempt == Share.attempt)
    held = select(Share.job_id).join(ScrapingJob, job).join(Number, number).where(Share.holder.is_not(None))
    return db.session.scalar(held.where(ScrapingJob.status == Status.PROCESSING).limit(1)) is not None


def erase_kept(e164: str) -> tuple[int, int]:
    """Delete the kept answers, and what administrators searched or tried; return how many of each. Commits."""
    kept = changed_rows(delete(CachedAnswer).where(CachedAnswer.e164 == e164))
    kept += changed_rows(delete(CarriedAnswer).where(CarriedAnswer.e164 == e164))
    others = changed_rows(delete(PhoneSearch).where(PhoneSearch.e164 == e164))
    others += changed_rows(delete(SourceTrial).where(SourceTrial.number == e164))
    others += changed_rows(delete(DraftSample).where(DraftSample.number == e164))
    db.session.commit()
    return kept, others


def erased_cells(document_id: int) -> list[NumberCell]:
    """Return the cells of a document's jobs whose number is erased."""
    number = (Number.job_id == NumberCell.job_id, Number.no == NumberCell.number_no)
    return list(
        db.session.scalars(
            select(NumberCell)
            .join(Number, (number[0]) & (number[1]))
            .join(ScrapingJob, ScrapingJob.id == NumberCell.job_id)
            .where(ScrapingJob.document_id == document_id, Number.reason == CauseCode.ERASED)
        )
    )


def erase_corrections(writings: Writings) -> int:
    """Delete what people wrote beside cells, where it is the number, and return how many. Commits."""
    gone = 0
    for row in db.session.scalars(select(Correction).where(Correction.corrected.like(writings.like))).all():
        if writings.is_in(row.corrected):
            db.session.delete(row)
            gone += 1
    for opening in db.session.scalars(select(Opening)).all():
        kept = [one for one in opening.corrections if not writings.is_in(one[2])]
        if len(kept) < len(opening.corrections):
            gone += len(opening.corrections) - len(kept)
            opening.corrections = kept
    db.session.commit()
    return gone


def documents_of(job_ids: list[int]) -> set[int]:
    """Return the documents of these jobs."""
    found: set[int] = set()
    for first in range(0, len(job_ids), 500):
        some = ScrapingJob.id.in_(job_ids[first : first + 500])
        found.update(db.session.scalars(select(ScrapingJob.document_id).where(some)))
    return found
