"""Runs a recipe's own tests: reads its saved responses as a job would, and compares them with what each test expects.

Uses no network.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from portal.sources.base import Outcome
from portal.sources.http.batch import MISSING, by_number, items_in
from portal.sources.http.classify import Verdict, classify, classify_item, classify_whole
from portal.sources.http.extract import FieldMissing, extract_fields
from portal.sources.http.response import SourceResponse, UnreadableResponse
from portal.sources.recipes.model import Case, Difference, Recipe

TYPES = {"html": "text/html", "xml": "text/xml", "csv": "text/csv", "text": "text/plain",
         "form": "application/x-www-form-urlencoded"}  # fmt: skip
OUTCOMES = {
    Verdict.OK: Outcome.FOUND,
    Verdict.NOT_FOUND: Outcome.NOT_FOUND,
    Verdict.REJECTED: Outcome.REJECTED,
    Verdict.UNSURE: Outcome.REJECTED,
}


@dataclass(frozen=True)
class TestResult:
    """One test and its result."""

    case: Case
    outcome: str
    fields: Mapping[str, str]
    differences: tuple[Difference, ...] = ()

    @property
    def passed(self) -> bool:
        return not self.differences


@dataclass(frozen=True)
class ReadAnswer:
    """What a saved response says about one number."""

    outcome: Outcome
    fields: Mapping[str, str] = field(default_factory=dict)
    difference: Difference | None = None


def run_tests(recipe: Recipe) -> tuple[TestResult, ...]:
    """Run all tests of a recipe, in the file's order. Raises OSError when a saved response cannot be read."""
    return tuple(run_case(recipe, case) for case in recipe.tests)


def run_case(recipe: Recipe, case: Case) -> TestResult:
    """Run one test. Raises OSError when its saved response cannot be read."""
    kind = case.content_type or TYPES.get(recipe.request.reading.format, "application/json")
    if case.response is not None:
        body = case.response.read_bytes()
    else:
        body = case.answer.encode(recipe.request.reading.charset or "utf-8", "replace")
        kind = kind if "charset" in kind else f"{kind}; charset={recipe.request.reading.charset or 'utf-8'}"
    response = SourceResponse(case.status, {"content-type": kind}, body, reading=recipe.request.reading)
    read = _read(recipe, case.number, response)
    differences = [read.difference] if read.difference and case.outcome != Outcome.FAILED else []
    if not differences and read.outcome != case.outcome:
        differences.append(Difference("outcome_differs", expected=case.outcome, found=read.outcome))
    if not differences:
        for name, expected in case.expect.items():
            if (found := read.fields.get(name, "")) != expected:
                differences.append(Difference("field_differs", name, expected, found))
    return TestResult(case, read.outcome, read.fields, tuple(differences))


def _read(recipe: Recipe, number: str, response: SourceResponse) -> ReadAnswer:
    try:
        if recipe.batch:
            verdict = classify_whole(response, recipe.outcomes)
            content: Any = None
            if verdict == Verdict.OK:
                items = items_in(recipe.batch.items, response.content)
                item_of, _ = by_number(items if isinstance(items, list) else [], recipe.batch, [number])
                if number not in item_of and isinstance(items, list) and recipe.batch.missing in MISSING:
                    return ReadAnswer(OUTCOMES[MISSING[recipe.batch.missing]])
                if number not in item_of:
                    return ReadAnswer(Outcome.FAILED, difference=Difference("no_item", expected=number))
                content = item_of[number]
                verdict = classify_item(content, recipe.outcomes)
        else:
            verdict = classify(response, recipe.outcomes)
            content = None
        if verdict != Verdict.OK:
            return ReadAnswer(OUTCOMES.get(verdict, Outcome.FAILED))
        if content is None:
            content = response.content
        fields = extract_fields(recipe.fields, content)
        return ReadAnswer(Outcome.FOUND if fields else Outcome.FAILED, fields)
    except UnreadableResponse as error:
        return ReadAnswer(Outcome.FAILED, difference=Difference("not_readable", found=str(error)))
    except FieldMissing as error:
        return ReadAnswer(Outcome.FAILED, difference=Difference("field_missing", str(error)))
