"""What the editor's pages show of a draft's requests: their secrets, the questions and their answers, the login before
them, and the ticket of answers that come later."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from portal.jobs.trials import draft_samples
from portal.sources import catalogue, drafts
from portal.sources.drafts import SIGNS_IN, DraftSample, SourceDraft
from portal.sources.editor import batch_guess, login_outline, rule_guess
from portal.sources.editor.answer_tree import AnswerTree, TreeRow, tree_of
from portal.sources.editor.document import RecipeDocument
from portal.sources.editor.drafted import (
    SampleAnswer,
    digits_of,
    drafted_recipe,
    reading_of,
    recipe_to_ask,
)
from portal.sources.editor.login import place_of_token
from portal.sources.editor.login_outline import LoginOutline
from portal.sources.editor.saved_samples import answer_of
from portal.sources.http.response import UnreadableResponse
from portal.sources.recipes.model import Recipe
from portal.sources.recipes.toml_table import BadRecipe

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
class DraftRequests:
    """One draft with its requests, and the questions that were asked with them. Nothing here changes it."""

    draft: SourceDraft
    now: datetime
    document: RecipeDocument = field(init=False)
    samples: list[ShownSample] = field(init=False)
    login: ShownSample | None = field(init=False)  # the question that only signs in

    def __post_init__(self) -> None:
        self.document = RecipeDocument(self.draft.text)
        every = [self._shown(row) for row in drafts.samples(self.draft.token)]
        self.login = next((one for one in every if one.row.meaning == SIGNS_IN), None)
        self.samples = [one for one in every if one.row.meaning != SIGNS_IN]
        self.reading = reading_of(self.document, self.answers)
        for answer in self.answers:
            answer.response.reading = self.reading

    def _shown(self, row: DraftSample) -> ShownSample:
        answer = answer_of(row.id, row.number, row.meaning, row.facts or {}, row.body or b"")
        return ShownSample(row, draft_samples.is_waiting(row, self.now), draft_samples.is_slow(row, self.now), answer)

    # ── the questions ──────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def answers(self) -> list[SampleAnswer]:
        return [one.answer for one in self.samples if one.answer is not None]

    @property
    def is_waiting(self) -> bool:
        return any(one.is_waiting for one in (*self.samples, *([self.login] if self.login else [])))

    @property
    def changes_above(self) -> str:
        """The parts above the answers that may change while an answer is awaited: nothing that a person types in."""
        awaits_login = self.login is not None and self.login.is_waiting
        parts = ["#login"] * awaits_login + ["#batch"] * (not self.document.fields and not self.answers)
        return ",".join(parts)

    def tree(self, sample: SampleAnswer) -> AnswerTree:
        """The answer to choose from."""
        return tree_of(sample.response, digits_of(sample.number))

    @property
    def first_answer(self) -> SampleAnswer | None:
        """The first answer to a number with data."""
        return next((one for one in self.answers if one.meaning == "exists"), None)

    # ── the request, and its secrets ──────────────────────────────────────────────────────────────────────────────────

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
    def doubtful_secrets(self) -> tuple[str, ...]:
        """The keys of a new draft that are known before anything was asked: they may be examples of documentation."""
        recipe = self.recipe or self.asking
        is_new = self.draft.source is None and not self.samples
        return tuple(one for one in recipe.secrets if one not in self.missing_secrets) if recipe and is_new else ()

    @property
    def misses_token(self) -> bool:
        """Whether a key that is missing may be what another request gives."""
        return not self.document.before and any("TOKEN" in name or "SESSION" in name for name in self.missing_secrets)

    @property
    def header_lines(self) -> str:
        """The request's headers as lines of a form."""
        return "\n".join(f"{name}: {text}" for name, text in (self.document.value("request", "headers") or {}).items())

    # ── the login before ──────────────────────────────────────────────────────────────────────────────────────────────

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
    def signs_in_by_cookies(self) -> bool:
        return "cookie" in place_of_token(self.document.before)

    def is_token(self, row: TreeRow) -> bool:
        """Whether the recipe takes the token from this row of the answer that signs in."""
        known = place_of_token(self.document.before)
        return known == dict(row.place) or ("cookie" in known and "cookie" in row.place)

    # ── answers that come later ───────────────────────────────────────────────────────────────────────────────────────

    @property
    def first_values(self) -> dict[str, str]:
        """What the first answer says, by its paths: one may be the ticket of a batch, or what the lookup has cost."""
        rows = self.tree(self.first_answer).rows if self.first_answer else ()
        return {row.place["path"]: row.value for row in rows if "path" in row.place and row.value}

    @property
    def figures(self) -> dict[str, str]:
        """The figures of the first answer, by their paths: one may be what the lookup has cost."""
        found = {path: value for path, value in self.first_values.items() if re.fullmatch(r"\d+(?:[.,]\d+)?", value)}
        if self.document.value("kind") != "batch":
            return found
        return {
            split: value for path, value in found.items() if "[" in path and (split := batch_guess.split_path(path)[1])
        }

    @property
    def ticket_guess(self) -> str:
        """The path of the likeliest one."""
        return batch_guess.ticket_in(self.first_values)

    @property
    def is_ticket(self) -> bool:
        """Whether the source has only accepted the question, it seems, and answers later."""
        answer, values = self.first_answer, self.first_values
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
        accepted = [(path, value) for path, value in self.first_values.items() if ACCEPTED.fullmatch(value)]
        found = [f"{path} != '{value}'" for path, value in accepted]
        try:
            return found + (rule_guess.conditions_of(answer.response.content, answer.number) if answer else [])
        except UnreadableResponse:
            return found
