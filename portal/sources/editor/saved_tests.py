"""Makes tests of a recipe from the answers that its draft was tried with, so that `flask source test` proves it.

A recipe is kept for good, so no number of a person may stay in it: each is replaced by one that stands for it, with as
many digits, wherever and however the answer has it. What no longer says the same then becomes no test.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import phonenumbers

from portal.phone.writings import Writings
from portal.sources.base import Outcome
from portal.sources.editor.drafted import ReadSample, SampleAnswer
from portal.sources.http.response import UnreadableResponse
from portal.sources.recipes.filling import each_of
from portal.sources.recipes.model import Case, Recipe
from portal.sources.selftest import TYPES, run_case

LONGEST_ANSWER = 20_000  # characters
PLACES = 1000  # of the stand-ins of one country


def cases_of(recipe: Recipe, samples: Sequence[SampleAnswer], read: Mapping[int, ReadSample]) -> list[dict[str, Any]]:
    """The tests, as a recipe's `[[test]]` has them. `samples` are those that the recipe reads as a person does, and
    `read` is what it reads in each."""
    stand_ins = _stand_ins([one.number for one in samples])
    found: list[dict[str, Any]] = []
    for sample in samples:
        case = _case(recipe, sample, stand_ins)
        if case is None:
            continue
        proof = run_case(recipe, case)
        if proof.outcome != read[sample.id].outcome or set(proof.fields) != set(read[sample.id].fields):
            continue
        plain: dict[str, Any] = {"number": case.number, "answer": case.answer}
        if case.status != 200:
            plain["status"] = case.status
        if case.content_type:
            plain["content_type"] = case.content_type
        if proof.outcome != Outcome.FOUND:
            plain["outcome"] = str(proof.outcome)
        elif proof.fields:
            plain["expect"] = dict(proof.fields)
        if plain not in found:
            found.append(plain)
    return found


def _case(recipe: Recipe, sample: SampleAnswer, stand_ins: Mapping[str, str]) -> Case | None:
    response, number = sample.response, stand_ins.get(sample.number)
    try:
        text = response.text
    except UnreadableResponse:
        return None
    if number is None or len(text) > LONGEST_ANSWER or "\ufffd" in text:
        return None
    each = recipe.batch.each if recipe.batch else ""
    for real, other in stand_ins.items():
        text = replaced(text, real, other)
        if each:  # a digest of the number, say
            text = text.replace(each_of(each, real), each_of(each, other))
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    default = TYPES.get(recipe.request.reading.format, "application/json")
    outcome = Outcome.FAILED
    return Case(
        number, answer=text, status=response.status, content_type="" if kind == default else kind, outcome=outcome
    )


def replaced(text: str, number: str, other: str) -> str:
    """The text with another number of as many digits in the place of this one (both E.164); marks between digits
    stay."""
    writings, digits = Writings(number), Writings(other).national
    for start, end in reversed(writings.spans(text)):
        inside, left = list(text[start:end]), list(digits)
        for place in range(len(inside) - 1, -1, -1):
            if left and inside[place].isdigit():
                inside[place] = left.pop()
        text = text[:start] + "".join(inside) + text[end:]
    return text


def _stand_ins(numbers: Sequence[str]) -> dict[str, str]:
    """For each number one that nobody has given: the example of its country's plan, counted on."""
    found: dict[str, str] = {}
    for number in dict.fromkeys(numbers):
        try:
            parsed = phonenumbers.parse(number, None)
        except phonenumbers.NumberParseException:
            continue
        national = phonenumbers.national_significant_number(parsed)
        code = str(parsed.country_code)
        region = phonenumbers.region_code_for_number(parsed) or phonenumbers.region_code_for_country_code(
            parsed.country_code or 0
        )
        example = phonenumbers.example_number_for_type(region, phonenumbers.number_type(parsed))
        plan = phonenumbers.national_significant_number(example) if example else ""
        base = plan if len(plan) == len(national) else national[:3].ljust(len(national), "0")
        for count in range(PLACES):
            other = f"+{code}{base[:-3]}{(int(base[-3:]) + count) % 1000:03d}"
            if other not in numbers and other not in found.values():
                found[number] = other
                break
    return found
