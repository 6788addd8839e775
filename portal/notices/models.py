"""The notice: something to tell, by one channel, written in the same transaction as what happened."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from portal.database import EnumColumn, Model, UtcDateTime, enum_check, partial_index
from portal.notices.kinds import NoticeKind

ANSWER_LENGTH = 500


class Channel(StrEnum):
    """By which way a notice goes out."""

    MAIL = "mail"
    CHAT = "chat"  # the admins' room
    WEBHOOK = "webhook"  # a person's own program


class Delivery(StrEnum):
    """How far a notice has come."""

    DUE = "due"
    SENDING = "sending"  # taken by a sender; taken again when that sender is not heard of
    SENT = "sent"
    DEAD = "dead"  # given up after its last try
    FOLDED = "folded"  # told in a digest, which `digest_id` names
    DROPPED = "dropped"  # overtaken by what happened next, before anybody was told


class Notice(Model):
    """One thing to tell by one channel. `dedupe` is unique and names the channel too: however often it is written, it
    is told once. A notice is also the record of its delivery."""

    __tablename__ = "notices"

    id: Mapped[int] = mapped_column(primary_key=True)
    dedupe: Mapped[str] = mapped_column(String(160), unique=True)
    kind: Mapped[NoticeKind] = mapped_column(EnumColumn(NoticeKind, 40, newer=True))
    channel: Mapped[Channel] = mapped_column(EnumColumn(Channel), default=Channel.MAIL)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"), index=True)  # empty: the admins' room
    job_id: Mapped[int | None] = mapped_column(index=True)  # no foreign key: this room knows no job
    facts: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    state: Mapped[Delivery] = mapped_column(EnumColumn(Delivery), default=Delivery.DUE)
    tries: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)  # when to send, or when to take it again
    sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    answer: Mapped[str | None] = mapped_column(Text)  # what the other side said last, clipped
    last_error: Mapped[str | None] = mapped_column(Text)  # why the last try failed, clipped
    digest_id: Mapped[int | None] = mapped_column(ForeignKey("notices.id"), index=True)

    __table_args__ = (
        enum_check("state", Delivery),
        enum_check("channel", Channel),
        partial_index("ix_notices_to_send", "due_at", where="state IN ('due', 'sending')"),
        Index("ix_notices_state_id", "state", "id"),
        Index("ix_notices_kind_id", "kind", "id"),
    )


class DigestWindow(Model):
    """Until when notices of one digest group to the same person are held back for a digest."""

    __tablename__ = "notice_bursts"

    key: Mapped[str] = mapped_column(String(60), primary_key=True)  # channel.person.group
    until: Mapped[datetime] = mapped_column(UtcDateTime)


class NoticeSettings(Model):
    """What a person wants to be told. Without a row, all is as it stands here."""

    __tablename__ = "notice_settings"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
    tell_failed: Mapped[bool] = mapped_column(default=True)  # and when it was fixed after all
    tell_completed: Mapped[bool] = mapped_column(default=True)
    tell_sources: Mapped[bool] = mapped_column(default=True)  # admins: a source has stopped
    daily_summary: Mapped[bool] = mapped_column(default=False)  # admins
    webhook_url: Mapped[str | None] = mapped_column(Text)
    webhook_secret: Mapped[str | None] = mapped_column(String(80))
    webhook_off_at: Mapped[datetime | None] = mapped_column(
        UtcDateTime
    )  # its address answered that it is gone for good
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
