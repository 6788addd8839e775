"""The saved answers of a draft as its recipe reads them, and what each has cost."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from portal.sources.base import Outcome
from portal.sources.editor.drafted import SampleAnswer, content_of, read_sample
from portal.sources.http.classify import Verdict
from portal.sources.http.pricing import price_of
from portal.sources.http.response import SourceResponse, UnreadableResponse
from portal.sources.recipes.model import Recipe


def answer_of(sample_id: int, number: str, meaning: str, facts: Mapping[str, Any], body: bytes) -> SampleAnswer | None:
    """The answer to a question, of what is kept of it (`sampling.SampleResult.facts`); None when none came."""
    if facts.get("status") is None:
        return None
    response = SourceResponse(facts["status"], facts.get("headers") or {}, body, facts.get("is_whole", True))
    return SampleAnswer(sample_id, number, meaning, response)


def cost_of(recipe: Recipe, sample: SampleAnswer) -> int:
    """What an answer has cost, in billionths."""
    sample.response.reading = recipe.request.reading
    read, content = read_sample(recipe, sample), None
    with suppress(UnreadableResponse):
        content = content_of(recipe, sample) if recipe.batch else None
    return price_of(recipe.cost, Verdict(read.verdict), sample.response, content, found=read.outcome == Outcome.FOUND)
