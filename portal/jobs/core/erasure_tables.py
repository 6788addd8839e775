"""The tables of erased numbers: the orders, with what is kept of them, and stored files that were written anew.

They must not know how a number is erased.
"""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import String, Text
from sqlalchemy.orm import Mapped, mapped_column

from portal.database import EnumColumn, Model, UtcDateTime, enum_check, partial_index


class ErasureState(StrEnum):
    """The state of an order. The steps follow one another in this order."""

    NUMBERS = "numbers"  # in the ledgers of jobs, so that nobody asks for it any more
    FILES = "files"  # stored files
    TEXTS = "texts"  # all other tables
    CHECK = "check"  # whether a file was read or looked up meanwhile: then it waits for that
    DISK = "disk"  # the number is forgotten; what was deleted goes from the disk
    DONE = "done"


class Erasure(Model):
    """One order to erase a number. The number itself is here only until it is erased. As with a job, `attempt` is the
    fence and `lease_until` shows that a worker is alive."""

    __tablename__ = "erasures"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(64), unique=True)  # of the form, so that a second press starts nothing
    e164: Mapped[str | None] = mapped_column(String(20))  # empty: forgotten
    by: Mapped[str] = mapped_column(String(255))  # the admin's address
    reason: Mapped[str | None] = mapped_column(Text)
    state: Mapped[ErasureState] = mapped_column(EnumColumn(ErasureState), default=ErasureState.NUMBERS)
    after_id: Mapped[int] = mapped_column(default=0)  # the last row or file of the step that is done
    # in how many places it was: cells of looked-up files, stored files, kept answers, others
    cells: Mapped[int] = mapped_column(default=0)
    files: Mapped[int] = mapped_column(default=0)
    kept: Mapped[int] = mapped_column(default=0)
    others: Mapped[int] = mapped_column(default=0)
    attempt: Mapped[int] = mapped_column(default=0)
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    __table_args__ = (
        enum_check("state", ErasureState),
        partial_index("ix_erasures_under_way", "id", where="ended_at IS NULL"),
    )


class ReplacedFile(Model):
    """A stored file that was written anew under another key, without a number. Copies of it are deleted on every
    machine."""

    __tablename__ = "replaced_files"

    storage_key: Mapped[str] = mapped_column(String(64), primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    gone_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # when the storage had certainly deleted it
