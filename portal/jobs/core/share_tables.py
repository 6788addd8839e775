"""The tables of an attempt that several workers work on: who works on it, and which numbers each of them has.

They name the job by its id and must not know its verbs; `jobs.shares` reads and writes them. Rows of an attempt that is
over mean nothing, and the sweep deletes them.
"""

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from portal.database import Model, UtcDateTime


class Holder(Model):
    """A worker at work on an attempt, alone or beside others. Its token is the fence of what it writes."""

    __tablename__ = "holders"

    job_id: Mapped[int] = mapped_column(ForeignKey("scraping_jobs.id"), primary_key=True)
    attempt: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    token: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)  # counts up in an attempt, from 1
    worker: Mapped[str] = mapped_column(String(80))
    joined_at: Mapped[datetime] = mapped_column(UtcDateTime)
    lease_until: Mapped[datetime] = mapped_column(UtcDateTime)


class Share(Model):
    """The waiting numbers of a job between two of them, for one worker at a time. The row is deleted when each has its
    answer."""

    __tablename__ = "shares"

    job_id: Mapped[int] = mapped_column(ForeignKey("scraping_jobs.id"), primary_key=True)
    attempt: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    first_no: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    last_no: Mapped[int]
    holder: Mapped[int | None]  # the holder's token; empty: its worker left or was lost, and another may take it
    suspicion: Mapped[int] = mapped_column(default=0, server_default="0")  # of its numbers, see `poison_numbers`
