"""The earlier files of a person that a new file may be a newer edition of: those with the same headings or many of the
same numbers come first, and among these the newest."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sqlalchemy import ColumnElement, exists, func, select

from portal.database import db
from portal.documents.check import CheckedCell
from portal.documents.models import Document
from portal.documents.reader.heading_words import normalised
from portal.jobs.core.job_tables import Number, Opening
from portal.jobs.models import ScrapingJob
from portal.jobs.queries import containing

LOOKED_AT = 60  # files, the newest
SHOWN = 20
SAMPLED = 200  # numbers of the new file
SAMPLED_CELLS = 20_000  # among which they are looked for
MANY = 0.3  # of the numbers that are looked at


@dataclass(frozen=True)
class EarlierList:
    """An earlier job, whether its headings are the same, and the share of the new file's numbers that it has."""

    job: ScrapingJob
    same_headings: bool
    same_numbers: float

    @property
    def is_likely(self) -> bool:
        """Whether it looks like an earlier edition."""
        return self.same_headings or self.same_numbers >= MANY


def has_earlier(document: Document) -> bool:
    """Whether the document's person has an earlier file to compare it with."""
    return db.session.scalar(select(ScrapingJob.id).where(*_of_person(document)).limit(1)) is not None


def comparable(document: Document, job_id: int) -> bool:
    """Whether the document can be compared with this job: one of its person, of another file, that was begun."""
    return db.session.scalar(select(ScrapingJob.id).where(*_of_person(document), ScrapingJob.id == job_id)) is not None


def earlier_lists(
    document: Document, header: Sequence[str], numbers: Sequence[str], searched: str = ""
) -> list[EarlierList]:
    """Return the earlier files of the document's person, one job of each. `header` are the new file's headings, and
    `numbers` some of its numbers; `searched` is a part of a name."""
    by_name = [containing(ScrapingJob.file_name, searched)] if searched else []
    newest = select(func.max(ScrapingJob.id)).where(*_of_person(document), *by_name).group_by(ScrapingJob.document_id)
    jobs = list(
        db.session.scalars(
            select(ScrapingJob).where(ScrapingJob.id.in_(newest)).order_by(ScrapingJob.id.desc()).limit(LOOKED_AT)
        )
    )
    shared = _shared([job.id for job in jobs], numbers)
    heads = _heads(header)
    found = [EarlierList(job, bool(heads) and _heads_of(job) == heads, shared.get(job.id, 0.0)) for job in jobs]
    return sorted(found, key=lambda one: not one.is_likely)[:SHOWN]


def some_numbers(cells: Iterable[CheckedCell]) -> list[str]:
    """Return some of the numbers among the first cells of a file, from all over them."""
    first = [cell.phone_e164 for cell in islice(cells, SAMPLED_CELLS) if cell.phone_e164]
    distinct = list(dict.fromkeys(first))
    return distinct[:: max(1, -(-len(distinct) // SAMPLED))]


def _of_person(document: Document) -> list[ColumnElement[bool]]:
    opening = exists().where(Opening.job_id == ScrapingJob.id)
    return [
        ScrapingJob.user_id == document.user_id, ScrapingJob.document_id != document.id,
        ScrapingJob.deleted_at.is_(None), ScrapingJob.total_numbers > 0, ~opening,
    ]  # fmt: skip


def _shared(job_ids: list[int], numbers: Sequence[str]) -> dict[int, float]:
    if not (job_ids and numbers):
        return {}
    those = (Number.e164.in_(numbers), Number.job_id.in_(job_ids))
    counted = select(Number.job_id, func.count()).where(*those).group_by(Number.job_id)
    return {job_id: count / len(numbers) for job_id, count in db.session.execute(counted)}


def _heads(header: Sequence[str]) -> frozenset[str]:
    return frozenset(text for head in header if (text := normalised(head)))


def _heads_of(job: ScrapingJob) -> frozenset[str]:
    sheets: list[dict[str, Any]] = job.document.sheets
    return next((_heads(facts["header"]) for facts in sheets if facts["index"] == job.sheet), frozenset())
