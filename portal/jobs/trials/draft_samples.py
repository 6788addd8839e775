"""Asks a source whose recipe is being written: a page requests it, a worker asks, and the page finds the answer in the
database. No page's request waits for a source, and the web process never calls out.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog

from portal import audit
from portal.causes import CauseCode
from portal.clock import utcnow
from portal.database import db
from portal.jobs.core.spending_tables import NOBODY
from portal.jobs.dispatch import push_sample
from portal.jobs.spending import trial_bill
from portal.jobs.trials.draft_bill import NoPrice, ask_and_pay
from portal.jobs.trials.source_trial import LOST, SLOW, RedisAway
from portal.sources import catalogue, drafts, exclusions
from portal.sources.drafts import SIGNS_IN, DraftSample
from portal.sources.editor import login_outline
from portal.sources.editor.document import RecipeDocument
from portal.sources.editor.drafted import mistakes_in, name_in, priced_recipe, recipe_to_ask, stops
from portal.sources.editor.login import learned, place_of_token, without_token
from portal.sources.recipes.toml_table import BadRecipe
from portal.sources.sampling import SampleResult, ask_once
from portal.sources.trial import TRY_SECONDS

log = structlog.get_logger(__name__)


def ask(
    token: str,
    numbers: Sequence[tuple[str, str]],
    actor: str,
    now: datetime,
    *,
    spoilt: str = "",
    signs_in: str = "",
    user_id: int = NOBODY,
) -> int:
    """Hand numbers (E.164, each with what it is said to be) to a worker, and return how many.

    `spoilt`: a number that is asked about with wrong keys as well; `signs_in`: one for the request that signs in, which
    is sent alone and first, and is free; `user_id`: whose money it costs. Goes to the audit, without a number. Commits.
    Raises RedisAway, and NoPrice where the draft does not say what a lookup costs."""
    draft = drafts.find(token)
    if numbers and (draft is None or priced_recipe(draft.text) is None):
        raise NoPrice
    audit.note(actor, "number_tried", "source", token, None, now)
    db.session.commit()
    if signs_in:
        numbers = [(signs_in, SIGNS_IN), *numbers]
    asked = [drafts.add_sample(token, number, meaning, now, user_id=user_id) for number, meaning in numbers]
    if spoilt:
        asked.append(drafts.add_sample(token, spoilt, "key", now, spoilt=True, user_id=user_id))
    ids = [one for one in asked if one is not None]
    if not all(push_sample(one) for one in ids):
        raise RedisAway
    return len(ids)


def run(sample_id: int) -> None:
    """Ask one question in the worker, and keep the answer. Commits. For one that is not known it does nothing."""
    taken = drafts.take_sample(sample_id, utcnow())
    if taken is None:
        return
    sample, text = taken
    catalogue.refresh_now()
    try:
        facts, body = _asked(sample, text)
    except (BadRecipe, NoPrice):
        facts, body = SampleResult(reason=CauseCode.RECIPE_BROKEN).facts, b""
    except trial_bill.CapHolds:
        facts, body = SampleResult(reason=CauseCode.CAP_REACHED).facts, b""
    except Exception:  # the page that waits shows it
        log.exception("a sample failed")
        facts, body = SampleResult(reason=CauseCode.SOURCE_ERROR).facts, b""
    drafts.answer_sample(sample_id, facts, body)


def _asked(sample: DraftSample, text: str) -> tuple[dict[str, Any], bytes]:
    """Ask, and count what it costs: what the answer says of itself, and its body. Commits. Raises BadRecipe, NoPrice
    and CapHolds."""
    if sample.meaning == SIGNS_IN:
        return _signed_in(sample, text)
    recipe = recipe_to_ask(text, f"draft-{sample.draft.lower().replace('_', '-').strip('-')}"[:40].rstrip("-"))
    if exclusions.excluded_among([sample.number], name_in(text)):  # nobody sends it
        return SampleResult(reason=CauseCode.EXCLUDED).facts, b""
    result = ask_and_pay(recipe, text, sample)
    return {**result.facts, **result.booked}, result.body


def _signed_in(sample: DraftSample, text: str) -> tuple[dict[str, Any], bytes]:
    """Send the request that signs in, and note in the draft where its answer has the token. Commits."""
    name = f"draft-{sample.draft.lower().replace('_', '-').strip('-')}"[:40].rstrip("-")
    result = ask_once(recipe_to_ask(text, name), sample.number, signs_in=True)
    if result.status is not None and result.status < 300:
        document = RecipeDocument(text)
        if (outline := login_outline.read(result.body)) is not None:
            document.set_before(learned(document.before, outline))
        if "cookie" in place_of_token(document.before):
            without_token(document)
        if document.text != text and not stops(mistakes_in(document.text, *catalogue.opened())):
            draft = drafts.find(sample.draft)
            drafts.change(sample.draft, document.text, draft.changed_by if draft else "", utcnow(), seen=text)
    return result.facts, result.body


def is_waiting(sample: DraftSample, now: datetime) -> bool:
    """Whether an answer may still come."""
    if sample.facts is not None:
        return False
    limit = timedelta(seconds=3 * TRY_SECONDS) if sample.taken_at else LOST
    return now - (sample.taken_at or sample.asked_at) < limit


def is_slow(sample: DraftSample, now: datetime) -> bool:
    """Whether no worker has taken it for longer than usual."""
    return sample.facts is None and sample.taken_at is None and now - sample.asked_at > SLOW


def forget(now: datetime) -> None:
    """Delete drafts that nobody has changed for long. Called by every sweep. Commits."""
    drafts.forget(now)
