"""What is counted of a job's end, and what it adds to which sums. It reads no job and writes nothing.

Every end adds to eight sums: for everybody and for its owner, each at the four grains.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, NamedTuple, Self

from portal.jobs.core.status import Status
from portal.jobs.core.tables import AttemptEnd
from portal.jobs.metrics.histogram import bin_of
from portal.jobs.metrics.models import DAY, EVER, EVERYBODY, HOUR, QUARTER, JobEnd, Kind
from portal.jobs.metrics.periods import QUARTER_SECONDS, QUARTERS, QUARTERS_OF_HOUR

MEASURES = (
    "found", "not_found", "invalid", "rejected", "failed", "waiting", "worked_ms", "elapsed_ms", "retries",
)  # fmt: skip
GIVEN_UP = (AttemptEnd.FAILED, AttemptEnd.TIMEOUT, AttemptEnd.LOST)  # after these, another attempt was needed


class Tried(NamedTuple):
    """One attempt of a job."""

    started_at: datetime
    ended_at: datetime | None
    end: AttemptEnd | None


@dataclass(frozen=True)
class End:
    """One end of a job, as `JobEnd` keeps it."""

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

    @classmethod
    def of(cls, job: Any, attempts: Sequence[Tried], ended_at: datetime) -> Self:
        """From a job's row, or the columns of it, and its attempts. One that is still open lasted until the end."""
        worked = sum(max(0, _ms(one.started_at, one.ended_at or ended_at)) for one in attempts)
        return cls(
            job.id, job.user_id, job.source, Status(job.status), ended_at, job.found_count, job.not_found_count,
            job.invalid_count, job.rejected_count, job.failed_count,
            max(0, job.total_numbers - job.processed_numbers - job.failed_count),
            worked, max(0, _ms(job.created_at, ended_at)), sum(one.end in GIVEN_UP for one in attempts),
        )  # fmt: skip

    @classmethod
    def kept(cls, row: JobEnd) -> Self:
        """As it was counted."""
        return cls(**{name: getattr(row, name) for name in cls.__dataclass_fields__})

    def as_row(self) -> dict[str, Any]:
        """The columns of its `JobEnd`."""
        return asdict(self)

    def places(self) -> Iterator[tuple[int, int, int, int]]:
        """Person, grain, day and part of each of its sums."""
        day, part = divmod(int(self.ended_at.timestamp()) // QUARTER_SECONDS, QUARTERS)
        for person in (EVERYBODY, self.user_id):
            yield from ((person, EVER, 0, 0), (person, DAY, day, 0))
            yield from ((person, HOUR, day, part // QUARTERS_OF_HOUR), (person, QUARTER, day, part))

    def bins(self) -> Iterator[tuple[Kind, int]]:
        """Where it falls in each spread; only what was completed tells how long it takes."""
        if self.outcome == Status.COMPLETED:
            yield Kind.TIME, bin_of(self.worked_ms)
            yield Kind.RETRIES, min(self.retries, 1000)


def _ms(since: datetime, until: datetime) -> int:
    return round((until - since).total_seconds() * 1000)
