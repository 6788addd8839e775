"""Proposes the rules that tell an answer of one kind from all others: by its status where that is enough, else by the
shortest condition on what it says. Only proposals: a person accepts or changes them, and sees what each catches."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from parsel import Selector

from portal.sources.editor.answer_tree import step
from portal.sources.editor.drafted import SampleAnswer, content_of, digits_of, holds
from portal.sources.http.classify import Verdict, classify
from portal.sources.http.response import SourceResponse, UnreadableResponse
from portal.sources.recipes.model import VALUES, Recipe, Rule

# What a person may say that an answer is, with the rule that says it and the verdict that a job needs.
WANTED: dict[str, tuple[str, Verdict]] = {
    "exists": ("success", Verdict.OK),
    "unknown": ("not_found", Verdict.NOT_FOUND),
    "wrong": ("rejected", Verdict.REJECTED),
    "key": ("credentials", Verdict.CREDENTIALS),
    "credit": ("no_credit", Verdict.NO_CREDIT),
    "blocked": ("blocked", Verdict.BLOCKED),
    "limited": ("limited", Verdict.LIMITED),
    "retry": ("retry", Verdict.TEMPORARY),
}
_TELLING = re.compile(
    r"status|code|error|result|message|success|valid|found|exists|reason|state|outcome|detail|ok$", re.IGNORECASE
)
_CODE = re.compile(r"code|type|status|success|valid|found|exists|ok$", re.IGNORECASE)
_VALID = re.compile(r"success|valid|found|exists|(?:^|[_-])ok$|swapped|active", re.IGNORECASE)
# What tells about the number, although its name sounds like that of an error: its type, and codes of its country.
_ABOUT_NUMBER = re.compile(
    r"(?:phone|line|number)[ _-]?type|(?:country|network|area|currency|mobile|iso|m[cn]c)[ _-]?.*code", re.IGNORECASE
)
_SUCCESS = re.compile(
    r"(?:\w+\.)*(?:status|success|ok|result|code|state|found|error|error_?code|errno|statusCode) == "
    r"(?:'(?:ok|success|successful|found|done|completed|valid|0|200)'|`(?:0|200|true|false)`)",
    re.IGNORECASE,
)
MOST_LEAVES = 400
MOST_TRIED = 60
LONGEST_TEXT = 80  # characters of an answer in one rule
MOST_TOGETHER = 12  # conditions of which two together are tried


@dataclass(frozen=True)
class ProposedRule:
    """One rule. `catches`: the samples for which it holds."""

    name: str  # of the outcome
    rule: Mapping[str, Any]
    catches: tuple[int, ...]

    @property
    def mark(self) -> str:
        """The rule as a form sends it back."""
        return json.dumps([self.name, dict(self.rule)], sort_keys=True)


def by_itself(sample: SampleAnswer, recipe: Recipe) -> bool:
    """Whether the answer is understood without a rule, by its status."""
    verdict = classify(sample.response, {})
    wanted = WANTED[sample.meaning][1]
    if recipe.batch and wanted == Verdict.NOT_FOUND:
        return False
    return verdict == wanted


def proposals(recipe: Recipe, samples: Sequence[SampleAnswer]) -> tuple[list[ProposedRule], list[SampleAnswer]]:
    """The rules for these samples, and the samples that nothing tells from samples of another kind."""
    contents = {one.id: _content(recipe, one) for one in samples}
    found: list[ProposedRule] = []
    unclear: list[SampleAnswer] = []
    kinds = dict.fromkeys(one.meaning for one in samples if one.meaning in WANTED)
    for kind in kinds:
        own = [one for one in samples if one.meaning == kind]
        others = [one for one in samples if one.meaning != kind and one.meaning in WANTED]
        if kind == "exists":
            continue
        left = [one for one in own if not by_itself(one, recipe)]
        while left:
            rule = _best(recipe, left[0], others, contents)
            if rule is None:
                unclear.append(left.pop(0))
                continue
            caught = _caught(rule, recipe, samples, contents)
            found.append(ProposedRule(WANTED[kind][0], _plain(rule), caught))
            left = [one for one in left if one.id not in caught]
    success = _success(recipe, samples, contents, found)
    return ([*found, success] if success else found), unclear


def rule_of(plain: Mapping[str, Any]) -> Rule:
    """The rule in what a recipe says."""
    status = plain.get("status", ())
    return Rule(
        tuple(status) if isinstance(status, list) else (status,) if status else (),
        plain.get("json", ""), plain.get("css", ""), plain.get("text", ""), plain.get("wait", ""),
    )  # fmt: skip


def caught_by(rule: Mapping[str, Any], recipe: Recipe, samples: Sequence[SampleAnswer]) -> tuple[int, ...]:
    """The samples for which a rule holds."""
    contents = {one.id: _content(recipe, one) for one in samples}
    return _caught(rule_of(rule), recipe, samples, contents)


def _content(recipe: Recipe, sample: SampleAnswer) -> Any:
    try:
        found = content_of(recipe, sample)
        return sample.response.content if found is None else found
    except UnreadableResponse:
        return None


def _caught(
    rule: Rule, recipe: Recipe, samples: Sequence[SampleAnswer], contents: Mapping[int, Any]
) -> tuple[int, ...]:
    return tuple(one.id for one in samples if holds(rule, recipe.batch is not None, contents[one.id], one.response))


def _success(
    recipe: Recipe, samples: Sequence[SampleAnswer], contents: Mapping[int, Any], found: Sequence[ProposedRule]
) -> ProposedRule | None:
    """What all good answers say of themselves, where bad ones come with the same status."""
    good = [one for one in samples if one.meaning == "exists"]
    bad = [one for one in samples if one.meaning != "exists" and one.meaning in WANTED]
    with_2xx = [one for one in bad if 200 <= one.response.status < 300]
    if not good or not with_2xx or recipe.request.reading.format not in VALUES:
        return None
    clear = {number for one in found for number in one.catches} | {one.id for one in bad if by_itself(one, recipe)}
    for condition in sorted(_conditions(contents[good[0].id], digits_of(good[0].number))):
        if not _SUCCESS.fullmatch(condition[1]):  # what else one good answer says, another may not
            continue
        rule = Rule(json=condition[1])
        caught = set(_caught(rule, recipe, samples, contents))
        tells = any(one.id not in caught for one in with_2xx)
        if tells and all(one.id in caught for one in good) and not any(one.id in caught - clear for one in bad):
            return ProposedRule("success", _plain(rule), tuple(sorted(caught)))
    return None


def _best(
    recipe: Recipe, sample: SampleAnswer, others: Sequence[SampleAnswer], contents: Mapping[int, Any]
) -> Rule | None:
    for rule in _candidates(sample, contents[sample.id], recipe):
        caught = _caught(rule, recipe, [sample, *others], contents)
        if sample.id in caught and not any(one.id in caught for one in others):
            return rule
    return None


def _candidates(sample: SampleAnswer, content: Any, recipe: Recipe, *, with_status: bool = True) -> Iterator[Rule]:
    """Conditions that hold for an answer, the best first."""
    response, form = sample.response, sample.response.reading.format
    numbers = digits_of(sample.number)
    if with_status and response.status >= 300:
        yield Rule((response.status,))
    if form in VALUES and content is not None:
        tried = [one for _, one in sorted(_conditions(content, numbers), key=lambda one: one[0])[:MOST_TRIED]]
        yield from (Rule(json=condition) for condition in tried)
        few = tried[:MOST_TOGETHER]
        yield from (Rule((response.status,), json=one) for one in few if with_status)
        yield from (Rule(json=f"{one} && {other}") for place, one in enumerate(few) for other in few[place + 1 :])
    elif form == "html" and isinstance(content, Selector):
        yield from (Rule(css=one) for one in _elements(content))
    texts = list(_texts(response, content, numbers))
    yield from (Rule(text=one) for one in texts)
    yield from (Rule((response.status,), text=one) for one in texts[:MOST_TOGETHER] if with_status)


def _conditions(
    content: Any, numbers: Sequence[str], path: str = "", depth: int = 0
) -> Iterator[tuple[tuple[int, int], str]]:
    """JMESPath conditions on the values of an answer, each with its rank: small is good."""
    if depth > 6:
        return
    if isinstance(content, dict):
        for key, value in list(content.items())[:MOST_LEAVES]:
            if re.sub(r"\D", "", key) in numbers and key:
                continue
            yield from _conditions(value, numbers, step(path, key), depth + 1)
    elif isinstance(content, list):
        where = path or "@"
        yield (3 if content else 1, len(path)), f"length({where}) == `0`" if not content else f"length({where}) > `0`"
        for place, value in enumerate(content[:1]):
            yield from _conditions(value, numbers, f"{path}[{place}]" if path else f"[{place}]", depth + 1)
    if not path or isinstance(content, dict | list):
        if content == {} and path:
            yield (2, len(path)), f"length({path}) == `0`"
        return
    name = re.split(r"[.\[]", path)[-1]
    plain = name.strip("\"'")
    rank = (0 if _CODE.search(plain) else 1 if _TELLING.search(plain) else 4) + min(depth, 3)
    if _ABOUT_NUMBER.fullmatch(plain):
        rank += 4
    elif isinstance(content, bool) and _VALID.search(plain):
        rank -= 1
    if content is None:
        yield (rank + 1, len(path)), f"{path} == null"
    elif isinstance(content, bool | int | float):
        yield (rank, len(path)), f"{path} == `{json.dumps(content)}`"
    elif (
        len(content) <= 80
        and not any(one in re.sub(r"\D", "", content) for one in numbers)
        and not {"'", "{"} & set(content)
        and "\\" not in content
    ):
        yield (rank + (1 if " " in content else 0) + (0 if content else 2), len(path)), f"{path} == '{content}'"


def _elements(page: Selector) -> Iterator[str]:
    """Classes and ids of a page's elements, what sounds like a message first."""
    found: dict[str, None] = {}
    for one in page.xpath("//*[@id or @class]")[:MOST_LEAVES]:
        tag = str(one.root.tag).rpartition("}")[2]
        names = [f"#{one.attrib['id']}"] if one.attrib.get("id") else []
        names += [f".{name}" for name in one.attrib.get("class", "").split()[:4]]
        found.update({f"{tag}{name}": None for name in names if re.fullmatch(r"[.#][A-Za-z_][\w-]*", name)})
    telling = re.compile(r"error|not-?found|no-?result|empty|alert|invalid|fault|unknown|missing", re.IGNORECASE)
    yield from sorted(list(found)[:MOST_TRIED], key=lambda one: (not telling.search(one), len(one)))


def conditions_of(content: Any, number: str, most: int = 8) -> list[str]:
    """Conditions that hold for an answer, as JMESPath, the most telling first."""
    found = sorted(_conditions(content, digits_of(number)), key=lambda one: one[0])
    return [condition for _, condition in found[:most]]


def _texts(response: SourceResponse, content: Any, numbers: Sequence[str]) -> Iterator[str]:
    """Short pieces of an answer that are not about its number: of XML its elements as they are written, whatever their
    namespaces, of a page or a text its sentences."""
    body = response.text[:50_000]
    if response.reading.format == "xml":
        whole = re.findall(r"<([\w:]+)>([^<>]{1,60})</\1>", body)[:MOST_LEAVES]
        elements = [(f"<{name}>{text}</{name}>", name) for name, text in whole if text.strip()]
        elements += [(f"<{name}", name) for name in dict.fromkeys(re.findall(r"<([\w:]+)", body))]
        order = sorted(enumerate(elements), key=lambda one: (not _TELLING.search(one[1][1]), one[0]))
        texts = [text for _, (text, _) in order]
    elif isinstance(content, Selector):
        found = content.xpath("//text()[not(ancestor::script or ancestor::style)]").getall()
        texts = [str(one) for one in found[:MOST_LEAVES]]
    else:
        texts = body.splitlines()[:MOST_LEAVES] if response.reading.format in ("text", "csv") else []
    pieces = (piece for text in texts for piece in _sentences(text.strip()))
    for text in islice(pieces, MOST_TRIED):
        if 4 <= len(text) <= LONGEST_TEXT and not any(one in re.sub(r"\D", "", text) for one in numbers):
            yield text


def _sentences(text: str) -> list[str]:
    """A text, or the sentences of a long one, each as far as a rule may have it."""
    if len(text) <= LONGEST_TEXT:
        return [text]
    found = re.split(r"(?<=[.!?;])\s+", text[:2000])
    return [one if len(one) <= LONGEST_TEXT else one[:LONGEST_TEXT].rpartition(" ")[0] for one in found]


def _plain(rule: Rule) -> dict[str, Any]:
    found: dict[str, Any] = (
        {"status": list(rule.status) if len(rule.status) > 1 else rule.status[0]} if rule.status else {}
    )
    return found | {key: value for key in ("json", "css", "text") if (value := getattr(rule, key))}
