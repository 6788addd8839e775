"""The further sources of a file on its check page: what the form says of them, and what each may cost."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask_babel import gettext
from werkzeug.datastructures import MultiDict

from portal import sources
from portal.jobs import commands
from portal.jobs.core.step_tables import MOST_STEPS, NextSource, StepRule
from portal.jobs.spending.estimate import Estimate
from portal.jobs.words.money import amount_typed
from portal.jobs.words.statuses import cannot_start_words
from portal.jobs.words.steps import RULES
from portal.sources.several import joined
from portal.sources.words import source_description, source_title
from portal.web.start_options import StartRefused


@dataclass(frozen=True)
class FurtherSource:
    """One further source as the form has it; `problem` is a sentence about it."""

    source: str
    rule: str = StepRule.NOT_FOUND
    cost_cap: str = ""  # as it was typed
    problem: str = ""

    @property
    def title(self) -> str:
        """The source in words."""
        return source_title(self.source)

    @property
    def description(self) -> str:
        """What the source is, in words."""
        return source_description(self.source)

    @property
    def is_priced(self) -> bool:
        """Whether the source charges."""
        return self.source in sources.names() and sources.facts_of(self.source).is_priced


def read_further(fields: MultiDict[str, str], first: str, names: Sequence[str]) -> list[FurtherSource]:
    """Return the further sources that a form or an address names: the fields `then`, `then_mode` and `then_cap`, as
    often as there are sources. One left empty is none; `add_source` asks for one more."""
    modes, caps = fields.getlist("then_mode"), fields.getlist("then_cap")
    found = []
    for place, sent in enumerate(fields.getlist("then")[: 2 * MOST_STEPS]):
        if source := sent.strip():
            mode = modes[place] if place < len(modes) and modes[place] else str(StepRule.NOT_FOUND)
            one = FurtherSource(source, mode, caps[place].strip()[:20] if place < len(caps) else "")
            found.append(_judged(one, names))
    if "add_source" in fields and len(found) < MOST_STEPS - 1:
        used = {first, *(one.source for one in found)}
        if free := next((name for name in names if name not in used), None):
            found.append(FurtherSource(free))
    return found


def _judged(one: FurtherSource, names: Sequence[str]) -> FurtherSource:
    problem = ""
    if one.source not in names:
        problem = gettext("The source “%(name)s” is not available. Choose another one.", name=one.source[:40])
    elif one.rule not in tuple(RULES):
        problem = gettext("Choose which numbers each further source is asked about.")
    else:
        try:
            amount_typed(one.cost_cap)
        except ValueError:
            problem = gettext("Write the limit as an amount, such as 25.00, or leave it empty.")
    return FurtherSource(one.source, one.rule, one.cost_cap, problem)


def as_fields(further: Iterable[FurtherSource]) -> dict[str, list[str]]:
    """The same as fields of an address; none without a further source."""
    rows = list(further)
    named = {"then": [one.source for one in rows], "then_mode": [one.rule for one in rows],
             "then_cap": [one.cost_cap for one in rows]}  # fmt: skip
    return named if rows else {}


def next_sources(further: Iterable[FurtherSource]) -> list[NextSource]:
    """The same as a start takes them. Raises StartRefused with the first one's problem."""
    found = []
    for one in further:
        if one.problem:
            raise StartRefused(one.problem)
        found.append(NextSource(one.source, StepRule(one.rule), amount_typed(one.cost_cap)))
    return found


@dataclass(frozen=True)
class Together:
    """What all sources of a file may cost, by their names; a further one as if it were asked about every number.
    `asked_all` are those that really are."""

    costs: Mapping[str, Estimate]
    asked_all: frozenset[str] = frozenset()

    def is_exact(self, name: str) -> bool:
        """Whether it is known what this source costs, and not only the most that it can be."""
        return name in self.asked_all and not self.costs[name].at_most

    @property
    def all_exact(self) -> bool:
        """The same of all that charge."""
        return all(self.is_exact(name) for name, one in self.costs.items() if one.is_priced)

    @property
    def all(self) -> list[Estimate]:
        """What each costs, the first one's first."""
        return list(self.costs.values())

    @property
    def has_several(self) -> bool:
        """Whether there is more than one."""
        return len(self.costs) > 1

    @property
    def seconds(self) -> float:
        """About how many seconds all lookups take."""
        return sum(sources.seconds_for(name, one.to_ask) for name, one in self.costs.items())

    @property
    def is_priced(self) -> bool:
        """Whether one of them charges."""
        return any(one.is_priced for one in self.all)

    @property
    def currency(self) -> str:
        """Of what they charge."""
        return next((one.currency for one in self.all if one.is_priced), "")

    @property
    def has_prices(self) -> bool:
        """Whether one of them says before what a number costs, so that a limit can be set."""
        return any(one.is_priced and one.each for one in self.all)

    @property
    def at_most(self) -> int | None:
        """The most that they cost together; None: one of them does not say it before."""
        costs = [one.cost for one in self.all if one.is_priced]
        return None if None in costs else sum(cost or 0 for cost in costs)

    def at_most_of(self, numbers: int) -> int | None:
        """The same of so many of the numbers."""
        costs = [one.cost_of(numbers) for one in self.all if one.is_priced]
        return None if None in costs else sum(cost or 0 for cost in costs)

    @property
    def stops_at(self) -> Any:
        """The monthly limit at which the file will pause before its end."""
        return next((one.stops_at for one in self.all if one.stops_at), None)


def problems_of(source: str, further: Sequence[FurtherSource]) -> list[str]:
    """Return sentences about what cannot be used of these further sources."""
    problems = [one.problem for one in further if one.problem]
    code = None if problems else commands.chain_problem(source, next_sources(further))
    return [*problems, *([cannot_start_words(code)] if code else [])]


def all_named(source: str, further: Iterable[FurtherSource]) -> str:
    """The names of all sources, as `sources.several` has them, without those that there are not."""
    known = sources.names()
    return joined(dict.fromkeys([source, *(one.source for one in further if one.source in known)]))


def together_of(source: str, further: Iterable[FurtherSource], costs: Mapping[str, Estimate]) -> Together:
    """What the first source and these further ones cost, by the estimate of each."""
    beside = (one.source for one in further if one.rule == StepRule.BESIDE)
    return Together(costs, frozenset([source, *beside]))


def page_of(further: Sequence[FurtherSource], together: Together) -> dict[str, Any]:
    """What the check page's templates take."""
    return {"further": further, "rules": RULES, "together": together, "most_further": MOST_STEPS - 1}
