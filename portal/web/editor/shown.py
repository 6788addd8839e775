"""What the editor's pages show of a draft: its recipe, its answers, what each field reads in each of them."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from hashlib import sha256
from typing import Any

from flask import abort

from portal.jobs.trials import draft_samples
from portal.sources import catalogue, drafts
from portal.sources.drafts import SIGNS_IN, DraftSample, SourceDraft
from portal.sources.editor import batch_guess, login_outline, rule_guess
from portal.sources.editor.answer_tree import AnswerTree, TreeRow, tree_of
from portal.sources.editor.document import RecipeDocument
from portal.sources.editor.drafted import (
    ReadSample,
    SampleAnswer,
    content_of,
    digits_of,
    drafted_recipe,
    mistakes_in,
    read_sample,
    reading_of,
    recipe_to_ask,
    value_of,
)
from portal.sources.editor.login import place_of_token
from portal.sources.editor.login_outline import LoginOutline
from portal.sources.editor.saved_samples import answer_of
from portal.sources.http.response import UnreadableResponse
from portal.sources.recipes.model import Recipe
from portal.sources.recipes.toml_table import BadRecipe, Mistake

ACCEPTED = re.compile(
    r"(?:pending|processing|in[ _-]?progress|accepted|queued|submitted|running|scheduled|created|new)", re.IGNORECASE
)
SECRET = re.compile(r"\{secret:(\w+)")


@dataclass(frozen=True)
class ShownSample:
    """One question and how it stands. `answer` is None until one has come."""

    row: DraftSample
    is_waiting: bool
    is_slow: bool
    answer: SampleAnswer | None

    @property
    def facts(self) -> Mapping[str, Any]:
        return self.row.facts or {}


@dataclass
class DraftPage:
    """One draft with all that its pages show. Nothing here changes it."""

    draft: SourceDraft
    now: datetime
    document: RecipeDocument = field(init=False)
    samples: list[ShownSample] = field(init=False)
    login: ShownSample | None = field(init=False)  # the question that only signs in

    def __post_init__(self) -> None:
        self.document = RecipeDocument(self.draft.text)
        every = drafts.samples(self.draft.token)
        self.login = next((self._shown(one) for one in every if one.meaning == SIGNS_IN), None)
        rows = [one for one in every if one.meaning != SIGNS_IN]
        answers = [answer_of(one.id, one.number, one.meaning, one.facts or {}, one.body or b"") for one in rows]
        reading = reading_of(self.document, [one for one in answers if one])
        for one in answers:
            if one is not None:
                one.response.reading = reading
        self.reading = reading
        self.samples = [
            ShownSample(row, draft_samples.is_waiting(row, self.now), draft_samples.is_slow(row, self.now), answer)
            for row, answer in zip(rows, answers, strict=True)
        ]

    def _shown(self, row: DraftSample) -> ShownSample:
        answer = answer_of(row.id, row.number, row.meaning, row.facts or {}, row.body or b"")
        return ShownSample(row, draft_samples.is_waiting(row, self.now), draft_samples.is_slow(row, self.now), answer)

    @cached_property
    def _login_outline(self) -> LoginOutline | None:
        return login_outline.read(self.login.answer.response.body) if self.login and self.login.answer else None

    @property
    def login_rows(self) -> tuple[TreeRow, ...]:
        """The outline of the answer that signs in."""
        return self._login_outline.rows if self._login_outline else ()

    @property
    def login_format(self) -> str:
        """The format of the answer that signs in."""
        return self._login_outline.format if self._login_outline else "json"

    @property
    def first_answer(self) -> SampleAnswer | None:
        """The first answer to a number with data."""
        return next((one for one in self.answers if one.meaning == "exists"), None)

    @property
    def ticket_values(self) -> dict[str, str]:
        """Texts of the first answer that may be the ticket of a batch, by their paths."""
        rows = self.tree(self.first_answer).rows if self.first_answer else ()
        return {row.place["path"]: row.value for row in rows if "path" in row.place and row.value}

    @property
    def figures(self) -> dict[str, str]:
        """The figures of the first answer, by their paths: one may be what the lookup has cost."""
        found = {path: value for path, value in self.ticket_values.items() if re.fullmatch(r"\d+(?:[.,]\d+)?", value)}
        if self.document.value("kind") != "batch":
            return found
        return {
            split: value for path, value in found.items() if "[" in path and (split := batch_guess.split_path(path)[1])
        }

    @property
    def ticket_guess(self) -> str:
        """The path of the likeliest one."""
        return batch_guess.ticket_in(self.ticket_values)

    @property
    def is_ticket(self) -> bool:
        """Whether the source has only accepted the question, it seems, and answers later."""
        answer, values = self.first_answer, self.ticket_values
        if answer is None or self.document.value("batch", "poll") or not self.ticket_guess or self.document.fields:
            return False
        accepted = answer.response.status == 202 or any(ACCEPTED.fullmatch(one) for one in values.values())
        digits = digits_of(answer.number)
        return accepted and not any(one in re.sub(r"\D", "", value) for value in values.values() for one in digits)

    @property
    def ready_conditions(self) -> list[str]:
        """Conditions of which one may say that the answers are ready, the likeliest first: that what says “accepted”
        now says something else, and what holds for the first answer."""
        answer = self.first_answer
        accepted = [(path, value) for path, value in self.ticket_values.items() if ACCEPTED.fullmatch(value)]
        found = [f"{path} != '{value}'" for path, value in accepted]
        try:
            return found + (rule_guess.conditions_of(answer.response.content, answer.number) if answer else [])
        except UnreadableResponse:
            return found

    @property
    def signs_in_by_cookies(self) -> bool:
        return "cookie" in place_of_token(self.document.before)

    def is_token(self, row: TreeRow) -> bool:
        """Whether the recipe takes the token from this row of the answer that signs in."""
        known = place_of_token(self.document.before)
        return known == dict(row.place) or ("cookie" in known and "cookie" in row.place)

    @property
    def secrets_of_request(self) -> list[str]:
        """The secrets of the lookup's own request, in whose place the token may be."""
        texts = [self.document.value("request", "url") or "", self.document.value("request", "body") or ""]
        texts += (self.document.value("request", "headers") or {}).values()
        return list(dict.fromkeys(name for text in texts for name in SECRET.findall(text)))

    def place_of_secret(self, name: str) -> str:
        """Where a request has a secret, as its documentation shows it: “Authorization: Bearer …”."""
        for request in (self.document.value("request") or {}, self.document.before):
            lines = [f"{one}: {text}" for one, text in (request.get("headers") or {}).items()]
            for text in (*lines, request.get("url") or "", request.get("body") or ""):
                if match := re.search(rf"([^\n?&{{}},]*)\{{secret:{name}\b[^{{}}]*\}}", text):
                    return f"{match[1].lstrip()[-60:]}…"
        return ""

    @property
    def misses_token(self) -> bool:
        """Whether a key that is missing may be what another request gives."""
        return not self.document.before and any("TOKEN" in name or "SESSION" in name for name in self.missing_secrets)

    @property
    def changes_above(self) -> str:
        """The parts above the answers that may change while an answer is awaited: nothing that a person types in."""
        awaits_login = self.login is not None and self.login.is_waiting
        parts = ["#login"] * awaits_login + ["#batch"] * (not self.document.fields and not self.answers)
        return ",".join(parts)

    @property
    def mark(self) -> str:
        """A mark that changes with the text."""
        return sha256(self.draft.text.encode()).hexdigest()

    @property
    def header_lines(self) -> str:
        """The request's headers as lines of a form."""
        return "\n".join(f"{name}: {text}" for name, text in (self.document.value("request", "headers") or {}).items())

    @property
    def differs(self) -> bool:
        """Whether the source is another now: the draft has changes of its own, or it was changed elsewhere."""
        files = [one for one in catalogue.recipe_files() if one.path.name == self.draft.file]
        present = next((one.offered or one.recipe for one in files), None)
        return bool(self.draft.source and present and present.text.strip() != self.draft.text.strip())

    @property
    def is_waiting(self) -> bool:
        return any(one.is_waiting for one in (*self.samples, *([self.login] if self.login else [])))

    @property
    def answers(self) -> list[SampleAnswer]:
        return [one.answer for one in self.samples if one.answer is not None]

    @cached_property
    def mistakes(self) -> tuple[Mistake, ...]:
        return mistakes_in(self.draft.text, *catalogue.opened())

    @cached_property
    def recipe(self) -> Recipe | None:
        """The recipe, as far as it is written: None when it has a mistake, or no field yet."""
        return drafted_recipe(self.draft.text)

    @cached_property
    def asking(self) -> Recipe | None:
        """The recipe as it can ask."""
        try:
            return recipe_to_ask(self.draft.text, "draft")
        except BadRecipe:
            return None

    @cached_property
    def missing_secrets(self) -> tuple[str, ...]:
        known = catalogue.known_secrets()
        recipe = self.recipe or self.asking
        return tuple(name for name in (recipe.secrets if recipe else ()) if name not in known)

    def is_chosen(self, row: TreeRow) -> bool:
        """Whether a field reads this row already."""
        place = dict(row.place)
        if self.document.value("kind") == "batch" and "path" in place:
            place["path"] = batch_guess.split_path(place["path"])[1]
        specs = [one if isinstance(one, dict) else {"path": one} for one in self.document.fields.values()]
        return bool(place) and any(place.items() <= one.items() for one in specs)

    def tree(self, sample: SampleAnswer) -> AnswerTree:
        """The answer to choose from."""
        return tree_of(sample.response, digits_of(sample.number))

    @cached_property
    def values(self) -> dict[str, dict[int, str]]:
        """What each field reads in each answer, by the field's name and the sample's id."""
        recipe = self.recipe
        if recipe is None:
            return {}
        found: dict[str, dict[int, str]] = {rule.name: {} for rule in recipe.fields}
        for one in self.answers:
            try:
                content = content_of(recipe, one)
            except UnreadableResponse:
                content = None
            for rule in recipe.fields:
                found[rule.name][one.id] = value_of(rule, content)
        return found

    @cached_property
    def read(self) -> dict[int, ReadSample]:
        """What a job would make of each answer, by the sample's id."""
        recipe = self.recipe
        return {one.id: read_sample(recipe, one) for one in self.answers} if recipe else {}

    def is_right(self, sample: SampleAnswer) -> bool:
        """Whether a job would understand an answer as the person does."""
        read, wanted = self.read.get(sample.id), rule_guess.WANTED.get(sample.meaning)
        if read is None or wanted is None:
            return False
        if self.ignores_key(sample):
            return True
        return read.verdict == wanted[1] or (read.verdict == "unsure" and wanted[0] == "rejected")

    def labels(self, names: Iterable[str], language: str) -> list[str]:
        """What fields are called on the page."""
        known = {rule.name: rule.label for rule in self.recipe.fields} if self.recipe else {}
        return [known.get(name, {}).get(language) or name for name in names]

    def ignores_key(self, sample: SampleAnswer) -> bool:
        """Whether the source has answered with a wrong key as it does with the right one: it does not check it."""
        read = self.read.get(sample.id)
        same = [one for one in self.answers if one.number == sample.number and one.meaning == "exists"]
        return bool(
            read
            and sample.meaning == "key"
            and read.fields
            and any(self.read[one.id].fields == read.fields for one in same)
        )

    @property
    def all_right(self) -> bool:
        """Whether a job would understand every answer as the person does."""
        return bool(self.answers) and all(self.is_right(one) for one in self.answers)

    def _is_left_out(self, sample: SampleAnswer) -> bool:
        """Whether an answer about many numbers has nothing about this one, which it does not know or refuses."""
        read = self.read.get(sample.id)
        return bool(read and read.why == "no item" and sample.meaning in ("unknown", "wrong"))

    @property
    def left_out_means(self) -> str:
        """What it probably means that an answer leaves a number out, as [batch] missing has it; empty when that is
        known, or none was left out."""
        known = self.document.value("batch", "missing")
        left_out = {one.meaning for one in self.answers if self._is_left_out(one)}
        if self.document.value("kind") != "batch" or known not in (None, "retry") or not left_out:
            return ""
        return "not_found" if "unknown" in left_out else "rejected"

    @cached_property
    def proposals(self) -> tuple[list[rule_guess.ProposedRule], list[SampleAnswer]]:
        recipe = self.recipe
        if recipe is None:
            return [], []
        left = [one for one in self.answers if not (one.meaning != "exists" and self.is_right(one))]
        telling = [one for one in self.answers if not self.ignores_key(one) and not self._is_left_out(one)]
        found, unclear = rule_guess.proposals(recipe, telling)
        wanted = {rule_guess.WANTED[one.meaning][0] for one in left if one.meaning in rule_guess.WANTED}
        known = {(name, json.dumps(rule, sort_keys=True)) for name, rule in self.rules_of}
        new = [one for one in found if (one.name, json.dumps(one.rule, sort_keys=True)) not in known]
        new = [one for one in new if one.name in wanted and not (one.name == "success" and self._has_rules("success"))]
        return new, [one for one in unclear if not self.is_right(one)]

    @property
    def rules_of(self) -> list[tuple[str, dict[str, Any]]]:
        return [(name, rule) for name, _, rule in self.document.rules]

    def _has_rules(self, name: str) -> bool:
        return any(known == name for known, _ in self.rules_of)

    @cached_property
    def rules(self) -> list[tuple[str, int, dict[str, Any], tuple[int, ...]]]:
        """The rules of the recipe, each with the samples that it catches."""
        recipe = self.recipe
        return [
            (name, nth, rule, rule_guess.caught_by(rule, recipe, self.answers) if recipe else ())
            for name, nth, rule in self.document.rules
        ]


def page_of(token: str, now: datetime) -> DraftPage:
    """One draft's page; a 404 when it does not exist."""
    draft = drafts.find(token)
    if draft is None:
        abort(404)
    return DraftPage(draft, now)
