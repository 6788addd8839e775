"""What it may cost that files go on with their next source, before a person lets them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from portal import sources
from portal.jobs.core import steps
from portal.jobs.models import ScrapingJob
from portal.jobs.spending.room import room_of
from portal.sources.money import billionths
from portal.sources.several import names_of


@dataclass(frozen=True)
class NextSources:
    """The source that is asked next, about how many numbers at most, and what it and those behind it may cost. `cost`:
    at most, in billionths; None: one of them does not say it before."""

    source: str
    numbers: int
    cost: int | None
    currency: str


def next_sources(job: ScrapingJob, now: datetime) -> NextSources | None:
    """Return what follows if the source that is asked now is skipped; None: no number would go on, as all others were
    asked about them, or as a limit holds there too."""
    numbers = steps.left_at(job) if job.step < job.step_count else 0
    if not numbers or room_of(job, now, job.step + 1).reached:
        return None
    behind = names_of(job.all_sources)[job.step :]
    cost, currency = cost_at(behind, numbers)
    return NextSources(behind[0], numbers, cost, currency)


def cost_at(names: Iterable[str], numbers: int) -> tuple[int | None, str]:
    """What so many numbers cost at most at all of these sources, and in which currency; 0 and none for free ones."""
    cost: int | None = 0
    currency = ""
    for name in names:
        try:
            facts = sources.facts_of(name)
        except sources.UnknownSource:
            continue
        if facts.is_priced:
            currency = currency or facts.currency
            each = None if facts.most is None else billionths(facts.most)
            cost = None if cost is None or each is None else cost + each * numbers
    return cost, currency
