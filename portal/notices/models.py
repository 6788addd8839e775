"""A notice for one recipient on one channel, written in the same transaction as the event that it reports."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from portal.database import EnumColumn, Model, UtcDateTime, enum_check, partial_index
from portal.notices.kinds import NoticeKind

ANSWER_LENGTH = 500


class Channel(StrEnum):
    """How a notice is sent."""

    MAIL = "mail"
    CHAT = "chat"  # the admins' chats
    WEBHOOK = "webhook"  # a person's own software


class Delivery(StrEnum):
    """The delivery status of a notice."""

    DUE = "due"
    SENDING = "sending"  # taken by a sender; taken again if that sender does not report back
    SENT = "sent"
    DEAD = "dead"  # failed for good: the last try failed, or the error was final
    FOLDED = "folded"  # part of a digest, `digest_id`
    DROPPED = "dropped"  # cancelled before it was sent, because it was no longer true


class Notice(Model):
    """One notice on one channel, and the record of its delivery. `dedupe` is unique and includes the channel, so a
    notice that is written several times is sent once."""

    __tablename__ = "notices"

    id: Mapped[int] = mapped_column(primary_key=True)
    dedupe: Mapped[str] = mapped_column(String(160), unique=True)
    kind: Mapped[NoticeKind] = mapped_column(EnumColumn(NoticeKind, 40, newer=True))
    channel: Mapped[Channel] = mapped_column(EnumColumn(Channel), default=Channel.MAIL)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"), index=True)  # empty: the admins' chats
    job_id: Mapped[int | None] = mapped_column(index=True)  # no foreign key: this room does not import jobs
    facts: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    state: Mapped[Delivery] = mapped_column(EnumColumn(Delivery), default=Delivery.DUE)
    tries: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)  # when to send it, or to take it again
    sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    answer: Mapped[str | None] = mapped_column(Text)  # the last response, clipped
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
    """Until when one person's notices of one digest group are held for a digest."""

    __tablename__ = "notice_bursts"

    key: Mapped[str] = mapped_column(String(60), primary_key=True)  # channel.person.group
    until: Mapped[datetime] = mapped_column(UtcDateTime)


class MailRefusal(Model):
    """An address that the mail server has refused for good. Nothing is sent to it until an admin lifts the refusal."""

    __tablename__ = "mail_refusals"

    address: Mapped[str] = mapped_column(String(255), primary_key=True)
    answer: Mapped[str] = mapped_column(Text)  # of the mail server, clipped
    refused_at: Mapped[datetime] = mapped_column(UtcDateTime)


class NoticeSettings(Model):
    """A person's notification preferences and webhook. Without a row, these defaults apply."""

    __tablename__ = "notice_settings"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
    tell_failed: Mapped[bool] = mapped_column(default=True)  # and when it is completed later
    tell_completed: Mapped[bool] = mapped_column(default=True)
    tell_sources: Mapped[bool] = mapped_column(default=True)  # admins only: a source has stopped
    daily_summary: Mapped[bool] = mapped_column(default=False)  # admins only
    webhook_url: Mapped[str | None] = mapped_column(Text)
    webhook_secret: Mapped[str | None] = mapped_column(String(80))
    webhook_old_secret: Mapped[str | None] = mapped_column(String(80))  # also signs, until `webhook_old_until`
    webhook_old_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    webhook_off_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # when the address answered 410 Gone
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
