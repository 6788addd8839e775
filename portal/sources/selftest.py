"""A recipe's own tests: its saved answers, read as a job would read them, against what it expects. No network."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from portal.sources.base import Outcome
from portal.sources.http.batch import by_number
from portal.sources.http.classify import Verdict, judge, judge_item, judge_whole, search
from portal.sources.http.extract import FieldMissing, pick
from portal.sources.http.response import SourceResponse, UnreadableResponse
from portal.sources.recipes.model import AnswerFormat, Case, Difference, Recipe

OUTCOMES = {
    Verdict.OK: Outcome.FOUND,
    Verdict.NOT_FOUND: Outcome.NOT_FOUND,
    Verdict.REJECTED: Outcome.REJECTED,
    Verdict.UNSURE: Outcome.REJECTED,
}


@dataclass(frozen=True)
class TestResult:
    """One test and how it came out."""

    case: Case
    outcome: str
    fields: Mapping[str, str]
    differences: tuple[Difference, ...] = ()

    @property
    def passed(self) -> bool:
        return not self.differences


@dataclass(frozen=True)
class ReadAnswer:
    """What a saved answer says of one number."""

    outcome: Outcome
    fields: Mapping[str, str] = field(default_factory=dict)
    difference: Difference | None = None


def prove(recipe: Recipe) -> tuple[TestResult, ...]:
    """All tests of a recipe, in the file's order."""
    return tuple(_prove(recipe, case) for case in recipe.tests)


def _prove(recipe: Recipe, case: Case) -> TestResult:
    default = "text/html" if recipe.kind == AnswerFormat.HTML else "application/json"
    reply = SourceResponse(case.status, {"content-type": case.content_type or default}, case.response.read_bytes())
    read = _read(recipe, case.number, reply)
    differences = [read.difference] if read.difference and case.outcome != Outcome.FAILED else []
    if not differences and read.outcome != case.outcome:
        differences.append(Difference("outcome_differs", expected=case.outcome, found=read.outcome))
    if not differences:
        for name, expected in case.expect.items():
            if (found := read.fields.get(name, "")) != expected:
                differences.append(Difference("field_differs", name, expected, found))
    return TestResult(case, read.outcome, read.fields, tuple(differences))


def _read(recipe: Recipe, number: str, reply: SourceResponse) -> ReadAnswer:
    try:
        if recipe.batch:
            verdict = judge_whole(reply, recipe.outcomes)
            where: Any = None
            if verdict == Verdict.OK:
                items = search(recipe.batch.items, reply.json)
                mine = by_number(items if isinstance(items, list) else [], recipe.batch.key, [number])
                if number not in mine:
                    return ReadAnswer(Outcome.FAILED, difference=Difference("no_item", expected=number))
                where = mine[number]
                verdict = judge_item(where, recipe.outcomes)
        else:
            verdict = judge(reply, recipe.outcomes)
            where = None
        if verdict != Verdict.OK:
            return ReadAnswer(OUTCOMES.get(verdict, Outcome.FAILED))
        if where is None:
            where = reply.page if recipe.kind == AnswerFormat.HTML else reply.json
        return ReadAnswer(Outcome.FOUND, pick(recipe.fields, where))
    except UnreadableResponse:
        return ReadAnswer(Outcome.FAILED, difference=Difference("not_readable"))
    except FieldMissing as error:
        return ReadAnswer(Outcome.FAILED, difference=Difference("field_missing", str(error)))
