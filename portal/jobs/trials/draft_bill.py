"""The money of a draft's questions: none is asked before the draft says what a lookup costs, each is reserved and
settled as any trial is, and all are booked anew once the draft says something else of its price, its name, or its
answers."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from portal.clock import utcnow
from portal.database import db
from portal.jobs.core.spending_tables import NOBODY
from portal.jobs.spending import reservations, trial_bill
from portal.jobs.spending.reservations import Account, month_of
from portal.sources import drafts
from portal.sources.drafts import DraftSample
from portal.sources.editor.drafted import priced_recipe
from portal.sources.editor.saved_samples import answer_of, cost_of
from portal.sources.http.source import facts_of
from portal.sources.money import billionths
from portal.sources.recipes.model import Recipe
from portal.sources.sampling import SampleResult, ask_once


class NoPrice(Exception):
    """The draft does not say what a lookup costs: nothing may be asked."""


def ask_and_pay(recipe: Recipe, text: str, sample: DraftSample) -> SampleResult:
    """Ask a draft's question with this recipe, and count what it costs as the draft's text says. Commits. Raises
    NoPrice and trial_bill.CapHolds."""
    priced = priced_recipe(text)
    if priced is None:
        raise NoPrice
    facts = facts_of(priced)
    with trial_bill.bill(facts, priced.name, sample.user_id or NOBODY, utcnow()) as bill:
        result = ask_once(recipe, sample.number, spoilt=sample.spoilt)
        bill.unsure = result.status is None and result.sent is not None
        answer = (
            answer_of(sample.id, sample.number, sample.meaning, result.facts, result.body) if result.is_asked else None
        )
        bill.cost = cost_of(priced, answer) if answer else 0
    result.booked = {"cost": bill.cost, "booked": [priced.name, facts.currency], "was_free": not facts.is_priced}
    return result


def settle(token: str, user_id: int) -> None:
    """Book what each question of a draft has cost as its recipe says now: at its price, under its name, as its rules
    and fields read the answer. What was booked before is taken back. `user_id`: whose money it was where nobody is
    known. The money is spent, so no cap can hold it any more. Commits."""
    draft = drafts.find(token)
    recipe = priced_recipe(draft.text) if draft else None
    if recipe is None:
        return
    currency = facts_of(recipe).currency
    changes: list[tuple[Account, str, int]] = []
    asked = select(DraftSample).where(DraftSample.draft == token, DraftSample.facts.is_not(None))
    for sample in db.session.scalars(asked.order_by(DraftSample.id).with_for_update()):
        facts = sample.facts or {}
        answer = answer_of(sample.id, sample.number, sample.meaning, facts, sample.body or b"")
        if answer is None or sample.meaning == drafts.SIGNS_IN or not facts.get("is_asked", True):
            continue
        cost = cost_of(recipe, answer) if sample.meaning != drafts.REPLACED else _without_answer(recipe, facts)
        was = facts.get("cost", 0)
        booked = facts.get("booked") or [recipe.name, currency]
        if (cost, [recipe.name, currency]) == (was, booked):
            continue
        payer, month = sample.user_id or user_id, month_of(sample.asked_at)
        changes.append((Account(payer, *booked), month, -was))
        changes.append((Account(payer, recipe.name, currency), month, cost))
        now_booked = {"cost": cost, "booked": [recipe.name, currency], "was_free": False}
        sample.facts = {**facts, **now_booked}
    reservations.add_spent(changes)
    db.session.commit()


def _without_answer(recipe: Recipe, facts: Mapping[str, Any]) -> int:
    """What a question has cost whose answer is gone, as it was asked again; the most where it was thought to be
    free."""
    if not facts.get("was_free"):
        return int(facts.get("cost", 0))
    return billionths(facts_of(recipe).most or Decimal(0)) if facts["status"] < 300 else 0
