"""The document: one uploaded file, and the facts that reading it gave."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from portal.clock import utcnow
from portal.database import EnumColumn, Model, UtcDateTime, enum_check, partial_index
from portal.documents.search_text import LONGEST, of_new_row


class Reading(StrEnum):
    """The states of reading a document."""

    READING = "reading"  # waits for the intake worker, or is being read
    READY = "ready"  # its sheets are known, so it can be checked
    REFUSED = "refused"  # it cannot be read; `problem` says why


NOTE_LENGTH = 200
# Compared by code points on every database, as Python compares: pages of a list are merged from several queries.
Folded = String(LONGEST).with_variant(String(LONGEST, collation="C"), "postgresql")
_NOT_STARTED = "deleted_at IS NULL AND first_job_at IS NULL"


class Document(Model):
    """One uploaded file. `file_name` comes from the browser and is for display only; `storage_key` is ours."""

    __tablename__ = "documents"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    file_name: Mapped[str] = mapped_column(String(255))
    storage_key: Mapped[str] = mapped_column(String(64), unique=True)
    sha256: Mapped[str] = mapped_column(String(64))
    size_bytes: Mapped[int]
    state: Mapped[Reading] = mapped_column(EnumColumn(Reading), default=Reading.READING)
    problem: Mapped[str | None] = mapped_column(String(40))  # a FileProblem; documents.words has its sentence
    problem_facts: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    sheets: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)  # see reader.parent.SheetFacts
    checks: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # check.CheckFacts by SheetChoice.key
    # what the person chose for a text file: csv_text.TextChoice
    text_choice: Mapped[dict[str, str]] = mapped_column(JSON, default=dict, server_default="{}")
    read_attempts: Mapped[int] = mapped_column(default=0)
    # raised by each reader: only the last may save
    read_claim: Mapped[int] = mapped_column(default=0, server_default="0")
    read_lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)  # empty: nobody reads it
    read_began_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # by the last reader
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    enqueued_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    read_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    first_job_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # empty: never started
    note: Mapped[str] = mapped_column(String(NOTE_LENGTH), default="", server_default="")
    labels: Mapped[list[str]] = mapped_column(JSON, default=list, server_default="[]")
    search_text: Mapped[str] = mapped_column(Folded, default=of_new_row, server_default="")
    deleted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # set too while it is in the trash
    purge_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # in the trash until then; empty: not in it
    erased_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # when its stored file was certainly gone

    __table_args__ = (
        enum_check("state", Reading),
        Index("ix_documents_user_sha", "user_id", "sha256"),
        partial_index("ix_documents_to_read", "created_at", where="state = 'reading'"),
        partial_index("ix_documents_there", "user_id", "created_at", where="deleted_at IS NULL"),
        partial_index("ix_documents_to_erase", "id", where="deleted_at IS NOT NULL AND erased_at IS NULL"),
        partial_index("ix_documents_not_started", "user_id", "created_at", "id", where=_NOT_STARTED),
        partial_index("ix_documents_in_trash", "user_id", "purge_at", where="purge_at IS NOT NULL"),
        partial_index("ix_documents_to_purge", "purge_at", where="purge_at IS NOT NULL"),
        partial_index("ix_documents_erased", "deleted_at", where="erased_at IS NOT NULL"),
    )
