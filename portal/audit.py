"""What admins do, kept for other admins to read: who, what, to what, when and why. Only ever added.

A note is written in the transaction of what it tells of, so that neither stands without the other: unlike the other
verbs of this room, `note` neither opens a transaction nor ends one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, String, Text, select
from sqlalchemy.orm import Mapped, mapped_column

from portal.database import Model, UtcDateTime, db

PER_PAGE = 50


class AuditEntry(Model):
    """One thing that an admin did. `verb` and `kind` are codes; what they say in words is for the page."""

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    admin: Mapped[str] = mapped_column(String(255))  # the person's address
    verb: Mapped[str] = mapped_column(String(40))
    kind: Mapped[str] = mapped_column(String(20))  # of what it was done to: job, operation, source, user
    object_id: Mapped[str | None] = mapped_column(String(40))
    reason: Mapped[str | None] = mapped_column(Text)
    facts: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)

    __table_args__ = (Index("ix_audit_admin_id", "admin", "id"),)


@dataclass(frozen=True)
class AuditPage:
    """Some notes, the newest first. `next_before` is the id to go on from, or nothing."""

    entries: Sequence[AuditEntry]
    next_before: int | None


def note(
    admin: str, verb: str, kind: str, object_id: int | str | None, reason: str | None, now: datetime, **facts: Any
) -> None:
    """Add a note to the caller's transaction. `facts` without a value are left out. No telephone number may be one."""
    known = {name: value for name, value in facts.items() if value is not None}
    name = None if object_id is None else str(object_id)
    db.session.add(
        AuditEntry(at=now, admin=admin, verb=verb, kind=kind, object_id=name, reason=reason or None, facts=known)
    )


def entries(before: int | None = None, admin: str = "") -> AuditPage:
    """The newest notes, or those before an id; with `admin`, only what this person did."""
    found = select(AuditEntry).order_by(AuditEntry.id.desc()).limit(PER_PAGE + 1)
    if before is not None:
        found = found.where(AuditEntry.id < before)
    if admin:
        found = found.where(AuditEntry.admin == admin)
    rows = list(db.session.scalars(found))
    return AuditPage(rows[:PER_PAGE], rows[PER_PAGE - 1].id if len(rows) > PER_PAGE else None)
