"""The table of files that are looked up again and again."""

from datetime import datetime, time
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from portal.clock import utcnow
from portal.database import EnumColumn, Model, UtcDateTime, partial_index
from portal.jobs.core.repeat_rule import Every, RepeatRule


class Repeat(Model):
    """A document that is looked up again at fixed times, each time as a job of its own."""

    __tablename__ = "repeats"

    id: Mapped[int] = mapped_column(primary_key=True)
    document_id: Mapped[int] = mapped_column(ForeignKey("documents.id"), index=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    choice: Mapped[dict[str, Any]] = mapped_column(JSON)  # the fields of a SheetChoice
    source: Mapped[str] = mapped_column(String(40))
    # the sources that are asked after it, as `core.steps` keeps them
    then: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list, server_default="[]")
    cost_cap: Mapped[int | None] = mapped_column(BigInteger)  # the most that each time may cost; empty: no cap
    every: Mapped[Every] = mapped_column(EnumColumn(Every))
    day: Mapped[int]
    at_minute: Mapped[int]  # of the day in the time zone, from 0
    time_zone: Mapped[str] = mapped_column(String(60))
    next_at: Mapped[datetime] = mapped_column(UtcDateTime)
    problem: Mapped[str | None] = mapped_column(String(40))  # why the last one could not start: a code of jobs.words
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # it is not repeated any more

    __table_args__ = (partial_index("ix_repeats_due", "next_at", where="ended_at IS NULL"),)

    @property
    def rule(self) -> RepeatRule:
        """When it is looked up."""
        return RepeatRule(self.every, self.day, time(*divmod(self.at_minute, 60)), self.time_zone)
