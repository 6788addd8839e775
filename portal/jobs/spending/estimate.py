"""What looking up a choice of cells will cost, before it is started, and how many of its numbers are known already.

Read-only, as it is on the check page. Counting the known ones reads the sheet once more; its numbers stay in memory
for the next look.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from statistics import median

from portal import sources
from portal.documents.check import check
from portal.documents.choice import SheetChoice
from portal.jobs import excluded_numbers
from portal.jobs.core.merge_tables import Asks
from portal.jobs.excluded_numbers import MOST_COUNTED
from portal.jobs.merge.carried import Carried
from portal.jobs.spending.caps import Cap, caps_of
from portal.jobs.spending.reservations import month_of
from portal.sources.answer_cache import ages_of
from portal.sources.base import SourceFacts
from portal.sources.exclusions import Excluded
from portal.sources.money import billionths
from portal.sources.recipes.coverage import is_covered
from portal.sources.recipes.model import Coverage

AGES = (0, 1, 7, 30, 90, 365)  # days that can be chosen, as far as the recipe keeps answers

Corrected = tuple[tuple[tuple[int, int], str], ...]


@dataclass(frozen=True)
class Merged:
    """The earlier list with which a file is merged, and how many of the file's numbers have an answer there."""

    carried: Carried
    answers: int


@dataclass(frozen=True)
class Estimate:
    """What a start would do. `cost` is None where the source does not say it before; `at_most`: it may be less."""

    to_ask: int
    to_look_up: int = 0  # of which some are known
    # the lists that numbers are on, which are not looked up, with how many; None: they are too many to be counted
    excluded: tuple[tuple[Excluded, int], ...] | None = ()
    not_covered: int = 0  # numbers that the source is not for: it is not asked about them
    known: int = 0
    carried: int = 0  # that are answered in the earlier list with which the file is merged
    median_days: float = 0.0  # how old the known answers are
    known_days: float | None = None  # the age that is accepted; None: answers are not kept
    ages: tuple[int, ...] = ()  # that can be chosen
    counted: bool = True  # False: some may be known, it is not counted how many
    cost: int | None = None
    at_most: bool = False
    currency: str = ""
    is_priced: bool = False
    each: int = 0  # the price of one number
    caps: tuple[Cap, ...] = ()

    @property
    def tightest(self) -> Cap | None:
        """The monthly cap that has the least left."""
        return min(self.caps, key=lambda cap: cap.left, default=None)

    @property
    def stops_at(self) -> Cap | None:
        """The cap at which the file will pause before its end."""
        tightest = self.tightest
        return tightest if tightest and self.cost is not None and tightest.left < self.cost else None

    def cost_of(self, numbers: int) -> int | None:
        """What so many of the numbers cost."""
        return None if self.cost is None else self.each * min(numbers, self.to_ask)


def estimate(
    source: str,
    user_id: int,
    path: Path,
    choice: SheetChoice,
    corrected: Corrected,
    to_look_up: int,
    known_days: int | None,
    now: datetime,
    merged: Merged | None = None,
) -> Estimate:
    """Say what a start with these cells at this source would cost. `known_days`: how old an answer of an earlier file
    may be, in days; 0: none is taken; None: as old as the recipe keeps them. `merged`:
    the earlier list whose answers are taken over."""
    facts = sources.facts_of(source)
    keeps = facts.cache_days > 0
    accepted = min(facts.cache_days, known_days if known_days is not None else facts.cache_days)
    counted = to_look_up <= MOST_COUNTED
    known, not_covered = Known(), 0
    excludes = excluded_numbers.are_any()
    excluded: tuple[tuple[Excluded, int], ...] | None = () if counted or not excludes else None
    carried = min(merged.answers, to_look_up) if merged else 0
    if counted and (merged or excludes or facts.countries or facts.lines or (keeps and accepted)):
        numbers = numbers_of(path, choice, corrected)
        if excludes and (listed := excluded_numbers.excluded_among(numbers, source)):
            excluded = tuple(Counter(listed.values()).most_common())
            numbers = tuple(e164 for e164 in numbers if e164 not in listed)
        if merged:
            answered = merged.carried.answers(numbers)
            carried, numbers = len(answered), tuple(e164 for e164 in numbers if e164 not in answered)
        only_found = merged is not None and merged.carried.asks == Asks.NOT_FOUND
        if keeps and accepted:
            known = _known(facts, source, numbers, now, accepted, only_found=only_found)
        to_look_up = _covered(numbers, facts.countries, facts.lines)
        not_covered = len(numbers) - to_look_up
    else:
        to_look_up -= carried
    to_ask = max(0, to_look_up - known.count)
    each = billionths(facts.most) if facts.most is not None else 0
    caps = caps_of(user_id, source, facts.currency, month_of(now)) if facts.is_priced else ()
    return Estimate(
        to_ask, to_look_up, excluded, not_covered, known.count, carried, known.median_days,
        known_days=accepted if keeps else None,
        ages=_ages(facts.cache_days) if keeps else (),
        counted=counted or not (keeps or merged),
        cost=each * to_ask if facts.most is not None else None,
        at_most=facts.price is None or facts.price_per == "found" or not counted,
        currency=facts.currency, is_priced=facts.is_priced, each=each, caps=tuple(caps),
    )  # fmt: skip


@dataclass(frozen=True)
class Known:
    """How many numbers are known, and how old the answers are."""

    count: int = 0
    median_days: float = 0.0


def _known(
    facts: SourceFacts, source: str, numbers: Iterable[str], now: datetime, days: float, *, only_found: bool
) -> Known:
    moments = ages_of(source, facts.data_version, numbers, now, days, only_found=only_found)
    ages = [(now - at) / timedelta(days=1) for at in moments]
    return Known(len(ages), median(ages)) if ages else Known()


def _ages(kept_days: float) -> tuple[int, ...]:
    """The ages that can be chosen, the recipe's own among them."""
    return tuple(sorted({*(days for days in AGES if days < kept_days), max(1, round(kept_days))}, reverse=True))


@lru_cache(maxsize=32)
def numbers_of(path: Path, choice: SheetChoice, corrected: Corrected) -> tuple[str, ...]:
    """Return the distinct numbers of a choice, in the file's order."""
    # A sheet file is never rewritten under the same name, so these stay true.
    cells = check(path, choice, dict(corrected))
    return tuple(cell.phone_e164 for cell in cells if cell.phone_e164 and cell.duplicate_of is None)


@lru_cache(maxsize=64)
def _covered(numbers: tuple[str, ...], countries: frozenset[str], lines: frozenset[str]) -> int:
    if not (countries or lines):
        return len(numbers)
    only = Coverage(countries, lines)
    return sum(is_covered(e164, only) for e164 in numbers)
