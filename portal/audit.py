"""The audit log, for administrators to read: who did what to which object, when and why. Entries are only added.
Beside what administrators do, it has what changes the safety of anybody's account.

An entry is written in the transaction of the action, so that one cannot exist without the other: `note` neither opens
nor ends a transaction, unlike the functions of `accounts`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, String, Text, exists, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from portal.database import Model, UtcDateTime, db

PER_PAGE = 50


class AuditEntry(Model):
    """One action of an administrator, or of a person on the safety of their own account. `verb` and `kind` are codes,
    which the page turns into words."""

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    admin: Mapped[str] = mapped_column(String(255))  # e-mail address
    verb: Mapped[str] = mapped_column(String(40))
    kind: Mapped[str] = mapped_column(String(20))  # of the object: job, notice, operation, source, user
    object_id: Mapped[str | None] = mapped_column(String(40))
    reason: Mapped[str | None] = mapped_column(Text)
    facts: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)

    __table_args__ = (Index("ix_audit_admin_id", "admin", "id"),)


@dataclass(frozen=True)
class AuditPage:
    """Some entries, newest first. `next_before` is the id to continue from, or None."""

    entries: Sequence[AuditEntry]
    next_before: int | None


def note(
    admin: str, verb: str, kind: str, object_id: int | str | None, reason: str | None, now: datetime, **facts: Any
) -> None:
    """Add an entry to the caller's transaction. `facts` that are None are left out. Never pass a telephone number."""
    note_in(db.session(), admin, verb, kind, object_id, reason, now, **facts)


def note_in(
    session: Session,
    admin: str,
    verb: str,
    kind: str,
    object_id: int | str | None,
    reason: str | None,
    now: datetime,
    **facts: Any,
) -> None:
    """The same in a session of the caller's own."""
    known = {name: value for name, value in facts.items() if value is not None}
    name = None if object_id is None else str(object_id)
    session.add(
        AuditEntry(at=now, admin=admin, verb=verb, kind=kind, object_id=name, reason=reason or None, facts=known)
    )


def has_noted(admin: str, verb: str, kind: str, object_id: int | str, since: datetime) -> bool:
    """Return whether the same is noted already since then."""
    same = (AuditEntry.admin == admin, AuditEntry.verb == verb, AuditEntry.kind == kind, AuditEntry.at >= since)
    return bool(db.session.scalar(select(exists().where(*same, AuditEntry.object_id == str(object_id)))))


def entries(before: int | None = None, admin: str = "") -> AuditPage:
    """Return the newest entries, or those before an id; with `admin`, only the actions of that administrator."""
    found = select(AuditEntry).order_by(AuditEntry.id.desc()).limit(PER_PAGE + 1)
    if before is not None:
        found = found.where(AuditEntry.id < before)
    if admin:
        found = found.where(AuditEntry.admin == admin)
    rows = list(db.session.scalars(found))
    return AuditPage(rows[:PER_PAGE], rows[PER_PAGE - 1].id if len(rows) > PER_PAGE else None)
