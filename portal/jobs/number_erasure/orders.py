"""Orders to erase a number, as the pages use them: what would be erased, the order, and what is kept of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from portal import audit
from portal.accounts import User
from portal.database import db, reading
from portal.documents.models import Document
from portal.jobs.admin import phone_search
from portal.jobs.core.erasure_tables import Erasure, ErasureState
from portal.jobs.core.job_tables import Number
from portal.jobs.core.status import Status
from portal.jobs.dispatch import push_erasure
from portal.jobs.models import ScrapingJob
from portal.phone.writings import Writings
from portal.sources.models import CachedAnswer

PER_PAGE = 25


class NumberInReason(Exception):
    """The reason has the number itself: it would be kept."""


@dataclass(frozen=True)
class Plan:
    """What is known, before the order, of what it would erase. `stored` files are all looked through."""

    e164: str
    key: str
    files: int
    cells: int
    kept: int
    running: int
    stored: int


def plan(admin: User, key: str, now: datetime) -> Plan | None:
    """Return what erasing the number under this administrator's key would mean; None when the key has expired."""
    e164 = phone_search.phone_of(admin, key, now)
    if e164 is None:
        return None
    with reading() as session:
        jobs = select(Number.cells, ScrapingJob.document_id, ScrapingJob.status)
        jobs = jobs.join(ScrapingJob, ScrapingJob.id == Number.job_id).where(Number.e164 == e164)
        rows = session.execute(jobs).all()
        kept = session.scalar(select(func.count()).where(CachedAnswer.e164 == e164)) or 0
        stored = session.scalar(select(func.count()).where(Document.erased_at.is_(None))) or 0
    return Plan(
        e164, key, len({row.document_id for row in rows}), sum(row.cells for row in rows), kept,
        sum(row.status == Status.PROCESSING for row in rows), stored,
    )  # fmt: skip


def begin(admin: User, key: str, reason: str | None, now: datetime) -> Erasure | None:
    """Order to erase the number under this administrator's key, once: pressed again, the same order is returned. None
    when the key has expired. Raises NumberInReason. Commits."""
    if (begun := _of_key(key)) is not None:
        return begun
    e164 = phone_search.phone_of(admin, key, now)
    if e164 is None:
        return None
    if reason and Writings(e164).is_in(reason):
        raise NumberInReason
    order = Erasure(key=key, e164=e164, by=admin.email, reason=reason, created_at=now)
    db.session.add(order)
    try:
        db.session.flush()
    except IntegrityError:  # sent twice at the same moment
        db.session.rollback()
        return _of_key(key)
    audit.note(order.by, "number_erased", "erasure", order.id, reason, now)
    db.session.commit()
    push_erasure(order.id, now)
    return order


def _of_key(key: str) -> Erasure | None:
    return db.session.scalar(select(Erasure).where(Erasure.key == key))


def find(admin: User, order_id: int) -> Erasure | None:
    """Return the order in its present state; None if the user is not an administrator."""
    return db.session.get(Erasure, order_id, populate_existing=True) if admin.is_admin else None


def recent(before: int | None = None) -> tuple[Sequence[Erasure], int | None]:
    """Return the newest orders, or those before an id, and the id to continue from."""
    found = select(Erasure).order_by(Erasure.id.desc()).limit(PER_PAGE + 1)
    rows = list(db.session.scalars(found if before is None else found.where(Erasure.id < before)))
    return rows[:PER_PAGE], rows[PER_PAGE - 1].id if len(rows) > PER_PAGE else None


def version(order: Erasure) -> str:
    """Return a short text that changes with everything that the order's page shows."""
    return f"{order.state}-{order.after_id}-{order.cells}-{order.files}-{order.kept}-{order.others}"


def looked_through(order: Erasure) -> tuple[int, int] | None:
    """Return how many stored files are looked through, and of how many, while an order does that."""
    if order.state != ErasureState.FILES:
        return None
    with reading() as session:
        there = select(func.count()).where(Document.erased_at.is_(None))
        done = session.scalar(there.where(Document.id <= order.after_id)) or 0
        return done, session.scalar(there) or 0


__all__ = ["NumberInReason", "Plan", "begin", "find", "looked_through", "plan", "recent", "version"]
