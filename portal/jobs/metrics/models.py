"""The tables of the metrics. They name jobs and people by id only, and outlive both.

A `Metric` row is a sum over the jobs of one period, source and outcome, of one person or of everybody. Each period is
kept at four grains, so that a query about a month reads thirty days instead of all its quarters of an hour.
"""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import JSON, BigInteger, SmallInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from portal.database import EnumColumn, Model, UtcDateTime, enum_check
from portal.jobs.core.status import Status

EVERYBODY = 0  # the user_id of a sum over all people
EVER, DAY, HOUR, QUARTER = 0, 1, 2, 3  # the grains


class HistogramKind(StrEnum):
    """What a histogram counts, always of completed jobs."""

    TIME = "time"  # milliseconds of work, in bins of `histogram`
    RETRIES = "retries"  # failed attempts before the one that completed the job


class JobEnd(Model):
    """How a job's latest end was counted, so that exactly that can be subtracted when the job is retried."""

    __tablename__ = "job_ends"

    job_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    user_id: Mapped[int]
    source: Mapped[str] = mapped_column(String(40))
    outcome: Mapped[Status] = mapped_column(EnumColumn(Status))
    ended_at: Mapped[datetime] = mapped_column(UtcDateTime)
    found: Mapped[int]
    not_found: Mapped[int]
    invalid: Mapped[int]
    rejected: Mapped[int]
    failed: Mapped[int]
    waiting: Mapped[int]
    worked_ms: Mapped[int] = mapped_column(BigInteger)  # the sum over its attempts
    elapsed_ms: Mapped[int] = mapped_column(BigInteger)  # from confirmation to end
    retries: Mapped[int]
    # of a file with several sources: each one's name, with how many cells it has said what of, as `ANSWERS` has them
    answers: Mapped[list[tuple[str, list[int]]]] = mapped_column(JSON, default=list, server_default="[]")

    __table_args__ = (enum_check("outcome", Status),)


class Metric(Model):
    """Sums over jobs. `day` counts from 1970 in UTC; `part` is the hour or the quarter of an hour of that day, 0 where
    the grain has none. `deleted_jobs` is kept at the grain EVER only: how many of `jobs` have been deleted since."""

    __tablename__ = "figures"

    user_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    grain: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    day: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    part: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    source: Mapped[str] = mapped_column(String(40), primary_key=True)
    outcome: Mapped[Status] = mapped_column(EnumColumn(Status), primary_key=True)
    jobs: Mapped[int] = mapped_column(default=0)
    found: Mapped[int] = mapped_column(BigInteger, default=0)
    not_found: Mapped[int] = mapped_column(BigInteger, default=0)
    invalid: Mapped[int] = mapped_column(BigInteger, default=0)
    rejected: Mapped[int] = mapped_column(BigInteger, default=0)
    failed: Mapped[int] = mapped_column(BigInteger, default=0)
    waiting: Mapped[int] = mapped_column(BigInteger, default=0)
    worked_ms: Mapped[int] = mapped_column(BigInteger, default=0)
    elapsed_ms: Mapped[int] = mapped_column(BigInteger, default=0)
    retries: Mapped[int] = mapped_column(default=0)
    deleted_jobs: Mapped[int] = mapped_column(default=0)

    # Rows are stored in the order in which they are read: a month of one person is one range of the table.
    __table_args__ = (enum_check("outcome", Status), {"sqlite_with_rowid": False})


class SourceAnswers(Model):
    """Sums over what one of the several sources of files has said of their numbers. These files are jobs of
    `sources.several.SEVERAL` in the other tables, in which each of their numbers counts once."""

    __tablename__ = "figure_answers"

    user_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    grain: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    day: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    part: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    source: Mapped[str] = mapped_column(String(40), primary_key=True)
    found: Mapped[int] = mapped_column(BigInteger, default=0)
    not_found: Mapped[int] = mapped_column(BigInteger, default=0)
    invalid: Mapped[int] = mapped_column(BigInteger, default=0)
    rejected: Mapped[int] = mapped_column(BigInteger, default=0)
    failed: Mapped[int] = mapped_column(BigInteger, default=0)

    __table_args__ = ({"sqlite_with_rowid": False},)


ANSWERS = ("found", "not_found", "invalid", "rejected", "failed")
"""What a source can say of a number, as these tables count it."""


class HistogramBin(Model):
    """How many completed jobs fall into each bin."""

    __tablename__ = "figure_spreads"

    user_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    grain: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    day: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    part: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    source: Mapped[str] = mapped_column(String(40), primary_key=True)
    kind: Mapped[HistogramKind] = mapped_column(EnumColumn(HistogramKind), primary_key=True)
    bin: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    jobs: Mapped[int] = mapped_column(default=0)

    __table_args__ = (enum_check("kind", HistogramKind), {"sqlite_with_rowid": False})
