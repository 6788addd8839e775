"""The tables of this room: answers that are kept, sources that a person has paused, and what came in by the minute.

They know no verb.
"""

from datetime import datetime

from sqlalchemy import JSON, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from portal.database import EnumColumn, Model, UtcDateTime, only
from portal.sources.base import Outcome


class CachedAnswer(Model):
    """What a source said of one number, kept so that it is not paid for again in another file."""

    __tablename__ = "cached_answers"

    source: Mapped[str] = mapped_column(String(40), primary_key=True)
    e164: Mapped[str] = mapped_column(String(20), primary_key=True)
    version: Mapped[str] = mapped_column(String(80))  # of the recipe that read it: another one may read otherwise
    outcome: Mapped[Outcome] = mapped_column(EnumColumn(Outcome))
    reason: Mapped[str | None] = mapped_column(String(40))
    fields: Mapped[dict[str, str] | None] = mapped_column(JSON)
    answered_at: Mapped[datetime] = mapped_column(UtcDateTime)

    __table_args__ = (only("outcome", Outcome), Index("ix_cached_answers_source_answered_at", "source", "answered_at"))


class SourcePause(Model):
    """A source that a person has paused. The row is gone when it is resumed."""

    __tablename__ = "source_pauses"

    source: Mapped[str] = mapped_column(String(40), primary_key=True)
    paused_at: Mapped[datetime] = mapped_column(UtcDateTime)
    paused_by: Mapped[str] = mapped_column(String(255))  # the person's address
    why: Mapped[str | None] = mapped_column(Text)


class SourceMinute(Model):
    """How many answers of one kind came in from a source within one minute."""

    __tablename__ = "source_minutes"

    source: Mapped[str] = mapped_column(String(40), primary_key=True)
    minute: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)  # its beginning
    outcome: Mapped[Outcome] = mapped_column(EnumColumn(Outcome), primary_key=True)
    n: Mapped[int]

    __table_args__ = (only("outcome", Outcome), Index("ix_source_minutes_minute", "minute"))
