"""What an answer means: the recipe's rules first, in their order, then what its status says by itself.

The classes are those of every careful fetcher: what is final, what is worth another try, what concerns all numbers.
It reads an answer and asks nobody; what follows from the verdict, `inquiry` does.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from functools import lru_cache
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError

from portal.causes import REFUSALS, CauseCode
from portal.sources.http.response import SourceResponse, UnreadableResponse
from portal.sources.recipes.model import RULE_NAMES, Rule


class Verdict(StrEnum):
    """What one answer means. What is a cause too has its code."""

    OK = "ok"
    NOT_FOUND = "not_found"
    REJECTED = CauseCode.REJECTED
    UNSURE = CauseCode.UNSURE  # 400: this number's fault, or the recipe's
    LIMITED = CauseCode.RATE_LIMITED
    TEMPORARY = CauseCode.TEMPORARY
    UNREADABLE = "unreadable"
    BLOCKED = CauseCode.BLOCKED
    CREDENTIALS = CauseCode.CREDENTIALS
    NO_CREDIT = CauseCode.NO_CREDIT


# As they follow from the status where the recipe says nothing.
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
    "not_found": Verdict.NOT_FOUND,
    "rejected": Verdict.REJECTED,
    "retry": Verdict.TEMPORARY,
    "success": Verdict.OK,
}


def judge(reply: SourceResponse, outcomes: Mapping[str, tuple[Rule, ...]]) -> Verdict:
    """The verdict on one answer to one number."""
    named = first_rule(reply, outcomes)
    if named is None or (named == "success" and not _good(reply)):
        return _by_status(reply, "success" in outcomes)
    if named == "retry" and asks_to_wait(reply):
        return Verdict.LIMITED
    return _BY_RULE[named]


def judge_whole(reply: SourceResponse, outcomes: Mapping[str, tuple[Rule, ...]]) -> Verdict:
    """The verdict on an answer for many numbers: only what concerns them all. `not_found`, `rejected` and `success`
    are about one number, and are asked of its item."""
    about_all = {name: outcomes[name] for name in (*REFUSALS, "retry") if name in outcomes}
    verdict = judge(reply, about_all)
    return Verdict.TEMPORARY if verdict == Verdict.NOT_FOUND else verdict


def judge_item(item: Any, outcomes: Mapping[str, tuple[Rule, ...]]) -> Verdict:
    """The verdict on one number's item out of an answer for many: by rules on JSON alone."""
    for name in RULE_NAMES:
        rules = [rule for rule in outcomes.get(name, ()) if rule.json]
        if any(_true(rule.json, item) for rule in rules):
            return _BY_RULE[name]
        if name == "success" and rules:
            return Verdict.UNREADABLE
    return Verdict.OK


def first_rule(reply: SourceResponse, outcomes: Mapping[str, tuple[Rule, ...]]) -> str | None:
    """The name of the first rule that holds."""
    return next((name for name in RULE_NAMES if any_holds(outcomes.get(name, ()), reply)), None)


def any_holds(rules: Iterable[Rule], reply: SourceResponse) -> bool:
    return any(_holds(rule, reply) for rule in rules)


def asks_to_wait(reply: SourceResponse) -> bool:
    """Too many requests, said in one of two ways."""
    return reply.status == 429 or (reply.status == 503 and "retry-after" in reply.headers)


def _good(reply: SourceResponse) -> bool:
    return 200 <= reply.status < 300


def _by_status(reply: SourceResponse, success_is_said: bool) -> Verdict:
    if _good(reply):
        # The recipe knows how a good answer looks, and this is none.
        return Verdict.UNREADABLE if success_is_said else Verdict.OK
    if asks_to_wait(reply):
        return Verdict.LIMITED
    if reply.status >= 500:
        return Verdict.TEMPORARY
    return BY_STATUS.get(reply.status, Verdict.UNREADABLE)


def _holds(rule: Rule, reply: SourceResponse) -> bool:
    if rule.status and reply.status not in rule.status:
        return False
    if rule.text and rule.text.lower() not in reply.lower:
        return False
    try:
        if rule.json and not _true(rule.json, reply.json):
            return False
        return not rule.css or bool(reply.page.css(rule.css))
    except UnreadableResponse:
        return False


@lru_cache(maxsize=512)
def compiled(path: str) -> Any:
    """A JMESPath expression, made ready once."""
    return jmespath.compile(path)


def search(path: str, value: Any) -> Any:
    """What an expression finds; nothing where the value is of another shape than it takes."""
    try:
        return compiled(path).search(value)
    except JMESPathError:
        return None


def _true(path: str, value: Any) -> bool:
    return bool(search(path, value))
