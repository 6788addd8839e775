"""Classifies a response: by the recipe's rules first, in their order, then by its HTTP status.

The classes are those of any careful HTTP client: final, worth another try, or a problem of all numbers. Only reads the
response; `session` acts on the verdict.
"""

import math
from collections.abc import Iterable, Mapping
from enum import StrEnum
from functools import lru_cache
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError

from portal.causes import REFUSALS, CauseCode
from portal.sources.http.disguised import is_challenge
from portal.sources.http.response import SourceResponse, UnreadableResponse
from portal.sources.recipes.model import RULE_NAMES, Before, Recipe, Rule


class Verdict(StrEnum):
    """What one response means. A verdict that is also a cause has the cause's code."""

    OK = "ok"
    NOT_FOUND = "not_found"
    REJECTED = CauseCode.REJECTED
    UNSURE = CauseCode.UNSURE  # 400: the number or the recipe is wrong
    LIMITED = CauseCode.RATE_LIMITED
    TEMPORARY = CauseCode.TEMPORARY
    UNREADABLE = "unreadable"
    BLOCKED = CauseCode.BLOCKED
    CREDENTIALS = CauseCode.CREDENTIALS
    NO_CREDIT = CauseCode.NO_CREDIT


# The verdict by status, where no rule of the recipe holds.
BY_STATUS = {
    **dict.fromkeys((404, 410), Verdict.NOT_FOUND),
    400: Verdict.UNSURE,
    422: Verdict.REJECTED,
    429: Verdict.LIMITED,
    **dict.fromkeys((408, 425, 500, 502, 503, 504, 520, 521, 522, 523, 524), Verdict.TEMPORARY),
    **dict.fromkeys((403, 407, 444), Verdict.BLOCKED),
    401: Verdict.CREDENTIALS,
    402: Verdict.NO_CREDIT,
}
_BY_RULE: dict[str, Verdict] = {
    **{code: Verdict(code) for code in REFUSALS},
    "limited": Verdict.LIMITED,
    "not_found": Verdict.NOT_FOUND,
    "rejected": Verdict.REJECTED,
    "retry": Verdict.TEMPORARY,
    "success": Verdict.OK,
}


def classify(response: SourceResponse, outcomes: Mapping[str, tuple[Rule, ...]]) -> Verdict:
    """The verdict on a response about one number."""
    rule_name = first_rule(response, outcomes)
    if rule_name not in REFUSALS and is_challenge(response):
        return Verdict.BLOCKED
    if rule_name is None or (rule_name == "success" and not _is_2xx(response)):
        return _by_status(response, "success" in outcomes)
    if rule_name == "retry" and is_rate_limited(response):
        return Verdict.LIMITED
    return _BY_RULE[rule_name]


def classify_whole(response: SourceResponse, outcomes: Mapping[str, tuple[Rule, ...]]) -> Verdict:
    """The verdict on a response about many numbers, as far as it concerns all of them. The rules `not_found`,
    `rejected` and `success` are about one number, and are checked on its item."""
    rules_for_all = {name: outcomes[name] for name in (*REFUSALS, "limited", "retry") if name in outcomes}
    verdict = classify(response, rules_for_all)
    return Verdict.UNREADABLE if verdict == Verdict.NOT_FOUND else verdict


def verdict_on(response: SourceResponse, recipe: Recipe, before: Before | None = None) -> Verdict:
    """The verdict on a response, as far as it concerns all numbers that it is about. `before`: it answers this request,
    which asks for no number's data: what was kept of it can only be right or wrong."""
    if before is None or not before.is_kept:
        outcomes = recipe.outcomes
        if before is not None:  # what success looks like is said of the last answer
            outcomes = {name: rules for name, rules in outcomes.items() if name != "success"}
        return (classify_whole if recipe.batch else classify)(response, outcomes)
    rules = {name: recipe.outcomes[name] for name in (*REFUSALS, "limited", "retry") if name in recipe.outcomes}
    rules["credentials"] = (*rules.get("credentials", ()), *before.credentials)
    verdict = classify(response, rules)
    if verdict in (Verdict.UNSURE, Verdict.REJECTED):  # as OAuth says of a client that it does not know
        return Verdict.CREDENTIALS
    return Verdict.UNREADABLE if verdict == Verdict.NOT_FOUND else verdict


def classify_item(item: Any, outcomes: Mapping[str, tuple[Rule, ...]]) -> Verdict:
    """The verdict on one number's item in a response about many, by the rules on JSON only."""
    for name in RULE_NAMES:
        rules = [rule for rule in outcomes.get(name, ()) if rule.json]
        if any(_is_true(rule.json, item) for rule in rules):
            return _BY_RULE[name]
        if name == "success" and rules:
            return Verdict.UNREADABLE
    return Verdict.OK


def first_rule(response: SourceResponse, outcomes: Mapping[str, tuple[Rule, ...]]) -> str | None:
    """The name of the first rule that holds, or None."""
    return next((name for name in RULE_NAMES if any_holds(outcomes.get(name, ()), response)), None)


def any_holds(rules: Iterable[Rule], response: SourceResponse) -> bool:
    return any(_holds(rule, response) for rule in rules)


def asked_wait(rules: Iterable[Rule], content: Any) -> float | None:
    """The seconds that a JSON answer asks us to wait, where a rule of `limited` says where they are."""
    for rule in rules:
        seconds = search(rule.wait, content) if rule.wait and (not rule.json or _is_true(rule.json, content)) else None
        try:
            if seconds is not None and not isinstance(seconds, bool) and 0 <= float(seconds) < math.inf:
                return float(seconds)
        except (TypeError, ValueError):
            continue
    return None


def is_rate_limited(response: SourceResponse) -> bool:
    """Whether it says "too many requests": 429, or 503 with Retry-After."""
    return response.status == 429 or (response.status == 503 and "retry-after" in response.headers)


def why_unreadable(response: SourceResponse) -> str:
    """Why no answer can be read from a response that no rule is about, in a form that `words.sample_words` knows."""
    if response.why:
        return response.why
    if not _is_2xx(response):
        return f"status {response.status}"
    try:
        _ = response.content
    except UnreadableResponse as error:
        return str(error)
    return "no rule for success holds"


def _is_2xx(response: SourceResponse) -> bool:
    return 200 <= response.status < 300


def _by_status(response: SourceResponse, has_success_rule: bool) -> Verdict:
    if _is_2xx(response):
        # The recipe says what a good answer looks like, and this is not one.
        return Verdict.UNREADABLE if has_success_rule else Verdict.OK
    if is_rate_limited(response):
        return Verdict.LIMITED
    if response.status >= 500:
        return Verdict.TEMPORARY
    verdict = BY_STATUS.get(response.status, Verdict.UNREADABLE)
    if verdict == Verdict.NOT_FOUND and response.has_other_format:
        return Verdict.UNREADABLE  # a server's page for an address that does not exist, not the source's answer
    return verdict


def _holds(rule: Rule, response: SourceResponse) -> bool:
    if rule.status and response.status not in rule.status:
        return False
    if rule.text and rule.text.lower() not in response.lower:
        return False
    try:
        if rule.json and not _is_true(rule.json, response.content):
            return False
        return not rule.css or bool(response.content.css(rule.css))
    except UnreadableResponse:
        return False


@lru_cache(maxsize=512)
def compiled(path: str) -> Any:
    """A JMESPath expression, compiled once."""
    return jmespath.compile(path)


def search(path: str, value: Any) -> Any:
    """What a JMESPath expression finds; None when the value has a shape that the expression cannot handle."""
    try:
        return compiled(path).search(value)
    except JMESPathError:
        return None


def _is_true(path: str, value: Any) -> bool:
    return bool(search(path, value))
