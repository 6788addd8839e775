"""The sums over a set of jobs and what follows from them: shares, means and percentiles. It must not query the
database.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from portal.jobs.core.status import Status
from portal.jobs.metrics.histogram import percentile
from portal.jobs.metrics.models import HistogramKind

ANSWERED = ("found", "not_found", "rejected")
NUMBERS = ("found", "not_found", "invalid", "rejected", "failed", "waiting")


@dataclass
class Sums:
    """The sums over a set of jobs: by outcome, how many jobs and the sums of `MEASURES`; for completed jobs, the
    histograms of their times and retries."""

    by_outcome: dict[Status, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    spreads: dict[HistogramKind, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    # what a source has said of the numbers of files that have others too: these files are not among its own
    at_source: Counter[str] = field(default_factory=Counter)

    def jobs(self, outcome: Status | None = None) -> int:
        """How many jobs ended, or ended with this outcome."""
        return self.of("jobs", outcome)

    def of(self, measure: str, outcome: Status | None = None) -> int:
        """One measure summed over all jobs, or over those of one outcome."""
        chosen = self.by_outcome.values() if outcome is None else [self.by_outcome.get(outcome, Counter())]
        return sum(sums[measure] for sums in chosen) + (self.at_source[measure] if outcome is None else 0)

    @property
    def numbers(self) -> int:
        """All rows."""
        return sum(self.of(name) for name in NUMBERS)

    @property
    def answered(self) -> int:
        """Rows that a source answered. Rows that are not a number are left out."""
        return sum(self.of(name) for name in ANSWERED)

    @property
    def success(self) -> float | None:
        """The share of jobs that completed, of those that no person cancelled; None without jobs."""
        tried = self.jobs() - self.jobs(Status.CANCELLED)
        return self.jobs(Status.COMPLETED) / tried if tried else None

    @property
    def mean_seconds(self) -> float | None:
        """Mean seconds of work of completed jobs; None without any."""
        completed = self.jobs(Status.COMPLETED)
        return self.of("worked_ms", Status.COMPLETED) / completed / 1000 if completed else None

    @property
    def mean_whole_seconds(self) -> float | None:
        """Mean seconds of completed jobs from confirmation to end, including all waiting; None without any."""
        completed = self.jobs(Status.COMPLETED)
        return self.of("elapsed_ms", Status.COMPLETED) / completed / 1000 if completed else None

    def percentile_seconds(self, share: float) -> float | None:
        """A percentile of the seconds of work of completed jobs, at most the share `histogram.ERROR` off; None without
        any."""
        found = percentile(self.spreads[HistogramKind.TIME], share)
        return None if found is None else found / 1000

    @property
    def per_minute(self) -> float | None:
        """Numbers answered per minute of work; None without work."""
        worked = self.of("worked_ms")
        here = sum(self.at_source[name] for name in ANSWERED)
        return (self.answered - here) / worked * 60_000 if worked else None

    @property
    def retried(self) -> int:
        """Completed jobs that needed at least one retry."""
        return sum(count for retries, count in self.spreads[HistogramKind.RETRIES].items() if retries)

    def add(self, other: "Sums") -> None:
        """Add the sums of other jobs."""
        for outcome, sums in other.by_outcome.items():
            self.by_outcome[outcome].update(sums)
        for kind, bins in other.spreads.items():
            self.spreads[kind].update(bins)


def total(parts: dict[str, Sums]) -> Sums:
    """Return the sum of all parts, each number of a file once: what each of several sources has said counts only where
    one source is asked for."""
    whole = Sums()
    if len(parts) == 1:
        (only,) = parts.values()
        whole.at_source.update(only.at_source)
    for part in parts.values():
        whole.add(part)
    return whole
