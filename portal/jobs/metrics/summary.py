"""What came of some jobs, and what can be said of it: shares, means, percentiles. It asks no database."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from portal.jobs.core.status import Status
from portal.jobs.metrics.histogram import percentile
from portal.jobs.metrics.models import HistogramKind

NUMBERS = ("found", "not_found", "invalid", "rejected", "failed", "waiting")


@dataclass
class Sums:
    """What came of some jobs: for each outcome, how many and the sums of `MEASURES`; of the completed ones, how their
    times and retries are spread."""

    by_outcome: dict[Status, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    spreads: dict[HistogramKind, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))

    def jobs(self, outcome: Status | None = None) -> int:
        """How many jobs ended, or ended so."""
        return self.of("jobs", outcome)

    def of(self, measure: str, outcome: Status | None = None) -> int:
        """A sum over all jobs, or over those of one outcome."""
        chosen = self.by_outcome.values() if outcome is None else [self.by_outcome.get(outcome, Counter())]
        return sum(sums[measure] for sums in chosen)

    @property
    def numbers(self) -> int:
        """All rows."""
        return sum(self.of(name) for name in NUMBERS)

    @property
    def answered(self) -> int:
        """Rows that a source answered; what was seen to be no number is not counted."""
        return self.of("found") + self.of("not_found") + self.of("rejected")

    @property
    def success(self) -> float | None:
        """The share of completed jobs; those that a person cancelled are left out."""
        tried = self.jobs() - self.jobs(Status.CANCELLED)
        return self.jobs(Status.COMPLETED) / tried if tried else None

    @property
    def mean_seconds(self) -> float | None:
        """At work, of completed jobs."""
        completed = self.jobs(Status.COMPLETED)
        return self.of("worked_ms", Status.COMPLETED) / completed / 1000 if completed else None

    @property
    def mean_whole_seconds(self) -> float | None:
        """From the confirmation to the end, with all waiting, of completed jobs."""
        completed = self.jobs(Status.COMPLETED)
        return self.of("elapsed_ms", Status.COMPLETED) / completed / 1000 if completed else None

    def percentile_seconds(self, share: float) -> float | None:
        """At work, of completed jobs; at most `spread.ERROR` away."""
        found = percentile(self.spreads[HistogramKind.TIME], share)
        return None if found is None else found / 1000

    @property
    def per_minute(self) -> float | None:
        """Numbers answered in a minute at work."""
        worked = self.of("worked_ms")
        return self.answered / worked * 60_000 if worked else None

    @property
    def retried(self) -> int:
        """Completed jobs that needed a retry at least once."""
        return sum(count for retries, count in self.spreads[HistogramKind.RETRIES].items() if retries)

    def add(self, other: "Sums") -> None:
        """Add what came of other jobs."""
        for outcome, sums in other.by_outcome.items():
            self.by_outcome[outcome].update(sums)
        for kind, bins in other.spreads.items():
            self.spreads[kind].update(bins)


def total(parts: dict[str, Sums]) -> Sums:
    """All of them together."""
    whole = Sums()
    for part in parts.values():
        whole.add(part)
    return whole
