"""The tables of the figures. They name jobs and people by id only, and outlive both.

A `Figure` row is a sum over the jobs of one stretch of time, source and outcome: of one person, or of everybody. Each
stretch is kept at four grains, so that a question about a month reads thirty days and not all quarters of an hour.
"""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, SmallInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from portal.database import EnumColumn, Model, UtcDateTime, only
from portal.jobs.core.status import Status

EVERYBODY = 0  # stands as the person of a sum over all
EVER, DAY, HOUR, QUARTER = 0, 1, 2, 3  # the grains


class HistogramKind(StrEnum):
    """Of what a spread tells, always of completed jobs."""

    TIME = "time"  # thousandths of a second at work, in bins of `spread`
    RETRIES = "retries"  # how many attempts failed before the one that completed it


class JobEnd(Model):
    """How a job's latest end was counted, so that it can be taken back exactly when the job is retried."""

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
    worked_ms: Mapped[int] = mapped_column(BigInteger)  # its attempts together
    elapsed_ms: Mapped[int] = mapped_column(BigInteger)  # from the confirmation to the end
    retries: Mapped[int]

    __table_args__ = (only("outcome", Status),)


class Metric(Model):
    """Sums over jobs. `day` counts from 1970 in UTC, `part` is the hour or the quarter of an hour in it; 0 where the
    grain has none. `deleted_jobs` is kept at the grain EVER only: how many of `jobs` are deleted by now."""

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

    # Rows lie in the order in which they are read: a month of one person is one stretch of the table.
    __table_args__ = (only("outcome", Status), {"sqlite_with_rowid": False})


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

    __table_args__ = (only("kind", HistogramKind), {"sqlite_with_rowid": False})
