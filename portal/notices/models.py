"""The notice: something to tell a person, written in the same transaction as what happened."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from portal.database import Model, Moment, Word, db, only


class Delivery(StrEnum):
    """How far a notice has come."""

    DUE = "due"
    SENDING = "sending"  # taken by a sender; taken again when that sender is not heard of
    SENT = "sent"
    DEAD = "dead"  # given up after its last try


class Notice(Model):
    """One thing to tell one person. `dedupe` is unique: however often it is written, it is told once."""

    __tablename__ = "notices"

    id: Mapped[int] = mapped_column(primary_key=True)
    dedupe: Mapped[str] = mapped_column(String(80), unique=True)
    kind: Mapped[str] = mapped_column(String(40))
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    job_id: Mapped[int | None] = mapped_column(index=True)  # no foreign key: this room knows no job
    facts: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    state: Mapped[Delivery] = mapped_column(Word(Delivery), default=Delivery.DUE)
    tries: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(Moment)
    due_at: Mapped[datetime] = mapped_column(Moment)  # when to send, or when to take it again
    sent_at: Mapped[datetime | None] = mapped_column(Moment)
    last_error: Mapped[str | None] = mapped_column(Text)

    __table_args__ = (
        only("state", Delivery),
        Index(
            "ix_notices_to_send",
            "due_at",
            sqlite_where=db.text("state IN ('due', 'sending')"),
            postgresql_where=db.text("state IN ('due', 'sending')"),
        ),
    )
