"""What the editor's pages show of a draft: its recipe, its answers, what each field reads in each of them."""

import json
from collections.abc import Iterable
from datetime import datetime
from functools import cached_property
from hashlib import sha256
from typing import Any

from flask import abort

from portal.sources import catalogue, drafts
from portal.sources.editor import batch_guess, rule_guess
from portal.sources.editor.answer_tree import TreeRow
from portal.sources.editor.drafted import (
    ReadSample,
    SampleAnswer,
    content_of,
    mistakes_in,
    read_sample,
    value_of,
)
from portal.sources.http.response import UnreadableResponse
from portal.sources.recipes.toml_table import Mistake
from portal.web.editor.shown_requests import DraftRequests


class DraftPage(DraftRequests):
    """One draft with all that its pages show: its requests, and what the recipe reads in their answers."""

    @property
    def mark(self) -> str:
        """A mark that changes with the text."""
        return sha256(self.draft.text.encode()).hexdigest()

    @property
    def differs(self) -> bool:
        """Whether the source is another now: the draft has changes of its own, or it was changed elsewhere."""
        files = [one for one in catalogue.recipe_files() if one.path.name == self.draft.file]
        present = next((one.offered or one.recipe for one in files), None)
        return bool(self.draft.source and present and present.text.strip() != self.draft.text.strip())

    @cached_property
    def mistakes(self) -> tuple[Mistake, ...]:
        return mistakes_in(self.draft.text, *catalogue.opened())

    def is_chosen(self, row: TreeRow) -> bool:
        """Whether a field reads this row already."""
        place = dict(row.place)
        if self.document.value("kind") == "batch" and "path" in place:
            place["path"] = batch_guess.split_path(place["path"])[1]
        specs = [one if isinstance(one, dict) else {"path": one} for one in self.document.fields.values()]
        return bool(place) and any(place.items() <= one.items() for one in specs)

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
