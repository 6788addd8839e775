"""Adds a job's end to the metrics, in the transaction in which it ends, and takes it back when it is retried.

Every end adds to eight sums: everybody's and its owner's, each at four grains. The caller holds the job's row locked by
its own UPDATE, so no end is counted twice. A writer locks the sums until it commits, or two callers that end several
jobs could deadlock; so a caller that moves several jobs locks all their rows before it moves the first.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple, Self

from sqlalchemy import func, literal_column, select, update
from sqlalchemy.orm.attributes import set_committed_value

from portal.database import changed_rows, db, upsert
from portal.jobs.core import steps
from portal.jobs.core.derived import is_unfinished
from portal.jobs.core.job_columns import JobColumns
from portal.jobs.core.job_tables import Attempt, AttemptEnd
from portal.jobs.core.status import Status
from portal.jobs.core.step_tables import JobStep
from portal.jobs.metrics.histogram import bin_of
from portal.jobs.metrics.models import (
    ANSWERS,
    DAY,
    EVER,
    EVERYBODY,
    HOUR,
    QUARTER,
    HistogramBin,
    HistogramKind,
    JobEnd,
    Metric,
    SourceAnswers,
)
from portal.jobs.metrics.periods import QUARTER_SECONDS, QUARTERS, QUARTERS_OF_HOUR
from portal.sources.several import SEVERAL

MEASURES = (
    "found", "not_found", "invalid", "rejected", "failed", "waiting", "worked_ms", "elapsed_ms", "retries",
)  # fmt: skip
# Ends after which the job needed another attempt.
UNSUCCESSFUL = (AttemptEnd.FAILED, AttemptEnd.TIMEOUT, AttemptEnd.LOST)


Figures = Metric | HistogramBin | SourceAnswers


class AttemptTimes(NamedTuple):
    """When one attempt of a job began and ended, and how."""

    started_at: datetime
    ended_at: datetime | None
    end: AttemptEnd | None
    idle_seconds: float = 0.0  # of several attempts in one row: the waits between them


Answers = tuple[tuple[str, tuple[int, ...]], ...]  # by source: the counts of `ANSWERS`


def answers_of(steps: Iterable[JobStep]) -> Answers:
    """What each source of a job has said of its cells."""
    return tuple((one.source, tuple(getattr(one, name) for name in ANSWERS)) for one in steps)


@dataclass(frozen=True)
class CountedEnd:
    """One end of a job, as `JobEnd` stores it."""

    job_id: int
    user_id: int
    source: str
    outcome: Status
    ended_at: datetime
    found: int
    not_found: int
    invalid: int
    rejected: int
    failed: int
    waiting: int
    worked_ms: int
    elapsed_ms: int
    retries: int
    answers: Answers = ()  # of each of several sources

    @classmethod
    def of(cls, job: Any, attempts: Sequence[AttemptTimes], ended_at: datetime, steps: Iterable[JobStep] = ()) -> Self:
        """Make it from a job's row, or from its columns, its attempts and its several sources. An attempt that is still
        open lasts until the end."""
        worked = sum(
            max(0, _ms(one.started_at, one.ended_at or ended_at) - round(one.idle_seconds * 1000)) for one in attempts
        )
        return cls(
            job.id, job.user_id, SEVERAL if job.chain else job.source, Status(job.status), ended_at, job.found_count,
            job.not_found_count,
            job.invalid_count, job.rejected_count, job.failed_count,
            max(0, job.total_numbers - job.processed_numbers - job.failed_count),
            worked, max(0, _ms(job.created_at, ended_at)), sum(one.end in UNSUCCESSFUL for one in attempts),
            answers_of(steps),
        )  # fmt: skip

    @classmethod
    def from_row(cls, row: JobEnd) -> Self:
        """Make it from the row in which it was counted."""
        own = {name: getattr(row, name) for name in cls.__dataclass_fields__}
        return cls(**{**own, "answers": tuple((source, tuple(counts)) for source, counts in row.answers or ())})

    def as_row(self) -> dict[str, Any]:
        """The columns of its `JobEnd`."""
        return asdict(self)

    def sum_keys(self) -> Iterator[tuple[int, int, int, int]]:
        """Yield person, grain, day and part of each sum that it adds to."""
        day, part = divmod(int(self.ended_at.timestamp()) // QUARTER_SECONDS, QUARTERS)
        for person in (EVERYBODY, self.user_id):
            yield from ((person, EVER, 0, 0), (person, DAY, day, 0))
            yield from ((person, HOUR, day, part // QUARTERS_OF_HOUR), (person, QUARTER, day, part))

    def bins(self) -> Iterator[tuple[HistogramKind, int]]:
        """Yield its bin in each histogram. Only completed jobs count there."""
        if self.outcome == Status.COMPLETED:
            yield HistogramKind.TIME, bin_of(self.worked_ms)
            yield HistogramKind.RETRIES, min(self.retries, 1000)


def _ms(since: datetime, until: datetime) -> int:
    return round((until - since).total_seconds() * 1000)


_PLACE = ("user_id", "grain", "day", "part", "source")
KEYS: dict[type[Figures], tuple[str, ...]] = {
    Metric: (*_PLACE, "outcome"), HistogramBin: (*_PLACE, "kind", "bin"), SourceAnswers: _PLACE,
}  # fmt: skip
SUMS: dict[type[Figures], tuple[str, ...]] = {
    Metric: ("jobs", *MEASURES, "deleted_jobs"), HistogramBin: ("jobs",), SourceAnswers: ANSWERS,
}  # fmt: skip

Additions = dict[tuple[Any, ...], Counter[str]]

# Any number that no other lock in this database uses. SQLite runs one writing transaction at a time anyway.
_LOCK = select(func.pg_advisory_xact_lock(literal_column("5270116")))


_later: ContextVar[dict[int, tuple[JobColumns, datetime]] | None] = ContextVar("jobs to count later", default=None)


@contextmanager
def counted_at_the_end() -> Iterator[None]:
    """Count the jobs that are moved within this block at its end, so that the sums are not locked while the block does
    what takes long, such as reopening a million rows. The transaction must go on until then."""
    moved: dict[int, tuple[JobColumns, datetime]] = {}
    before = _later.set(moved)
    try:
        yield
    finally:
        _later.reset(before)
    for job, now in moved.values():
        _update_now(job, now)


def update_metrics(job: JobColumns, now: datetime) -> None:
    """Make the metrics agree with the job's present status. Calling it twice changes nothing."""
    moved = _later.get()
    if moved is None:
        _update_now(job, now)
    else:
        moved[job.id] = job, now


def _update_now(job: JobColumns, now: datetime) -> None:
    ended = not is_unfinished(job)
    before = db.session.get(JobEnd, job.id, populate_existing=True) if job.ended_at is not None else None
    if ended == (before is not None) and (before is None or before.outcome == job.status):
        return
    changes: list[tuple[CountedEnd, int]] = []
    if before is not None:
        changes.append((CountedEnd.from_row(before), -1))
        db.session.delete(before)
        db.session.flush()
    if ended:
        times = select(Attempt.started_at, Attempt.ended_at, Attempt.end, Attempt.idle_seconds)
        attempts = times.where(Attempt.job_id == job.id)
        times_of = [AttemptTimes(*row) for row in db.session.execute(attempts)]
        end = CountedEnd.of(job, times_of, now, steps.of_job(job))
        changes.append((end, 1))
        db.session.add(JobEnd(**end.as_row()))
    write(changes)
    _set_ended_at(job, now if ended else None)


def recount(job: JobColumns) -> None:
    """Count the end of a job anew whose cells were corrected without a new attempt. The moment of its end stays."""
    before = db.session.get(JobEnd, job.id, populate_existing=True)
    if before is None:
        return
    old = CountedEnd.from_row(before)
    names: dict[str, Any] = {"found": job.found_count, "not_found": job.not_found_count, "invalid": job.invalid_count,
             "rejected": job.rejected_count, "failed": job.failed_count}  # fmt: skip
    names["answers"] = answers_of(steps.of_job(job))
    new = replace(old, **names)
    for name, count in names.items():
        setattr(before, name, count)
    write([(old, -1), (new, 1)])


def record_deletion(job: JobColumns, now: datetime) -> None:
    """Record that an ended job was deleted: it stays counted, and also counts as deleted."""
    _update_now(job, now)
    if job.ended_at is not None:
        write([], deleted=[CountedEnd.from_row(db.session.get_one(JobEnd, job.id))])


def record_restoration(job: JobColumns) -> None:
    """Take back `record_deletion`: the job is there again."""
    if job.ended_at is not None:
        write([], restored=[CountedEnd.from_row(db.session.get_one(JobEnd, job.id))])


def _set_ended_at(job: JobColumns, ended_at: datetime | None) -> None:
    """Set `ended_at` without the object's attribute: SQLAlchemy's own UPDATE would also change `updated_at`."""
    model: Any = type(job)
    noted = update(model).where(model.id == job.id).values(ended_at=ended_at, updated_at=model.updated_at)
    changed_rows(noted)
    set_committed_value(job, "ended_at", ended_at)


def write(
    changes: Iterable[tuple[CountedEnd, int]],
    deleted: Iterable[CountedEnd] = (),
    restored: Iterable[CountedEnd] = (),
) -> None:
    """Add ends to the sums (1) or subtract them (-1), and count those of jobs that are deleted, or there again."""
    metrics: Additions = {}
    histograms: Additions = {}
    answers: Additions = {}
    for end, sign in changes:
        added = {name: sign * getattr(end, name) for name in MEASURES}
        for place in end.sum_keys():
            sums = metrics.setdefault((*place, end.source, end.outcome), Counter())
            sums.update(added)
            sums["jobs"] += sign
            for source, counts in end.answers:
                said = {name: sign * count for name, count in zip(ANSWERS, counts, strict=True)}
                answers.setdefault((*place, source), Counter()).update(said)
            for kind, bin_number in end.bins():
                histograms.setdefault((*place, end.source, kind, bin_number), Counter())["jobs"] += sign
    for end, sign in (*((end, 1) for end in deleted), *((end, -1) for end in restored)):
        for person in (EVERYBODY, end.user_id):
            gone = metrics.setdefault((person, EVER, 0, 0, end.source, end.outcome), Counter())
            gone["deleted_jobs"] += sign
    if metrics and db.session.connection().dialect.name == "postgresql":
        db.session.execute(_LOCK)
    _add(Metric, metrics)
    _add(HistogramBin, histograms)
    _add(SourceAnswers, answers)


def _add(model: type[Figures], rows: Mapping[tuple[Any, ...], Counter[str]]) -> None:
    keys, names = KEYS[model], SUMS[model]
    given = [
        {**dict(zip(keys, place, strict=True)), **{name: sums[name] for name in names}}
        for place, sums in sorted(rows.items())
        if any(sums.values())
    ]
    if given:
        db.session.execute(upsert(model.__table__, keys, add=names), given)
