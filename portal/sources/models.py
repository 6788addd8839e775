"""The tables of this room: cached answers, paused sources, and answers counted by the minute. Data only."""

from datetime import datetime

from sqlalchemy import JSON, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from portal.database import EnumColumn, Model, UtcDateTime, enum_check
from portal.sources.base import Outcome


class CachedAnswer(Model):
    """A source's answer about one number, cached so that another file does not pay for it again."""

    __tablename__ = "cached_answers"

    source: Mapped[str] = mapped_column(String(40), primary_key=True)
    e164: Mapped[str] = mapped_column(String(20), primary_key=True)
    version: Mapped[str] = mapped_column(String(80))  # of the recipe: another version may read the answer differently
    outcome: Mapped[Outcome] = mapped_column(EnumColumn(Outcome))
    reason: Mapped[str | None] = mapped_column(String(40))
    fields: Mapped[dict[str, str] | None] = mapped_column(JSON)
    answered_at: Mapped[datetime] = mapped_column(UtcDateTime)

    __table_args__ = (
        enum_check("outcome", Outcome),
        Index("ix_cached_answers_source_answered_at", "source", "answered_at"),
    )


class SourcePause(Model):
    """A source that an administrator has paused. Resuming it deletes the row."""

    __tablename__ = "source_pauses"

    source: Mapped[str] = mapped_column(String(40), primary_key=True)
    paused_at: Mapped[datetime] = mapped_column(UtcDateTime)
    paused_by: Mapped[str] = mapped_column(String(255))  # the administrator's email address
    why: Mapped[str | None] = mapped_column(Text)


class SourceMinute(Model):
    """How many answers with one outcome arrived from a source within one minute."""

    __tablename__ = "source_minutes"

    source: Mapped[str] = mapped_column(String(40), primary_key=True)
    minute: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)  # when it begins
    outcome: Mapped[Outcome] = mapped_column(EnumColumn(Outcome), primary_key=True)
    n: Mapped[int]
    last_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # when the last of them was saved

    __table_args__ = (enum_check("outcome", Outcome), Index("ix_source_minutes_minute", "minute"))
