"""What changed between two jobs: the numbers whose outcome or answer is another one, and those that are new."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from sqlalchemy import Select, Text, and_, cast, func, literal, or_, select
from sqlalchemy.orm import aliased

from portal.database import db
from portal.jobs.core.job_columns import JobColumns
from portal.jobs.core.job_tables import Number
from portal.jobs.core.status import Status
from portal.sources.base import FINAL, Outcome

CHUNK = 1000
MOST_COUNTED = 10_000  # no more are counted while a job ends


class AnswerChange(NamedTuple):
    """One number whose answer is another one now. `before` is empty where it was not asked about then."""

    e164: str
    row: int
    outcome_before: Outcome | None
    before: dict[str, str]
    outcome: Outcome
    now: dict[str, str]


def job_before(job: JobColumns) -> int | None:
    """Return the id of the complete job that this one repeats: the last of the same document and sources before it.
    None: a person started it, or there is none."""
    if job.repeat_at is None:
        return None
    table = type(job)
    # Of several sources, the present one says nothing.
    same = table.chain == job.chain if job.chain else and_(table.source == job.source, table.chain == "")
    earlier = (
        table.document_id == job.document_id, same, table.id < job.id,
        table.status == Status.COMPLETED, table.deleted_at.is_(None),
    )  # fmt: skip
    return db.session.scalar(select(table.id).where(*earlier).order_by(table.id.desc()).limit(1))


def count_changes(before_id: int, job_id: int, most: int | None = None) -> int:
    """Count the numbers of a job whose answer differs from that of the job before, up to `most`."""
    changed = _changed(before_id, job_id, literal(1)).limit(most).subquery()
    return db.session.scalar(select(func.count()).select_from(changed)) or 0


def changes(before_id: int, job_id: int, most: int | None = None) -> Iterator[AnswerChange]:
    """Yield these numbers in the order of the file, `most` at most."""
    now, before = aliased(Number, name="now_"), aliased(Number, name="before_")
    columns = (now.no, now.e164, now.first_row, before.outcome, before.answer, now.outcome, now.answer)
    last = yielded = 0
    while most is None or yielded < most:
        wanted = CHUNK if most is None else min(CHUNK, most - yielded)
        query = _changed(before_id, job_id, *columns, now=now, before=before).where(now.no > last)
        rows = db.session.execute(query.order_by(now.no).limit(wanted)).all()
        for no, e164, row, outcome_before, answer_before, outcome, answer in rows:
            yield AnswerChange(e164, row, outcome_before, answer_before or {}, outcome, answer or {})
            last = no
        yielded += len(rows)
        if len(rows) < wanted:
            return


def _changed(before_id: int, job_id: int, *columns: Any, now: Any = None, before: Any = None) -> Select[Any]:
    now, before = now or aliased(Number), before or aliased(Number)
    same_number = and_(before.job_id == before_id, before.e164 == now.e164)
    differs = or_(
        before.no.is_(None),
        before.outcome != now.outcome,
        func.coalesce(cast(before.answer, Text), "") != func.coalesce(cast(now.answer, Text), ""),
    )
    query = select(*columns).select_from(now).outerjoin(before, same_number)
    return query.where(now.job_id == job_id, now.outcome.in_(FINAL), differs)
