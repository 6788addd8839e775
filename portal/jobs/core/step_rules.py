"""At which source of its job a number is asked about next, and what its answer is once none is left. Pure: it knows no
database.

A number that no source is left for has failed if one of those that it needs gave no answer: it is at that one then,
and a retry asks it again, and no other. `Said` is kept with the number, so that nothing is asked twice.

A source that a person has skipped said nothing: the next one is asked as if it were not there. A number that none of
the others found has failed there all the same, so that it can still be asked about.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, Self

from portal.causes import CauseCode
from portal.jobs.core.step_tables import StepRule
from portal.sources.base import Answer, Outcome
from portal.sources.several import FOUND_BY, answer_with, joined

# Of several answers, the one that counts.
_BEST_FIRST = (Outcome.FOUND, Outcome.NOT_FOUND, Outcome.INVALID, Outcome.REJECTED, Outcome.FAILED)
_FOUND = frozenset({Outcome.FOUND, Outcome.INVALID})  # no other source is asked instead
_INSTEAD = frozenset({StepRule.NOT_FOUND, StepRule.NO_ANSWER})
# No further source is asked: the number is excluded or erased, or it has stopped a worker.
_ENDS = frozenset({CauseCode.EXCLUDED, CauseCode.ERASED, CauseCode.STOPS_WORKER})


class Said(NamedTuple):
    """What one source has said of a number, and in which attempt."""

    outcome: Outcome
    reason: str | None
    at: str  # in ISO 8601
    cost: int
    attempt: int

    @property
    def skipped(self) -> bool:
        """Whether the source was not asked, because a person skipped it."""
        return self.reason == CauseCode.SOURCE_SKIPPED

    @classmethod
    def read(cls, kept: Sequence[object]) -> Self:
        """Read it as `by_step` has it."""
        outcome, *rest = kept
        return cls(Outcome(str(outcome)), *rest)  # type: ignore[arg-type]


ByStep = dict[str, list[object]]
"""What each source has said, by its position as a text; as `numbers.by_step` keeps it."""


def read(by_step: Mapping[str, Sequence[object]] | None) -> dict[int, Said]:
    """What each source has said of a number, by its position, in order."""
    return {int(step): Said.read(kept) for step, kept in sorted((by_step or {}).items(), key=lambda one: int(one[0]))}


def _kept(said: Mapping[int, Said]) -> ByStep:
    return {str(step): list(what) for step, what in sorted(said.items())}


def next_step(
    rules: Sequence[StepRule], said: Mapping[int, Outcome], skipped: Collection[int] = frozenset()
) -> int | None:
    """The position of the source to ask next, of those that have not been asked; None: there is none now."""
    counts = {step: outcome for step, outcome in said.items() if step not in skipped}
    for step, rule in enumerate(rules, start=1):
        if step not in said and _is_for(rule, [outcome for other, outcome in counts.items() if other < step]):
            return step
    return None


def _is_for(rule: StepRule, before: Sequence[Outcome]) -> bool:
    """Whether a source is asked about a number of which those before it have said this."""
    if rule in (StepRule.FIRST, StepRule.BESIDE):
        return True
    if any(outcome in _FOUND for outcome in before):
        return False
    return rule == StepRule.NO_ANSWER or Outcome.FAILED not in before


def failed_at(
    rules: Sequence[StepRule], said: Mapping[int, Outcome], skipped: Collection[int] = frozenset()
) -> int | None:
    """The first source that gave no answer, if that matters: not where one that is asked instead has been. A skipped
    one matters unless one that is asked instead has found the number, and comes after those that were asked."""
    instead = max((step for step in said if rules[step - 1] == StepRule.NO_ANSWER), default=0)
    found = (step for step, outcome in said.items() if outcome in _FOUND and rules[step - 1] in _INSTEAD)
    found_at = max(found, default=0)
    failed = sorted(step for step, outcome in said.items() if outcome == Outcome.FAILED)
    of_skipped = [step for step in failed if step in skipped]
    # The answer of one that is asked beside others is wanted whatever these have found.
    matters = [step for step in of_skipped if step >= found_at or rules[step - 1] == StepRule.BESIDE]
    return next((step for step in failed if step >= instead and step not in skipped), next(iter(matters), None))


class Judged(NamedTuple):
    """A number after an answer: where it is now and what is written of it. `outcome` WAITING: the source at `step` is
    asked next."""

    step: int
    outcome: Outcome
    reason: str | None
    answer: dict[str, str] | None
    at: datetime | None
    attempt: int | None  # that answered it; None while it waits, as nobody has judged it at its step
    by_step: ByStep


def judge(
    rules: Sequence[StepRule],
    sources: Sequence[str],
    step: int,
    by_step: Mapping[str, Sequence[object]] | None,
    answer_before: Mapping[str, str] | None,
    answer: Answer,
    now: datetime,
    attempt: int,
) -> Judged:
    """Judge a number for which the source at `step` has just answered. `by_step` and `answer_before` are what the
    number's row had."""
    at = answer.asked_at or now
    said = read(by_step)
    if answer.reason in _ENDS:
        kept = _kept(said)
        if found := next((one for one, what in said.items() if what.outcome == Outcome.FOUND), None):
            return Judged(found, Outcome.FOUND, None, dict(answer_before or {}) or None, at, attempt, kept)
        return Judged(step, answer.outcome, answer.reason, dict(answer.fields) or None, at, attempt, kept)
    cost = answer.cost + (said[step].cost if step in said else 0)
    said[step] = Said(answer.outcome, answer.reason, at.isoformat(), cost, attempt)
    outcomes = {one: what.outcome for one, what in said.items()}
    skipped = {one for one, what in said.items() if what.skipped}
    fields = answer_with(answer_before, step, answer.fields)
    if finders := [sources[one - 1] for one, outcome in sorted(outcomes.items()) if outcome == Outcome.FOUND]:
        fields = {FOUND_BY: joined(finders), **fields}
    kept = _kept(said)
    if (then := next_step(rules, outcomes, skipped)) is not None:
        return Judged(then, Outcome.WAITING, None, fields or None, at, None, kept)
    if (failed := failed_at(rules, outcomes, skipped)) is not None:
        return Judged(failed, Outcome.FAILED, said[failed].reason, fields or None, at, attempt, kept)
    decides = min(outcomes, key=lambda one: (_BEST_FIRST.index(outcomes[one]), one))
    what = said[decides]
    return Judged(decides, what.outcome, what.reason, fields or None, at, attempt, kept)
