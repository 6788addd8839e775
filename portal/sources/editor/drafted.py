"""A recipe that is being written: what is wrong with it and where, the version of it that can ask, and what it reads in
each sample. Reads saved answers only; what a person has written is run with bounds."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import tomlkit
from parsel import Selector
from tomlkit.exceptions import TOMLKitError

from portal.net.address_policy import AddressPolicy, AddressRefused
from portal.sources.base import Outcome
from portal.sources.editor.answer_tree import format_of, is_too_large
from portal.sources.http.batch import by_number, items_in
from portal.sources.http.classify import Verdict, any_holds, classify, classify_item, classify_whole, search
from portal.sources.http.extract import FieldMissing, extract_fields
from portal.sources.http.response import SourceResponse, UnreadableResponse
from portal.sources.recipes.loader import recipe_of
from portal.sources.recipes.model import AnswerReading, FieldRule, Recipe, Rule
from portal.sources.recipes.placeholders import PLACEHOLDER, forms_of
from portal.sources.recipes.toml_table import BadRecipe, Lines, Mistake

FILE = "recipe.toml"
INCOMPLETE = frozenset(("no_fields",))  # what a draft may still lack
MOST_STEPS = 6  # // in one XPath, or words in one selector: each may multiply the time
LONGEST_EXPRESSION = 1000
OUTCOMES = {
    Verdict.OK: Outcome.FOUND, Verdict.NOT_FOUND: Outcome.NOT_FOUND, Verdict.REJECTED: Outcome.REJECTED,
    Verdict.UNSURE: Outcome.REJECTED,
}  # fmt: skip


@dataclass(frozen=True)
class SampleAnswer:
    """One saved answer. `meaning`: what a person says that it is, as a key of `rule_guess.WANTED`."""

    id: int
    number: str
    meaning: str
    response: SourceResponse


@dataclass(frozen=True)
class ReadSample:
    """What the recipe reads in one sample. `verdict` is that of the rules; `fields` are the values that it has, and
    `missing` the required ones that it has not; `why`: it cannot be read, as `words.sample_words` knows it."""

    verdict: str
    outcome: str
    fields: Mapping[str, str] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    why: str = ""


def mistakes_in(text: str, allow_private: Sequence[str] = (), ports: Sequence[int] = ()) -> tuple[Mistake, ...]:
    """Everything that is wrong with a recipe's text, by its lines, also what only the editor refuses: an address inside
    the network, and expressions that could take very long."""
    try:
        recipe_of(text, Path(FILE), tests=False)
        tomlkit.parse(text)
    except TOMLKitError as error:
        return (Mistake(FILE, "", getattr(error, "line", 1), "not_toml", {"why": str(error)}),)
    except BadRecipe as error:
        found = list(error.mistakes)
        if any(one.code in ("not_toml", "not_readable") for one in found):
            return tuple(found)
    else:
        found = []
    values, lines = tomllib.loads(text), Lines(text)
    policy = AddressPolicy(allow_private, ports)
    for table, key, address in _addresses(values):
        try:
            policy.check_text(PLACEHOLDER.sub("x", address))
        except AddressRefused as error:
            if not any(one.key == f"{table}.{key}" for one in found):
                found.append(
                    Mistake(FILE, f"{table}.{key}", lines.of(table, key), f"address_{error.code}", {"what": error.what})
                )
        if _is_local_name(address):
            found.append(Mistake(FILE, f"{table}.{key}", lines.of(table, key), "address_private_address", {}))
    for table, key, expression in _expressions(values):
        if is_heavy(expression):
            found.append(Mistake(FILE, f"{table}.{key}", lines.of(table, key), "heavy_expression", {}))
    return tuple(sorted(found, key=lambda one: one.line))


def name_in(text: str) -> str:
    """The name in a recipe's text; empty where it has none."""
    match = re.search(r"^name\s*=\s*[\"']([^\"'\n]*)", text, re.MULTILINE)
    return match[1] if match else ""


def stops(mistakes: Sequence[Mistake]) -> list[Mistake]:
    """The mistakes that a draft may not have: the forms could not change it."""
    return [one for one in mistakes if one.code not in INCOMPLETE]


def is_heavy(expression: str) -> bool:
    """Whether a selector could take very long on a large page: its steps multiply."""
    if len(expression) > LONGEST_EXPRESSION:
        return True
    bare = re.sub(r"\"[^\"]*\"|'[^']*'", "", expression)
    within = "".join(re.findall(r"\[[^\[\]]*(?:\[.*\])?[^\[\]]*\]", bare))
    return (
        bare.count("//") + bare.count("descendant") + 2 * within.count("//") > MOST_STEPS
        or len(re.findall(r"[ >+~]+", bare)) > 40
    )


def _is_local_name(address: str) -> bool:
    host = (
        re.split(r"[/?#]", address.partition("://")[2], maxsplit=1)[0].rpartition(":")[0] or address.partition("://")[2]
    )
    return bool(
        re.fullmatch(r"(?:.*\.)?(?:localhost|local|internal|localdomain)", re.split(r"[/?#:]", host)[0], re.IGNORECASE)
    )


def _addresses(values: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    found = []
    tables = {"request": values.get("request"), "batch": values.get("batch")}
    for nth, one in enumerate(values.get("before", []) if isinstance(values.get("before"), list) else []):
        tables[f"before.{nth}"] = one
    batch = values.get("batch")
    tables["batch.poll"] = batch.get("poll") if isinstance(batch, dict) else None
    for name, table in tables.items():
        if isinstance(table, dict) and isinstance(table.get("url"), str):
            found.append((name.partition(".")[0] if name.startswith("before.") else name, "url", table["url"]))
    return found


def _expressions(values: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    fields, outcome = values.get("fields"), values.get("outcome")
    found = []
    for name, one in fields.items() if isinstance(fields, dict) else ():
        texts = one.items() if isinstance(one, dict) else [("", one)]
        found += [
            ("fields", name, text)
            for key, text in texts
            if key in ("", "css", "xpath", "path") and isinstance(text, str)
        ]
    for name, rules in outcome.items() if isinstance(outcome, dict) else ():
        for rule in rules if isinstance(rules, list) else ():
            if isinstance(rule, dict):
                found += [("outcome", name, rule[key]) for key in ("css", "json") if isinstance(rule.get(key), str)]
    return found


def recipe_to_ask(text: str, name: str, *, with_cost: bool = False) -> Recipe:
    """The recipe as it can ask already: without rules, and with a field if it has none. Raises BadRecipe."""
    document = tomlkit.parse(text)
    for key in ("outcome", "test", "only", "shelf", *(() if with_cost else ("cost",))):
        document.pop(key, None)
    document["name"] = name
    if not document.get("fields"):
        document.pop("fields", None)
        form = document.get("answer", {}).get("format") or ("html" if document.get("kind") == "html" else "json")
        table = tomlkit.table()
        table["answer"] = {"html": "html", "xml": "/*", "text": "."}.get(str(form), "@")
        document["fields"] = table
    return recipe_of(tomlkit.dumps(document), Path(FILE), tests=False)


def drafted_recipe(text: str) -> Recipe | None:
    """The recipe, if it has no mistake."""
    with suppress(BadRecipe):
        return recipe_of(text, Path(FILE), tests=False)
    return None


def priced_recipe(text: str) -> Recipe | None:
    """The recipe with what a lookup costs, as far as it is written; None where it does not say that. Without a field
    nobody knows what is found, so that every answer counts."""
    whole = drafted_recipe(text)
    if whole is None:
        with suppress(BadRecipe):
            whole = recipe_to_ask(text, name_in(text), with_cost=True)
            whole = replace(whole, cost=whole.cost and replace(whole.cost, per="asked"))
    has_price = whole and whole.cost and "price" in tomllib.loads(text)["cost"]
    return whole if has_price else None


def reading_of(document: Any, samples: Sequence[SampleAnswer]) -> AnswerReading:
    """How the answers are read: as the recipe says, or else as the first useful one looks."""
    answer = document.value("answer") or {}
    known = answer.get("format") or ("html" if document.value("kind") == "html" else "")
    if not known:
        order = sorted(samples, key=lambda one: (one.meaning != "exists", one.response.status >= 400))
        known = format_of(order[0].response) if order else "json"
    return AnswerReading(
        known,
        answer.get("charset", ""),
        answer.get("delimiter", ""),
        answer.get("header", True),
        answer.get("namespaces", {}),
    )


def content_of(recipe: Recipe, sample: SampleAnswer) -> Any:
    """What fields are read from: the answer, or the number's item in an answer about many. Raises
    UnreadableResponse."""
    content = sample.response.content
    if isinstance(content, Selector) and is_too_large(content):
        raise UnreadableResponse("too large")
    if recipe.batch:
        items = items_in(recipe.batch.items, content)
        item_of, _ = by_number(items if isinstance(items, list) else [], recipe.batch, [sample.number])
        return item_of.get(sample.number)
    return content


def value_of(rule: FieldRule, content: Any) -> str:
    """One field's value; empty where it has none."""
    if content is None:
        return ""
    try:
        return extract_fields([replace(rule, required=False)], content).get(rule.name, "")
    except (UnreadableResponse, FieldMissing):
        return ""


def read_sample(recipe: Recipe, sample: SampleAnswer) -> ReadSample:
    """What a job would make of this answer."""
    response = sample.response
    try:
        content = content_of(recipe, sample)
    except UnreadableResponse as error:
        content, why = None, str(error)
    else:
        why = ""
    if recipe.batch:
        verdict = classify_whole(response, recipe.outcomes)
        if verdict == Verdict.OK and content is not None:
            verdict = classify_item(content, recipe.outcomes)
        elif verdict == Verdict.OK and not why:
            left_out = {"not_found": Verdict.NOT_FOUND, "rejected": Verdict.REJECTED}.get(recipe.batch.missing)
            verdict, why = left_out or Verdict.UNREADABLE, "" if left_out else "no item"
    else:
        verdict = classify(response, recipe.outcomes)
    if verdict != Verdict.OK:
        return ReadSample(
            verdict, OUTCOMES.get(verdict, Outcome.FAILED), why=why if verdict == Verdict.UNREADABLE else ""
        )
    found = {rule.name: value for rule in recipe.fields if (value := value_of(rule, content))}
    missing = tuple(rule.name for rule in recipe.fields if rule.required and rule.name not in found)
    good = bool(found) and not missing
    return ReadSample(
        verdict if good else Verdict.UNREADABLE, Outcome.FOUND if good else Outcome.FAILED, found, missing, why
    )


def holds(rule: Rule, recipe_is_batch: bool, content: Any, response: SourceResponse) -> bool:
    """Whether a rule holds for a sample; in a batch, rules on JSON are about the number's item as well."""
    if any_holds((rule,), response):
        return True
    return recipe_is_batch and bool(rule.json) and content is not None and bool(search(rule.json, content))


def digits_of(number: str) -> tuple[str, ...]:
    """A number's forms as digits, for finding it in an answer."""
    return tuple(dict.fromkeys(re.sub(r"\D", "", one) for one in forms_of(number).values() if len(one) > 5))
